// 50, 30 and 20 % of the work by one inner loop, told apart by how it was reached: through a protocol and a generic
// type, through an error that is thrown and caught, and through a closure. Usage: shares SECONDS (of CPU time)
import Glibc

@inline(never) @_optimize(none) func keep<T>(_ value: T) -> T { value }

@inline(never) func burn(_ units: UInt64) -> UInt64 {
    var x = keep(units)
    for _ in 0..<units * 1000 { x = x &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
    return keep(x)
}

protocol Rule {
    func apply(_ units: UInt64) -> UInt64
}

struct Discount<Factor: BinaryInteger>: Rule {
    var factor: Factor
    @inline(never) func apply(_ units: UInt64) -> UInt64 { keep(burn(units / UInt64(factor))) & 1 }
}

struct Refused: Error { var units: UInt64 }

enum Shop {
    @inline(never) static func price(_ rule: any Rule, _ units: UInt64) -> UInt64 { keep(rule.apply(units)) &+ 1 }

    @inline(never) static func refuse(_ depth: Int, _ units: UInt64) throws -> UInt64 {
        defer { if depth == 2 { _ = keep(burn(units)) } }
        if depth == 0 { throw Refused(units: units) }
        return try refuse(depth - 1, units) &+ keep(1)
    }

    @inline(never) static func checkout(_ units: UInt64) -> UInt64 {
        do { return try refuse(4, units) } catch { return keep(1) }
    }

    @inline(never) static func each(_ items: [UInt64], _ work: (UInt64) -> UInt64) -> UInt64 {
        var sum: UInt64 = 0
        for item in items { sum &+= keep(work(item)) }
        return sum
    }
}

@inline(never) func roundOfWork(_ rule: any Rule) -> UInt64 {
    var sum = Shop.price(rule, 500 * 2)
    sum &+= Shop.checkout(300)
    sum &+= Shop.each(keep([50, 150])) { units in keep(burn(units)) & 1 }
    return keep(sum)
}

func cpu() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

let end = cpu() + (Double(CommandLine.arguments[1]) ?? 1)
let rule: any Rule = keep(Discount(factor: Int32(2)))
while cpu() < end { _ = roundOfWork(rule) }
