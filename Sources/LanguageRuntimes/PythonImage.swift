internal import LinuxSystem

/// Finds exported symbols of a loaded ELF file in the memory of its process, by its dynamic symbol table.
///
/// The file itself is not opened: it may lie in another mount namespace, be deleted, replaced or hostile. What is read is
/// what the dynamic linker reads: program headers, the dynamic section, the hash table (System V ABI; DT_GNU_HASH).
package struct PythonImage<Memory: PythonMemory> {
    private let memory: Memory
    /// Added to an address of the file's own to get one of the process.
    private let bias: UInt64
    private var symbols: UInt64 = 0
    private var strings: UInt64 = 0
    private var stringBytes: UInt64 = 0
    private var gnuHash: UInt64 = 0
    private var hash: UInt64 = 0

    /// Chains and tables longer than this are not followed.
    private static var maximumSteps: Int { 4096 }

    /// - Parameter start: Where the file's first bytes are mapped. nil where no dynamic ELF file of 64 bits is there.
    package init?(memory: Memory, start: UInt64) {
        self.memory = memory
        let reader = Reader(memory: memory)
        // e_ident: magic, ELFCLASS64, ELFDATA2LSB; e_phoff at 32, e_phentsize at 54, e_phnum at 56.
        guard let header = reader.bytes(start, 64), header.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else {
            return nil
        }
        let programHeaders = header.littleEndianWord(32)
        let count = Int(header.littleEndianWord(56) & 0xFFFF)
        guard header.littleEndianWord(54) & 0xFFFF == 56, count > 0, count <= 128, programHeaders < 1 << 20,
            let table = reader.bytes(start &+ programHeaders, count * 56)
        else { return nil }
        var firstAddress: UInt64?
        var dynamic: (address: UInt64, size: UInt64)?
        for index in 0..<count {
            let type = table.littleEndianWord(index * 56) & 0xFFFF_FFFF
            let address = table.littleEndianWord(index * 56 + 16)
            // PT_LOAD, PT_DYNAMIC.
            if type == 1, firstAddress == nil { firstAddress = address &- table.littleEndianWord(index * 56 + 8) }
            if type == 2 { dynamic = (address, table.littleEndianWord(index * 56 + 40)) }
        }
        guard let firstAddress, let dynamic, dynamic.size >= 16, dynamic.size <= 16_384 else { return nil }
        bias = start &- (firstAddress & ~4095)
        guard let entries = reader.bytes(dynamic.address &+ bias, Int(dynamic.size) & ~15) else { return nil }
        for index in 0..<entries.count / 16 {
            let value = entries.littleEndianWord(index * 16 + 8)
            // glibc writes addresses of the process there, musl leaves those of the file.
            let address = value < start ? value &+ bias : value
            switch entries.littleEndianWord(index * 16) {
            case 0: break
            case 4: hash = address
            case 5: strings = address
            case 6: symbols = address
            case 10: stringBytes = value
            case 0x6FFF_FEF5: gnuHash = address
            default: continue
            }
        }
        guard symbols != 0, strings != 0, gnuHash != 0 || hash != 0 else { return nil }
    }

    package struct Symbol: Hashable, Sendable {
        /// In the process.
        package var address: UInt64
        package var byteCount: UInt64
    }

    /// A symbol that the file defines; nil where it does not export it.
    package func symbol(_ name: String) -> Symbol? {
        let reader = Reader(memory: memory)
        let wanted = Array(name.utf8)
        return gnuHash != 0 ? byGNUHash(wanted, reader) : byHash(wanted, reader)
    }

    private func byGNUHash(_ name: [UInt8], _ reader: Reader) -> Symbol? {
        let value = name.reduce(5381 as UInt32) { $0 &* 33 &+ UInt32($1) }
        guard let header = reader.bytes(gnuHash, 16) else { return nil }
        let buckets = header.littleEndianWord(0) & 0xFFFF_FFFF
        let firstSymbol = header.littleEndianWord(0) >> 32
        let filterWords = header.littleEndianWord(8) & 0xFFFF_FFFF
        guard buckets > 0 else { return nil }
        let bucketStart = gnuHash &+ 16 &+ filterWords * 8
        guard let bucket = reader.half(bucketStart &+ UInt64(value) % buckets * 4), UInt64(bucket) >= firstSymbol else {
            return nil
        }
        let chainStart = bucketStart &+ buckets * 4
        var index = UInt64(bucket)
        for _ in 0..<Self.maximumSteps {
            guard let link = reader.half(chainStart &+ (index - firstSymbol) * 4) else { return nil }
            if link | 1 == value | 1, let symbol = symbol(index, named: name, reader) { return symbol }
            if link & 1 == 1 { return nil }
            index += 1
        }
        return nil
    }

    private func byHash(_ name: [UInt8], _ reader: Reader) -> Symbol? {
        var value: UInt32 = 0
        for byte in name {
            value = value << 4 &+ UInt32(byte)
            let high = value & 0xF000_0000
            value = (value ^ high >> 24) & ~high
        }
        guard let buckets = reader.half(hash), buckets > 0 else { return nil }
        var index = reader.half(hash &+ 8 &+ UInt64(value % buckets) * 4)
        for _ in 0..<Self.maximumSteps {
            guard let current = index, current != 0 else { return nil }
            if let symbol = symbol(UInt64(current), named: name, reader) { return symbol }
            index = reader.half(hash &+ 8 &+ (UInt64(buckets) &+ UInt64(current)) * 4)
        }
        return nil
    }

    /// The symbol of that number, if it is defined and has that name.
    private func symbol(_ index: UInt64, named name: [UInt8], _ reader: Reader) -> Symbol? {
        guard let entry = reader.bytes(symbols &+ index &* 24, 24) else { return nil }
        let nameOffset = entry.littleEndianWord(0) & 0xFFFF_FFFF
        let section = entry.littleEndianWord(0) >> 48
        guard section != 0, nameOffset < stringBytes,
            reader.bytes(strings &+ nameOffset, name.count + 1) == name + [0]
        else { return nil }
        return Symbol(address: entry.littleEndianWord(8) &+ bias, byteCount: entry.littleEndianWord(16))
    }

    private struct Reader {
        let memory: Memory

        func bytes(_ address: UInt64, _ count: Int) -> [UInt8]? {
            guard count > 0, address <= UInt64.max - UInt64(count) else { return nil }
            var buffer = [UInt8](repeating: 0, count: count)
            let read = try? memory.read([MemoryRange(address: address, byteCount: count)], into: &buffer, at: 0)
            return read == count ? buffer : nil
        }

        func half(_ address: UInt64) -> UInt32? {
            bytes(address, 4).map { $0.littleEndianHalf(0) }
        }
    }
}
