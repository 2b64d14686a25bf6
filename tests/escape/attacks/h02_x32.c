/* Attack H2 (our number).
 * Vulnerability: x32 numbers share the architecture of x86-64 and differ by one high bit.
 * Vector: open (2), execve (520) and getpid (39) with bit 30 set; a number that does not exist.
 * Expected: ENOSYS, reason syscall.unsupported, from the broker: they are on no list. A kernel without x32 says the
 *           same, so the record tells them apart. */
#include "attack.h"

enum { X32 = 0x40000000 };

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("open", syscall(X32 | 2, argv[1], O_RDONLY));
    STEP("getpid", syscall(X32 | 39));
    STEP("execve", syscall(X32 | 520, argv[1], NULL, NULL));
    STEP("unknown", syscall(4095));
    return finish();
}
