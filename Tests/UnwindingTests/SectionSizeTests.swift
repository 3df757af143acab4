import Glibc
import ObjectFiles
import Testing
import ToolOutput

@testable import Unwinding

/// Large files within the limits; prints what they take.
@Suite struct SectionSizeTests {
    static let files = [
        "/opt/swift/usr/bin/swift-frontend", "/lib/x86_64-linux-gnu/libc.so.6", "/bin/bash",
        "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    ]

    @Test(arguments: files.filter { access($0, R_OK) == 0 })
    func `sections are a small part of their file and describe most of its code`(path: String) throws {
        let bytes = contents(path)
        let source = ObjectBytes(bytes)
        let object = try ObjectFile(source)
        var start = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start)
        let blob = try UnwindSections.encode(object, from: source)
        var end = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
        let milliseconds = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1_000_000
        let table = try unwindTable(blob)
        print(
            "\(path): \(bytes.count) bytes; sections \(blob.count) bytes, \(table.entryCount) descriptions, "
                + "\(table.codeBytes) bytes of code; \(milliseconds) ms")
        #expect(blob.count < bytes.count / 5)
        #expect(table.entryCount > 100)
    }
}
