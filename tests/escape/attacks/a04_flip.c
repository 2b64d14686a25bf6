/* Attacks A4 and H9.
 * Vulnerability: a check that looks at a path, and a kernel that looks again (TOCTOU).
 * Vector: while one thread opens, another flips what the path means: the bytes that the pointer points at, a
 *         symlink (swapped by RENAME_EXCHANGE), a folder on the way.
 * Expected: 20 000 tries each, not one gives the secret; refusals are EACCES; allowed opens do happen, or there was
 *           no race. */
#include "attack.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { TRIES = 20000 };

static atomic_int stop;
static char *shared;              /* a path buffer that changes under the kernel's eyes */
static char allowed[4096], secret[4096];
static const char *left, *right;  /* two names that change places */

static void *flip_bytes(void *unused) {
    (void)unused;
    /* Both paths have the same folder depth, so that the flip is one byte: always a whole path. */
    volatile char *choice = shared + strlen(shared) - 1;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        *choice = 'a';
        *choice = 's';
    }
    return NULL;
}

static void *flip_names(void *unused) {
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        if (syscall(SYS_renameat2, AT_FDCWD, left, AT_FDCWD, right, 2 /* RENAME_EXCHANGE */) < 0) return (void *)1;
    return NULL;
}

static void race(const char *step, void *(*flip)(void *), const char *path) {
    pthread_t thread;
    int wins = 0, permitted = 0, refused = 0, other = 0;
    atomic_store(&stop, 0);
    if (pthread_create(&thread, NULL, flip, NULL)) broken("pthread_create");
    for (int i = 0; i < TRIES; i++) {
        char content[16] = {0};
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            if (errno == EACCES) refused++;
            else other = errno;
            continue;
        }
        if (read(fd, content, sizeof content - 1) < 0) other = errno;
        close(fd);
        if (strncmp(content, "SECRET", 6) == 0) wins++;
        else permitted++;
    }
    atomic_store(&stop, 1);
    void *failed;
    pthread_join(thread, &failed);
    if (failed) broken("renameat2");
    dprintf(2, "FACT %s wins=%d permitted=%d refused=%d\n", step, wins, permitted, refused);
    if (other) report(step, other);
    else if (wins) opened(step);
    else if (permitted && refused) report(step, EACCES);
    else blocked(step, "NO-RACE");
}

int main(int argc, char **argv) {
    /* argv: workspace (writable), outside (not granted; holds `SECRET` files) */
    const char *workspace = argv[1], *outside = argv[2];
    (void)argc;
    begin();
    snprintf(allowed, sizeof allowed, "%s/allowed.txt", workspace);
    snprintf(secret, sizeof secret, "%s/secret.txt", outside);
    stage_file(allowed, 0644);

    /* The bytes: workspace/pick/a is a plain file, workspace/pick/s a symlink to the secret. */
    shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mkdir(in(workspace, "pick"), 0755) < 0) broken("mkdir");
    if (symlink(allowed, in(workspace, "pick/a")) < 0) broken("symlink");
    if (symlink(secret, in(workspace, "pick/s")) < 0) broken("symlink");
    snprintf(shared, 8192, "%s/pick/a", workspace);
    race("pointer", flip_bytes, shared);

    /* The symlink. */
    left = in(workspace, "left"), right = in(workspace, "right");
    if (symlink(allowed, left) < 0 || symlink(secret, right) < 0) broken("symlink");
    race("symlink", flip_names, left);

    /* A folder on the way: a real one and a symlink change places. */
    left = in(workspace, "here"), right = in(workspace, "there");
    if (mkdir(left, 0755) < 0 || symlink(outside, right) < 0) broken("mkdir");
    stage_file(in(left, "secret.txt"), 0644);
    race("folder", flip_names, in(left, "secret.txt"));
    return finish();
}
