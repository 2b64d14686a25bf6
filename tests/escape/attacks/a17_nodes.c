/* Attack A17.
 * Vulnerability: special files: a pipe, socket, folder or link that another program of the user's trusts.
 * Vector: mkfifo, mknod, mkdir, symlink, open(O_CREAT), in a folder that is read only and in one that is not granted.
 * Expected: EACCES; in the workspace the harmless ones work. */
#include "attack.h"

int main(int argc, char **argv) {
    const char *workspace = argv[1], *reading = argv[2], *outside = argv[3];
    (void)argc;
    begin();
    STEP("own-folder", mkdir(in(workspace, "made"), 0755));
    STEP("own-symlink", symlink("anything", in(workspace, "arrow")));
    STEP("fifo-read-only", mkfifo(in(reading, "pipe"), 0644));
    STEP("node-read-only", mknod(in(reading, "node"), S_IFREG | 0644, 0));
    STEP("folder-read-only", mkdir(in(reading, "made"), 0755));
    STEP("symlink-read-only", symlink("anything", in(reading, "arrow")));
    STEP("file-read-only", try_open(in(reading, "new"), O_WRONLY | O_CREAT, 0644));
    STEP("fifo-outside", mkfifo(in(outside, "pipe"), 0644));
    STEP("socket-outside", mknod(in(outside, "socket"), S_IFSOCK | 0644, 0));
    STEP("folder-outside", mkdir(in(outside, "made"), 0755));
    STEP("symlink-outside", symlink("anything", in(outside, "arrow")));
    STEP("file-outside", try_open(in(outside, "new"), O_WRONLY | O_CREAT, 0644));
    STEP("exclusive-outside", try_open(in(outside, "newer"), O_WRONLY | O_CREAT | O_EXCL, 0644));
    return finish();
}
