/* Attack H11.
 * Vulnerability: a signal makes a notified call fail with EINTR, or start over without end.
 * Vector: a timer of 1 kHz while the program opens, makes, renames and removes files, forty thousand calls: once with
 *         a handler that asks for calls to be restarted (SA_RESTART: Go, libuv), once with one that does not and a
 *         program that tries again (PEP 475: Python).
 * Expected: every call succeeds, the program ends. With SA_RESTART there is no EINTR; without, one a tick at most: the kernel can
 *           interrupt a notification until it is received (seccomp_unotify(2), WAIT_KILLABLE_RECV). */
#include "attack.h"
#include <sys/time.h>

enum { ROUNDS = 5000 };

static volatile sig_atomic_t ticks;

static void tick(int unused) { (void)unused, ticks++; }

static int interrupted;

/* Tries again when it was interrupted. */
#define AGAIN(expression)                                  \
    ({                                                     \
        long again_;                                       \
        while ((again_ = (expression)) < 0 && errno == EINTR) interrupted++; \
        again_;                                            \
    })

static void storm(const char *step, const char *folder, int flags) {
    struct sigaction action = {.sa_handler = tick, .sa_flags = flags};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    const char *here = in(folder, "here"), *there = in(folder, "there");
    int error = 0;
    ticks = interrupted = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < ROUNDS && !error; i++) {
        if (AGAIN(try_open(here, O_RDWR | O_CREAT, 0644)) < 0 || AGAIN(rename(here, there)) < 0 ||
            AGAIN(try_open(there, O_RDONLY, 0)) < 0 || AGAIN(unlink(there)) < 0)
            error = errno;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    dprintf(2, "FACT %s ticks=%d interrupted=%d\n", step, (int)ticks, interrupted);
    if (ticks < 10) broken("no storm");
    /* Each tick interrupts one call at most. */
    if (interrupted > (flags & SA_RESTART ? 0 : ticks)) report(step, EINTR);
    else report(step, error);
}

int main(int argc, char **argv) {
    (void)argc;
    begin();
    storm("restarting", argv[1], SA_RESTART);
    storm("trying-again", argv[1], 0);
    return finish();
}
