/* Attack A20 (CVE-2025-53110).
 * Vulnerability: comparing paths as strings: /srv/app-secret begins with /srv/app.
 * Vector: a sibling whose name begins with the granted one's, for reading and for writing.
 * Expected: EACCES. */
#include "attack.h"

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("granted", try_open(argv[1], O_RDONLY, 0));
    STEP("read", try_open(argv[2], O_RDONLY, 0));
    STEP("write", try_open(argv[2], O_WRONLY, 0));
    STEP("create", try_write(argv[3]));
    return finish();
}
