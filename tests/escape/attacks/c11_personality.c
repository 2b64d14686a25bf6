/* Attack C11.
 * Vulnerability: personality(2) takes memory protections away: no address randomisation, readable means executable.
 * Vector: ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC; the query alone is harmless.
 * Expected: EPERM; the query works. */
#include "attack.h"
#include <sys/personality.h>

int main(int argc, char **argv) {
    (void)argc, (void)argv;
    begin();
    STEP("query", syscall(SYS_personality, 0xffffffff) == -1 ? -1 : 0);
    STEP("no-randomize", syscall(SYS_personality, ADDR_NO_RANDOMIZE));
    STEP("read-implies-exec", syscall(SYS_personality, READ_IMPLIES_EXEC));
    return finish();
}
