#define _GNU_SOURCE
#include "gated_process.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t linux_fork_gated(char *const arguments[], int gate, int failure, int output_on_error) {
    // Everything up to exec is async-signal-safe: other threads may have held any lock when we forked.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t child = fork();
    if (child != 0) {
        int code = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return child > 0 ? child : -code;
    }
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char byte;
    ssize_t count;
    do count = read(gate, &byte, 1);
    while (count < 0 && errno == EINTR);
    if (count != 1) _exit(126);
    int code = 0;
    if (output_on_error && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) code = errno;
    if (code == 0) {
        execvp(arguments[0], arguments);
        code = errno;
    }
    ssize_t written = write(failure, &code, sizeof code);
    (void)written;
    _exit(127);
}

void linux_name_thread(const char *name) { prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); }

int linux_wait_child(pid_t child, int wait, int *exit_code, uint64_t *cpu_nanoseconds) {
    int status;
    struct rusage usage;
    pid_t found;
    do found = wait4(child, &status, wait ? 0 : WNOHANG, &usage);
    while (found < 0 && errno == EINTR);
    if (found < 0) return -errno;
    if (found == 0) return 0;
    *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    *cpu_nanoseconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u
        + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
    return 1;
}

int linux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno; }
