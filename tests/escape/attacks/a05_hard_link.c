/* Attack A5.
 * Vulnerability: a hard link gives a protected file a second name in a folder where it may be read and written.
 * Vector: link(2), linkat(2) through /proc/self/fd, linkat(2) of a descriptor (AT_EMPTY_PATH); the reverse, a link
 *         from the workspace out.
 * Expected: EXDEV where only the reparenting is wrong, EACCES where the target folder is not writable: Landlock's own
 *           answers. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *secret = argv[1], *page = argv[2], *workspace = argv[3], *outside = argv[4];
    char magic[64];
    (void)argc;
    begin();
    STEP("link", link(secret, in(workspace, "one")));
    int fd = open(secret, O_PATH | O_CLOEXEC);
    if (fd < 0) broken("O_PATH");
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    STEP("link-by-magic", linkat(AT_FDCWD, magic, AT_FDCWD, in(workspace, "two"), AT_SYMLINK_FOLLOW));
    STEP("link-by-descriptor", linkat(fd, "", AT_FDCWD, in(workspace, "three"), AT_EMPTY_PATH));
    STEP("link-read-only", link(page, in(workspace, "four")));
    stage_file(in(workspace, "mine"), 0644);
    STEP("link-out", link(in(workspace, "mine"), in(outside, "planted")));
    return finish();
}
