/* A client: starts the rest of its words with pipes of its own, says the child's number on stdout, passes the child's
 * stderr on, and waits to be killed. When it dies, its ends of the pipes die with it. */
#include "attack.h"

int main(int argc, char **argv) {
    int to[2], from[2];
    (void)argc;
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) broken("pipe2");
    pid_t child = fork();
    if (child == 0) {
        dup2(to[0], 0), dup2(from[1], 1);
        execv(argv[1], argv + 1);
        broken(argv[1]);
    }
    close(to[0]), close(from[1]);
    dprintf(1, "%d\n", child);
    for (;;) pause();
}
