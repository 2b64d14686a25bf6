/* Attack E9 (our number).
 * Vulnerability: a signal to any process of the user's: the client, the editor, the supervisor.
 * Vector: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal with signal 0 (which asks for the
 *         right and does nothing) to a process outside and to the supervisor; the group of the victim.
 * Expected: EPERM from Landlock's scope; signals within the tree work. */
#include "attack.h"

static siginfo_t queued = {.si_code = SI_QUEUE};

static int by_pidfd(pid_t pid) {
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0) return -1;
    return (int)syscall(SYS_pidfd_send_signal, handle, 0, NULL, 0);
}

int main(int argc, char **argv) {
    pid_t victim = atoi(argv[1]);
    (void)argc;
    begin();
    pid_t child = fork();
    if (child == 0) return pause();
    STEP("own-child", kill(child, SIGKILL));
    waitpid(child, NULL, 0);
    STEP("kill", kill(victim, 0));
    STEP("tkill", syscall(SYS_tkill, victim, 0));
    STEP("tgkill", syscall(SYS_tgkill, victim, victim, 0));
    STEP("queue", syscall(SYS_rt_sigqueueinfo, victim, 0, &queued));
    STEP("thread-queue", syscall(SYS_rt_tgsigqueueinfo, victim, victim, 0, &queued));
    STEP("pidfd", by_pidfd(victim));
    STEP("group", kill(-getpgid(victim), 0));
    return finish();
}
