// fuzz: ProfilerAgent, Profiles

import Profiles

@testable import ProfilerAgent

/// Bytes as a segment, as a state and as a ledger's file. Whatever they are: nothing is read beyond them, and what is
/// found undamaged writes the same bytes again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let scan = SpoolScan(bytes)
    var covered = scan.damagedBytes
    for (offset, record) in scan.whole {
        precondition(Array(bytes[offset..<offset + SpoolRecord.headerBytes]) == record.header, "not what was written")
        covered += record.totalBytes
    }
    precondition(covered == bytes.count, "every byte is a record's or damaged")
    if let state = SpoolState(bytes) { precondition(SpoolState(state.encoded()) == state, "not what was read") }
    let page = bytes + [UInt8](repeating: 0, count: max(0, 4096 - bytes.count))
    _ = LedgerFile.account(in: page)
    var index = SpoolIndex(limitBytes: 1 << 20)
    let agent = scan.whole.first?.record.name.agent ?? Identifier(high: 0, low: 0)
    _ = index.recovered(scan, segment: 1, fileBytes: count, agent: agent, state: SpoolState())
    index.finishRecovery(state: SpoolState(), account: nil, agent: agent)
    return 0
}
