/* Beside attack A9: what is performed for a program is what the kernel would have done.
 * Vector: argv: workspace. Every call that the broker makes for the caller, with the flags that change its meaning:
 *         umask, O_EXCL, O_APPEND, O_CLOEXEC, O_NOFOLLOW, O_DIRECTORY, O_TMPFILE, set-group-ID folders, trailing
 *         slashes, links, exchanges, pipes without a reader, limits.
 * Expected: each step works in the open and in the pen alike: same errno, same mode, same content. */
#include "attack.h"
#include <pthread.h>
#include <sys/resource.h>

/* The call fails with this errno: 0, or -1 with EBADMSG. */
static int fails(long result, int wanted) {
    if (result < 0 && errno == wanted) return 0;
    dprintf(2, "FACT result %ld %s, wanted %s\n", result, strerrorname_np(errno), strerrorname_np(wanted));
    errno = EBADMSG;
    return -1;
}

static int holds(int condition) {
    if (condition) return 0;
    errno = EBADMSG;
    return -1;
}

static mode_t mode_of(const char *path) {
    struct stat seen;
    return lstat(path, &seen) < 0 ? 0 : seen.st_mode;
}

static int make(const char *path, int flags, mode_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | flags, mode);
    if (fd < 0) broken(path);
    close(fd);
    return 0;
}

static int says(const char *path, const char *wanted) {
    char content[64] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, content, sizeof content - 1) < 0) return -1;
    close(fd);
    return holds(strcmp(content, wanted) == 0);
}

static int swap(const char *from, const char *to, int flags) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static int umask_holds(void) {
    mode_t before = umask(0027);
    make("masked", O_EXCL, 0666);
    if (mkdir("masked-folder", 0777) < 0 || mkfifo("masked-pipe", 0666) < 0) broken("masked");
    umask(0);
    make("open", O_EXCL, 0666);
    umask(before);
    return holds((mode_of("masked") & 07777) == 0640 && (mode_of("masked-folder") & 07777) == 0750 &&
                 (mode_of("masked-pipe") & 07777) == 0640 && (mode_of("open") & 07777) == 0666);
}

static int appends(void) {
    int fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int other = open("log", O_WRONLY);
    if (fd < 0 || other < 0 || write(other, "12", 2) != 2 || write(fd, "34", 2) != 2 || write(other, "5", 1) != 1)
        broken("log");
    int flags = fcntl(fd, F_GETFL), kept = fcntl(fd, F_GETFD), loose = fcntl(other, F_GETFD);
    close(fd), close(other);
    if (!(flags & O_APPEND) || kept != FD_CLOEXEC || loose != 0) return holds(0);
    return says("log", "1254");
}

static int atomic_replace(void) {
    make("state.tmp", O_TRUNC, 0600);
    int fd = open("state.tmp", O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0 || write(fd, "new", 3) != 3 || fsync(fd) < 0) return -1;
    close(fd);
    return rename("state.tmp", "state") < 0 ? -1 : says("state", "new");
}

static int nameless(void) {
    char path[64];
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
    if (fd < 0 || write(fd, "late", 4) != 4) return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) < 0) return -1;
    close(fd);
    return says("named", "late");
}

static int inherits_group(void) {
    /* The bit is kept by the broker from being set; a folder that has it already hands its group on. */
    return holds(mode_of("shared") & S_ISGID) < 0 || mkdir("shared/below", 0755) < 0
               ? -1
               : holds(mode_of("shared/below") & S_ISGID);
}

static int by_descriptor(void) {
    int folder = open("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(folder, "deep", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || renameat(folder, "deep", AT_FDCWD, "lifted") < 0 || unlinkat(AT_FDCWD, "lifted", 0) < 0) return -1;
    return close(fd), close(folder);
}

static int shared_mapping_is_private_to_readers(void) {
    int fd = open("state", O_RDWR | O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 2) < 0) return -1;
    close(fd);
    return says("state", "ne");
}

static void *reader(void *path) {
    /* Answers only once somebody writes. */
    char byte = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long got = fd < 0 ? -1 : read(fd, &byte, 1);
    return (void *)(got == 1 && byte == 'w' ? 0L : 1L);
}

static void *writer(void *path) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || (fcntl(fd, F_GETFL) & O_NONBLOCK)) return (void *)1L;
    return (void *)(write(fd, "w", 1) == 1 ? 0L : 1L);
}

/* A writer that waits for a reader, while others go on making files. */
static int pipe_waits(void) {
    pthread_t one, other;
    void *first, *second;
    if (mkfifo("pipe", 0600) < 0) return -1;
    if (fails(open("pipe", O_WRONLY | O_NONBLOCK | O_CLOEXEC), ENXIO) < 0) return -1;
    if (pthread_create(&one, NULL, writer, "pipe")) broken("thread");
    for (int i = 0; i < 50; i++) make("meanwhile", 0, 0600);
    if (pthread_create(&other, NULL, reader, "pipe")) broken("thread");
    pthread_join(one, &first), pthread_join(other, &second);
    return holds(!first && !second);
}

static int file_size_limit(void) {
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY}, before;
    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &before) < 0) return -1;
    limit.rlim_max = before.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0) return -1;
    int done = fails(truncate("log", 8192), EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    return done;
}

int main(int argc, char **argv) {
    (void)argc;
    begin();
    if (chdir(argv[1]) < 0) broken("chdir");
    make("file", 0, 0644);
    if (mkdir("folder", 0755) < 0 || symlink("file", "link") < 0 || symlink("born", "dangling") < 0) broken("stage");

    STEP("umask", umask_holds());
    STEP("append", appends());
    STEP("atomic", atomic_replace());
    STEP("nameless", nameless());
    STEP("group", inherits_group());
    STEP("descriptor", by_descriptor());
    STEP("ftruncate", shared_mapping_is_private_to_readers());
    STEP("pipe", pipe_waits());
    STEP("limit", file_size_limit());
    STEP("through-dangling", make("dangling", 0, 0600) < 0 ? -1 : holds(S_ISREG(mode_of("born"))));

    STEP("exclusive", fails(open("file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), EEXIST));
    STEP("exclusive-link", fails(open("link", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), EEXIST));
    STEP("no-follow", fails(open("link", O_WRONLY | O_NOFOLLOW | O_CLOEXEC), ELOOP));
    STEP("missing", fails(open("none", O_WRONLY | O_CLOEXEC), ENOENT));
    STEP("missing-folder", fails(open("none/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), ENOENT));
    STEP("not-a-folder", fails(open("file/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), ENOTDIR));
    STEP("folder-for-writing", fails(open("folder", O_WRONLY | O_CLOEXEC), EISDIR));
    STEP("slash", fails(open("new/", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EISDIR));
    STEP("nameless-read-only", fails(open(".", O_TMPFILE | O_RDONLY | O_CLOEXEC, 0600), EINVAL));
    STEP("mkdir-there", fails(mkdir("folder", 0755), EEXIST));
    STEP("mkdir-dot", fails(mkdir(".", 0755), EEXIST));
    STEP("mkdir-slash", mkdir("slashed/", 0755));
    STEP("rmdir-slash", rmdir("slashed/"));
    STEP("rmdir-file", fails(rmdir("file"), ENOTDIR));
    STEP("rmdir-dot", fails(rmdir("folder/."), EINVAL));
    STEP("unlink-folder", fails(unlink("folder"), EISDIR));
    STEP("unlink-missing", fails(unlink("none"), ENOENT));
    STEP("unlink-slash", fails(unlink("file/"), ENOTDIR));
    STEP("unlink-flags", fails(unlinkat(AT_FDCWD, "file", 0x4000), EINVAL));
    STEP("link-there", fails(link("file", "link"), EEXIST));
    STEP("link-folder", fails(link("folder", "folder2"), EPERM));
    STEP("link-symlink", link("link", "link2") < 0 ? -1 : holds(S_ISLNK(mode_of("link2"))));
    STEP("symlink-empty", fails(symlink("", "empty"), ENOENT));
    STEP("rename-noreplace", fails(swap("file", "log", 1), EEXIST));
    STEP("rename-exchange", swap("file", "folder", 2) < 0 ? -1 : holds(S_ISDIR(mode_of("file"))));
    STEP("rename-back", swap("file", "folder", 2));
    STEP("rename-both", fails(swap("file", "log", 3), EINVAL));
    STEP("rename-into-itself", fails(rename("folder", "folder/x"), EINVAL));
    STEP("rename-onto-full", mkdir("other", 0755) < 0 ? -1 : fails(rename("other", "sub"), ENOTEMPTY));
    STEP("rename-file-onto-folder", fails(rename("file", "folder"), EISDIR));
    STEP("rename-slash", rename("other/", "renamed/"));
    STEP("rename-file-slash", fails(rename("file", "filed/"), ENOTDIR));
    STEP("truncate-folder", fails(truncate("folder", 0), EISDIR));
    STEP("truncate-negative", fails(truncate("file", -1), EINVAL));
    STEP("too-long", fails(mkdir("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                                 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                                 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
                                 0755),
                           ENAMETOOLONG));
    return finish();
}
