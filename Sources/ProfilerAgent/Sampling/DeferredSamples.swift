internal import PerfEvents
internal import Unwinding

/// Samples that wait for the unwind sections of a module, or for what a runtime tells of its code: what was copied of them,
/// in one buffer of a bounded size.
struct DeferredSamples {
    /// What belongs to a sample besides its copy.
    struct Facts {
        var slot: UInt32
        var thread: Int32
        /// CLOCK_MONOTONIC nanoseconds.
        var time: UInt64
        var processName: UInt32
        var threadName: UInt32
        var space: AddressSpace
        var weight: UInt64
        var isChainFull: Bool
    }

    private struct Entry {
        var facts: Facts
        /// In words from the buffer's start: call chain, registers, stack, one behind the other.
        var offset: Int
        var chainWords: Int
        var registerWords: Int
        var stackBytes: Int

        var words: Int { chainWords + registerWords + (stackBytes + 7) / 8 }
    }

    private var entries: [Entry] = []
    private var words: [UInt64] = []
    private let maximumWords: Int

    init(maximumBytes: Int) {
        maximumWords = maximumBytes / 8
    }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// False where there is no room.
    mutating func add(_ facts: Facts, chain: Span<UInt64>, user: borrowing UserState) -> Bool {
        let entry = Entry(
            facts: facts, offset: words.count, chainWords: chain.count, registerWords: user.registers.count,
            stackBytes: user.stack.byteCount)
        guard words.count + entry.words <= maximumWords else { return false }
        for index in chain.indices { words.append(chain[index]) }
        for index in user.registers.indices { words.append(user.registers[index]) }
        var offset = 0
        while offset + 8 <= user.stack.byteCount {
            words.append(unsafe user.stack.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        if offset < user.stack.byteCount {
            var last: UInt64 = 0
            for byte in offset..<user.stack.byteCount {
                last |=
                    unsafe UInt64(user.stack.unsafeLoad(fromByteOffset: byte, as: UInt8.self))
                    << UInt64(8 * (byte - offset))
            }
            words.append(last)
        }
        entries.append(entry)
        return true
    }

    /// Lends every sample to `body`, which says whether it is done with it; what is not done stays.
    mutating func tryAgain(_ body: (Facts, Span<UInt64>, borrowing UserState) -> Bool) {
        var kept: [Entry] = []
        for entry in entries {
            let all = words.span
            let registers = entry.offset + entry.chainWords
            let stack = registers + entry.registerWords
            let copy = unsafe all.extracting(stack..<entry.offset + entry.words).bytes.extracting(
                first: entry.stackBytes)
            let state = UserState(registers: all.extracting(registers..<stack), stack: copy)
            if !body(entry.facts, all.extracting(entry.offset..<registers), state) { kept.append(entry) }
        }
        // Most often nobody waits any more, and for a long time: the memory goes back.
        guard !kept.isEmpty else {
            entries = []
            words = []
            return
        }
        guard kept.count < entries.count else { return }
        var packed: [UInt64] = []
        for index in kept.indices {
            let start = packed.count
            packed += words[kept[index].offset..<kept[index].offset + kept[index].words]
            kept[index].offset = start
        }
        entries = kept
        words = packed
    }
}
