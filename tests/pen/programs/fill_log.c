/* A server that fills the log: it asks for one file after another that it may not read, until an open that was allowed
 * before is answered with EIO, and says so. Then it reads its stdin to the end. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *allowed = argv[1], *outside = argv[2];
    char path[4200], byte;
    (void)argc;
    if (try_open(allowed, O_RDONLY, 0) < 0) broken("allowed");
    for (int i = 0; i < 200000; i++) {
        snprintf(path, sizeof path, "%s/no-such-folder-%06d", outside, i);
        int refused = try_write(path) < 0 ? errno : 0;
        if (refused != EACCES && refused != EIO) broken("not refused");
        /* Allowed opens are recorded in batches; the refusal above is not. */
        if (try_open(allowed, O_RDONLY, 0) < 0) {
            dprintf(2, "after %d: %s\n", i, strerrorname_np(errno));
            while (read(0, &byte, 1) > 0)
                ;
            return 0;
        }
    }
    dprintf(2, "never full\n");
    return 91;
}
