/* A server that looks at what it was granted: watches the folder argv[1], and reads the file argv[2]; then waits until
 * another file has that name, and reads it again. */
#include "attack.h"
#include <sys/inotify.h>

int main(int argc, char **argv) {
    struct stat before, now;
    if (argc != 3) broken("usage");
    begin();
    int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0) broken("inotify_init1");
    STEP("watch", inotify_add_watch(watch, argv[1], IN_CREATE));
    if (stat(argv[2], &before) < 0) broken("stat");
    STEP("read", open(argv[2], O_RDONLY | O_CLOEXEC));
    for (int tries = 0; tries < 6000; tries++) {
        if (stat(argv[2], &now) == 0 && now.st_ino != before.st_ino) {
            STEP("again", open(argv[2], O_RDONLY | O_CLOEXEC));
            return finish();
        }
        usleep(10000);
    }
    broken("nobody replaced the file");
}
