import Glibc
import Testing

@testable import LinuxSystem

@Suite struct ProcessReadersTests {
    @Test func `a line of maps gives range, offset, rights, device and path`() {
        let text = """
            55d0-55d8 r-xp 00001000 fe:01 1311 /usr/bin/a b (deleted)
            7f00-7f08 rw-p 00000000 00:00 0 
            7fff0000-7fff1000 r-xp 00000000 00:00 0                          [vdso]
            not a line
            8000-7000 r-xp 00000000 00:00 0 /backwards
            9000-a000 r-xp 00000000 08:10 5 /new\\012line

            """
        let mappings = ProcessMaps.parse(Array(text.utf8))
        #expect(
            mappings == [
                ProcessMapping(
                    start: 0x55d0, end: 0x55d8, fileOffset: 0x1000, isExecutable: true, deviceMajor: 0xfe,
                    deviceMinor: 1, inode: 1311, path: "/usr/bin/a b", isDeleted: true),
                ProcessMapping(start: 0x7f00, end: 0x7f08, fileOffset: 0, isExecutable: false, path: ""),
                ProcessMapping(start: 0x7fff_0000, end: 0x7fff_1000, fileOffset: 0, isExecutable: true, path: "[vdso]"),
                ProcessMapping(
                    start: 0x9000, end: 0xa000, fileOffset: 0, isExecutable: true, deviceMajor: 8, deviceMinor: 0x10,
                    inode: 5, path: "/new\nline"),
            ])
    }

    @Test func `our own maps hold the vdso and this program`() throws {
        let own = try #require(ProcessMaps.executable(of: getpid()))
        #expect(own.contains { $0.path == "[vdso]" })
        let program = try #require(ProcFile.executable(of: getpid()))
        #expect(own.contains { $0.path == program })
    }

    @Test func `a name with brackets and blanks does not shift the fields of stat`() throws {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 0 0 0 11 22 0 0 20 0 1 0 12345 1 1 1"
        let status = try #require(ProcessStatus.parse(Array(text.utf8)))
        #expect(status.process == 42 && status.command == "a) b (c" && status.parent == 7)
        #expect(status.userTicks == 11 && status.systemTicks == 22 && status.startTicks == 12345)
        #expect(!status.isKernelThread)
    }

    @Test func `every cut of a stat line is refused or understood, never trapped on`() {
        let text = Array("42 (name) S 7 42 42 0 -1 69238880 1 0 0 0 11 22 0 0 20 0 1 0 12345 1".utf8)
        for length in 0...text.count {
            let status = ProcessStatus.parse(Array(text[..<length]))
            if length < text.count - 6 { #expect(status == nil) }
        }
        #expect(ProcessStatus.parse(text)?.isKernelThread == true)
    }

    @Test func `only the named variables leave an environment`() {
        var block = Array(
            "SECRET=x\0PERF_SERVICE=web\0PERF_SERVICEX=no\0DD_SERVICE=\0PERF_SERVICE=later\0LAST=cut".utf8)
        let found = unsafe block.withUnsafeMutableBytes {
            unsafe ProcessEnvironment.variables(
                ["PERF_SERVICE", "DD_SERVICE", "LAST", "MISSING"], in: UnsafeRawBufferPointer($0))
        }
        #expect(found == ["PERF_SERVICE": "web", "DD_SERVICE": "", "LAST": "cut"])
    }

    @Test(
        arguments: [
            ("0::/system.slice/nginx.service", "nginx.service", nil),
            ("0::/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", nil),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", nil, nil),
            ("0::/user.slice/user-1000.slice/session-3.scope", nil, nil),
            ("0::/system.slice/docker-\(id).scope", nil, id),
            ("0::/docker/\(id)", nil, id),
            ("0::/kubepods/burstable/pod1b2c/\(id)", nil, id),
            ("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(id).scope", nil, id),
            ("0::/kubepods.slice/kubepods-pod1.slice/crio-\(id).scope", nil, id),
            ("0::/kubepods.slice/crio-conmon-\(id).scope", nil, nil),
            ("0::/machine.slice/libpod-\(id).scope/container", nil, id),
            ("0::/system.slice/containerd.service/kubepods-x.slice:cri-containerd:\(id)", nil, id),
            ("12:pids:/a\n1:name=systemd:/system.slice/ssh.service\n0::/", "ssh.service", nil),
            ("4:memory:/docker/\(id)\n1:cpu:/\n", nil, id),
        ] as [(String, String?, String?)])
    func `a control group names a unit or a container`(text: String, service: String?, container: String?) {
        let group = ControlGroup.parse(Array(text.utf8))
        #expect(group?.systemdService == service)
        #expect(group?.containerID == container)
    }

    @Test func `busy time is user, nice, system and interrupts`() {
        let time = ProcessorTime.parse(Array("cpu  1 2 4 8 16 32 64 128 256 512\ncpu0 1".utf8), ticksPerSecond: 100)
        #expect(time?.busyNanoseconds == 103 * 10_000_000)
        #expect(ProcessorTime.parse(Array("cpu  1 2".utf8), ticksPerSecond: 100) == nil)
        #expect(ProcessorTime.read() != nil)
    }

    @Test func `our own process is among the processes and its thread among its threads`() {
        let own = getpid()
        #expect(ProcFile.processes().contains(own))
        #expect(ProcFile.threads(of: own).contains(own))
        #expect(ProcessStatus.read(own)?.parent == getppid())
        #expect(ProcFile.command(of: own, thread: own) == ProcessStatus.read(own)?.command)
        #expect(ControlGroup.read(own) != nil)
    }
}

private let id = String(repeating: "0123456789abcdef", count: 4)
