/* Attacks B6 and B7.
 * Vulnerability: existence, size and times of a file outside can be asked; O_PATH and chdir reach outside.
 * Vector: stat, access, readlink, open(O_PATH), chdir.
 * Expected: open by design and documented (docs/SECURITY_MODEL.md); no content can be had this way. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *secret = argv[1], *outside = argv[2];
    struct stat st;
    char byte;
    (void)argc;
    begin();
    STEP("stat", stat(secret, &st));
    STEP("access", access(secret, R_OK));
    int fd = open(secret, O_PATH | O_CLOEXEC);
    STEP("path-only", fd);
    STEP("chdir", chdir(outside));
    STEP("read-path-only", read(fd, &byte, 1));
    return finish();
}
