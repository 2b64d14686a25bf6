/* Attack A2.
 * Vulnerability: destroying a file needs no read and, before Landlock ABI 3, no write right.
 * Vector: truncate(2), O_TRUNC with write access, O_TRUNC with read access only, creat(2).
 * Expected: EACCES, outside every grant and inside one that is read only; the files keep their length. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *outside = argv[1], *read_only = argv[2];
    (void)argc;
    begin();
    STEP("truncate-outside", truncate(outside, 0));
    STEP("o-trunc-outside", try_open(outside, O_WRONLY | O_TRUNC, 0));
    STEP("creat-outside", creat(outside, 0644));
    STEP("truncate-read-only", truncate(read_only, 0));
    /* Unspecified by POSIX, but Linux truncates: a read right must not be enough. */
    STEP("read-trunc-read-only", try_open(read_only, O_RDONLY | O_TRUNC, 0));
    STEP("write-read-only", try_open(read_only, O_WRONLY, 0));
    STEP("append-read-only", try_open(read_only, O_WRONLY | O_APPEND, 0));
    return finish();
}
