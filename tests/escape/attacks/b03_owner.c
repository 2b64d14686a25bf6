/* Attack B3.
 * Vulnerability: Landlock does not mediate a change of owner.
 * Vector: chown, lchown, fchown, fchownat to oneself, which the kernel always permits.
 * Expected: EACCES outside every grant and in a read grant; in the workspace it works. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *workspace = argv[1], *secret = argv[2], *page = argv[3];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    (void)argc;
    begin();
    STEP("own", chown(in(workspace, "note.txt"), uid, gid));
    STEP("chown", chown(secret, uid, gid));
    STEP("lchown", lchown(secret, uid, gid));
    STEP("fchownat", fchownat(AT_FDCWD, secret, uid, gid, AT_SYMLINK_NOFOLLOW));
    int reading = open(page, O_RDONLY | O_CLOEXEC);
    if (reading < 0) broken("open");
    STEP("fchown-read-only", fchown(reading, uid, gid));
    STEP("empty-path-read-only", fchownat(reading, "", uid, gid, AT_EMPTY_PATH));
    return finish();
}
