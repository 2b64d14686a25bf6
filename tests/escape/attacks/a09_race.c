/* Attack A9, by a race.
 * Vulnerability: a check that looks at a path, and a kernel that looks again (TOCTOU): one byte makes a free name a
 *         protected one.
 * Vector: argv: workspace, free name, protected name (of one length, one byte apart). While one thread opens (and, with
 *         a further word, renames, links and makes symlinks), another flips the byte: 20 000 tries each.
 * Expected: the protected name never comes to be; refusals are EACCES; tries at the free name do succeed, or there was no
 *           race. */
#include "attack.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { TRIES = 20000 };

static atomic_int stop;
static volatile char *choice; /* the byte */
static char free_byte, protected_byte;
static char *shared; /* the path that holds it */
static const char *protected_path, *free_path;

static void *flip(void *unused) {
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        *choice = protected_byte;
        *choice = free_byte;
    }
    return NULL;
}

static int create(void) {
    int fd = open(shared, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0) return -1;
    int done = write(fd, "evil\n", 5) == 5 ? 0 : -1;
    close(fd);
    return done;
}

static int move(void) { return rename("prepared", shared); }

/* What a try made is taken away, so that the next one finds what it expects. */
static void keep(const char *path) { (void)path; }
static void take_away(const char *path) { unlink(path); }
static void move_back(const char *path) { rename(path, "prepared"); }

static int second_name(void) { return link("page", shared); }

static int symbolic(void) { return symlink("page", shared); }

static void race(const char *step, int (*act)(void), void (*undo)(const char *)) {
    pthread_t thread;
    int wins = 0, permitted = 0, refused = 0, other = 0;
    atomic_store(&stop, 0);
    if (pthread_create(&thread, NULL, flip, NULL)) broken("pthread_create");
    for (int i = 0; i < TRIES; i++) {
        struct stat seen;
        if (act() < 0) {
            if (errno == EACCES) refused++;
            else other = errno;
        } else if (lstat(protected_path, &seen) < 0) {
            permitted++;
            undo(free_path);
        }
        if (lstat(protected_path, &seen) == 0) {
            wins++;
            if (undo == move_back) move_back(protected_path);
            else unlink(protected_path);
        }
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    dprintf(2, "FACT %s wins=%d permitted=%d refused=%d\n", step, wins, permitted, refused);
    if (other) report(step, other);
    else if (wins) opened(step);
    else if (permitted && refused) report(step, EACCES);
    else blocked(step, "NO-RACE");
}

int main(int argc, char **argv) {
    begin();
    if (chdir(argv[1]) < 0) broken("chdir");
    free_path = argv[2], protected_path = argv[3];
    size_t length = strlen(free_path), at = 0;
    if (strlen(protected_path) != length) broken("length");
    while (free_path[at] == protected_path[at]) at++;
    shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(shared, free_path, length + 1);
    choice = shared + at, free_byte = free_path[at], protected_byte = protected_path[at];
    stage_file("page", 0644);
    stage_file("prepared", 0644);
    stage_file(free_path, 0644);
    race("open", create, keep);
    if (argc > 4) {
        unlink(free_path);
        race("rename", move, move_back);
        race("link", second_name, take_away);
        race("symlink", symbolic, take_away);
    }
    return finish();
}
