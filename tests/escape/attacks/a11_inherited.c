/* Attacks A11, A12 and F15.
 * Vulnerability: a client that leaks descriptors: a folder, an open file, a connected socket. Landlock does not take
 *         back what is open.
 * Vector: use descriptors 7, 8 and 9, as they came over exec.
 * Expected: EBADF: everything from 3 up is closed. */
#include "attack.h"

int main(int argc, char **argv) {
    char byte;
    (void)argc, (void)argv;
    begin();
    STEP("folder", openat(7, "secret.txt", O_RDONLY | O_CLOEXEC));
    STEP("file", read(8, &byte, 1));
    STEP("socket", write(9, "x", 1));
    return finish();
}
