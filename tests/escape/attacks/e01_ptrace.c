/* Attacks E1 and E2.
 * Vulnerability: another process of the user's is debugged: its memory read, its registers set.
 * Vector: PTRACE_ATTACH, PTRACE_SEIZE, process_vm_readv, process_vm_writev, process_madvise, kcmp on a process outside;
 *         PTRACE_TRACEME.
 * Expected: EPERM, reason syscall.foreign-process. */
#include "attack.h"
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static int trace_me(void *unused) { return (void)unused, ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0; }

int main(int argc, char **argv) {
    pid_t victim = atoi(argv[1]);
    char byte;
    /* Any mapped address of the victim's will do: a static program starts where this one starts. */
    struct iovec here = {&byte, 1}, there = {(void *)((uintptr_t)&main & ~4095UL), 1};
    (void)argc;
    begin();
    long attached = ptrace(PTRACE_ATTACH, victim, 0, 0);
    report("attach", attached < 0 ? errno : 0);
    if (attached == 0) {
        waitpid(victim, NULL, 0);
        ptrace(PTRACE_DETACH, victim, 0, 0);
    }
    long seized = ptrace(PTRACE_SEIZE, victim, 0, 0);
    report("seize", seized < 0 ? errno : 0);
    if (seized == 0) {
        ptrace(PTRACE_INTERRUPT, victim, 0, 0);
        waitpid(victim, NULL, 0);
        ptrace(PTRACE_DETACH, victim, 0, 0);
    }
    report("trace-me", in_child(trace_me, NULL));
    STEP("vm-read", process_vm_readv(victim, &here, 1, &there, 1, 0));
    /* The text is not writable: unconfined this gets as far as EFAULT, which is what having the right looks like. */
    long wrote = process_vm_writev(victim, &here, 1, &there, 1, 0);
    report("vm-write", wrote < 0 && errno != EFAULT ? errno : 0);
    STEP("kcmp", syscall(SYS_kcmp, getpid(), victim, KCMP_FILES, 0, 0));
    return finish();
}
