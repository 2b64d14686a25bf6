/* Attack B4 (our number): times.
 * Vulnerability: a changed time hides a changed file, or makes a build run it again.
 * Vector: utime, utimes, futimesat, utimensat by path, by descriptor and without following a link.
 * Expected: EACCES outside every grant and in a read grant; in the workspace it works. */
#include "attack.h"
#include <sys/time.h>
#include <utime.h>

int main(int argc, char **argv) {
    const char *workspace = argv[1], *secret = argv[2], *page = argv[3];
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct timeval old_tv[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct utimbuf old_buf = {1000, 1000};
    (void)argc;
    (void)old_tv, (void)old_buf;
    begin();
    STEP("own", utimensat(AT_FDCWD, in(workspace, "note.txt"), old, 0));
    STEP("utimensat", utimensat(AT_FDCWD, secret, old, 0));
    STEP("nofollow", utimensat(AT_FDCWD, secret, old, AT_SYMLINK_NOFOLLOW));
#ifdef SYS_utime
    STEP("utime", syscall(SYS_utime, secret, &old_buf));
    STEP("utimes", syscall(SYS_utimes, secret, old_tv));
    STEP("futimesat", syscall(SYS_futimesat, AT_FDCWD, secret, old_tv));
#else
    STEP("utime", utimensat(AT_FDCWD, secret, old, 0));
    STEP("utimes", utimensat(AT_FDCWD, secret, old, 0));
    STEP("futimesat", utimensat(AT_FDCWD, secret, old, 0));
#endif
    int reading = open(page, O_RDONLY | O_CLOEXEC);
    if (reading < 0) broken("open");
    STEP("descriptor-read-only", futimens(reading, old));
    return finish();
}
