internal import CLinux
internal import Glibc

/// Takes everything from this process but memory, processor time and the descriptors that it is given.
///
/// For a process with one thread, before it reads a hostile byte; nothing of it can be undone.
public enum Sandbox {
    /// What the process may still use.
    public struct Limits: Sendable {
        public var addressSpaceBytes: UInt64
        /// Of the whole process; the kernel kills it beyond.
        public var processorSeconds: UInt64
        public var descriptors: UInt64
        /// Of a memory file; there is no other file that it could write.
        public var fileBytes: UInt64
        /// Added to the scheduling priority's nice value.
        public var niceness: Int32

        public init(
            addressSpaceBytes: UInt64, processorSeconds: UInt64, descriptors: UInt64, fileBytes: UInt64, niceness: Int32
        ) {
            self.addressSpaceBytes = addressSpaceBytes
            self.processorSeconds = processorSeconds
            self.descriptors = descriptors
            self.fileBytes = fileBytes
            self.niceness = niceness
        }
    }

    /// User and group "nobody", as every distribution and the kernel's overflow user number it.
    private static let nobody: UInt32 = 65534

    /// Descriptors above `lastDescriptor` are closed first. Throws when one of the parts that always work fails:
    /// limits, capabilities, no new privileges, the filter of system calls. A network namespace and another user are
    /// taken where they are permitted; the filter allows no socket in any case.
    ///
    /// With `keepsNetwork` the process may connect to others and read files that its user may read, and start threads;
    /// else nothing more.
    public static func enter(
        _ limits: Limits, lastDescriptor: Int32, keepsNetwork: Bool = false
    ) throws(SystemCallError) {
        guard linux_close_from(lastDescriptor + 1) == 0 else { throw SystemCallError("close_range") }
        try limit(RLIMIT_AS, limits.addressSpaceBytes)
        try limit(RLIMIT_CPU, limits.processorSeconds)
        try limit(RLIMIT_NOFILE, limits.descriptors)
        try limit(RLIMIT_CORE, 0)
        try limit(RLIMIT_FSIZE, limits.fileBytes)
        _ = nice(limits.niceness)
        if !keepsNetwork { _ = linux_leave_network() }
        guard linux_drop_bounding_set() == 0 else { throw SystemCallError("prctl", on: "PR_CAPBSET_DROP") }
        guard linux_become_user(nobody) == 0 else { throw SystemCallError("setresuid") }
        guard linux_clear_capabilities() == 0 else { throw SystemCallError("capset") }
        guard linux_set_undumpable() == 0 else { throw SystemCallError("prctl", on: "PR_SET_DUMPABLE") }
        guard linux_set_no_new_privileges() == 0 else { throw SystemCallError("prctl", on: "PR_SET_NO_NEW_PRIVS") }
        let filtered = keepsNetwork ? linux_limit_to_network() : linux_limit_system_calls()
        guard filtered == 0 else { throw SystemCallError("seccomp") }
    }

    private static func limit(_ resource: __rlimit_resource, _ value: UInt64) throws(SystemCallError) {
        var current = rlimit()
        let kind = __rlimit_resource_t(resource.rawValue)
        guard unsafe getrlimit(kind, &current) == 0 else { throw SystemCallError("getrlimit") }
        let lowered = min(UInt(value), current.rlim_max)
        var new = rlimit(rlim_cur: lowered, rlim_max: lowered)
        guard unsafe setrlimit(kind, &new) == 0 else { throw SystemCallError("setrlimit") }
    }
}
