/* Attacks B1 and B2.
 * Vulnerability: Landlock does not mediate a change of mode: a key made world-readable, a read-only file writable.
 * Vector: chmod, fchmodat, fchmodat2 (452), fchmod on a descriptor that was opened for reading.
 * Expected: EACCES outside every grant and in a read grant; in the workspace it works, set-ID bits excepted (EPERM). */
#include "attack.h"
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

int main(int argc, char **argv) {
    const char *workspace = argv[1], *secret = argv[2], *page = argv[3];
    (void)argc;
    begin();
    const char *mine = in(workspace, "note.txt");
    STEP("own", chmod(mine, 0600));
    STEP("chmod", chmod(secret, 0666));
    STEP("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, secret, 0666));
    STEP("fchmodat2", syscall(SYS_fchmodat2, AT_FDCWD, secret, 0666, 0));
    int path_only = open(secret, O_PATH | O_CLOEXEC);
    if (path_only < 0) broken("O_PATH");
    STEP("fchmodat2-empty", syscall(SYS_fchmodat2, path_only, "", 0666, AT_EMPTY_PATH));
    char magic[64];
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", path_only);
    STEP("by-magic", chmod(magic, 0666));
    int reading = open(page, O_RDONLY | O_CLOEXEC);
    if (reading < 0) broken("open");
    STEP("fchmod-read-only", fchmod(reading, 0666));
    STEP("chmod-read-only", chmod(page, 0666));
    if (symlink(secret, in(workspace, "arrow")) < 0) broken("symlink");
    STEP("by-symlink", chmod(in(workspace, "arrow"), 0666));
    return finish();
}
