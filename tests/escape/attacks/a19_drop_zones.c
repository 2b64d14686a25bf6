/* Attack A19.
 * Vulnerability: folders that everyone may write: a place to leave data for another process.
 * Vector: create a file in each.
 * Expected: EACCES; the private TMPDIR is there instead and works. */
#include "attack.h"

static int drop(const char *folder, const char *name) {
    char *path = in(folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    close(fd);
    unlink(path);
    return 0;
}

int main(int argc, char **argv) {
    const char *name = argv[1], *own = getenv("TMPDIR");
    (void)argc;
    begin();
    STEP("tmpdir", drop(own ? own : "/var/tmp", name));
    STEP("tmp", drop("/tmp", name));
    STEP("var-tmp", drop("/var/tmp", name));
    STEP("dev-shm", drop("/dev/shm", name));
    return finish();
}
