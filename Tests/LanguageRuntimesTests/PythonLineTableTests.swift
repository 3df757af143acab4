import LanguageRuntimes
import Testing
import ToolOutput

@Suite struct PythonLineTableTests {
    /// Prints for each code object of some modules: first line, table, and what the interpreter itself says of it.
    private static let printer = """
        import dis, sys
        def walk(code):
            yield code
            for constant in code.co_consts:
                if hasattr(constant, 'co_code'):
                    yield from walk(constant)
        for name in ['argparse', 'typing', 'asyncio.base_events', 'decimal', '_pydecimal', 'inspect', 'json.decoder']:
            module = __import__(name, fromlist=['x'])
            with open(module.__file__, encoding='utf-8') as source:
                top = compile(source.read(), module.__file__, 'exec')
            for code in walk(top):
                if hasattr(code, 'co_lines'):
                    table = code.co_linetable
                    rows = [(start, end, line or 0) for start, end, line in code.co_lines()]
                else:
                    table = code.co_lnotab
                    starts = list(dis.findlinestarts(code)) + [(len(code.co_code), 0)]
                    rows = [(a[0], b[0], a[1]) for a, b in zip(starts, starts[1:])]
                print(code.co_firstlineno, table.hex() or '-', *('%d,%d,%d' % row for row in rows))
        """

    @Test(arguments: PythonInstallation.readable)
    func `lines are those that the interpreter itself tells`(_ installation: PythonInstallation) throws {
        let form: PythonLayout.LineTable =
            switch installation.minor {
            case ...9: .increments
            case 10: .ranges
            default: .locations
            }
        let folder = TemporaryFolder()
        let script = folder.write(Self.printer, as: "printer.py")
        var instructions = 0
        for line in output(of: "'\(installation.path)' '\(script)'").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, let first = UInt32(words[0]) else { continue }
            let digits = words[1] == "-" ? [] : Array(words[1].utf8)
            let bytes = stride(from: 0, to: digits.count, by: 2).map {
                UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) ?? 0
            }
            let table = PythonLineTable(bytes[...], firstLine: first, form: form)
            for row in words[2...] {
                let numbers = row.split(separator: ",").compactMap { Int64($0) }
                for offset in stride(from: numbers[0], to: numbers[1], by: 2) {
                    instructions += 1
                    let actual = PythonLineTable.line(at: offset, in: table.rows.span)
                    guard Int64(actual) != numbers[2] else { continue }
                    Issue.record("\(installation), code of line \(first) at \(offset): \(actual), not \(numbers[2])")
                    return
                }
            }
        }
        print("\(installation): \(instructions) instructions")
        #expect(instructions > 20_000)
    }

    @Test(arguments: [PythonLayout.LineTable.increments, .ranges, .locations])
    func `any bytes give a table in order`(_ form: PythonLayout.LineTable) {
        var random = SeededRandom(named: "line tables")
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let table = PythonLineTable(bytes[...], firstLine: .random(in: 0...(.max), using: &random), form: form)
            #expect(zip(table.rows, table.rows.dropFirst()).allSatisfy { $0.start <= $1.start })
        }
    }
}
