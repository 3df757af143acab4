internal import Glibc

struct InputFileError: Error {
    var reason: String

    init(_ reason: String) {
        self.reason = reason
    }

    init(number: Int32) {
        reason = unsafe String(cString: strerror(number)).lowercased()
    }
}

/// A file that is read whole, or what a program makes of it.
enum InputFile {
    static func read(_ path: String, limit: Int) throws(InputFileError) -> [UInt8] {
        let descriptor = unsafe path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw InputFileError(number: errno) }
        defer { close(descriptor) }
        return try readAll(descriptor, limit: limit)
    }

    private static func readAll(_ descriptor: Int32, limit: Int) throws(InputFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw InputFileError(number: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw InputFileError("it is larger than \(limit >> 20) MiB") }
        }
    }

    /// The text that `perf script` makes of a perf.data, wherever its bytes came from. No shell is between: a name is a
    /// name.
    static func perfScript(of file: [UInt8], limit: Int) throws(InputFileError) -> [UInt8] {
        // perf seeks in a file, and reads what `perf record -o -` wrote as a stream: that has a header of 16 bytes.
        let isStream = file.count >= 16 && (file[8] == 16 || file[8..<16] == [0, 0, 0, 0, 0, 0, 0, 16])
        guard let open = unsafe tmpfile() else { throw InputFileError(number: errno) }
        defer { unsafe _ = fclose(open) }
        let copy = unsafe fileno(open)
        guard Terminal(descriptor: copy, isTerminal: false).write(file), lseek(copy, 0, SEEK_SET) == 0 else {
            throw InputFileError(number: errno)
        }
        let arguments = [
            "perf", "script", "-i", isStream ? "-" : "/proc/self/fd/0", "-F",
            "comm,pid,tid,time,period,event,ip,sym,dso",
        ]
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw InputFileError(number: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, copy, STDIN_FILENO)
        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var process = pid_t()
        let failed = unsafe posix_spawnp(&process, "perf", &actions, nil, &words, environ)
        close(ends[1])
        guard failed == 0 else {
            let reason = InputFileError(number: failed).reason
            throw InputFileError("a perf.data is read by 'perf script', and perf can't be started: \(reason)")
        }
        let result: Result<[UInt8], InputFileError>
        do throws(InputFileError) { result = .success(try readAll(ends[0], limit: limit)) } catch {
            kill(process, SIGKILL)
            result = .failure(error)
        }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        let bytes = try result.get()
        guard status == 0 else { throw InputFileError("'perf script' can't read it (its own message stands above)") }
        return bytes
    }
}
