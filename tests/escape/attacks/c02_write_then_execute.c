/* Attacks C2 and C14 (our number).
 * Vulnerability: a program that the server writes itself: downloaded, copied or made in memory.
 * Vector: copy a program into the workspace and into TMPDIR and run it; the same in a nameless file and in a memfd.
 * Expected: EACCES for every file (writable is never executable); memfd_create without MFD_NOEXEC_SEAL is EPERM. */
#include "attack.h"
#include <sys/mman.h>
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

static char *words[] = {"tool", NULL};
static const char *source;

static void copy_into(int to) {
    static char buffer[1 << 16];
    int from = open(source, O_RDONLY | O_CLOEXEC);
    if (from < 0) broken(source);
    for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
        if (write(to, buffer, (size_t)n) != n) broken("write");
    close(from);
}

static int run_file(void *path) { return execv(path, words), errno; }

static int run_descriptor(void *fd) {
    return syscall(SYS_execveat, *(int *)fd, "", words, environ, AT_EMPTY_PATH), errno;
}

static int copied_to(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0) broken(path);
    copy_into(fd);
    close(fd);
    return in_child(run_file, (void *)path);
}

static int nameless(const char *folder) {
    char magic[64];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0755);
    if (fd < 0) broken("O_TMPFILE");
    copy_into(fd);
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    int again = open(magic, O_RDONLY | O_CLOEXEC);
    if (again < 0) broken(magic);
    close(fd);
    return in_child(run_descriptor, &again);
}

static int in_memory(unsigned flags) {
    int fd = memfd_create("payload", MFD_CLOEXEC | flags);
    if (fd < 0) return errno;
    copy_into(fd);
    return in_child(run_descriptor, &fd);
}

int main(int argc, char **argv) {
    const char *workspace = argv[1], *own = getenv("TMPDIR");
    (void)argc;
    source = argv[2];
    begin();
    report("workspace", copied_to(in(workspace, "payload")));
    report("tmpdir", copied_to(in(own ? own : workspace, "payload-in-tmpdir")));
    report("nameless", nameless(workspace));
    report("memory", in_memory(0));
    /* Sealed against execution by the kernel itself, confined or not; servers may have these. */
    report("memory-sealed", in_memory(MFD_NOEXEC_SEAL));
    return finish();
}
