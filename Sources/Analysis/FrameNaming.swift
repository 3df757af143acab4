import Profiles

/// Gives the frames of one table their names, asking the symbolizer once for each distinct frame.
struct FrameNaming {
    /// Every distinct named frame; others are known by their index here.
    private(set) var frames: [NamedFrame] = []
    private var index: [NamedFrame: UInt32] = [:]

    mutating func intern(_ frame: NamedFrame) -> UInt32 {
        if let known = index[frame] { return known }
        let new = UInt32(frames.count)
        frames.append(frame)
        index[frame] = new
        return new
    }

    /// The named frames that stand for `frame`, outermost first; never empty.
    func named(_ frame: Frame, of table: StackTable, symbolizer: some Symbolizer) -> [NamedFrame] {
        let name = frame.name == Frame.none ? nil : table.strings[Int(frame.name)]
        let file = frame.file == Frame.none ? "" : table.strings[Int(frame.file)]
        let module = frame.module == Frame.none ? nil : table.modules[Int(frame.module)]
        let moduleName = module.map { Self.fileName($0.name) } ?? ""
        let kind: NamedFrame.Kind
        switch frame.kind {
        case .process: kind = .process
        case .thread: kind = .thread
        case .kernel: kind = .kernel
        case .jit: kind = .jit
        case .interpreted: kind = .interpreted
        case .marker: kind = .marker
        case .function: kind = .native
        case .inlined: kind = .inlined
        case .native:
            if let module {
                let found = symbolizer.frames(at: frame.address, in: module)
                if !found.isEmpty {
                    return found.map { one in
                        var one = one
                        if one.module.isEmpty { one.module = moduleName }
                        return one
                    }
                }
            }
            kind = .native
        }
        let unknown: String
        switch frame.kind {
        case .native, .kernel, .jit, .interpreted, .function, .inlined:
            unknown =
                moduleName.isEmpty
                ? "[unknown]" : "[unknown \(moduleName)+0x\(String(frame.address, radix: 16))]"
        case .process, .thread, .marker:
            unknown = "[unknown]"
        }
        return [
            NamedFrame(kind: kind, name: name ?? unknown, module: moduleName, file: file, line: frame.line)
        ]
    }

    /// Whether the name says only where the code lies.
    static func isUnknown(_ frame: NamedFrame) -> Bool { frame.name.hasPrefix("[unknown") }

    /// A path without its directories; names in brackets are no paths.
    static func fileName(_ path: String) -> String {
        guard !path.hasPrefix("["), let slash = path.utf8.lastIndex(of: 47) else { return path }
        let name = path[path.utf8.index(after: slash)...]
        return name.isEmpty ? path : String(name)
    }
}
