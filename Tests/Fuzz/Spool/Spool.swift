// fuzz: ProfilerAgent, Profiles, ByteCoding

import ByteCoding
import ProfilerAgent
import Profiles

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
    // Behind a right checksum, where chance would hardly ever get.
    var header = SpoolRecord.magic + bytes.prefix(SpoolRecord.headerBytes - 12)
    header += [UInt8](repeating: 0, count: SpoolRecord.headerBytes - 4 - header.count)
    restart(SpoolScan(sealed(header) + bytes.dropFirst(SpoolRecord.headerBytes)), SpoolState())
    if let state = SpoolState(sealed(Array("PFSTATE1".utf8) + bytes)) {
        precondition(SpoolState(state.encoded()) == state, "not what was read")
        restart(scan, state)
    }
    _ = LedgerFile.account(in: page)
    restart(scan, SpoolState())
    return 0
}

private func sealed(_ bytes: [UInt8]) -> [UInt8] {
    let checksum = CRC32C.checksum(bytes)
    return bytes + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> UInt32(8 * $0)) }
}

private func restart(_ scan: SpoolScan, _ state: SpoolState) {
    var index = SpoolIndex(limitBytes: 1 << 20)
    let agent =
        (scan.whole.first?.record ?? scan.withoutBody.first)?.name.agent ?? state.epochs.first?.account.agent
        ?? Identifier(high: 0, low: 0)
    _ = index.recovered(scan, segment: 1, fileBytes: 1, agent: agent, state: state)
    index.finishRecovery(state: state, account: nil, agent: agent)
    for epoch in index.epochs.values where epoch.isClosed { _ = epoch.account.lastSequence + 1 }
    while index.giveUpOldest() != nil {}
}
