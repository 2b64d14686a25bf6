/* Attacks D1, D3, D4, D5 and D8, where a profile lists sockets.
 * Vulnerability: a socket in the file system lends its owner's rights to whoever connects.
 * Vector: argv: workspace, outside (services listen there), own folder. Connect to each kind of service, to a listed
 *         socket, to a service through a symlink and under a listed name, to sockets of one's own; bind where nothing may
 *         be written and under a protected name; flip the address while it is checked, 20 000 times.
 * Expected: EACCES with the reason of that service; listed and own sockets work, as they do in the open. */
#include "attack.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address_of(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) broken("a long path");
    strcpy(address.sun_path, path);
    return address;
}

static int stream(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) broken("socket");
    return fd;
}

static int keep_errno(int result, int fd) {
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static int connect_to(const char *path) {
    struct sockaddr_un address = address_of(path);
    int fd = stream();
    return keep_errno(connect(fd, (struct sockaddr *)&address, sizeof address), fd);
}

static int bind_at(const char *path) {
    struct sockaddr_un address = address_of(path);
    int fd = stream();
    int result = keep_errno(bind(fd, (struct sockaddr *)&address, sizeof address), fd);
    return result;
}

static int listening(const char *path, int backlog) {
    struct sockaddr_un address = address_of(path);
    int fd = stream();
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, backlog) < 0) return -1;
    return fd;
}

static int talks(const char *path) {
    mode_t before = umask(0027);
    int listener = listening(path, 4);
    umask(before);
    struct sockaddr_un address = address_of(path);
    struct stat seen;
    int client = stream();
    char byte = 0;
    if (listener < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    int server = accept(listener, NULL, NULL);
    if (server < 0 || write(client, "x", 1) != 1 || read(server, &byte, 1) != 1 || byte != 'x') return -1;
    if (stat(path, &seen) < 0 || (seen.st_mode & 0777) != 0750) {
        errno = EBADMSG;
        return -1;
    }
    return close(server), close(client), close(listener);
}

static void *connect_apart(void *path) { return (void *)(long)connect_to(path); }

/* A full listener makes a connecting socket wait; nobody else waits for it. */
static int full(const char *path) {
    int listener = listening(path, 0);
    pthread_t thread;
    void *late;
    if (listener < 0 || connect_to(path) < 0) return -1;
    if (pthread_create(&thread, NULL, connect_apart, (void *)path)) broken("thread");
    for (int i = 0; i < 50; i++)
        if (try_write("meanwhile") < 0) return -1;
    close(accept(listener, NULL, NULL));
    close(accept(listener, NULL, NULL));
    pthread_join(thread, &late);
    close(listener);
    return (int)(long)late;
}

enum { TRIES = 20000 };
static atomic_int stop;
static volatile char *choice;
static char one, other;

static void *flip(void *unused) {
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) *choice = one, *choice = other;
    return NULL;
}

/* `listed.sock` and `lister.sock`: the second is a service that is not listed, and closes what it accepts. */
static int race(const char *listed, const char *unlisted) {
    struct sockaddr_un *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *shared = address_of(listed);
    size_t at = 0;
    while (listed[at] == unlisted[at]) at++;
    choice = &shared->sun_path[at], one = listed[at], other = unlisted[at];
    pthread_t thread;
    int wins = 0, permitted = 0, refused = 0;
    if (pthread_create(&thread, NULL, flip, NULL)) broken("thread");
    for (int i = 0; i < TRIES; i++) {
        struct sockaddr_un peer;
        socklen_t length = sizeof peer;
        int fd = stream();
        if (connect(fd, (struct sockaddr *)shared, sizeof *shared) < 0) {
            if (errno == EACCES) refused++;
        } else if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && strcmp(peer.sun_path, unlisted) == 0) {
            wins++;
        } else {
            permitted++;
        }
        close(fd);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    dprintf(2, "FACT race wins=%d permitted=%d refused=%d\n", wins, permitted, refused);
    if (wins) return 0;
    errno = permitted && refused ? EACCES : EBADMSG;
    return -1;
}

int main(int argc, char **argv) {
    const char *workspace = argv[1], *outside = argv[2], *own = getenv("TMPDIR");
    (void)argc;
    begin();
    if (!own || chdir(workspace) < 0) broken("chdir");
    STEP("docker", connect_to(in(outside, "docker.sock")));
    STEP("bus", connect_to(in(outside, "bus")));
    STEP("agent", connect_to(in(outside, "S.gpg-agent")));
    STEP("display", connect_to(in(outside, "wayland-0")));
    STEP("sound", connect_to(in(outside, "pipewire-0")));
    STEP("terminal", connect_to(in(outside, "tmux-0/default")));
    STEP("editor", connect_to(in(outside, "vscode-ipc-0.sock")));
    STEP("plain", connect_to(in(outside, "plain.sock")));
    STEP("listed", connect_to(in(outside, "listed.sock")));
    STEP("listed-docker", connect_to(in(outside, "granted/docker.sock")));
    if (symlink(in(outside, "docker.sock"), "arrow") < 0) broken("symlink");
    STEP("symlink", connect_to("arrow"));
    if (symlink(in(outside, "docker.sock"), "mine.sock") < 0) broken("symlink");
    STEP("listed-name", connect_to(in(workspace, "mine.sock")));
    if (symlink(in(outside, "listed.sock"), "way") < 0) broken("symlink");
    STEP("way-to-listed", connect_to("way"));
    STEP("no-socket", connect_to("note.txt"));
    STEP("none", connect_to("none.sock"));

    STEP("own", talks("own.sock"));
    STEP("own-folder", talks(in(own, "own.sock")));
    STEP("full", full("full.sock"));
    STEP("taken", bind_at("own.sock"));
    STEP("bind-outside", bind_at(in(outside, "planted.sock")));
    STEP("bind-protected", bind_at(".envrc"));
    STEP("race", race(in(outside, "listed.sock"), in(outside, "lister.sock")));
    return finish();
}
