/* Attack H22 (our number): the calls that no server needs.
 * Vulnerability: a large kernel surface, some of it with a history.
 * Vector: one harmless, invalid use of each.
 * Expected: EPERM (io_uring: ENOSYS, so that programs fall back), recorded by name; never the kernel's own answer. */
#include "attack.h"

#define CALL(name, ...) STEP(#name, syscall(SYS_##name, __VA_ARGS__))

int main(int argc, char **argv) {
    char buffer[256] = {0};
    (void)argc, (void)argv;
    begin();
    STEP("io_uring_setup", syscall(SYS_io_uring_setup, 1, buffer));
    STEP("io_uring_enter", syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
    STEP("io_uring_register", syscall(SYS_io_uring_register, -1, 0, NULL, 0));
    CALL(bpf, 0, NULL, 0);
    CALL(perf_event_open, NULL, 0, -1, -1, 0);
    CALL(userfaultfd, 0xffff);
    CALL(init_module, NULL, 0, "");
    CALL(finit_module, -1, "", 0);
    CALL(delete_module, "caponier_nonexistent", 0);
    CALL(swapon, "/nonexistent", 0);
    CALL(swapoff, "/nonexistent");
    CALL(reboot, 0, 0, 0, NULL);
    CALL(quotactl, 0, NULL, 0, NULL);
    CALL(acct, "/nonexistent");
    CALL(settimeofday, (void *)1, NULL);
    CALL(clock_settime, 99, buffer);
    CALL(adjtimex, NULL);
    CALL(sethostname, NULL, 1 << 20);
    CALL(setdomainname, NULL, 1 << 20);
    CALL(syslog, 99, NULL, 0);
#ifdef SYS_iopl
    CALL(iopl, 99);
    CALL(ioperm, 0, 0, 1);
#endif
    return finish();
}
