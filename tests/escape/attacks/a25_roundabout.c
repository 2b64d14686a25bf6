/* Attack A25 (our number): roundabout spellings.
 * Vulnerability: a check of what was asked instead of what it means.
 * Vector: dot-dot, a working directory outside, fchdir, a descriptor of a folder outside, a symlink in the workspace,
 *         a chain of symlinks, a trailing slash and double slashes, listing the folder.
 * Expected: EACCES; the record names the canonical path, and what was asked where it reads differently. */
#include "attack.h"
#include <linux/openat2.h>

int main(int argc, char **argv) {
    const char *workspace = argv[1], *outside = argv[2];
    char dotted[4096];
    (void)argc;
    begin();
    snprintf(dotted, sizeof dotted, "%s/sub/../../outside/./secret.txt", workspace);
    STEP("dot-dot", try_open(dotted, O_RDONLY, 0));
    snprintf(dotted, sizeof dotted, "//%s///secret.txt", outside);
    STEP("slashes", try_open(dotted, O_RDONLY, 0));
    if (symlink("../outside/target.txt", in(workspace, "first")) < 0) broken("symlink");
    if (symlink("../outside/victim.txt", in(workspace, "link")) < 0 || symlink("link", in(workspace, "second")) < 0) broken("symlink");
    STEP("symlink", try_open(in(workspace, "first"), O_RDONLY, 0));
    STEP("symlink-chain", try_open(in(workspace, "second"), O_RDONLY, 0));
    if (symlink(outside, in(workspace, "door")) < 0) broken("symlink");
    STEP("symlink-folder", try_open(in(workspace, "door/third.txt"), O_RDONLY, 0));
    STEP("symlink-create", try_write(in(workspace, "door/planted")));
    int folder = open(outside, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) broken("O_PATH");
    STEP("descriptor", openat(folder, "secret.txt", O_RDONLY | O_CLOEXEC));
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    STEP("in-root", syscall(SYS_openat2, folder, "/secret.txt", &how, sizeof how));
    STEP("list", try_open(outside, O_RDONLY | O_DIRECTORY, 0));
    if (chdir(outside) < 0) broken("chdir");
    STEP("relative", try_open("fourth.txt", O_RDONLY, 0));
    if (chdir("/") < 0 || fchdir(folder) < 0) broken("fchdir");
    STEP("fchdir", try_open("./secret.txt", O_RDONLY, 0));
    return finish();
}
