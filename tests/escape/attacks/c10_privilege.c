/* Attack C10.
 * Vulnerability: set-user-ID programs and left-over capabilities.
 * Vector: what the process holds: no_new_privs, its capability sets; a set-user-ID program of another user (as root
 *         only: an ordinary user cannot make one).
 * Expected: no_new_privs is set, every set is empty, the program runs without its bit. */
#include "attack.h"
#include <linux/capability.h>
#include <sys/prctl.h>

static int run(void *path) {
    char *words[] = {path, "euid", NULL};
    return execv(path, words), errno;
}

int main(int argc, char **argv) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};
    begin();
    report("no-new-privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : EPERM);
    if (syscall(SYS_capget, &header, sets) < 0) broken("capget");
    report("effective", sets[0].effective | sets[1].effective ? 0 : EPERM);
    report("permitted", sets[0].permitted | sets[1].permitted ? 0 : EPERM);
    report("bounding", prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 1 ? 0 : EPERM);
    /* `tool euid` says 42 when it runs as somebody else. */
    if (argc > 1) report("set-user-id", in_child(run, argv[1]) == 0 ? 0 : EPERM);
    return finish();
}
