/// The layout of encoded unwind sections, little-endian: a header of 64 bytes (magic, version, machine, base address,
/// entry point, size, count of parts), then 32 bytes for each part (kind, alignment, address, offset, size), then the
/// parts, each at a multiple of 8. Addresses in the parts are 32-bit distances from the base address.
package enum EncodedSections {
    package static let magic: UInt64 = 0x3144_4E57_4E55_4650
    package static let version: UInt32 = 2
    static let headerBytes = 64
    static let partBytes = 32
    static let maximumParts = 16

    enum Part: UInt32, CaseIterable {
        /// Records of 24 bytes: file offset, size in the file, address; executable ones first.
        case segments = 1
        /// Records of 8 bytes by address: start, offset of the frame description (top bit: in .debug_frame).
        case index = 2
        case exceptionFrames = 3
        case debugFrames = 4
        /// Bytes of code without call frame information, one range after the other.
        case code = 5
        /// Records of 12 bytes by address: start, size, offset in the code part.
        case codeRanges = 6
        /// Records of 8 bytes by address: start and end of a function in those ranges. The end is 2^32 − 1 where it is
        /// not known, and the start where this is only a part of a function.
        case functionStarts = 7
        /// Records of 12 bytes: start, size, `StubKind`.
        case stubs = 8
        /// Addresses of signal trampolines, 4 bytes each, ascending.
        case trampolines = 9
        /// Records of 12 bytes by address: start and end of a function that no caller's frame lies above, `StackRootKind`.
        case stackRoots = 10
    }

    enum StackRootKind: UInt32 {
        /// Nobody called it.
        case start = 0
        /// It goes on on another stack than its caller's.
        case otherStack = 1
    }

    enum StubKind: UInt32 {
        /// Jumps only.
        case plain = 0
        /// .plt as for lazy binding: a first entry that pushes, the others push an index behind their jump.
        case lazy = 1
    }

    /// Marks an index entry of .debug_frame.
    static let debugBit: UInt32 = 1 << 31
}
