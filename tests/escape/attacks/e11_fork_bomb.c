/* Attack E11.
 * Vulnerability: a fork bomb takes the machine.
 * Vector: fork children that wait, bounded so that the unconfined run does no harm.
 * Expected: EAGAIN at `limits.processes`, one record of process.limit; as root too, and whatever else the user runs. */
#include "attack.h"

int main(int argc, char **argv) {
    int wanted = atoi(argv[1]), at_least = atoi(argv[2]), alive = 0, error = 0, gate[2];
    char byte;
    (void)argc;
    begin();
    if (pipe2(gate, O_CLOEXEC) < 0) broken("pipe2");
    for (; alive < wanted; alive++) {
        pid_t child = fork();
        if (child == 0) {
            close(gate[1]);
            _exit((int)read(gate[0], &byte, 1));
        }
        if (child < 0) {
            error = errno;
            break;
        }
    }
    close(gate[1]);
    while (wait(NULL) > 0)
        ;
    dprintf(2, "FACT children=%d\n", alive);
    if (error && alive < at_least) blocked("bomb", "TOO-EARLY");
    else report("bomb", error);
    /* The children are gone: the count must have gone down with them. */
    pid_t again = fork();
    if (again == 0) _exit(0);
    report("afterwards", again < 0 ? errno : 0);
    return finish();
}
