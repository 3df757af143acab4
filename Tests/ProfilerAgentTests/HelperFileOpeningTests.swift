import Glibc
import LinuxSystem
import Testing

/// What the agent hands to the helper process: files of other processes, at paths that these chose.
@Suite struct HelperFileOpeningTests {
    private func path(_ suffix: String) -> String {
        "/tmp/helper-opening-\(getpid())-\(UInt32.random(in: 0 ... .max))\(suffix)"
    }

    private func failure(_ path: String) -> ProcessFileOpener.Failure? {
        do {
            _ = try ProcessFileOpener.openModule(getpid(), path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a regular file is opened for reading, by a link too`() throws {
        let link = path("-link")
        unsafe symlink("/bin/bash", link)
        defer { unsafe unlink(link) }
        let file = try ProcessFileOpener.openModule(getpid(), path: link)
        #expect(try FileBytes.read(file.rawValue, at: 0, count: 4) == [0x7F, 0x45, 0x4C, 0x46])
        #expect(fcntl(file.rawValue, F_GETFL) & O_ACCMODE == O_RDONLY)
    }

    @Test func `a pipe, a device and a directory are refused at once`() {
        let fifo = path("-fifo")
        unsafe mkfifo(fifo, 0o600)
        defer { unsafe unlink(fifo) }
        for place in [fifo, "/dev/zero", "/usr"] { #expect(failure(place) == .notRegular(path: place)) }
    }

    @Test(arguments: ["/proc/self/exe", "/proc/self/root/bin/bash", "/proc/self/fd/0"])
    func `magic links lead nowhere`(place: String) {
        #expect(failure(place) == .failed(SystemCallError("openat2", on: place, code: ELOOP)))
    }

    @Test func `no number of steps up leaves the process's root`() throws {
        let file = try ProcessFileOpener.openModule(getpid(), path: "../../../../bin/bash")
        #expect(file.rawValue >= 0)
    }

    @Test func `a process that is gone is an error`() {
        var gone: ProcessFileOpener.Failure?
        do { _ = try ProcessFileOpener.openModule(1 << 22, path: "/bin/bash") } catch { gone = error }
        #expect(gone == .failed(SystemCallError("open", on: "/proc/\(1 << 22)/root", code: ENOENT)))
    }

    @Test func `a mapped file that was deleted or replaced is still the one that is opened`() throws {
        try #require(geteuid() == 0, "needs the right to follow map_files")
        let place = path("-mapped")
        let file = try OwnedDescriptor.open(place, flags: O_RDWR | O_CREAT)
        let text = Array("the mapped one".utf8)
        #expect(unsafe write(file.rawValue, text, text.count) == text.count)
        let address = unsafe mmap(nil, 4096, PROT_READ, MAP_PRIVATE, file.rawValue, 0)
        defer { unsafe munmap(address, 4096) }
        var status = stat()
        unsafe fstat(file.rawValue, &status)
        let start = UInt64(UInt(bitPattern: address))
        let mapping = ProcessFileOpener.Mapping(range: start..<start + 4096, inode: UInt64(status.st_ino))

        let present = try ProcessFileOpener.openModule(getpid(), path: place, mapping: mapping)
        #expect(try FileBytes.read(present.rawValue, at: 0, count: text.count) == text)

        unsafe unlink(place)
        let deleted = try ProcessFileOpener.openModule(getpid(), path: place + " (deleted)", mapping: mapping)
        #expect(try FileBytes.read(deleted.rawValue, at: 0, count: text.count) == text)

        let other = try OwnedDescriptor.open(place, flags: O_RDWR | O_CREAT)
        defer { unsafe unlink(place) }
        #expect(unsafe write(other.rawValue, "another file!!", 14) == 14)
        let replaced = try ProcessFileOpener.openModule(getpid(), path: place, mapping: mapping)
        #expect(try FileBytes.read(replaced.rawValue, at: 0, count: text.count) == text)
    }
}
