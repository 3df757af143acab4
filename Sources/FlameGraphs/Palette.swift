import Profiles

/// Colours of frames: the hue says what kind of code a frame is, the shade comes from its name, so that a function
/// keeps its colour from picture to picture.
enum Palette {
    /// The kinds that have a hue of their own, in the legend's order.
    static let legend: [(kind: NamedFrame.Kind, word: String)] = [
        (.native, "native"), (.inlined, "inlined"), (.jit, "JIT-compiled"), (.interpreted, "interpreted"),
        (.kernel, "kernel"), (.process, "process, thread"),
    ]

    /// Processes, threads and markers share the grey of what is no code.
    static func family(_ kind: NamedFrame.Kind) -> NamedFrame.Kind {
        kind == .thread || kind == .marker ? .process : kind
    }

    static func append(_ frame: NamedFrame, to bytes: inout [UInt8]) {
        let hash = hash(frame.name.utf8.span)
        append(
            frame.kind, UInt32(truncatingIfNeeded: hash & 0xFF), UInt32(truncatingIfNeeded: hash >> 8 & 0xFF),
            to: &bytes)
    }

    /// The middle of a kind's shades.
    static func append(legend kind: NamedFrame.Kind, to bytes: inout [UInt8]) { append(kind, 128, 128, to: &bytes) }

    /// - Parameters: `first` and `second` choose the shade, each from 0 to 255.
    private static func append(_ kind: NamedFrame.Kind, _ first: UInt32, _ second: UInt32, to bytes: inout [UInt8]) {
        func shade(_ low: UInt32, _ high: UInt32, _ position: UInt32) -> UInt32 { low + (high - low) * position / 255 }
        let (red, green, blue): (UInt32, UInt32, UInt32)
        switch kind {
        case .native: (red, green, blue) = (shade(205, 255, second), shade(60, 220, first), shade(0, 55, second))
        case .inlined: (red, green, blue) = (shade(60, 120, second), shade(180, 225, first), shade(180, 225, first))
        case .jit: (red, green, blue) = (shade(90, 150, second), shade(190, 240, first), shade(70, 110, second))
        case .interpreted:
            (red, green, blue) = (shade(200, 235, second), shade(150, 200, first), shade(215, 245, second))
        case .kernel: (red, green, blue) = (shade(110, 160, second), shade(150, 200, first), shade(225, 250, second))
        case .process, .thread, .marker:
            let grey = shade(205, 225, first)
            (red, green, blue) = (grey, grey, grey)
        }
        bytes.append(contentsOf: "rgb(".utf8)
        SVGText.append(UInt64(red), to: &bytes)
        bytes.append(0x2C)
        SVGText.append(UInt64(green), to: &bytes)
        bytes.append(0x2C)
        SVGText.append(UInt64(blue), to: &bytes)
        bytes.append(0x29)
    }

    /// FNV-1a, 64 bits, folded so that the low bytes depend on all of it.
    private static func hash(_ name: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in name.indices { hash = (hash ^ UInt64(name[index])) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        return hash ^ hash >> 16
    }
}
