/* Attack A1.
 * Vulnerability: a server reads what the user can read: keys, tokens, other projects.
 * Vector: every way to open a file for reading, by absolute path.
 * Expected: EACCES each time, recorded with the canonical path. */
#include "attack.h"
#include <linux/openat2.h>

int main(int argc, char **argv) {
    const char *secret = argv[1];
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
    (void)argc;
    begin();
#ifdef SYS_open
    STEP("open", syscall(SYS_open, secret, O_RDONLY));
#else
    STEP("open", open(secret, O_RDONLY));
#endif
    STEP("openat", syscall(SYS_openat, AT_FDCWD, secret, O_RDONLY));
    STEP("openat2", syscall(SYS_openat2, AT_FDCWD, secret, &how, sizeof how));
    STEP("read-write", try_open(secret, O_RDWR, 0));
    return finish();
}
