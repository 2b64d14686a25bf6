/* Attack B8.
 * Vulnerability: inotify and fanotify tell names and activity in folders that may not be read.
 * Vector: inotify_add_watch on a folder and on a file outside; fanotify_init.
 * Expected: EACCES, reason fs.watch.not-granted; a watch inside a read grant works; fanotify_init EPERM. */
#include "attack.h"
#include <sys/fanotify.h>
#include <sys/inotify.h>

int main(int argc, char **argv) {
    const char *reading = argv[1], *outside = argv[2];
    (void)argc;
    begin();
    int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0) broken("inotify_init1");
    STEP("granted", inotify_add_watch(watch, reading, IN_MODIFY));
    STEP("folder", inotify_add_watch(watch, outside, IN_ALL_EVENTS));
    STEP("file", inotify_add_watch(watch, in(outside, "secret.txt"), IN_ALL_EVENTS));
    STEP("root", inotify_add_watch(watch, "/", IN_ALL_EVENTS));
    STEP("fanotify", fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY));
    return finish();
}
