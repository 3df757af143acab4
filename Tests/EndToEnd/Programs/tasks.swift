// 50, 30 and 20 % of the work by one inner loop in asynchronous functions, told apart by which it was, two of them an
// actor's and a task group's. Usage: tasks SECONDS (of CPU time)
import Glibc

@inline(never) @_optimize(none) func keep<T>(_ value: T) -> T { value }

@inline(never) func burn(_ units: UInt64) -> UInt64 {
    var x = keep(units)
    for _ in 0..<units * 1000 { x = x &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
    return keep(x)
}

@inline(never) func price(_ units: UInt64) async -> UInt64 {
    await Task.yield()
    return keep(burn(units)) &+ 1
}

actor Till {
    var sum: UInt64 = 0
    @inline(never) func checkout(_ units: UInt64) async {
        sum &+= keep(burn(units))
    }
}

@inline(never) func tally(_ units: UInt64) async -> UInt64 {
    await withTaskGroup(of: UInt64.self) { group in
        for part in [units / 4, units * 3 / 4] { group.addTask { keep(burn(part)) & 1 } }
        var sum: UInt64 = 0
        for await one in group { sum &+= one }
        return sum
    }
}

func cpu() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

let end = cpu() + (Double(CommandLine.arguments[1]) ?? 1)
let till = Till()
while cpu() < end {
    _ = await price(500)
    await till.checkout(300)
    _ = await tally(200)
}
