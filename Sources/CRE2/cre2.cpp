#include "cre2.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <re2/re2.h>

using re2::RE2;
using re2::StringPiece;

struct cre2_pattern {
    RE2 expression;
};

static_assert(CRE2_INTERNAL == int(RE2::ErrorInternal), "codes differ");
static_assert(CRE2_BAD_ESCAPE == int(RE2::ErrorBadEscape), "codes differ");
static_assert(CRE2_BAD_CLASS == int(RE2::ErrorBadCharClass), "codes differ");
static_assert(CRE2_BAD_RANGE == int(RE2::ErrorBadCharRange), "codes differ");
static_assert(CRE2_MISSING_BRACKET == int(RE2::ErrorMissingBracket), "codes differ");
static_assert(CRE2_MISSING_PARENTHESIS == int(RE2::ErrorMissingParen), "codes differ");
static_assert(CRE2_UNEXPECTED_PARENTHESIS == int(RE2::ErrorUnexpectedParen), "codes differ");
static_assert(CRE2_TRAILING_BACKSLASH == int(RE2::ErrorTrailingBackslash), "codes differ");
static_assert(CRE2_REPEAT_ARGUMENT == int(RE2::ErrorRepeatArgument), "codes differ");
static_assert(CRE2_REPEAT_SIZE == int(RE2::ErrorRepeatSize), "codes differ");
static_assert(CRE2_REPEAT_OPERATOR == int(RE2::ErrorRepeatOp), "codes differ");
static_assert(CRE2_BAD_PERL_OPERATOR == int(RE2::ErrorBadPerlOp), "codes differ");
static_assert(CRE2_BAD_UTF8 == int(RE2::ErrorBadUTF8), "codes differ");
static_assert(CRE2_BAD_NAMED_CAPTURE == int(RE2::ErrorBadNamedCapture), "codes differ");
static_assert(CRE2_TOO_LARGE == int(RE2::ErrorPatternTooLarge), "codes differ");

// A text that is empty may have no address, which StringPiece takes.
static StringPiece piece(const uint8_t *text, size_t length) {
    return StringPiece(reinterpret_cast<const char *>(text), length);
}

cre2_pattern *cre2_compile(const uint8_t *text, size_t length, int64_t memory_bytes, struct cre2_failure *failure) {
    failure->code = CRE2_NO_MEMORY;
    failure->argument_length = 0;
    RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(memory_bytes);
    cre2_pattern *pattern = new (std::nothrow) cre2_pattern{{piece(text, length), options}};
    if (pattern == nullptr) return nullptr;
    if (pattern->expression.ok()) return pattern;
    const std::string &argument = pattern->expression.error_arg();
    failure->code = pattern->expression.error_code();
    failure->argument_length = std::min(argument.size(), sizeof failure->argument);
    std::memcpy(failure->argument, argument.data(), failure->argument_length);
    delete pattern;
    return nullptr;
}

int32_t cre2_program_size(const cre2_pattern *pattern) { return pattern->expression.ProgramSize(); }

int32_t cre2_matches(const cre2_pattern *pattern, const uint8_t *text, size_t length) {
    return pattern->expression.Match(piece(text, length), 0, length, RE2::UNANCHORED, nullptr, 0);
}

void cre2_free(cre2_pattern *pattern) { delete pattern; }
