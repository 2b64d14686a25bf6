/* What every attack shares: the way it reports.
 *
 * One line on stderr per step (stdout belongs to JSON-RPC):
 *   PID <pid>                   a process of the attack; the log must blame one of these
 *   OPEN <step>                 the step did what the attacker wanted
 *   BLOCKED <step> <ERRNO>      the kernel or the pen refused it, with this errno
 *   BROKEN <what>               the attack itself could not be staged: the test fails
 * Exit status: 0 everything was open, 1 something was blocked, 99 broken. */
#ifndef ATTACK_H
#define ATTACK_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int blocked_steps;

/* Names a process of the attack. */
static inline void begin(void) { dprintf(2, "PID %d\n", getpid()); }

static inline void broken(const char *what) {
    dprintf(2, "BROKEN %s: %s\n", what, strerror(errno));
    _exit(99);
}

static inline void opened(const char *step) { dprintf(2, "OPEN %s\n", step); }

static inline void blocked(const char *step, const char *how) {
    dprintf(2, "BLOCKED %s %s\n", step, how);
    blocked_steps++;
}

/* `error` is an errno, 0 for success. */
static inline void report(const char *step, int error) {
    const char *name = error ? strerrorname_np(error) : NULL;
    if (error == 0)
        opened(step);
    else
        blocked(step, name ? name : "UNKNOWN");
}

/* One step: an expression in the way of system calls, negative on failure with errno set. */
#define STEP(name, expression)                       \
    do {                                             \
        errno = 0;                                   \
        long result_ = (long)(expression);           \
        report((name), result_ < 0 ? errno : 0);     \
    } while (0)

static inline int finish(void) { return blocked_steps ? 1 : 0; }

/* Opens and closes; 0 or -1 with errno. */
static inline int try_open(const char *path, int flags, mode_t mode) {
    int fd = open(path, flags | O_CLOEXEC, mode);
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

/* Writes one byte to a file that may be created; 0 or -1 with errno. */
static inline int try_write(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    ssize_t n = write(fd, "x", 1);
    close(fd);
    return n == 1 ? 0 : -1;
}

/* Writes a small file as the stage of a step; the attack is broken if that fails. */
static inline void stage_file(const char *path, mode_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, "staged\n", 7) != 7) broken(path);
    close(fd);
}

/* "folder/name" in a fresh buffer. */
static inline char *in(const char *folder, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) broken("asprintf");
    return path;
}

/* What a child was able to do: `act` runs in it and returns 0 or an errno. */
static inline int in_child(int (*act)(void *), void *argument) {
    int report_pipe[2];
    if (pipe2(report_pipe, O_CLOEXEC) < 0) broken("pipe2");
    pid_t child = fork();
    if (child < 0) broken("fork");
    if (child == 0) {
        begin();
        int error = act(argument);
        if (write(report_pipe[1], &error, sizeof error) < 0) _exit(98);
        _exit(0);
    }
    close(report_pipe[1]);
    int error = -1, status;
    ssize_t n = read(report_pipe[0], &error, sizeof error);
    close(report_pipe[0]);
    waitpid(child, &status, 0);
    if (n == sizeof error) return error;
    /* The pipe closed without a word: the child became another program (or died). 42 is what `tool` says. */
    return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : ENOEXEC;
}

#endif
