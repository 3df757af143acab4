// fuzz: LinuxSystem
import LinuxSystem

/// Texts of /proc/PID/cgroup and /proc/self/mountinfo, and paths that users give.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let membership = ControlGroupMembership(bytes)
    for entry in membership.entries {
        let group = ControlGroup(path: entry.path)
        for container in group.containers where container.id.isEmpty { return -2 }
        _ = (group.podUID, group.systemdService)
    }
    let mounts = ControlGroupMounts(bytes)
    let place = ControlGroupPlace(membership.group?.path ?? String(decoding: bytes, as: UTF8.self), mounts: mounts)
    guard place.path.first == "/" else { return -2 }
    _ = place.holds(membership)
    return 0
}
