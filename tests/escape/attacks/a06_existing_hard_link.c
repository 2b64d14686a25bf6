/* Attack A6.
 * Vulnerability: a protected file that already has a second name inside a write grant.
 * Vector: open that name.
 * Expected: open by design (the name lies in the grant); it is recorded as an allowed access, and documented. */
#include "attack.h"

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("read", try_open(argv[1], O_RDONLY, 0));
    return finish();
}
