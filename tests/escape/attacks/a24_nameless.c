/* Attack A24.
 * Vulnerability: a file without a name (O_TMPFILE, or deleted but open) is given one outside.
 * Vector: linkat(2) with AT_EMPTY_PATH and through /proc/self/fd; O_TMPFILE in a folder outside.
 * Expected: EACCES. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *workspace = argv[1], *outside = argv[2];
    char magic[64];
    (void)argc;
    begin();
    int fd = open(workspace, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) broken("O_TMPFILE");
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    STEP("by-descriptor", linkat(fd, "", AT_FDCWD, in(outside, "planted"), AT_EMPTY_PATH));
    STEP("by-magic", linkat(AT_FDCWD, magic, AT_FDCWD, in(outside, "planted-too"), AT_SYMLINK_FOLLOW));
    STEP("tmpfile-outside", try_open(outside, O_TMPFILE | O_RDWR, 0600));
    return finish();
}
