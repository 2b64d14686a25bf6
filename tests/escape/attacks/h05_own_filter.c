/* Attacks H5 and H6.
 * Vulnerability: a filter of the server's own answers before ours: attempts disappear from the record.
 * Vector: seccomp(SET_MODE_FILTER), with a listener, prctl(PR_SET_SECCOMP), strict mode; a Landlock layer is harmless
 *         but not needed.
 * Expected: EPERM, reason syscall.seccomp. */
#include "attack.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

static struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
static struct sock_fprog program = {1, allow};

static int install(void *flags) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (long)flags, &program) < 0 ? errno : 0;
}

static int by_prctl(void *unused) {
    (void)unused;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? errno : 0;
}

int main(int argc, char **argv) {
    uint32_t action = SECCOMP_RET_ALLOW;
    (void)argc, (void)argv;
    begin();
    report("filter", in_child(install, NULL));
    report("listener", in_child(install, (void *)(long)SECCOMP_FILTER_FLAG_NEW_LISTENER));
    report("prctl", in_child(by_prctl, NULL));
    STEP("ask", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    return finish();
}
