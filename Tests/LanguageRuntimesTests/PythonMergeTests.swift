import LanguageRuntimes
import Testing

@Suite struct PythonMergeTests {
    /// Python frames leaf first; an upper-case letter begins a loop.
    private func python(_ letters: String) -> [PythonFrame] {
        letters.enumerated().map { PythonFrame(code: UInt32($0.offset), line: 1, isEntry: $0.element.isUppercase) }
    }

    /// Native frames leaf first: `E` the loop, `g` glue, anything else other.
    private func native(_ letters: String) -> [PythonMerge.NativeFrame] {
        letters.map { $0 == "E" ? .evaluation : $0 == "g" ? .glue : .other }
    }

    @Test(arguments: [
        // One loop, one function.
        ("xEm", "A", "xAm", PythonMerge.Verdict.whole),
        // 3.11 and later: one loop runs several functions.
        ("xEm", "abC", "xabCm", .whole),
        // A key function called by sort: C between two loops stays.
        ("EgsEm", "aBcD", "aBscDm", .whole),
        // Up to 3.10 each call goes through glue.
        ("EggEgEm", "ABC", "ABCm", .whole),
        // Glue that is not beside a loop stays.
        ("gxEm", "A", "gxAm", .whole),
        // Nothing in Python.
        ("xm", "", "xm", .whole),
        // The native stack was cut: Python completes it.
        ("xEgE", "ABcD", "xABcD", .completed),
        ("x", "ABC", "xABC", .completed),
        // A function was called since: its group is left out.
        ("xEgEm", "ABC", "xBCm", .skewed(native: 2, python: 3)),
        ("xEm", "aBcD", "xcDm", .skewed(native: 1, python: 2)),
        // A loop was left since: it stays as a native frame.
        ("xEgEm", "A", "xEgAm", .skewed(native: 2, python: 1)),
        // Frames at the root without a loop.
        ("xEm", "Ab", "xAm", .skewed(native: 1, python: 1)),
    ])
    func `loops are replaced by the functions that they ran`(
        _ nativeLetters: String, _ pythonLetters: String, _ expected: String, _ verdict: PythonMerge.Verdict
    ) {
        let natives = native(nativeLetters)
        let pythons = python(pythonLetters)
        var merged: [PythonMerge.Frame] = [.native(99)]
        let isCut = if case .completed = verdict { true } else { false }
        let result = PythonMerge.merge(native: natives.span, python: pythons.span, isCut: isCut, into: &merged)
        let text = merged.map { frame in
            switch frame {
            case .native(let index): Array(nativeLetters)[index]
            case .interpreted(let index): Array(pythonLetters)[index]
            }
        }
        #expect(String(text) == expected)
        #expect(result == verdict)
    }

    @Test func `the loop's split parts are the loop`() {
        #expect(PythonMerge.nativeFrame("_PyEval_EvalFrameDefault") == .evaluation)
        #expect(PythonMerge.nativeFrame("_PyEval_EvalFrameDefault.cold") == .evaluation)
        #expect(PythonMerge.nativeFrame("_PyEval_EvalFrameDefaultly") == .other)
        #expect(PythonMerge.nativeFrame("_PyFunction_Vectorcall") == .glue)
        #expect(PythonMerge.nativeFrame("list_sort_impl") == .other)
    }
}
