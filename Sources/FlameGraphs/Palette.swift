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

    static func append(_ frame: NamedFrame, to bytes: inout [UInt8]) { colour(frame).append(to: &bytes) }

    static func colour(_ frame: NamedFrame) -> RGB {
        let hash = hash(frame.name.utf8.span)
        return colour(
            frame.kind, UInt32(truncatingIfNeeded: hash & 0xFF), UInt32(truncatingIfNeeded: hash >> 8 & 0xFF))
    }

    /// The middle of a kind's shades.
    static func append(legend kind: NamedFrame.Kind, to bytes: inout [UInt8]) {
        colour(kind, 128, 128).append(to: &bytes)
    }

    /// - Parameters: `first` and `second` choose the shade, each from 0 to 255.
    private static func colour(_ kind: NamedFrame.Kind, _ first: UInt32, _ second: UInt32) -> RGB {
        func shade(_ low: UInt32, _ high: UInt32, _ position: UInt32) -> UInt8 {
            UInt8(truncatingIfNeeded: low + (high - low) * position / 255)
        }
        switch kind {
        case .native: return RGB(shade(205, 255, second), shade(60, 220, first), shade(0, 55, second))
        case .inlined: return RGB(shade(60, 120, second), shade(180, 225, first), shade(180, 225, first))
        case .jit: return RGB(shade(90, 150, second), shade(190, 240, first), shade(70, 110, second))
        case .interpreted: return RGB(shade(200, 235, second), shade(150, 200, first), shade(215, 245, second))
        case .kernel: return RGB(shade(110, 160, second), shade(150, 200, first), shade(225, 250, second))
        case .process, .thread, .marker:
            let grey = shade(205, 225, first)
            return RGB(grey, grey, grey)
        }
    }

    /// FNV-1a, 64 bits, folded so that the low bytes depend on all of it.
    private static func hash(_ name: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in name.indices { hash = (hash ^ UInt64(name[index])) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        return hash ^ hash >> 16
    }
}

/// A colour of a screen.
struct RGB: Hashable, Sendable {
    var red: UInt8
    var green: UInt8
    var blue: UInt8

    init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    /// As CSS writes it: `rgb(255,0,0)`.
    func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "rgb(".utf8)
        SVGText.append(UInt64(red), to: &bytes)
        bytes.append(0x2C)
        SVGText.append(UInt64(green), to: &bytes)
        bytes.append(0x2C)
        SVGText.append(UInt64(blue), to: &bytes)
        bytes.append(0x29)
    }

    /// Half way to a middle grey.
    var faded: RGB {
        func half(_ value: UInt8) -> UInt8 { UInt8((UInt16(value) + 128) / 2) }
        return RGB(half(red), half(green), half(blue))
    }

    /// The nearest of the cube of 6 by 6 by 6 among xterm's 256 colours.
    var paletteIndex: Int {
        func step(_ value: UInt8) -> Int { value < 48 ? 0 : value < 115 ? 1 : (Int(value) - 35) / 40 }
        return 16 + 36 * step(red) + 6 * step(green) + step(blue)
    }
}
