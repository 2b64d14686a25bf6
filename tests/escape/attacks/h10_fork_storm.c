/* Attack H10.
 * Vulnerability: a broker that answers for a process that is gone, and whose number now names another.
 * Vector: a thousand short processes, several at a time; each opens one file that it may and one that it may not and
 *         dies, half of them in the middle of a call (killed by their parent).
 * Expected: every survivor got the right answers; the storm ends. */
#include "attack.h"

enum { STORM = 1000 };

static int check(const char *allowed, const char *secret) {
    int ok = try_open(allowed, O_RDONLY, 0) == 0;
    int refused = try_open(secret, O_RDONLY, 0) < 0 && errno == EACCES;
    return ok && refused ? 0 : ok ? 1 : 2;
}

int main(int argc, char **argv) {
    int open_secrets = 0, lost = 0, alive = 0, status;
    (void)argc;
    begin();
    for (int i = 0; i < STORM; i++) {
        pid_t child = fork();
        if (child < 0) broken("fork");
        if (child == 0) _exit(check(argv[1], argv[2]));
        if (i % 2) kill(child, SIGKILL);
        if (++alive < 8) continue;
        if (wait(&status) > 0) alive--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1) open_secrets++;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) lost++;
    }
    while (wait(&status) > 0) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1) open_secrets++;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) lost++;
    }
    if (lost) blocked("storm", "LOST-ALLOWED");
    else report("storm", open_secrets ? 0 : EACCES);
    return finish();
}
