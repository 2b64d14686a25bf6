/* One access for each call, by the case's name; answers what the kernel said of it.
 *   oracle list           the names of the cases
 *   oracle MODE ROOT      ROOT has reading/ moving/ workspace/ outside/, laid out by the tester
 * MODE `domain`: first a Landlock domain, made here and by hand: reading/ and moving/ to read, workspace/ for everything. Its
 * refusals go to the kernel's audit; after each case outside/marks/CASE is opened, so that a record of it ends the case's.
 * Any other MODE: as it is started. A call: a line with "name":"CASE"; the answer's "said" is an errno's name, or "ok". `ready` only answers. */
#include "attack.h"
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Every right of ABI 5: what a later one adds has nothing to do with paths that are opened. */
#define EVERYTHING ((1ULL << 16) - 1)

static char root[2048];

/* A path below ROOT; several at a time. */
static const char *at(const char *relative) {
    static char paths[8][4096];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, relative);
    return path;
}

static void grant(int ruleset, const char *folder, uint64_t rights) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = open(at(folder), O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0)) broken("rule");
    close(rule.parent_fd);
}

static void enter_domain(void) {
    struct landlock_ruleset_attr all = {.handled_access_fs = EVERYTHING};
    int ruleset = syscall(SYS_landlock_create_ruleset, &all, sizeof all.handled_access_fs, 0);
    if (ruleset < 0) broken("ruleset");
    grant(ruleset, "reading", READS);
    grant(ruleset, "moving", READS);
    grant(ruleset, "workspace", EVERYTHING & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) broken("no_new_privs");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0)) broken("domain");
    close(ruleset);
}

/* Each of these is 0 or -1 with errno. */
static int shut(int fd) {
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

static int op(const char *relative, int flags) { return shut(open(at(relative), flags | O_CLOEXEC, 0644)); }

static int op_at(const char *folder, int how, const char *path, int flags) {
    int dir = open(at(folder), how | O_CLOEXEC);
    if (dir < 0) broken(folder);
    int fd = openat(dir, path, flags | O_CLOEXEC, 0644), error = errno;
    close(dir);
    errno = error;
    return shut(fd);
}

static int op_from(const char *folder, const char *path, int flags) {
    if (chdir(at(folder))) broken(folder);
    return shut(open(path, flags | O_CLOEXEC, 0644));
}

/* Through the magic link of a descriptor that is opened with `how`. */
static int op_magic(const char *relative, int how, int flags) {
    char link[64];
    int fd = open(at(relative), how | O_CLOEXEC);
    if (fd < 0) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = open(link, flags | O_CLOEXEC), error = errno;
    close(fd);
    errno = error;
    return shut(again);
}

static int op2_sized(const char *folder, const char *path, struct open_how *how, size_t size) {
    int dir = open(at(folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) broken(folder);
    int fd = syscall(SYS_openat2, dir, path, how, size), error = errno;
    close(dir);
    errno = error;
    return shut(fd);
}

static int op2(const char *folder, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = flags & O_CREAT ? 0644 : 0, .resolve = resolve};
    return op2_sized(folder, path, &how, sizeof how);
}

/* A folder that is removed while it is the working one. */
static void into_removed(void) {
    if (mkdir(at("workspace/gone"), 0755) || chdir(at("workspace/gone")) || rmdir(at("workspace/gone"))) broken("gone");
}

static int nameless(const char *folder, const char *name) {
    char link[64];
    int fd = open(at(folder), O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    int result = 0;
    if (name) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        result = linkat(AT_FDCWD, link, AT_FDCWD, at(name), AT_SYMLINK_FOLLOW);
    }
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static int executed(const char *relative) {
    int status;
    pid_t child = fork();
    if (child < 0) broken("fork");
    if (child == 0) {
        execl(at(relative), "tool", (char *)NULL);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    return errno ? -1 : 0;
}

static int mk(const char *relative, mode_t kind) { return mknod(at(relative), kind | 0644, 0); }

static int local_socket(const char *folder) {
    struct sockaddr_un { sa_family_t family; char path[108]; } name = {.family = AF_UNIX, .path = "a-socket"};
    if (chdir(at(folder))) broken(folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = bind(fd, (struct sockaddr *)&name, sizeof name.family + sizeof "a-socket"), error = errno;
    close(fd);
    errno = error;
    return result;
}

static int ren(const char *from, const char *to, unsigned flags) {
    return syscall(SYS_renameat2, AT_FDCWD, at(from), AT_FDCWD, at(to), flags);
}

#define NOREPLACE 1u
#define EXCHANGE 2u
#define PATH (O_PATH | O_DIRECTORY)

/* A name of at most 15 letters, and the access. */
#define CASES \
    /* Reads: names, links, ways round. */ \
    CASE("r-file", op("reading/file.txt", O_RDONLY)) \
    CASE("r-deep", op("reading/sub/deep.txt", O_RDONLY)) \
    CASE("r-outside", op("outside/secret.txt", O_RDONLY)) \
    CASE("r-missing", op("reading/none", O_RDONLY)) \
    CASE("r-missing-out", op("outside/none", O_RDONLY)) \
    CASE("r-missing-dir", op("reading/none/none", O_RDONLY)) \
    CASE("r-dotdot-out", op("reading/../outside/secret.txt", O_RDONLY)) \
    CASE("r-dotdot-in", op("reading/sub/../file.txt", O_RDONLY)) \
    CASE("r-around", op("outside/../reading/file.txt", O_RDONLY)) \
    CASE("r-slashes", op("reading//.//sub///deep.txt", O_RDONLY)) \
    CASE("r-link-in", op("reading/link-in", O_RDONLY)) \
    CASE("r-link-out", op("reading/link-out", O_RDONLY)) \
    CASE("r-link-up", op("reading/link-up", O_RDONLY)) \
    CASE("r-chain", op("reading/chain", O_RDONLY)) \
    CASE("r-dangling", op("reading/dangling", O_RDONLY)) \
    CASE("r-loop", op("reading/loop", O_RDONLY)) \
    CASE("r-folder-out", op("reading/folder-out/secret.txt", O_RDONLY)) \
    CASE("r-folder-up", op("reading/folder-out/../reading/file.txt", O_RDONLY)) \
    CASE("r-link-back", op("outside/back", O_RDONLY)) \
    CASE("r-nofollow", op("reading/link-in", O_RDONLY | O_NOFOLLOW)) \
    CASE("r-nofollow-out", op("reading/link-out", O_RDONLY | O_NOFOLLOW)) \
    CASE("r-file-slash", op("reading/file.txt/", O_RDONLY)) \
    CASE("r-below-file", op("reading/file.txt/x", O_RDONLY)) \
    CASE("r-hardlink-in", op("reading/hard-of-secret", O_RDONLY)) \
    CASE("r-hardlink-out", op("outside/hard-of-file", O_RDONLY)) \
    CASE("r-both-ways", op("reading/file.txt", O_RDWR)) \
    /* Folders listed. */ \
    CASE("l-reading", op("reading", O_RDONLY | O_DIRECTORY)) \
    CASE("l-sub", op("reading/sub", O_RDONLY | O_DIRECTORY)) \
    CASE("l-outside", op("outside", O_RDONLY | O_DIRECTORY)) \
    CASE("l-parent", op("reading/..", O_RDONLY | O_DIRECTORY)) \
    CASE("l-file", op("reading/file.txt", O_RDONLY | O_DIRECTORY)) \
    CASE("l-folder-out", op("reading/folder-out", O_RDONLY | O_DIRECTORY)) \
    /* Only a path. */ \
    CASE("p-outside", op("outside/secret.txt", O_PATH)) \
    CASE("p-link-out", op("reading/link-out", O_PATH | O_NOFOLLOW)) \
    /* Relative to a descriptor. */ \
    CASE("d-in", op_at("reading", PATH, "file.txt", O_RDONLY)) \
    CASE("d-up", op_at("reading", PATH, "../outside/secret.txt", O_RDONLY)) \
    CASE("d-outside", op_at("outside", PATH, "secret.txt", O_RDONLY)) \
    CASE("d-outside-up", op_at("outside", PATH, "../reading/file.txt", O_RDONLY)) \
    CASE("d-absolute", op_at("outside", PATH, at("reading/file.txt"), O_RDONLY)) \
    CASE("d-self", op_at("reading", PATH, ".", O_RDONLY | O_DIRECTORY)) \
    CASE("d-outside-self", op_at("outside", PATH, ".", O_RDONLY | O_DIRECTORY)) \
    CASE("d-file", op_at("reading/file.txt", O_PATH, "x", O_RDONLY)) \
    CASE("d-bad", shut(openat(999, "file.txt", O_RDONLY))) \
    CASE("d-empty", op_at("reading", PATH, "", O_RDONLY)) \
    /* Relative to the working folder. */ \
    CASE("w-cwd-in", op_from("reading", "file.txt", O_RDONLY)) \
    CASE("w-cwd-out", op_from("outside", "secret.txt", O_RDONLY)) \
    CASE("w-cwd-up", op_from("outside", "../reading/sub/deep.txt", O_RDONLY)) \
    /* In a folder that is gone. */ \
    CASE("g-create", (into_removed(), shut(open("x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)))) \
    CASE("g-list", (into_removed(), shut(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)))) \
    CASE("g-up", (into_removed(), shut(open("../note.txt", O_RDONLY | O_CLOEXEC)))) \
    /* Magic links. */ \
    CASE("m-read", op_magic("reading/file.txt", O_RDONLY, O_RDONLY)) \
    CASE("m-more", op_magic("reading/file.txt", O_RDONLY, O_RDWR)) \
    CASE("m-outside", op_magic("outside/secret.txt", O_PATH, O_RDONLY)) \
    CASE("m-path-in", op_magic("reading/file.txt", O_PATH, O_RDONLY)) \
    CASE("m-cwd-out", op_from("outside", "/proc/self/cwd/secret.txt", O_RDONLY)) \
    CASE("m-cwd-in", op_from("reading", "/proc/self/cwd/file.txt", O_RDONLY)) \
    CASE("m-note", op_magic("workspace/note.txt", O_RDONLY, O_WRONLY)) \
    /* openat2. */ \
    CASE("o-beneath", op2("reading", "sub/../file.txt", O_RDONLY, RESOLVE_BENEATH)) \
    CASE("o-beneath-up", op2("reading", "../outside/secret.txt", O_RDONLY, RESOLVE_BENEATH)) \
    CASE("o-beneath-abs", op2("reading", at("reading/file.txt"), O_RDONLY, RESOLVE_BENEATH)) \
    CASE("o-beneath-link", op2("reading", "link-out", O_RDONLY, RESOLVE_BENEATH)) \
    CASE("o-root", op2("reading", "/file.txt", O_RDONLY, RESOLVE_IN_ROOT)) \
    CASE("o-root-up", op2("reading", "../../sub/deep.txt", O_RDONLY, RESOLVE_IN_ROOT)) \
    CASE("o-root-link", op2("reading", "link-out", O_RDONLY, RESOLVE_IN_ROOT)) \
    CASE("o-root-out", op2("outside", "/secret.txt", O_RDONLY, RESOLVE_IN_ROOT)) \
    CASE("o-nolinks", op2("reading", "link-in", O_RDONLY, RESOLVE_NO_SYMLINKS)) \
    CASE("o-nolinks-ok", op2("reading", "sub/deep.txt", O_RDONLY, RESOLVE_NO_SYMLINKS)) \
    CASE("o-nolinks-out", op2("reading", "folder-out/secret.txt", O_RDONLY, RESOLVE_NO_SYMLINKS)) \
    CASE("o-noxdev", op2("reading", "file.txt", O_RDONLY, RESOLVE_NO_XDEV)) \
    CASE("o-plain-out", op2("reading", "../outside/secret.txt", O_RDONLY, 0)) \
    CASE("o-create", op2("workspace", "by-openat2", O_WRONLY | O_CREAT, RESOLVE_BENEATH)) \
    CASE("o-create-out", op2("outside", "by-openat2", O_WRONLY | O_CREAT, 0)) \
    CASE("o-bad-resolve", op2("reading", "file.txt", O_RDONLY, 1ULL << 40)) \
    CASE("o-both", op2("reading", "file.txt", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT)) \
    CASE("o-small", op2_sized("reading", "file.txt", &(struct open_how){.flags = O_RDONLY}, 8)) \
    CASE("o-mode", op2_sized("reading", "file.txt", &(struct open_how){.flags = O_RDONLY, .mode = 0600}, sizeof(struct open_how))) \
    /* Opened for writing, created. */ \
    CASE("c-note", op("workspace/note.txt", O_WRONLY)) \
    CASE("c-append", op("workspace/note.txt", O_WRONLY | O_APPEND)) \
    CASE("c-cut", op("workspace/note.txt", O_WRONLY | O_TRUNC)) \
    CASE("c-cut-read", op("reading/file.txt", O_RDONLY | O_TRUNC)) \
    CASE("c-new", op("workspace/new", O_WRONLY | O_CREAT)) \
    CASE("c-exclusive", op("workspace/note.txt", O_WRONLY | O_CREAT | O_EXCL)) \
    CASE("c-existing-in", op("reading/file.txt", O_RDONLY | O_CREAT)) \
    CASE("c-reading", op("reading/new", O_WRONLY | O_CREAT)) \
    CASE("c-outside", op("outside/new", O_WRONLY | O_CREAT)) \
    CASE("c-no-folder", op("workspace/none/new", O_WRONLY | O_CREAT)) \
    CASE("c-write-in", op("reading/file.txt", O_WRONLY)) \
    CASE("c-write-out", op("outside/secret.txt", O_WRONLY)) \
    CASE("c-link-read", op("workspace/to-reading", O_WRONLY)) \
    CASE("c-link-new", op("workspace/to-new-outside", O_WRONLY | O_CREAT)) \
    CASE("c-link-in", op("workspace/to-new-inside", O_WRONLY | O_CREAT)) \
    CASE("c-folder", op("workspace/sub", O_WRONLY)) \
    /* truncate. */ \
    CASE("t-note", truncate(at("workspace/note.txt"), 1)) \
    CASE("t-reading", truncate(at("reading/file.txt"), 1)) \
    CASE("t-outside", truncate(at("outside/secret.txt"), 1)) \
    CASE("t-folder", truncate(at("workspace/sub"), 1)) \
    /* mkdir. */ \
    CASE("k-workspace", mkdir(at("workspace/k"), 0755)) \
    CASE("k-existing", mkdir(at("workspace/sub"), 0755)) \
    CASE("k-reading", mkdir(at("reading/k"), 0755)) \
    CASE("k-outside", mkdir(at("outside/k"), 0755)) \
    CASE("k-existing-out", mkdir(at("outside/empty"), 0755)) \
    /* unlink, rmdir. */ \
    CASE("u-file", unlink(at("workspace/remove-me"))) \
    CASE("u-missing", unlink(at("workspace/none"))) \
    CASE("u-reading", unlink(at("reading/file.txt"))) \
    CASE("u-outside", unlink(at("outside/victim.txt"))) \
    CASE("u-folder", rmdir(at("workspace/remove-dir"))) \
    CASE("u-full", rmdir(at("workspace/sub"))) \
    CASE("u-folder-out", rmdir(at("outside/empty"))) \
    /* rename. */ \
    CASE("n-inside", ren("workspace/name-1", "workspace/sub/name-2", 0)) \
    CASE("n-out", ren("workspace/name-3", "outside/name-3", 0)) \
    CASE("n-in", ren("outside/name-4", "workspace/name-4", 0)) \
    CASE("n-reading-in", ren("reading/name-5", "workspace/name-5", 0)) \
    CASE("n-in-reading", ren("workspace/name-6", "reading/name-6", 0)) \
    CASE("n-exchange", ren("workspace/name-7", "workspace/sub/name-8", EXCHANGE)) \
    CASE("n-exchange-out", ren("workspace/name-7", "outside/victim.txt", EXCHANGE)) \
    CASE("n-noreplace", ren("workspace/name-7", "workspace/note.txt", NOREPLACE)) \
    CASE("n-missing", ren("workspace/none", "workspace/none-2", 0)) \
    CASE("n-outside", ren("outside/name-9", "outside/name-10", 0)) \
    /* link. */ \
    CASE("h-inside", link(at("workspace/note.txt"), at("workspace/sub/hard"))) \
    CASE("h-reading-in", link(at("reading/file.txt"), at("workspace/hard-2"))) \
    CASE("h-out", link(at("workspace/note.txt"), at("outside/hard-3"))) \
    CASE("h-in", link(at("outside/secret.txt"), at("workspace/hard-4"))) \
    CASE("h-existing", link(at("workspace/note.txt"), at("workspace/name-7"))) \
    /* symlink. */ \
    CASE("s-inside", symlink("anything", at("workspace/soft"))) \
    CASE("s-reading", symlink("anything", at("reading/soft"))) \
    CASE("s-outside", symlink("anything", at("outside/soft"))) \
    /* mknod, bind. */ \
    CASE("f-inside", mk("workspace/fifo", S_IFIFO)) \
    CASE("f-reading", mk("reading/fifo", S_IFIFO)) \
    CASE("f-regular", mk("workspace/regular", S_IFREG)) \
    CASE("f-socket", local_socket("workspace")) \
    CASE("f-socket-out", local_socket("outside")) \
    /* Files without a name. */ \
    CASE("x-nameless", nameless("workspace", NULL)) \
    CASE("x-nameless-in", nameless("reading", NULL)) \
    CASE("x-nameless-out", nameless("outside", NULL)) \
    CASE("x-named", nameless("workspace", "workspace/was-nameless")) \
    CASE("x-named-out", nameless("workspace", "outside/was-nameless")) \
    /* Executed. */ \
    CASE("e-reading", executed("reading/tool")) \
    CASE("e-outside", executed("outside/tool")) \
    CASE("e-workspace", executed("workspace/tool")) \
    CASE("e-missing", executed("reading/none")) \
    CASE("e-not", executed("reading/file.txt")) \
    /* Grants whose folder was moved or bound elsewhere meanwhile. */ \
    CASE("b-moved-new", op("moved/file.txt", O_RDONLY)) \
    CASE("b-moved-old", op("moving/file.txt", O_RDONLY)) \
    CASE("b-moved-up", op("moved/../outside/secret.txt", O_RDONLY)) \
    CASE("b-bound", op("outside/bound/file.txt", O_RDONLY)) \
    CASE("b-bound-up", op("outside/bound/../secret.txt", O_RDONLY)) \
    CASE("b-bound-list", op("outside/bound", O_RDONLY | O_DIRECTORY)) \
    CASE("b-hidden", op("reading/covered/secret.txt", O_RDONLY)) \
    CASE("b-noxdev", op2("outside", "bound/file.txt", O_RDONLY, RESOLVE_NO_XDEV))

static const char *said(const char *which) {
    int result = -2;
    errno = 0;
#define CASE(name, expression) \
    if (!strcmp(which, name)) result = (expression);
    CASES
#undef CASE
    if (!strcmp(which, "ready")) result = 0;
    if (result == -2) broken(which);
    if (result < 0 && !errno) broken("no errno");
    return result < 0 ? strerrorname_np(errno) : "ok";
}

#define CASE(name, expression) name,
static const char *const names[] = {CASES};

static void mark(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "outside/marks/%s", name);
    if (op(path, O_RDONLY) == 0 || errno != EACCES) broken("mark");
}

int main(int argc, char **argv) {
    char line[4096], name[64];
    for (size_t n = 0; argc == 2 && n < sizeof names / sizeof *names; n++) puts(names[n]);
    if (argc != 3) return argc == 2 ? 0 : 99;
    snprintf(root, sizeof root, "%s", argv[2]);
    int is_domain = !strcmp(argv[1], "domain");
    if (is_domain) enter_domain();
    while (fgets(line, sizeof line, stdin)) {
        const char *id = strstr(line, "\"id\":"), *at_name = strstr(line, "\"name\":\"");
        if (!id || !at_name || sscanf(at_name + 8, "%63[^\"]", name) != 1) continue;
        const char *answer = said(name);
        if (chdir("/")) broken("/");
        if (is_domain) mark(name);
        printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"content\":[],\"said\":\"%s\"}}\n", atol(id + 5), answer);
        fflush(stdout);
    }
    return 0;
}
