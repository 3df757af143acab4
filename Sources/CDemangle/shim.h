// Demanglers of the GNU tool chain (libiberty: C++, Rust, D) and of the Swift runtime.
#pragma once
#include <libiberty/demangle.h>
#include <stddef.h>
#include <stdint.h>

char *swift_demangle(const char *mangledName, size_t mangledNameLength, char *outputBuffer,
                     size_t *outputBufferSize, uint32_t flags);
