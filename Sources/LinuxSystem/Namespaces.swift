/// Whether this process sees the host as a whole, or a container's view of it (namespaces(7)).
public enum Namespaces {
    /// The inode numbers of the first namespaces are part of the kernel's interface (linux/nsfs.h).
    private static let firstControlGroup = "cgroup:[4026531835]"
    private static let firstProcess = "pid:[4026531836]"

    /// Whether PIDs are the host's; nil where that can't be read.
    public static var seesAllProcesses: Bool? { ProcFile.link("/proc/self/ns/pid").map { $0 == firstProcess } }

    /// Whether paths of control groups are whole; nil where that can't be read.
    public static var seesAllControlGroups: Bool? {
        ProcFile.link("/proc/self/ns/cgroup").map { $0 == firstControlGroup }
    }
}
