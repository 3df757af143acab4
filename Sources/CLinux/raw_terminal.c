#define _GNU_SOURCE
#include "raw_terminal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const int told[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGSYS};
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static struct termios before;
static struct sigaction told_before[COUNT(told)], fatal_before[COUNT(fatal)];
static int terminal_input, terminal_output, signal_pipe;
static volatile sig_atomic_t is_taken, has_handlers;

// Alternate screen, no cursor, no wrapping at the right edge; and back.
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char leave[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

// A terminal that takes nothing for a fifth of a second is given up: whatever ends the program must be able to.
static void put(const char *text, size_t count) {
    while (count > 0) {
        struct pollfd room = {.fd = terminal_output, .events = POLLOUT};
        if (poll(&room, 1, 200) == 0) return;
        ssize_t written = write(terminal_output, text, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text += written;
        count -= (size_t)written;
    }
}

// write(2) and tcsetattr(3) are async-signal-safe.
void linux_terminal_give_back(void) {
    if (!is_taken) return;
    is_taken = 0;
    put(leave, sizeof leave - 1);
    // TCSADRAIN would wait for a terminal that takes nothing.
    tcsetattr(terminal_input, TCSANOW, &before);
}

void linux_terminal_leave_alone(void) { is_taken = 0; }

static void tell(int number) {
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    // A full pipe holds enough to wake the reader.
    (void)!write(signal_pipe, &byte, 1);
    errno = saved;
}

static void die(int number) {
    linux_terminal_give_back();
    signal(number, SIG_DFL);
    raise(number);
}

static void set_handlers(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    action.sa_handler = tell;
    for (size_t i = 0; i < COUNT(told); i++) sigaction(told[i], &action, &told_before[i]);
    action.sa_flags = SA_NODEFER;
    action.sa_handler = die;
    for (size_t i = 0; i < COUNT(fatal); i++) sigaction(fatal[i], &action, &fatal_before[i]);
    has_handlers = 1;
}

int linux_terminal_take(int input, int output, int signals) {
    terminal_input = input;
    terminal_output = output;
    signal_pipe = signals;
    // A shell may have set the terminal back while this process was stopped: it is taken again, and what it was before
    // stays known.
    if (!is_taken && tcgetattr(input, &before) < 0) return -errno;
    if (!has_handlers) set_handlers();
    static int is_registered;
    if (!is_registered) is_registered = atexit(linux_terminal_give_back) == 0;
    struct termios raw = before;
    raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | ISTRIP | IXON);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    is_taken = 1;
    if (tcsetattr(input, TCSANOW, &raw) < 0) {
        int code = errno;
        is_taken = 0;
        return -code;
    }
    put(enter, sizeof enter - 1);
    return 0;
}

void linux_terminal_release_signals(void) {
    if (!has_handlers) return;
    for (size_t i = 0; i < COUNT(told); i++) sigaction(told[i], &told_before[i], NULL);
    for (size_t i = 0; i < COUNT(fatal); i++) sigaction(fatal[i], &fatal_before[i], NULL);
    has_handlers = 0;
}

void linux_terminal_stop_process(void) {
    struct sigaction action, handler;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_DFL;
    sigaction(SIGTSTP, &action, &handler);
    // To this thread, which may have it blocked, so that it is stopped before the handler is back.
    sigset_t stop, mask;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, &mask);
    raise(SIGTSTP);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGTSTP, &handler, NULL);
}

int linux_terminal_is_foreground(int input) { return tcgetpgrp(input) == getpgrp(); }

struct linux_terminal_size linux_terminal_get_size(int output) {
    struct winsize size;
    if (ioctl(output, TIOCGWINSZ, &size) < 0) return (struct linux_terminal_size){0, 0};
    return (struct linux_terminal_size){size.ws_col, size.ws_row};
}
