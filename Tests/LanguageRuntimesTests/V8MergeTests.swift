import LanguageRuntimes
import Testing

@Suite struct V8MergeTests {
    /// As in V8 11.3.
    private let kinds = V8FrameKinds { name in
        ["EntryFrame": 1, "ExitFrame": 3, "InternalFrame": 22, "IrregexpFrame": 27, "StubFrame": 20][name]
    }

    /// Native frames leaf first, each 32 bytes above the one before: `C` C++, `B` builtin, `R` code made at run time, `e`,
    /// `x`, `s` builtins with the marker of an entry, an exit, a stub, `r` code of a regular expression.
    private func native(_ letters: String) -> [V8Merge.NativeFrame] {
        letters.enumerated().map { index, letter in
            let marker: UInt64 =
                switch letter {
                case "e": 1 << 1
                case "x": 3 << 1
                case "s": 20 << 1
                case "r": 27 << 1
                default: 0x7F00_0000_1001
                }
            return V8Merge.NativeFrame(
                place: letter == "C" ? .other : letter == "R" || letter == "r" ? .runtimeCode : .builtin,
                framePointer: 0x1000 + UInt64(index) * 32, marker: marker)
        }
    }

    /// A JavaScript frame where the letters have one, at the place of the native frame that it belongs to; `?` one that
    /// could not be read, `-` none, `+` one between this native frame and the next.
    private func functions(_ letters: String) -> [V8StackFrame] {
        letters.enumerated().compactMap { index, letter in
            guard letter != "-" else { return nil }
            return V8StackFrame(
                framePointer: 0x1000 + UInt64(index) * 32 + (letter == "+" ? 16 : 0),
                function: letter == "?" ? V8StackFrame.unreadable : UInt32(letter.asciiValue ?? 0), line: 1)
        }
    }

    @Test(arguments: [
        // The interpreter and compiled code.
        ("BRB", "abc", "aBc", 0),
        // C++ below and above, with the way in and out of JavaScript.
        ("CxBRseC", "--ab---", "CaBsC", 0),
        // What looks like a function's frame is C++'s own.
        ("CBC", "abc", "CbC", 0),
        // A builtin with a function of its own keeps its native name.
        ("BB", "-a", "Ba", 0),
        // Code of a regular expression.
        ("rB", "-a", "*a", 0),
        // A marker means nothing in C++.
        ("CB", "-a", "Ca", 0),
        // Frames that no native frame belongs to are left out.
        ("BBB", "a+b", "aBb", 0),
        // One that could not be read stays a native frame.
        ("BRB", "a?c", "aRc", 1),
        ("B", "?", "B", 1),
        // Nothing was read.
        ("CBRC", "----", "CBRC", 0),
        ("", "", "", 0),
    ])
    func `functions take the places of V8's own frames`(
        _ nativeLetters: String, _ functionLetters: String, _ expected: String, _ unreadable: Int
    ) {
        let natives = native(nativeLetters)
        let found = functions(functionLetters)
        var merged: [V8Merge.Frame] = [.native(99)]
        let missing = V8Merge.merge(native: natives.span, functions: found.span, kinds: kinds, into: &merged)
        let text = merged.map { frame -> String in
            switch frame {
            case .native(let index): String(Array(nativeLetters)[index])
            case .function(let index, let isCompiled):
                isCompiled ? name(found[index]).uppercased() : name(found[index])
            case .regularExpression: "*"
            }
        }
        #expect(text.joined() == expected)
        #expect(missing == unreadable)
    }

    private func name(_ frame: V8StackFrame) -> String { String(UnicodeScalar(UInt8(frame.function))) }

    @Test func `a frame without a frame pointer is nobody's`() {
        let natives = [V8Merge.NativeFrame(place: .builtin, framePointer: 0, marker: 2)]
        let found = [V8StackFrame(framePointer: 0, function: 1, line: 1)]
        var merged: [V8Merge.Frame] = []
        let missing = V8Merge.merge(native: natives.span, functions: found.span, kinds: kinds, into: &merged)
        #expect(merged == [.native(0)] && missing == 0)
    }
}
