import AllocationCount
import Testing

@testable import Unwinding

#if DEBUG
private let isOptimized = false
#else
private let isOptimized = true
#endif

struct FramelessAllocationTests {
    @Test(.enabled(if: isOptimized, "only an optimised build allocates as the shipped one does: swift test -c release"))
    func `1,000 analyses of a library's code allocate nothing`() throws {
        guard let code = try MeasuredCode("/usr/lib/x86_64-linux-gnu/libc.so.6") else { return }
        let rows = FrameTruthRow.read("/usr/lib/x86_64-linux-gnu/libc.so.6").filter { $0.address >= code.address }
        try #require(rows.count > 2000)
        let span = unsafe code.bytes.span.bytes
        let end = code.address + UInt64(code.bytes.count)
        var found = 0
        let before = allocation_count()
        for index in 0..<1000 {
            let row = rows[index * 2]
            guard row.address < end else { continue }
            let rule = FramelessAnalysis.rule(
                at: row.address, code: span, codeAddress: code.address,
                functionStart: index % 2 == 0 ? row.function : nil, architecture: .x86_64)
            if rule != nil { found += 1 }
        }
        let allocations = allocation_count() - before
        #expect(allocations == 0)
        #expect(found > 800)
    }
}
