// 50, 30 and 20 % of the work by one inner loop, told apart by how it was reached: through a class that implements an
// interface by a template, in `scope (exit)` while an exception is caught, and through a delegate.
// Usage: shares SECONDS (of CPU time)
import core.sys.posix.time;
import core.volatile : volatileLoad, volatileStore;
import gcc.attributes;
import std.conv : to;

__gshared ulong sink;

@noinline void burn(long units) {
    ulong x = volatileLoad(&sink);
    foreach (i; 0 .. units * 1000) x = x * 6364136223846793005UL + 1442695040888963407UL;
    volatileStore(&sink, x);
}

interface Rule {
    long apply(long units);
}

class Discount(T) : Rule {
    T factor;
    this(T factor) { this.factor = factor; }
    @noinline long apply(long units) {
        burn(units / factor);
        return units + cast(long)(volatileLoad(&sink) & 1);
    }
}

@noinline long price(Rule rule, long units) { return rule.apply(units) + 1; }

struct Guard {
    long units;
    @noinline ~this() {
        burn(units);
        volatileStore(&sink, volatileLoad(&sink) + 1);
    }
}

@noinline long refuse(long depth, long units) {
    auto guard = Guard(depth == 2 ? units : 0);
    if (depth == 0) throw new Exception("refused");
    return refuse(depth - 1, units) + 1;
}

@noinline long checkout(long units) {
    try {
        return refuse(4, units);
    } catch (Exception error) {
        return error.msg.length;
    }
}

@noinline void each(const long[] items, scope void delegate(long) work) {
    foreach (item; items) work(item);
}

@noinline void roundOfWork(Rule rule) {
    price(rule, 500 * 2);
    checkout(300);
    long sum;
    each([50, 150], (long units) { burn(units); sum += units; });
    volatileStore(&sink, volatileLoad(&sink) + sum);
}

double cpu() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

void main(string[] arguments) {
    const end = cpu() + arguments[1].to!double;
    Rule rule = new Discount!int(2);
    while (cpu() < end) roundOfWork(rule);
}
