/* Attack C1.
 * Vulnerability: any program of the machine: curl, python, the user's own tools.
 * Vector: execve, execveat by descriptor, execve of /proc/self/fd, vfork and posix_spawn; a program in a read grant.
 * Expected: EACCES, reason exec.not-granted; the granted one runs, by each of these ways. */
#include "attack.h"
#include <spawn.h>

extern char **environ;
static char *words[] = {"tool", NULL};

static int by_execve(void *path) { return execve(path, words, environ), errno; }

static int by_descriptor(void *path) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return errno;
    return syscall(SYS_execveat, fd, "", words, environ, AT_EMPTY_PATH), errno;
}

static int by_magic(void *path) {
    char magic[64];
    int fd = open(path, O_PATH);
    if (fd < 0) return errno;
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    return execve(magic, words, environ), errno;
}

static int by_spawn(const char *path) {
    pid_t child;
    int status, error = posix_spawn(&child, path, NULL, NULL, words, environ);
    if (error) return error;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : ENOEXEC;
}

int main(int argc, char **argv) {
    char *granted = argv[1], *outside = argv[2], *readable = argv[3];
    (void)argc;
    begin();
    report("granted-execve", in_child(by_execve, granted));
    report("granted-descriptor", in_child(by_descriptor, granted));
    report("granted-spawn", by_spawn(granted));
    report("execve", in_child(by_execve, outside));
    report("descriptor", in_child(by_descriptor, outside));
    report("magic", in_child(by_magic, outside));
    report("spawn", by_spawn(outside));
    report("readable", in_child(by_execve, readable));
    return finish();
}
