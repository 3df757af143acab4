/// A stack of native and JavaScript frames: the one that was unwound, with functions in the place of V8's own frames.
///
/// Each JavaScript function has a frame of its own, so a function takes the place of the native frame with the same frame
/// pointer. C++ has call frame information and V8's code has none: that tells V8's frames from others, whose registers on
/// the stack may look like a function.
public enum V8Merge {
    /// What of a native frame counts here.
    public struct NativeFrame: BitwiseCopyable, Hashable, Sendable {
        public enum Place: UInt8, BitwiseCopyable, Sendable {
            /// C++, or another library: stays as it is.
            case other
            /// Code of the program or library with V8 in it, without call frame information: builtins, the interpreter.
            case builtin
            /// Code made at run time.
            case runtimeCode
        }

        public var place: Place
        /// 0 where it is not known.
        public var framePointer: UInt64
        /// The word in the place of the context; see `V8FrameKinds`.
        public var marker: UInt64

        public init(place: Place, framePointer: UInt64, marker: UInt64) {
            self.place = place
            self.framePointer = framePointer
            self.marker = marker
        }
    }

    /// A frame of the merged stack.
    public enum Frame: Hashable, Sendable {
        /// Index among the native frames.
        case native(Int)
        /// Index among the JavaScript frames; run by V8's interpreter or compiled.
        case function(Int, isCompiled: Bool)
        /// Code that was made of a regular expression.
        case regularExpression
    }

    /// Fills `merged`, leaf first. V8's glue is left out. Answers how many JavaScript frames could not be read; these stay
    /// native frames.
    ///
    /// - Parameters:
    ///   - native: Frames as they were unwound, leaf first.
    ///   - functions: Frames as `V8Reader` gives them: their frame pointers grow.
    public static func merge(
        native: Span<NativeFrame>, functions: Span<V8StackFrame>, kinds: V8FrameKinds, into merged: inout [Frame]
    ) -> Int {
        merged.removeAll(keepingCapacity: true)
        var unreadable = 0
        var next = 0
        for index in native.indices {
            let frame = native[index]
            guard frame.place != .other, frame.framePointer != 0 else {
                merged.append(.native(index))
                continue
            }
            while next < functions.count, functions[next].framePointer < frame.framePointer { next += 1 }
            if next < functions.count, functions[next].framePointer == frame.framePointer {
                let isReadable = functions[next].function != V8StackFrame.unreadable
                unreadable += isReadable ? 0 : 1
                merged.append(isReadable ? .function(next, isCompiled: frame.place == .runtimeCode) : .native(index))
                continue
            }
            switch kinds.kind(ofMarker: frame.marker) {
            case .regularExpression where frame.place == .runtimeCode: merged.append(.regularExpression)
            case .glue where frame.place == .builtin: break
            default: merged.append(.native(index))
            }
        }
        return unreadable
    }
}
