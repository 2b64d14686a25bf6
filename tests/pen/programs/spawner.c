/* A server that works as runtimes do: a second thread reads the file argv[1], vfork and posix_spawn start this very
 * program again, and posix_spawn the program argv[2]. Started with the one word "child" it ends at once. */
#include "attack.h"
#include <pthread.h>
#include <spawn.h>

static void *read_in_a_thread(void *path) {
    STEP("thread", open(path, O_RDONLY | O_CLOEXEC));
    return NULL;
}

static void ended(const char *step, pid_t child) {
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) broken(step);
    opened(step);
}

int main(int argc, char **argv) {
    char *none[] = {NULL}, *again[] = {argv[0], "child", NULL}, *other[] = {"tool", NULL};
    pthread_t thread;
    pid_t child;
    if (argc == 2 && strcmp(argv[1], "child") == 0) return 0;
    if (argc != 3) broken("usage");
    begin();
    if (pthread_create(&thread, NULL, read_in_a_thread, argv[1]) || pthread_join(thread, NULL)) broken("thread");
    child = vfork();
    if (child == 0) {
        execve(argv[0], again, none);
        _exit(127);
    }
    ended("vfork", child);
    if (posix_spawn(&child, argv[0], NULL, NULL, again, none)) broken("posix_spawn");
    ended("spawn", child);
    report("spawn-other", posix_spawn(&child, argv[2], NULL, NULL, other, none));
    return finish();
}
