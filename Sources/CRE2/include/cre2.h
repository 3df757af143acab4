// Regular expressions in linear time: RE2 behind four functions, so that no other file sees C++.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled expression. It never changes, so any number of threads may match by it.
typedef struct cre2_pattern cre2_pattern;

/// What is wrong with an expression: RE2's code and the part that it means, as much of it as fits.
struct cre2_failure {
    int32_t code;
    uint32_t argument_length;
    uint8_t argument[1024];
};

/// Codes of `cre2_failure`, the same as RE2's (held by cre2.cpp).
enum cre2_code {
    CRE2_NO_MEMORY = -1,
    CRE2_INTERNAL = 1,
    CRE2_BAD_ESCAPE,
    CRE2_BAD_CLASS,
    CRE2_BAD_RANGE,
    CRE2_MISSING_BRACKET,
    CRE2_MISSING_PARENTHESIS,
    CRE2_UNEXPECTED_PARENTHESIS,
    CRE2_TRAILING_BACKSLASH,
    CRE2_REPEAT_ARGUMENT,
    CRE2_REPEAT_SIZE,
    CRE2_REPEAT_OPERATOR,
    CRE2_BAD_PERL_OPERATOR,
    CRE2_BAD_UTF8,
    CRE2_BAD_NAMED_CAPTURE,
    CRE2_TOO_LARGE,
};

/// Compiles an expression of UTF-8 within `memory_bytes` (program and cached states together); NULL with the reason in
/// `failure`.
cre2_pattern *cre2_compile(const uint8_t *text, size_t length, int64_t memory_bytes, struct cre2_failure *failure);
/// Instructions of the compiled program: a match takes at most as many steps for each byte.
int32_t cre2_program_size(const cre2_pattern *pattern);
/// Whether the expression matches any part of the text: 1 or 0.
int32_t cre2_matches(const cre2_pattern *pattern, const uint8_t *text, size_t length);
void cre2_free(cre2_pattern *pattern);

#ifdef __cplusplus
}
#endif
