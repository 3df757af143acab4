// A child process that waits before it becomes another program, so that sampling can be set up meanwhile; and what
// Glibc's module does not show to Swift of threads' names and of waiting for a child.
#pragma once
#include <stdint.h>
#include <sys/types.h>

// Forks. The child resets signals, waits until a byte comes through `gate`, makes its standard output a copy of standard
// error where `output_on_error` isn't 0, then calls execvp. Where that fails it writes errno as an int to `failure` and
// ends with 127. Where the gate closes without a byte it ends with 126.
// Both descriptors must be close-on-exec. Answers the PID or -errno.
pid_t linux_fork_gated(char *const arguments[], int gate, int failure, int output_on_error);

// Names the calling thread; at most 15 bytes are taken.
void linux_name_thread(const char *name);

// The child's end: its exit code, or 128 + signal as a shell has it. CPU time of it and all its waited-for descendants.
// With `wait` 0 it only looks. 1 ended, 0 not yet, -errno.
int linux_wait_child(pid_t child, int wait, int *exit_code, uint64_t *cpu_nanoseconds);

// A pipe whose ends close on exec, `ends[0]` to read from; 0 or -errno.
int linux_pipe(int ends[2]);
