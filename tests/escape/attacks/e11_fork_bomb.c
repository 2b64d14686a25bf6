/* Attack E11.
 * Vulnerability: a fork bomb takes the machine.
 * Vector: children that wait, bounded so that the unconfined run does no harm; plain, as daemons whose parent is gone
 *         (`daemons`), as siblings of ours (`siblings`, CLONE_PARENT).
 * Expected: EAGAIN at `limits.processes`, one record of process.limit; as root too, and whatever else the user runs. */
#include "attack.h"
#include <linux/sched.h>
#include <sys/prctl.h>

static int gate[2];

static _Noreturn void wait_at_the_gate(void) {
    char byte;
    close(gate[1]);
    _exit((int)read(gate[0], &byte, 1));
}

/* One more process that waits; 0 or an errno. */
static int one_more(const char *how) {
    if (strcmp(how, "siblings") == 0) {
        long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (child == 0) wait_at_the_gate();
        return child < 0 ? errno : 0;
    }
    pid_t child = fork();
    if (child < 0) return errno;
    if (child > 0 && strcmp(how, "daemons") == 0) {
        int status;
        waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    }
    if (child > 0) return 0;
    if (strcmp(how, "daemons") == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild != 0) _exit(grandchild < 0 ? errno : 0);
    }
    wait_at_the_gate();
}

int main(int argc, char **argv) {
    int wanted = atoi(argv[1]), at_least = atoi(argv[2]), alive = 0, error = 0;
    (void)argc;
    begin();
    if (pipe2(gate, O_CLOEXEC) < 0) broken("pipe2");
    /* Daemons come back to us, so that their end can be awaited. */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    while (alive < wanted && !(error = one_more(argv[3]))) alive++;
    close(gate[1]);
    while (wait(NULL) > 0)
        ;
    dprintf(2, "FACT children=%d\n", alive);
    if (error && alive < at_least) blocked("bomb", "TOO-EARLY");
    else report("bomb", error);
    /* They are gone, or on their way (a sibling is not ours to wait for): the count must go down with them. */
    pid_t again = -1;
    for (int i = 0; i < 400 && again < 0; i++) {
        again = fork();
        if (again == 0) _exit(0);
        if (again < 0) usleep(5000);
    }
    report("afterwards", again < 0 ? errno : 0);
    return finish();
}
