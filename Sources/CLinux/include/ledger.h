// Atomic words in a mapping that outlives the process. Swift's Atomic owns its storage; these words belong to a file.
#pragma once
#include <stdint.h>

static inline void ledger_add(uint64_t *word, uint64_t amount) {
    __atomic_fetch_add(word, amount, __ATOMIC_RELAXED);
}

static inline uint64_t ledger_load(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

// Counters only grow: what is below the present value changes nothing.
static inline void ledger_raise(uint64_t *word, uint64_t value) {
    uint64_t present = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (present < value
           && !__atomic_compare_exchange_n(word, &present, value, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}
