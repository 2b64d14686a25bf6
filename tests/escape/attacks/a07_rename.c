/* Attack A7.
 * Vulnerability: a rename moves a file across the border without opening it.
 * Vector: out of the workspace, into it, over an existing file, RENAME_EXCHANGE, a whole folder, from and to a folder
 *         that is read only.
 * Expected: EACCES (a right other than reparenting is missing); within the workspace renames work. */
#include "attack.h"

static int rename2(const char *from, const char *to, unsigned flags) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

int main(int argc, char **argv) {
    const char *workspace = argv[1], *outside = argv[2], *reading = argv[3];
    (void)argc;
    begin();
    const char *names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) stage_file(in(workspace, names[i]), 0644);
    if (mkdir(in(workspace, "folder"), 0755) < 0) broken("mkdir");
    STEP("within", rename(in(workspace, "d"), in(workspace, "sub/d")));
    STEP("out", rename(in(workspace, "a"), in(outside, "planted")));
    STEP("exchange", rename2(in(workspace, "b"), in(outside, "secret.txt"), 2));
    STEP("over", rename(in(workspace, "b"), in(outside, "target.txt")));
    STEP("folder-out", rename(in(workspace, "folder"), in(outside, "folder-planted")));
    STEP("into", rename(in(outside, "victim.txt"), in(workspace, "stolen")));
    STEP("to-read-only", rename(in(workspace, "c"), in(reading, "planted")));
    STEP("from-read-only", rename(in(reading, "page.txt"), in(workspace, "page.txt")));
    return finish();
}
