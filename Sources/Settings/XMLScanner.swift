internal import CExpat

// libexpat rather than FoundationXML: a static release link grows by 0.2 MB instead of 62 MB and needs neither libxml2
// nor ICU on the host (measured with Swift 6.3). Nothing outside the text is ever read: expat opens no files by itself,
// and no handler for external entities is set. An internal entity in text is left as it stands; one in an attribute is
// expanded by expat, whose guard against expansion (2.4 and later) is set to 64 KiB here.

struct XMLElement: Sendable {
    var name: String
    var attributes: [(name: String, value: String)]
    var line: Int
    /// 0 for the root.
    var depth: Int
}

/// All elements of a document in the order of their start tags. At most 100,000 elements, 256 deep.
func scanXML(_ text: String, path: String) throws(SettingsError) -> [XMLElement] {
    guard let parser = unsafe XML_ParserCreate("UTF-8") else {
        throw .malformed(.file(path: path, line: 1), reason: "no memory to read it")
    }
    defer { unsafe XML_ParserFree(parser) }
    _ = unsafe XML_SetBillionLaughsAttackProtectionActivationThreshold(parser, 65_536)
    unsafe XML_SetParamEntityParsing(parser, XML_PARAM_ENTITY_PARSING_NEVER)

    let collector = unsafe ElementCollector(parser: parser)
    unsafe XML_SetUserData(parser, Unmanaged.passUnretained(collector).toOpaque())
    unsafe XML_SetElementHandler(
        parser,
        { data, name, attributes in
            guard let data = unsafe data, let name = unsafe name else { return }
            let collector = unsafe Unmanaged<ElementCollector>.fromOpaque(data).takeUnretainedValue()
            unsafe collector.start(name: name, attributes: attributes)
        },
        { data, _ in
            guard let data = unsafe data else { return }
            unsafe Unmanaged<ElementCollector>.fromOpaque(data).takeUnretainedValue().end()
        })
    // Set, and not the Expand variant: entities in text are handed here unexpanded, and ignored.
    unsafe XML_SetDefaultHandler(parser) { _, _, _ in }

    let bytes = Array(text.utf8)
    let status = withExtendedLifetime(collector) {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
                unsafe XML_Parse(parser, characters.baseAddress, CInt(characters.count), 1)
            }
        }
    }
    let line = unsafe Int(XML_GetCurrentLineNumber(parser))
    if collector.isOverLimit {
        throw .malformed(.file(path: path, line: line), reason: "more than 100000 elements, or nested over 256 deep")
    }
    guard status == XML_STATUS_OK else {
        let code = unsafe XML_GetErrorCode(parser)
        let reason = unsafe XML_ErrorString(code).map { unsafe String(cString: $0) } ?? "error \(code.rawValue)"
        throw .malformed(.file(path: path, line: line), reason: "not well-formed XML: \(reason)")
    }
    return collector.elements
}

/// Lives as long as one call of `scanXML`, whose thread alone touches it.
@safe private final class ElementCollector {
    private let parser: XML_Parser
    private(set) var elements: [XMLElement] = []
    private(set) var isOverLimit = false
    private var depth = 0

    init(parser: XML_Parser) {
        unsafe self.parser = unsafe parser
    }

    func start(
        name: UnsafePointer<CChar>, attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) {
        guard !isOverLimit, elements.count < 100_000, depth < 256 else {
            isOverLimit = true
            _ = unsafe XML_StopParser(parser, XML_Bool(XML_FALSE))
            return
        }
        // Names and values in turn, ended by a null pointer.
        var pairs: [(name: String, value: String)] = []
        var index = 0
        while let attributes = unsafe attributes, let key = unsafe attributes[index],
            let value = unsafe attributes[index + 1]
        {
            unsafe pairs.append((String(cString: key), String(cString: value)))
            index += 2
        }
        let line = unsafe Int(XML_GetCurrentLineNumber(parser))
        unsafe elements.append(XMLElement(name: String(cString: name), attributes: pairs, line: line, depth: depth))
        depth += 1
    }

    func end() {
        depth -= 1
    }
}
