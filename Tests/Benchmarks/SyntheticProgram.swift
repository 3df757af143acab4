import ByteCoding
import PerfEvents
import Profiles
import SymbolTables

/// The same random numbers in every run (SplitMix64; Steele, Lea and Flood, 2014).
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

/// A program that nobody wrote: functions in modules, each with four places that call others, the first of them by far
/// the most often. Stacks are walks on it, so they share what stacks of real programs share.
struct SyntheticProgram {
    struct Function {
        var module: Int
        /// In the module's own address space.
        var start: UInt64
        var size: UInt64
        var callees: (UInt32, UInt32, UInt32, UInt32)
    }

    let functions: [Function]
    let moduleCount: Int

    init(functions count: Int, modules moduleCount: Int, seed: UInt64) {
        var dice = Dice(state: seed)
        var ends = [UInt64](repeating: 0x1000, count: moduleCount)
        var functions: [Function] = []
        for _ in 0..<count {
            let module = dice.below(100) < 60 ? 0 : dice.below(moduleCount)
            let size = UInt64(64 + 16 * dice.below(100))
            functions.append(
                Function(
                    module: module, start: ends[module], size: size,
                    callees: (
                        UInt32(dice.below(count)), UInt32(dice.below(count)), UInt32(dice.below(count)),
                        UInt32(dice.below(count))
                    )))
            ends[module] += size
        }
        self.functions = functions
        self.moduleCount = moduleCount
    }

    /// Every module is mapped from its file's first byte.
    func base(ofModule module: Int) -> UInt64 { 0x5555_0000_0000 + UInt64(module) << 28 }

    func module(_ index: Int) -> Module {
        Module(
            identity: ModuleIdentity(kind: .buildID, bytes: [UInt8](repeating: UInt8(index + 1), count: 20)),
            name: index == 0 ? "/usr/bin/program" : "/usr/lib/lib\(index).so")
    }

    func name(ofFunction index: Int) -> String { "compiler::pass\(functions[index].module)::visitNode\(index)" }

    /// Functions from `root` down, and the address in each: where it calls the next one, and anywhere in the last.
    func walk(from root: Int, depth: Int, _ dice: inout Dice) -> [(function: Int, address: UInt64)] {
        var path: [(function: Int, address: UInt64)] = []
        var function = root
        for level in 1...max(1, depth) {
            let callees = functions[function].callees
            let start = base(ofModule: functions[function].module) + functions[function].start
            if level == depth {
                path.append((function, start + UInt64(dice.below(Int(functions[function].size)))))
                break
            }
            let draw = dice.below(100)
            let (place, callee) =
                draw < 60 ? (0, callees.0) : draw < 80 ? (1, callees.1) : draw < 93 ? (2, callees.2) : (3, callees.3)
            path.append((function, start + functions[function].size / 5 * UInt64(place + 1)))
            function = Int(callee)
        }
        return path
    }

    /// One table for each module, with every function's name.
    func symbolizer() -> ModuleSymbolizer {
        var tables: [ModuleIdentity: SymbolTable] = [:]
        for module in 0..<moduleCount {
            var builder = SymbolTableBuilder(quality: .symbols, loadSegments: [])
            for (index, function) in functions.enumerated() where function.module == module {
                if let name = builder.index(ofName: Array(self.name(ofFunction: index).utf8)) {
                    builder.add(function.start, function.start + function.size, name: name)
                }
            }
            tables[self.module(module).identity] = builder.finish()
        }
        return ModuleSymbolizer(tables: tables)
    }
}
