/* Not an attack: a client like those that run on libuv. It starts the rest of its words with socket pairs as their
 * three streams, passes on what they say, and ends as they end. */
#include "attack.h"
#include <poll.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    int streams[3][2], status;
    char buffer[4096];
    (void)argc;
    for (int i = 0; i < 3; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams[i]) < 0) broken("socketpair");
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++) dup2(streams[i][1], i);
        execv(argv[1], argv + 1);
        broken(argv[1]);
    }
    for (int i = 0; i < 3; i++) close(streams[i][1]);
    struct pollfd ends[2] = {{streams[1][0], POLLIN, 0}, {streams[2][0], POLLIN, 0}};
    for (int left = 2; left > 0;) {
        if (poll(ends, 2, -1) < 0) broken("poll");
        for (int i = 0; i < 2; i++) {
            if (!ends[i].revents) continue;
            ssize_t n = read(ends[i].fd, buffer, sizeof buffer);
            if (n > 0 && write(i + 1, buffer, (size_t)n) == n) continue;
            ends[i].fd = -1;
            left--;
        }
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
