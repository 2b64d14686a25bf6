/* Attack A18 (our number): devices.
 * Vulnerability: a device node made in a writable folder is a door to the disk; raw devices are another.
 * Vector: mknod of a character and of a block device in the workspace; opening /dev/kmsg, /dev/mem, the terminal.
 * Expected: refused, for root too, whose capabilities are gone. */
#include "attack.h"
#include <sys/sysmacros.h>

int main(int argc, char **argv) {
    const char *workspace = argv[1];
    (void)argc;
    begin();
    STEP("character", mknod(in(workspace, "null"), S_IFCHR | 0666, makedev(1, 3)));
    STEP("block", mknod(in(workspace, "disk"), S_IFBLK | 0666, makedev(7, 200)));
    STEP("null", try_open("/dev/null", O_RDWR, 0));
    STEP("kmsg", try_open("/dev/kmsg", O_RDONLY, 0));
    STEP("ptmx", try_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0));
    return finish();
}
