/* Attack E3.
 * Vulnerability: a descriptor of another process is copied: its files, its sockets, a supervisor's listener.
 * Vector: pidfd_open and pidfd_getfd on a process outside, and on the parent.
 * Expected: EPERM, reason syscall.foreign-process. */
#include "attack.h"
#include <sys/prctl.h>

static int steal(pid_t pid, int number) {
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0) return -1;
    int fd = (int)syscall(SYS_pidfd_getfd, handle, number, 0);
    int error = errno;
    close(handle);
    errno = error;
    return fd;
}

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("victim", steal(atoi(argv[1]), 8));
    STEP("parent", steal(getppid(), 2));
    return finish();
}
