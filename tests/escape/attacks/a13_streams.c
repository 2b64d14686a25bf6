/* Attack A13 (our number).
 * Vulnerability: clients hand servers socket pairs as stdin and stdout; descriptors can come in by SCM_RIGHTS, and
 *         a terminal on stderr can be typed into.
 * Vector: what kinds of things descriptors 0, 1 and 2 are.
 * Expected: pipes of caponier's own, nobody else's. */
#include "attack.h"

static int is_socket(int fd) {
    struct stat st;
    if (fstat(fd, &st) < 0) return errno;
    return S_ISSOCK(st.st_mode) ? 0 : ENOTSOCK;
}

int main(int argc, char **argv) {
    (void)argc, (void)argv;
    begin();
    report("stdin", is_socket(0));
    report("stdout", is_socket(1));
    report("stderr", is_socket(2));
    return finish();
}
