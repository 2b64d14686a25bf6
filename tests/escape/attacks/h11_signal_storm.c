/* Attack H11.
 * Vulnerability: a signal makes a notified call fail with EINTR, or start over without end.
 * Vector: a timer of 1 kHz with a handler that does not restart calls, while the program opens, makes, renames and
 *         removes files, twenty thousand calls.
 * Expected: no EINTR, every call succeeds, the program ends. */
#include "attack.h"
#include <sys/time.h>

static volatile sig_atomic_t ticks;

static void tick(int unused) { (void)unused, ticks++; }

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = tick};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    const char *here, *there;
    int error = 0;
    (void)argc;
    here = in(argv[1], "here"), there = in(argv[1], "there");
    begin();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < 5000 && !error; i++) {
        if (try_open(here, O_RDWR | O_CREAT, 0644) < 0 || rename(here, there) < 0 ||
            try_open(there, O_RDONLY, 0) < 0 || unlink(there) < 0)
            error = errno;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    if (ticks < 10) broken("no storm");
    report("storm", error);
    return finish();
}
