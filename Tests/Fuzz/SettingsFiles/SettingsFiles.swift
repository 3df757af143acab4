// fuzz: Settings
import Settings

/// First byte odd: a PROJECT_CONFIG.xml. Else: an agent's and an aggregator's YAML file.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let kind = input.first else { return 0 }
    let file = SettingsFile(path: "fuzz", text: String(decoding: input.dropFirst(), as: UTF8.self))
    if kind & 1 == 1 {
        _ = try? ProjectConfiguration.parse(file, types: ["cpu"])
    } else {
        _ = try? AgentSettings.resolve(file: file, environment: [:], flags: .init())
        _ = try? AggregatorSettings.resolve(file: file, environment: [:], flags: .init())
    }
    return 0
}
