/* Attack A14.
 * Vulnerability: a descriptor reopened through /proc has the rights of the new open, not of the old one.
 * Vector: a file opened for reading reopened for writing; an O_PATH descriptor of a secret reopened for reading; by
 *         every spelling of the magic links.
 * Expected: EACCES, recorded with the file that the link means. */
#include "attack.h"

static char buffer[128];

static const char *spelled(const char *form, int a, int b) {
    snprintf(buffer, sizeof buffer, form, a, b);
    return buffer;
}

int main(int argc, char **argv) {
    const char *page = argv[1], *secret = argv[2];
    (void)argc;
    begin();
    int reading = open(page, O_RDONLY | O_CLOEXEC), path_only = open(secret, O_PATH | O_CLOEXEC);
    if (reading < 0 || path_only < 0) broken("open");
    STEP("same-right", try_open(spelled("/proc/self/fd/%d", reading, 0), O_RDONLY, 0));
    STEP("self", try_open(spelled("/proc/self/fd/%d", reading, 0), O_RDWR, 0));
    STEP("dev-fd", try_open(spelled("/dev/fd/%d", reading, 0), O_RDWR, 0));
    STEP("thread-self", try_open(spelled("/proc/thread-self/fd/%d", reading, 0), O_WRONLY, 0));
    STEP("by-pid", try_open(spelled("/proc/%d/fd/%d", getpid(), reading), O_RDWR, 0));
    STEP("truncate", truncate(spelled("/proc/self/fd/%d", reading, 0), 0));
    STEP("path-only", try_open(spelled("/proc/self/fd/%d", path_only, 0), O_RDONLY, 0));
    dup2(reading, 0);
    STEP("dev-stdin", try_open("/dev/stdin", O_RDWR, 0));
    return finish();
}
