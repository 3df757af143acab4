internal import CLibYAML

// libyaml itself rather than Yams: the agent's static release program is 52 MB smaller and 8 MB less resident, because
// nothing else in it needs all of Foundation with ICU (measured with Swift 6.3; Yams took 20 s of the build too).

/// Reads a YAML document into a `SettingsTree`.
enum YAMLDocument {
    static func read(_ yaml: String, path: String) throws(SettingsError) -> SettingsTree {
        let bytes = Array(yaml.utf8)
        let result = unsafe bytes.withUnsafeBufferPointer { buffer -> Result<SettingsTree, SettingsError> in
            var parser = unsafe yaml_parser_t()
            guard unsafe yaml_parser_initialize(&parser) == 1 else {
                return .failure(.malformed(.file(path: path, line: 1), reason: "no memory to read it"))
            }
            defer { unsafe yaml_parser_delete(&parser) }
            // An empty buffer may have no address, which libyaml does not take.
            var empty: UInt8 = 0
            return unsafe withUnsafePointer(to: &empty) { nowhere in
                unsafe yaml_parser_set_input_string(&parser, buffer.baseAddress ?? nowhere, buffer.count)
                do throws(SettingsError) {
                    return .success(unsafe try read(&parser, bytes: bytes, path: path))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try result.get()
    }

    private static func read(
        _ parser: inout yaml_parser_t, bytes: [UInt8], path: String
    ) throws(SettingsError) -> SettingsTree {
        var document = unsafe yaml_document_t()
        guard unsafe yaml_parser_load(&parser, &document) == 1 else {
            throw unsafe failure(parser, bytes: bytes, path: path)
        }
        defer { unsafe yaml_document_delete(&document) }
        guard let root = unsafe yaml_document_get_root_node(&document) else { return .mapping([], line: 1) }
        var conversion = unsafe Conversion(document: document, path: path)
        let tree = try unsafe conversion.convert(root.pointee, depth: 0)

        var second = unsafe yaml_document_t()
        guard unsafe yaml_parser_load(&parser, &second) == 1 else {
            throw unsafe failure(parser, bytes: bytes, path: path)
        }
        defer { unsafe yaml_document_delete(&second) }
        if unsafe yaml_document_get_root_node(&second) != nil {
            let line = unsafe Int(second.start_mark.line) + 1
            throw .malformed(.file(path: path, line: line), reason: "a second document; one is expected")
        }
        return tree
    }

    private static func failure(_ parser: yaml_parser_t, bytes: [UInt8], path: String) -> SettingsError {
        let problem = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "it can't be read"
        let context = unsafe parser.context.map { unsafe ", \(String(cString: $0))" } ?? ""
        // Characters that YAML forbids are found before lines are counted.
        let isReader = unsafe parser.error == YAML_READER_ERROR
        let line =
            isReader
            ? bytes.prefix(unsafe parser.problem_offset).count { $0 == 10 } + 1
            : unsafe Int(parser.problem_mark.line) + 1
        return .malformed(.file(path: path, line: line), reason: "not YAML: \(problem)\(context)")
    }
}

/// One walk over a document's nodes, which refer to each other by numbers from 1, aliases to the same one.
@safe private struct Conversion {
    let document: yaml_document_t
    let path: String
    var remaining = 10_000

    init(document: yaml_document_t, path: String) {
        unsafe self.document = unsafe document
        self.path = path
    }

    private func node(_ number: CInt) -> yaml_node_t? {
        let count = unsafe document.nodes.top - document.nodes.start
        guard number >= 1, Int(number) <= count else { return nil }
        return unsafe document.nodes.start[Int(number) - 1]
    }

    private func malformed(_ line: Int, _ reason: String) -> SettingsError {
        .malformed(.file(path: path, line: line), reason: reason)
    }

    mutating func convert(_ node: yaml_node_t, depth: Int) throws(SettingsError) -> SettingsTree {
        let line = unsafe Int(node.start_mark.line) + 1
        remaining -= 1
        guard depth < 8, remaining > 0 else { throw malformed(line, "nested too deep, or too many values") }
        switch unsafe node.type {
        case YAML_SCALAR_NODE:
            let text = unsafe Self.text(node)
            let isPlain = unsafe node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
            let isNothing = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
            return isNothing ? .nothing(line: line) : .text(text, line: line)
        case YAML_SEQUENCE_NODE:
            var items: [SettingsTree] = []
            var item = unsafe node.data.sequence.items.start
            while let current = unsafe item, unsafe current != node.data.sequence.items.top {
                if let inner = unsafe self.node(current.pointee) {
                    items.append(try unsafe convert(inner, depth: depth + 1))
                }
                unsafe item = current + 1
            }
            return .list(items, line: line)
        case YAML_MAPPING_NODE:
            return .mapping(try unsafe entries(node, depth: depth), line: line)
        default:
            return .nothing(line: line)
        }
    }

    private mutating func entries(_ node: yaml_node_t, depth: Int) throws(SettingsError) -> [SettingsTree.Entry] {
        var entries: [SettingsTree.Entry] = []
        var pair = unsafe node.data.mapping.pairs.start
        while let current = unsafe pair, unsafe current != node.data.mapping.pairs.top {
            unsafe pair = current + 1
            guard let key = unsafe self.node(current.pointee.key), let value = unsafe self.node(current.pointee.value)
            else { continue }
            let line = unsafe Int(key.start_mark.line) + 1
            guard unsafe key.type == YAML_SCALAR_NODE else { throw malformed(line, "a key must be a word") }
            let name = unsafe Self.text(key)
            if let first = entries.first(where: { $0.key == name }) {
                throw malformed(line, "the key '\(name)' stands here twice; the first time in line \(first.line)")
            }
            entries.append(
                SettingsTree.Entry(key: name, line: line, value: try unsafe convert(value, depth: depth + 1)))
        }
        return entries
    }

    /// libyaml has checked that it is UTF-8.
    private static func text(_ node: yaml_node_t) -> String {
        let scalar = unsafe node.data.scalar
        return unsafe String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    }
}
