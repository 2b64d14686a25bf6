/* Attack B2, second half.
 * Vulnerability: a set-user-ID file of the user's, left where others can run it.
 * Vector: every call that can give a file such a bit, in the workspace where modes may be changed.
 * Expected: EPERM, reason fs.metadata.privileged; ordinary bits work. */
#include "attack.h"

/* A file that came into being with a set-ID bit counts as open; one without it does not. */
static int born_with(const char *path, int made) {
    struct stat st;
    if (made < 0) return -1;
    if (stat(path, &st) < 0) return -1;
    if (st.st_mode & (S_ISUID | S_ISGID)) return 0;
    errno = ENODATA;
    return -1;
}

int main(int argc, char **argv) {
    const char *workspace = argv[1], *mine = in(workspace, "note.txt"), *path;
    (void)argc;
    begin();
    int fd = open(mine, O_RDWR | O_CLOEXEC);
    if (fd < 0) broken("open");
    STEP("ordinary", chmod(mine, 0755));
    STEP("chmod-setuid", chmod(mine, 04755));
    STEP("chmod-setgid", chmod(mine, 02755));
    STEP("fchmod", fchmod(fd, 06755));
    STEP("fchmodat", fchmodat(AT_FDCWD, mine, 04755, 0));
    path = in(workspace, "born");
    STEP("open", born_with(path, open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 04755)));
    path = in(workspace, "node");
    STEP("mknod", born_with(path, mknod(path, S_IFREG | 04755, 0)));
    return finish();
}
