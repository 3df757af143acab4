// A load whose answer is known: two services whose functions take fixed shares of their CPU time.
//
//   demo-load [SECONDS]          runs both services side by side, each its own process, and ends after SECONDS (60)
//   demo-load SERVICE SECONDS    runs one of them
//   demo-load children COUNT MS  runs COUNT children one after the other, each of which spends MS milliseconds of CPU
//                                time in child_work and ends; prints the CPU seconds that the kernel charged for them
//   demo-load basket A B C SECONDS  spends A, B and C milliseconds in price_cart, apply_discounts and write_receipt, again
//                                and again, until it has used SECONDS of CPU time
//
// checkout: price_cart 60 %, apply_discounts 30 %, write_receipt 10 %, below handle_checkout
// search:   rank_results 50 %, tokenize_query 50 %, below handle_search
// CPU time is spent by the clock of the thread itself, so the split holds on a busy machine too.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static volatile unsigned long sink;
static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Each function does its own arithmetic in its own body, so that its name is the leaf of its samples. The clock is
// asked once in some 20 microseconds.
#define WORK(name, step)                                                                                               \
    NOINLINE static void name(double milliseconds) {                                                                   \
        double end = seconds_of(CLOCK_THREAD_CPUTIME_ID) + milliseconds / 1e3;                                         \
        unsigned long value = sink;                                                                                    \
        do {                                                                                                           \
            for (int turn = 0; turn < 20000; turn++) value = value * 6364136223846793005UL + (step);                  \
        } while (seconds_of(CLOCK_THREAD_CPUTIME_ID) < end);                                                           \
        sink = value;                                                                                                  \
    }

WORK(price_cart, 1)
WORK(apply_discounts, 3)
WORK(write_receipt, 5)
WORK(rank_results, 7)
WORK(tokenize_query, 9)
WORK(child_work, 11)

// The empty asm after the last call keeps the caller's frame: without it the call would be a jump.
NOINLINE static void handle_checkout(void) {
    price_cart(12);
    apply_discounts(6);
    write_receipt(2);
    __asm__ volatile("");
}

NOINLINE static void handle_search(void) {
    rank_results(10);
    tokenize_query(10);
    __asm__ volatile("");
}

static int serve(const char *service, double duration) {
    void (*handle)(void) = strcmp(service, "checkout") == 0 ? handle_checkout : handle_search;
    double end = seconds_of(CLOCK_MONOTONIC) + duration;
    while (!stopped && seconds_of(CLOCK_MONOTONIC) < end) {
        handle();
        // Half a core at most: a load to look at, not one to wait for.
        usleep(20000);
    }
    return 0;
}

static double basket[3];

NOINLINE static void handle_basket(void) {
    if (basket[0] > 0) price_cart(basket[0]);
    if (basket[1] > 0) apply_discounts(basket[1]);
    if (basket[2] > 0) write_receipt(basket[2]);
    __asm__ volatile("");
}

static int run_basket(double duration) {
    double end = seconds_of(CLOCK_PROCESS_CPUTIME_ID) + duration;
    while (!stopped && seconds_of(CLOCK_PROCESS_CPUTIME_ID) < end) handle_basket();
    return 0;
}

static int run_children(int count, double milliseconds) {
    for (int child = 0; child < count; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            child_work(milliseconds);
            _exit(0);
        }
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            perror("demo-load: child");
            return 1;
        }
    }
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("cpu-seconds %.6f\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    return 0;
}

static pid_t start(const char *program, const char *service, const char *duration) {
    pid_t child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setenv("PERF_SERVICE", service, 1);
    setenv("PERF_VERSION", "demo", 1);
    execl(program, "demo-load", service, duration, (char *)NULL);
    perror("demo-load: can't start a service");
    _exit(1);
}

int main(int argc, char **argv) {
    // Without SA_RESTART, so that a signal ends the wait for the children.
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (argc == 4 && strcmp(argv[1], "children") == 0) return run_children(atoi(argv[2]), atof(argv[3]));
    if (argc == 6 && strcmp(argv[1], "basket") == 0) {
        for (int part = 0; part < 3; part++) basket[part] = atof(argv[2 + part]);
        return run_basket(atof(argv[5]));
    }
    if (argc == 3) {
        prctl(PR_SET_NAME, argv[1]);
        return serve(argv[1], atof(argv[2]));
    }
    const char *duration = argc > 1 ? argv[1] : "60";
    pid_t children[2] = {start("/proc/self/exe", "checkout", duration), start("/proc/self/exe", "search", duration)};
    int failures = 0;
    for (int index = 0; index < 2; index++) {
        int status = 0;
        if (children[index] < 0) {
            perror("demo-load: fork");
            failures++;
            continue;
        }
        while (waitpid(children[index], &status, 0) < 0 && errno == EINTR) {
            kill(children[0], SIGTERM);
            kill(children[1], SIGTERM);
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) failures++;
    }
    return failures != 0;
}
