/* Attack A8 (our number): removal.
 * Vulnerability: unlinking needs no right on the file itself.
 * Vector: unlink, unlinkat, rmdir, remove, outside and in a folder that is read only.
 * Expected: EACCES; in the workspace they work. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *workspace = argv[1], *outside = argv[2], *reading = argv[3];
    (void)argc;
    begin();
    STEP("own", unlink(in(workspace, "note.txt")));
    STEP("unlink-outside", unlink(in(outside, "secret.txt")));
    STEP("unlinkat-outside", unlinkat(AT_FDCWD, in(outside, "target.txt"), 0));
    STEP("rmdir-outside", rmdir(in(outside, "empty")));
    STEP("unlink-read-only", unlink(in(reading, "page.txt")));
    return finish();
}
