/* Attack B10.
 * Vulnerability: file attributes are set by ioctl on a descriptor opened for reading; Landlock's ioctl right covers
 *         devices only.
 * Vector: FS_IOC_SETFLAGS on a file of a read grant.
 * Expected: ENOTTY, recorded as syscall.ioctl. */
#include "attack.h"
#include <linux/fs.h>
#include <sys/ioctl.h>

int main(int argc, char **argv) {
    int flags = FS_NODUMP_FL;
    (void)argc;
    begin();
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) broken("open");
    STEP("setflags", ioctl(fd, FS_IOC_SETFLAGS, &flags));
    return finish();
}
