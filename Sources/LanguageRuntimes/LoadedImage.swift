/// A program or library as it lies in a process's memory: finds exported symbols without its file.
///
/// Follows the ELF header to the dynamic section and the hash tables that the loader itself uses (System V ABI, chapter
/// 5; DT_GNU_HASH as binutils writes it). Everything is read from memory that the process can change at any time.
public struct LoadedImage: Hashable, Sendable {
    /// What is added to the file's own addresses.
    public let bias: UInt64
    private let symbols: UInt64
    private let strings: UInt64
    private let stringBytes: UInt64
    private let gnuHash: UInt64
    private let hash: UInt64

    private static var mostChainSteps: Int { 4096 }

    /// Reads the headers at `base`, where the file's first byte is mapped; nil where no 64-bit image with a dynamic
    /// section lies there.
    public init?<Memory: ForeignMemory>(at base: UInt64, _ reader: inout ForeignReader<Memory>) {
        // ELFCLASS64, ELFDATA2LSB.
        guard reader.uint32(base) == 0x464C_457F, reader.uint16(base &+ 4) == 0x0102,
            let headers = reader.uint64(base &+ 32), let headerBytes = reader.uint16(base &+ 54),
            let count = reader.uint16(base &+ 56), headerBytes == 56, count <= 128
        else { return nil }
        var firstAddress: UInt64?
        var dynamic: (address: UInt64, size: UInt64)?
        for index in 0..<UInt64(count) {
            let header = base &+ headers &+ index * 56
            guard let type = reader.uint32(header), let address = reader.uint64(header &+ 16),
                let size = reader.uint64(header &+ 40)
            else { return nil }
            if type == 1, firstAddress == nil { firstAddress = address & ~4095 }
            if type == 2 { dynamic = (address, size) }
        }
        guard let firstAddress, let dynamic, dynamic.size <= 1 << 16 else { return nil }
        let bias = base &- firstAddress
        var values: [UInt64: UInt64] = [:]
        for index in 0..<dynamic.size / 16 {
            let entry = bias &+ dynamic.address &+ index * 16
            guard let tag = reader.uint64(entry), let value = reader.uint64(entry &+ 8) else { return nil }
            if tag == 0 { break }
            values[tag] = value
        }
        // The loader has added the bias to addresses, except where the section is read-only.
        func address(_ tag: UInt64) -> UInt64 {
            guard let value = values[tag], value != 0 else { return 0 }
            return value < base ? value &+ bias : value
        }
        self.bias = bias
        symbols = address(6)
        strings = address(5)
        stringBytes = values[10] ?? 0
        gnuHash = address(0x6FFF_FEF5)
        hash = address(4)
        guard symbols != 0, strings != 0, gnuHash != 0 || hash != 0 else { return nil }
    }

    /// The address of an exported function or variable, in the process.
    public func address<Memory: ForeignMemory>(
        of name: String, _ reader: inout ForeignReader<Memory>
    ) -> UInt64? {
        let name = Array(name.utf8)
        return gnuHash != 0 ? findByGNUHash(name, &reader) : findByHash(name, &reader)
    }

    private func findByGNUHash<Memory: ForeignMemory>(
        _ name: [UInt8], _ reader: inout ForeignReader<Memory>
    ) -> UInt64? {
        var code: UInt32 = 5381
        for byte in name { code = code &* 33 &+ UInt32(byte) }
        guard let buckets = reader.uint32(gnuHash), buckets > 0, let firstSymbol = reader.uint32(gnuHash &+ 4),
            let bloomWords = reader.uint32(gnuHash &+ 8)
        else { return nil }
        let bucketTable = gnuHash &+ 16 &+ UInt64(bloomWords) * 8
        guard let first = reader.uint32(bucketTable &+ UInt64(code % buckets) * 4), first >= firstSymbol else {
            return nil
        }
        let chain = bucketTable &+ UInt64(buckets) * 4
        for step in 0..<UInt64(Self.mostChainSteps) {
            let symbol = UInt64(first) + step
            guard let value = reader.uint32(chain &+ (symbol - UInt64(firstSymbol)) * 4) else { return nil }
            if value | 1 == code | 1, let address = defined(symbol, name, &reader) { return address }
            if value & 1 != 0 { return nil }
        }
        return nil
    }

    private func findByHash<Memory: ForeignMemory>(
        _ name: [UInt8], _ reader: inout ForeignReader<Memory>
    ) -> UInt64? {
        var code: UInt32 = 0
        for byte in name {
            code = code << 4 &+ UInt32(byte)
            let high = code & 0xF000_0000
            code = (code ^ high >> 24) & ~high
        }
        guard let buckets = reader.uint32(hash), buckets > 0 else { return nil }
        var next = reader.uint32(hash &+ 8 &+ UInt64(code % buckets) * 4)
        for _ in 0..<Self.mostChainSteps {
            guard let symbol = next, symbol != 0 else { return nil }
            if let address = defined(UInt64(symbol), name, &reader) { return address }
            next = reader.uint32(hash &+ 8 &+ (UInt64(buckets) + UInt64(symbol)) * 4)
        }
        return nil
    }

    /// The symbol's address where it has this name and is defined here.
    private func defined<Memory: ForeignMemory>(
        _ symbol: UInt64, _ name: [UInt8], _ reader: inout ForeignReader<Memory>
    ) -> UInt64? {
        let entry = symbols &+ symbol * 24
        guard let offset = reader.uint32(entry), UInt64(offset) &+ UInt64(name.count) < stringBytes,
            reader.bytes(strings &+ UInt64(offset), count: name.count + 1) == name + [0],
            let section = reader.uint16(entry &+ 6), section != 0, let value = reader.uint64(entry &+ 8)
        else { return nil }
        return section == 0xFFF1 ? value : value &+ bias
    }
}
