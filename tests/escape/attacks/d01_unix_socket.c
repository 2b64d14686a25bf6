/* Attacks D1, D3, D4 and D8.
 * Vulnerability: a local service acts for whoever connects: docker, an agent, a display, a session bus.
 * Vector: connect to a socket outside, to one inside the workspace, through a symlink, through /proc/self/fd, to an
 *         abstract one; to nscd, which C libraries ask on their own.
 * Expected: EACCES, reason unix.not-listed; nscd: ENOENT and no record. A socketpair works. */
#include "attack.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to(const char *path, size_t length) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) broken("socket");
    memcpy(address.sun_path, path, length);
    int result = connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

int main(int argc, char **argv) {
    const char *outside = argv[1], *inside = argv[2], *abstract = argv[3], *workspace = argv[4];
    char magic[64], name[64] = {0};
    int pair[2];
    (void)argc;
    begin();
    STEP("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    STEP("outside", connect_to(outside, strlen(outside) + 1));
    STEP("inside", connect_to(inside, strlen(inside) + 1));
    const char *arrow = in(workspace, "arrow");
    if (symlink(outside, arrow) < 0) broken("symlink");
    STEP("symlink", connect_to(arrow, strlen(arrow) + 1));
    int fd = open(outside, O_PATH | O_CLOEXEC);
    if (fd < 0) broken("O_PATH");
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    STEP("magic", connect_to(magic, strlen(magic) + 1));
    snprintf(name + 1, sizeof name - 1, "%s", abstract);
    STEP("abstract", connect_to(name, strlen(abstract) + 1));
    STEP("nscd", connect_to("/var/run/nscd/socket", sizeof "/var/run/nscd/socket"));
    return finish();
}
