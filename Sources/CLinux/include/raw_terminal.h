// A terminal that a program takes for itself and gives back whatever ends the program: with its settings in termios(3),
// its own screen and its cursor. One at a time. Functions that fail return a negated errno.
#pragma once

struct linux_terminal_size {
    int columns;
    int rows;
};

// Switches the terminal of `input` and `output` to single keys without echo, to its alternate screen and to no cursor.
// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT and SIGWINCH become bytes that `signals` (the writing end of a pipe
// that does not block) gets. What kills at once (SIGSEGV, SIGABRT, …) gives the terminal back first, where
// there is stack left for it. Takes a terminal again that a shell has set back meanwhile.
int linux_terminal_take(int input, int output, int signals);

// Puts everything back but the handlers of signals; nothing where it was given back already.
void linux_terminal_give_back(void);

// Forgets that it was taken, without a word to the terminal: in the background it is another's.
void linux_terminal_leave_alone(void);

// Ends the handling that `linux_terminal_take` began.
void linux_terminal_release_signals(void);

// Stops this process as its terminal's suspend key would without us. Returns when it goes on, or at once where the
// kernel does not stop it (an orphaned process group).
void linux_terminal_stop_process(void);

// Whether this process may write to the terminal: it is in its foreground.
int linux_terminal_is_foreground(int input);

// 0 in both where the terminal doesn't know.
struct linux_terminal_size linux_terminal_get_size(int output);
