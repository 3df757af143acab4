// process_vm_readv(2), which Glibc's module does not show to Swift.
#pragma once
#include <stdint.h>
#include <sys/types.h>

// Number of bytes read, which is less than `count` where a page is not mapped, or a negated errno.
ssize_t linux_read_foreign_memory(pid_t process, uint64_t address, void *into, size_t count);
