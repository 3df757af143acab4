// How many times the calling thread has asked for memory since it began: malloc, calloc, realloc and the aligned forms,
// by whatever library. A test program that links this has them counted; see allocation_count.c.
#pragma once
#include <stdint.h>

uint64_t allocation_count(void);
