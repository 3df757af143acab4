// 50, 30 and 20 % of the work by one inner loop, told apart by how it was reached: through a virtual call of a class
// template, in a destructor and a handler while an exception is thrown through frames, and through std::function. Usage: shares SECONDS (of CPU time)
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>
#define NO __attribute__((noinline, noclone))

static volatile uint64_t sink;

NO void burn(long units) {
    uint64_t x = sink;
    for (long i = 0; i < units * 1000; i++) x = x * 6364136223846793005u + 1442695040888963407u;
    sink = x;
}

namespace shop {

struct Rule {
    virtual ~Rule() = default;
    virtual long apply(long units) const = 0;
};

template <typename T, int Factor> struct Discount final : Rule {
    NO long apply(long units) const override {
        burn(units / Factor);
        return units + static_cast<T>(sink);
    }
};

NO long price(const Rule &rule, long units) { return rule.apply(units) + 1; }

struct Guard {
    long units;
    NO ~Guard() { burn(units); sink = sink + 1; }
};

NO int refuse(long depth, long units) {
    Guard guard{depth == 2 ? units : 0};
    if (depth == 0) throw std::out_of_range("refused");
    return refuse(depth - 1, units) + 1;
}

NO int checkout(long units) {
    try {
        return refuse(4, units / 2);
    } catch (const std::exception &error) {
        burn(units / 2);
        return error.what()[0];
    }
}

NO bool less(int a, int b, long units) {
    burn(units);
    return a + static_cast<int>(sink & 0) < b;
}

template <typename Compare> NO void arrange(std::vector<int> &values, const Compare &compare) {
    if (compare(values[1], values[0])) std::swap(values[0], values[1]);
}

NO void sorted(long units) {
    std::vector<int> values{2, 1};
    const std::function<bool(int, int)> compare = [units](int a, int b) {
        const bool isLess = less(a, b, units);
        sink = sink + 1;
        return isLess;
    };
    arrange(values, compare);
    sink = sink + values[0];
}

}  // namespace shop

static double cpu() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

NO void round_of_work(const shop::Rule &rule) {
    sink = sink + shop::price(rule, 500 * 2);
    sink = sink + shop::checkout(300);
    shop::sorted(200);
    sink = sink + 1;
}

int main(int, char **arguments) {
    const double end = cpu() + atof(arguments[1]);
    const shop::Rule *rule = new shop::Discount<long, 2>;
    while (cpu() < end) round_of_work(*rule);
    delete rule;
    return 0;
}
