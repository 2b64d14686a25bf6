/* Attack A9, every route to one protected name.
 * Vulnerability: a guard that knows names, and a file system in which a file is reached by much else.
 * Vector: argv: workspace, target (`.git/hooks/post-commit`). `present/` holds it, `absent/` lacks it. Create,
 *         overwrite, append, cut, reopen by descriptor, rename onto, exchange, move its folder aside, hard link to it and
 *         from it, symlink at it and through it, name a nameless file after it, keep a descriptor while the file is
 *         renamed, move a prepared tree into place, bring one from the server's own folder, spell it otherwise.
 * Expected: EACCES (EXDEV from the own folder), and what was there is as it was. */
#include "attack.h"
#include <linux/openat2.h>

static const char *target;
static char top[256]; /* its first component */

static int write_all(int fd) {
    if (fd < 0) return -1;
    int done = write(fd, "evil\n", 5) == 5 ? 0 : -1;
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static int put(const char *path, int flags) { return write_all(open(path, flags | O_WRONLY | O_CLOEXEC, 0755)); }

/* What an open run made is taken away again, so that the next step finds what it expects. */
static int then_remove(int result, const char *path) {
    int error = errno;
    if (result >= 0) unlink(path);
    errno = error;
    return result;
}

static const char *prepared(void) {
    stage_file("prepared", 0755);
    return "prepared";
}

static int exchange(const char *from, const char *to) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 2 /* RENAME_EXCHANGE */);
}

static int aside(void) {
    const char *from = in("present", top);
    if (rename(from, "present/aside") < 0) return -1;
    const char *rest = strchr(target, '/');
    int done = put(rest ? in("present/aside", rest + 1) : "present/aside", O_TRUNC);
    rename("present/aside", from);
    return done;
}

static int from_second_name(void) {
    if (link(in("present", target), "second") < 0) return -1;
    int done = put("second", O_TRUNC);
    unlink("second");
    return done;
}

static int nameless(int empty_path, const char *to) {
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, "evil\n", 5) != 5) broken("O_TMPFILE");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int done = empty_path ? linkat(fd, "", AT_FDCWD, to, AT_EMPTY_PATH)
                          : linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static int kept_descriptor(const char *to) {
    int fd = open(prepared(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) broken("prepared");
    if (rename("prepared", to) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return write_all(fd);
}

static int reopen(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) broken("reading");
    char magic[64];
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    int done = put(magic, 0);
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static int with_openat2(const char *path) {
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = 0755, .resolve = RESOLVE_BENEATH};
    return write_all(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
}

/* A tree that holds the target without its first component: `kit/hooks/post-commit`. */
static void prepare_tree(const char *folder) {
    const char *rest = strchr(target, '/');
    if (!rest) {
        stage_file(folder, 0755);
        return;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s%s", folder, rest);
    for (char *slash = path + strlen(folder); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0755) < 0 && errno != EEXIST) broken(path);
        *slash = '/';
    }
    stage_file(path, 0755);
}

static int move_in(void) {
    prepare_tree("kit");
    if (mkdir("fresh", 0755) < 0) broken("fresh");
    return rename("kit", in("fresh", top));
}

/* From the server's own folder, where nothing is protected, a whole tree under a harmless name. */
static int bring(const char *own) {
    const char *tree = in(own, "tree");
    if (mkdir(tree, 0755) < 0) broken(tree);
    prepare_tree(in(tree, top));
    return rename(tree, "brought");
}

static int bring_file(const char *own, const char *to) {
    const char *file = in(own, "file");
    stage_file(file, 0755);
    return rename(file, to);
}

static int unchanged(const char *path) {
    char content[16] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, content, sizeof content - 1) >= 0 && strcmp(content, "kept\n") == 0) return 0;
    errno = EBADMSG;
    return -1;
}

int main(int argc, char **argv) {
    target = argv[2];
    const char *own = getenv("TMPDIR");
    (void)argc;
    begin();
    if (!own || chdir(argv[1]) < 0) broken("chdir");
    snprintf(top, sizeof top, "%.*s", (int)strcspn(target, "/"), target);
    const char *there = in("present", target), *missing = in("absent", target);
    if (symlink(there, "alias") < 0 || symlink(missing, "dangling") < 0) broken("symlink");

    STEP("create", then_remove(put(missing, O_CREAT | O_EXCL), missing));
    STEP("create-or-open", then_remove(put(missing, O_CREAT), missing));
    STEP("creat", then_remove(write_all(creat(missing, 0755)), missing));
    STEP("openat2", then_remove(with_openat2(missing), missing));
    STEP("through-dangling", then_remove(put("dangling", O_CREAT), missing));
    STEP("node", then_remove(mknod(missing, S_IFREG | 0755, 0), missing));
    STEP("pipe", then_remove(mkfifo(missing, 0755), missing));
    STEP("hard-link", then_remove(link(prepared(), missing), missing));
    STEP("symlink", then_remove(symlink(prepared(), missing), missing));
    STEP("nameless", then_remove(nameless(0, missing), missing));
    STEP("nameless-empty", then_remove(nameless(1, missing), missing));
    STEP("rename-to", then_remove(rename(prepared(), missing), missing));
    STEP("kept", then_remove(kept_descriptor(missing), missing));
    STEP("file-from-own", then_remove(bring_file(own, missing), missing));
    const char *dotted = NULL;
    if (asprintf((char **)&dotted, "%s.", missing) < 0) broken("asprintf");
    STEP("trailing-dot", then_remove(put(dotted, O_CREAT), dotted));
    STEP("move-in", move_in());
    STEP("tree-from-own", bring(own));

    STEP("metadata", chmod(there, 0700));
    STEP("overwrite", put(there, O_TRUNC));
    STEP("append", put(there, O_APPEND));
    STEP("through-symlink", put("alias", 0));
    STEP("reopen", reopen(there));
    STEP("truncate", truncate(there, 0));
    STEP("second-name", from_second_name());
    STEP("aside", aside());
    STEP("exchange", exchange(prepared(), there));
    STEP("rename-onto", rename(prepared(), there));
    STEP("unchanged", unchanged(there));
    STEP("unlink", unlink(there));
    return finish();
}
