/* Attack H8.
 * Vulnerability: a process that is not dumpable hides its memory; a guard that cannot read paths is blind.
 * Vector: prctl(PR_SET_DUMPABLE, 0), then an open of a secret; PR_SET_PTRACER.
 * Expected: the call answers 0 and does nothing; the open is refused and its path is in the record. */
#include "attack.h"
#include <sys/prctl.h>

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("set", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    /* As if: open means that the process is still dumpable, the way the pen wants it. */
    report("read", try_open(argv[1], O_RDONLY, 0) < 0 ? errno : 0);
    return finish();
}
