import Profiles

/// The source file of the function that each frame of a profile is in.
///
/// Functions of one name in one module are one where their file is the same: an overload or two instances of a clone
/// become one under a short name, two static functions of different files stay two. Some addresses of a function have no
/// line; they belong to the file that most of the function's other lines are in.
struct FunctionFiles {
    /// By frame, for the frames whose own file is unknown and whose function's is not.
    private var found: [Int: String] = [:]
    private let frames: [NamedFrame]

    private struct Function: Hashable {
        var name: String
        var module: String
    }

    init(_ frames: [NamedFrame]) {
        self.frames = frames
        guard frames.contains(where: { Self.isCompiled($0) && !$0.file.isEmpty }) else { return }
        var unknown: [Function: [Int]] = [:]
        for (index, frame) in frames.enumerated() where Self.isCompiled(frame) && frame.file.isEmpty {
            unknown[Function(name: frame.name, module: frame.module), default: []].append(index)
        }
        var counts: [Function: [String: Int]] = [:]
        for frame in frames where Self.isCompiled(frame) && !frame.file.isEmpty {
            let function = Function(name: frame.name, module: frame.module)
            if unknown[function] != nil { counts[function, default: [:]][frame.file, default: 0] += 1 }
        }
        for (function, indices) in unknown {
            let most = counts[function]?.max { ($0.value, $1.key) < ($1.value, $0.key) }
            guard let most else { continue }
            for index in indices { found[index] = most.key }
        }
    }

    /// Empty where unknown.
    func file(of frame: Int) -> String {
        frames[frame].file.isEmpty ? found[frame] ?? "" : frames[frame].file
    }

    private static func isCompiled(_ frame: NamedFrame) -> Bool { frame.kind == .native || frame.kind == .inlined }
}
