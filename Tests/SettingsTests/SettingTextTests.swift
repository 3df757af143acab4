import Settings
import Testing

@Test(
    arguments: [
        ("0", 0), ("512", 512), ("1KiB", 1024), ("1kib", 1024), ("1.5 MiB", 1_572_864), ("2GB", 2_000_000_000),
        ("1TiB", 1 << 40), ("7B", 7), ("", nil), ("MiB", nil), ("-1", nil), ("1XB", nil), ("1e400", nil),
        ("99999999TiB", nil),
        ("0x10", nil), ("1 000", nil),
    ] as [(String, Int?)])
func `sizes are read with their units`(text: String, bytes: Int?) {
    #expect(SettingText.size(text) == bytes)
}

@Test(
    arguments: [
        ("90", .seconds(90)), ("10s", .seconds(10)), ("250ms", .milliseconds(250)), ("1.5m", .seconds(90)),
        ("2h", .seconds(7200)), ("7d", .seconds(604_800)), ("2w", .seconds(1_209_600)), ("0", .zero), ("", nil),
        ("s", nil),
        ("-5s", nil), ("5y", nil), ("1e9d", nil),
    ] as [(String, Duration?)])
func `times are read with their units`(text: String, duration: Duration?) {
    #expect(SettingText.duration(text) == duration)
}

@Test(
    arguments: [
        ("raet", "rate"), ("Rate", "rate"), ("spool_dir", "spool.dir"), ("lables", "labels"), ("xyz", nil), ("", nil),
        (String(repeating: "rate", count: 1000), nil),
    ] as [(String, String?)])
func `the nearest name is found, and nothing where none is near`(name: String, nearest: String?) {
    #expect(nearestName(to: name, among: ["rate", "spool.dir", "labels", "aggregator"]) == nearest)
}
