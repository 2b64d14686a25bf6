/* Attacks A15, E7 and E8.
 * Vulnerability: /proc/<pid>/root and cwd lead around path rules, and the rest tells other processes' secrets.
 * Vector: another process of the same user, outside the tree, by absolute path, from a working directory inside its
 *         folder and by a descriptor of that folder; process 1.
 * Expected: EACCES; what lies behind a magic link is named by its own path, the rest is fs.proc.not-served. */
#include "attack.h"
#include <dirent.h>

static char buffer[4200];

static const char *of(const char *victim, const char *what) {
    snprintf(buffer, sizeof buffer, "/proc/%s/%s", victim, what);
    return buffer;
}

static int read_something(const char *path) {
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = read(fd, &byte, 1);
    close(fd);
    return n == 1 ? 0 : -1;
}

int main(int argc, char **argv) {
    const char *victim = argv[1];
    (void)argc;
    begin();
    STEP("environ", read_something(of(victim, "environ")));
    STEP("cmdline", read_something(of(victim, "cmdline")));
    STEP("status", read_something(of(victim, "status")));
    STEP("maps", read_something(of(victim, "maps")));
    STEP("mem", try_open(of(victim, "mem"), O_RDWR, 0));
    STEP("task", try_open(of(victim, "task"), O_RDONLY | O_DIRECTORY, 0));
    STEP("root", try_open(of(victim, "root/etc"), O_RDONLY | O_DIRECTORY, 0));
    STEP("cwd", read_something(of(victim, "cwd/secret.txt")));
    STEP("fd", read_something(of(victim, "fd/8")));
    STEP("dot-dot", read_something(of("self/..", in(victim, "environ"))));
    int folder = open(of(victim, ""), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(of(victim, "")) < 0) broken("chdir");
    STEP("relative", read_something("environ"));
    STEP("relative-cwd", read_something("cwd/secret.txt"));
    STEP("descriptor", openat(folder, "environ", O_RDONLY | O_CLOEXEC));
    STEP("init-cmdline", read_something("/proc/1/cmdline"));
    STEP("init-environ", try_open("/proc/1/environ", O_RDONLY, 0));
    STEP("kmsg", try_open("/proc/kmsg", O_RDONLY, 0));
    return finish();
}
