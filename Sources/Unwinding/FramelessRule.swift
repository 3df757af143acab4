/// How the frame at one address is left: what its code shows, where no call frame information covers it.
struct FramelessRule: BitwiseCopyable, Equatable {
    /// CFA = stack pointer + this, or where `isFromFramePointer`, CFA = rbp (x29) + this; bytes.
    var callFrameOffset: Int32
    var isFromFramePointer: Bool
    /// Where the return address is, from the CFA: −8 on x86-64; on aarch64 nil while it is in x30. With pointer
    /// authentication (`paciasp`), what is stored is signed: its upper bits have to be stripped.
    var returnAddressOffset: Int32?
    /// Where the caller's values of callee-saved registers are.
    var savedRegisters: SavedRegisters

    /// Where the caller's rbp (x29) is, from the CFA; nil where it is still in the register, or not known.
    var framePointerOffset: Int32? { savedRegisters.framePointer }
    /// The caller's rbp (x29) can't be told.
    var isFramePointerLost: Bool { savedRegisters.isFramePointerLost }

    /// Places of callee-saved registers, by DWARF number: rbx 3, rbp 6, r12…r15 on x86-64, x19…x30 on aarch64.
    struct SavedRegisters: BitwiseCopyable, Equatable {
        /// In units of 8 bytes from the CFA; 0: in the register; `lost`: not known.
        private var places = SIMD16<Int16>(repeating: 0)
        private let architecture: UserArchitecture
        private static let lost = Int16.min

        init(_ architecture: UserArchitecture) {
            self.architecture = architecture
        }

        private func index(_ dwarfNumber: Int) -> Int? {
            switch architecture {
            case .x86_64: (0..<16).contains(dwarfNumber) ? dwarfNumber : nil
            case .aarch64: (19...30).contains(dwarfNumber) ? dwarfNumber - 16 : nil
            }
        }

        /// Where the caller's value is, in bytes from the CFA; nil: in the register, or `isLost`.
        subscript(dwarfNumber: Int) -> Int32? {
            guard let index = index(dwarfNumber), places[index] != 0, places[index] != Self.lost else { return nil }
            return Int32(places[index]) * 8
        }

        func isLost(_ dwarfNumber: Int) -> Bool {
            guard let index = index(dwarfNumber) else { return false }
            return places[index] == Self.lost
        }

        private var framePointerNumber: Int { architecture == .x86_64 ? 6 : 29 }
        var framePointer: Int32? { self[framePointerNumber] }
        var isFramePointerLost: Bool { isLost(framePointerNumber) }

        /// nil: lost.
        mutating func set(_ dwarfNumber: Int, to offset: Int64?) {
            guard let index = index(dwarfNumber) else { return }
            guard let offset, offset != 0, offset & 7 == 0, let place = Int16(exactly: offset >> 3), place != Self.lost
            else {
                places[index] = Self.lost
                return
            }
            places[index] = place
        }
    }
}
