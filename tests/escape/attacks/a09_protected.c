/* Attack A9.
 * Vulnerability: deny-inside-allow. A writable project holds files that run code later: .git/hooks, .envrc …
 * Vector: write them, present or absent, by every route: directly, relative after chdir, by a descriptor of the folder,
 *         through a symlink, with odd spellings, in a nested repository; create, rename onto, link and symlink; move
 *         the folder away, prepare it elsewhere and move it in. Write the file `.git` of a worktree, which leads to another
 *         repository then.
 * Expected: EACCES, reason fs.write.protected; ordinary files beside them stay writable, and reading works. */
#include "attack.h"

static int write_at(int folder, const char *name) {
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

int main(int argc, char **argv) {
    const char *workspace = argv[1];
    (void)argc;
    begin();
    if (chdir(workspace) < 0) broken("chdir");
    stage_file("prepared", 0755);
    stage_file("second", 0755);
    if (mkdir("kit", 0755) < 0 || mkdir("kit/hooks", 0755) < 0) broken("mkdir");
    stage_file("kit/hooks/post-commit", 0755);
    if (symlink(".git", "alias") < 0) broken("symlink");
    if (symlink("worktree/.git", "pointer") < 0) broken("symlink");

    STEP("ordinary", try_write("src.txt"));
    STEP("read", try_open(".git/config", O_RDONLY, 0));
    STEP("write-config", try_open(".git/config", O_WRONLY, 0));
    STEP("truncate-config", truncate(".git/config", 0));
    STEP("create-hook", try_write(in(workspace, ".git/hooks/post-commit")));
    STEP("odd-spelling", try_write("./.git//hooks/../hooks/./pre-push"));
    STEP("by-symlink", try_write("alias/hooks/pre-commit"));
    int hooks = open(".git/hooks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (hooks < 0) broken("hooks");
    STEP("by-descriptor", write_at(hooks, "post-merge"));
    if (chdir(".git/hooks") < 0) broken("chdir");
    STEP("relative", try_write("post-checkout"));
    if (chdir(workspace) < 0) broken("chdir");
    STEP("nested", try_write("nested/.git/hooks/post-commit"));
    STEP("rename-onto", rename("prepared", ".git/hooks/update"));
    STEP("link", link("second", ".git/hooks/pre-rebase"));
    STEP("symlink", symlink("../../prepared", ".git/hooks/pre-auto-gc"));
    STEP("unlink", unlink(".git/config"));
    /* git reads configuration and hooks from where `commondir` points, and the whole repository from where a plain
     * file `.git` points. */
    STEP("commondir", try_write(".git/commondir"));
    STEP("git-file", try_write("nested/fresh/.git"));
    STEP("config-worktree", try_write(".git/config.worktree"));
    unlink("nested/fresh/.git");
    /* In a worktree it is there already. */
    STEP("worktree-write", try_write("worktree/.git"));
    STEP("worktree-append", try_open("worktree/.git", O_WRONLY | O_APPEND, 0));
    STEP("worktree-update", try_open("worktree/.git", O_RDWR, 0));
    STEP("worktree-empty", try_open("worktree/.git", O_RDONLY | O_TRUNC, 0));
    STEP("worktree-truncate", truncate("worktree/.git", 0));
    STEP("worktree-by-symlink", try_write("pointer"));
    STEP("worktree-second-name", link("worktree/.git", "worktree/other"));
    STEP("worktree-onto", rename("second", "worktree/.git"));
    STEP("move-away", rename(".git", "moved"));
    STEP("move-in", rename("kit", "nested/fresh/.git"));
    return finish();
}
