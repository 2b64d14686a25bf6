/* What a program sees of its sockets, line by line: `SAY …` on stderr. In the pen it must be what it is in the open.
 *
 *   semantics SCENARIO NAME PORT
 *
 * Nothing that differs from run to run is said: no number of a descriptor, no port of ours, no time. */
#include "attack.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

static struct sockaddr_in to;
static const char *name;

static void say(const char *form, ...) {
    char line[512];
    va_list list;
    va_start(list, form);
    vsnprintf(line, sizeof line, form, list);
    va_end(list);
    dprintf(2, "SAY %s\n", line);
}

static const char *result(long value) { return value < 0 ? strerrorname_np(errno) : "ok"; }

static int tcp(int flags) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) broken("socket");
    return fd;
}

static int dial(int fd) { return connect(fd, (struct sockaddr *)&to, sizeof to); }

static ssize_t request(int fd, const char *path, const char *more) {
    char text[512];
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, name, more);
    return send(fd, text, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -1;
}

/* Reads to the end; how many bytes, or -1. The first line is kept. */
static long read_all(int fd, char *first, size_t size) {
    static __thread char buffer[1 << 16];
    long sum = 0;
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        if (first && sum == 0) snprintf(first, size, "%.*s", (int)strcspn(buffer, "\r\n"), buffer);
        sum += n;
    }
    return n < 0 ? -1 : sum;
}

static void peer(const char *what, int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char text[64] = "";
    int got = getpeername(fd, (struct sockaddr *)&address, &length);
    if (got == 0) {
        struct sockaddr_in *in = (struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        say("%s: peer %s:%d, family %d, length %d", what, text, ntohs(in->sin_port), in->sin_family, (int)length);
    } else {
        say("%s: peer %s", what, result(-1));
    }
}

static void exchange(const char *what, int fd) {
    char first[128] = "";
    say("%s: request %s", what, result(request(fd, "/", "Connection: close\r\n")));
    long sum = read_all(fd, first, sizeof first);
    say("%s: %ld bytes, %s, %s", what, sum, result(sum), first);
}

static void blocking(void) {
    int fd = tcp(0), one = 1, value = 0;
    socklen_t length = sizeof value;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    peer("before", fd);
    say("connect %s", result(dial(fd)));
    peer("after", fd);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length);
    say("SO_ERROR %d", value);
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length);
    say("TCP_NODELAY %d", value != 0);
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length);
    say("SO_KEEPALIVE %d, blocking %d, cloexec %d", value != 0, !(fcntl(fd, F_GETFL) & O_NONBLOCK), fcntl(fd, F_GETFD));
    exchange("blocking", fd);
    say("send after the end %s", result(request(fd, "/", "")) );
    say("close %s", result(close(fd)));
}

static void again(void) {
    int fd = tcp(0);
    say("first %s", result(dial(fd)));
    say("second %s", result(dial(fd)));
    say("listen %s", listen(fd, 1) < 0 ? "refused" : "ok");
    exchange("again", fd);
    say("after %s", result(dial(fd)));
    int closed = tcp(0);
    close(closed);
    say("closed %s", result(dial(closed)));
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) broken("pipe");
    say("pipe %s", result(dial(ends[0])));
    fd = tcp(0);
    say("fault %s", result(connect(fd, (struct sockaddr *)8, sizeof to)));
    say("short %s", result(connect(fd, (struct sockaddr *)&to, 4)));
    say("usable %s", result(dial(fd)));
}

/* Registered first, edge-triggered, as an event loop does it. */
static void event_loop(void) {
    int fd = tcp(SOCK_NONBLOCK), set = epoll_create1(EPOLL_CLOEXEC), sent = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = 7};
    char buffer[4096];
    long sum = 0;
    if (set < 0) broken("epoll_create1");
    say("add %s", result(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event)));
    int dialled = dial(fd);
    say("connect %s", dialled < 0 && errno != EINPROGRESS ? result(-1) : "goes on");
    for (;;) {
        if (epoll_wait(set, &event, 1, -1) != 1 || event.data.u32 != 7) broken("epoll_wait");
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) {
            say("error %s", strerrorname_np(error));
            return;
        }
        struct sockaddr_in now;
        length = sizeof now;
        if (!sent && event.events & EPOLLOUT && getpeername(fd, (struct sockaddr *)&now, &length) == 0) {
            say("writable; request %s", result(request(fd, "/", "Connection: close\r\n")));
            sent = 1;
        }
        ssize_t n;
        while (sent && (n = recv(fd, buffer, sizeof buffer, 0)) > 0) sum += n;
        if (sent && n == 0) break;
    }
    say("%ld bytes", sum);
}

static void duplicates(void) {
    int fd = tcp(0), copy = dup(fd);
    say("connect on the copy %s", result(dial(copy)));
    peer("original", fd);
    close(copy);
    exchange("original", fd);
    fd = tcp(0);
    pid_t child = fork();
    if (child < 0) broken("fork");
    if (child == 0) _exit(dial(fd) == 0 ? 0 : errno);
    int status;
    waitpid(child, &status, 0);
    say("connect in the child %d", WEXITSTATUS(status));
    peer("parent", fd);
    exchange("parent", fd);
    /* The other way round: a child uses what its parent connected. */
    fd = tcp(0);
    say("connect in the parent %s", result(dial(fd)));
    child = fork();
    if (child < 0) broken("fork");
    if (child == 0) {
        exchange("child", fd);
        _exit(0);
    }
    waitpid(child, &status, 0);
}

static void *fifty(void *count) {
    for (int i = 0; i < 50; i++) {
        int fd = tcp(0);
        char first[128] = "";
        if (dial(fd) == 0 && request(fd, "/", "Connection: close\r\n") == 0 && read_all(fd, first, sizeof first) > 0 &&
            strstr(first, "200"))
            __atomic_add_fetch((int *)count, 1, __ATOMIC_SEQ_CST);
        close(fd);
    }
    return NULL;
}

static void threads(void) {
    pthread_t all[8];
    int count = 0;
    for (int i = 0; i < 8; i++)
        if (pthread_create(&all[i], NULL, fifty, &count)) broken("thread");
    for (int i = 0; i < 8; i++) pthread_join(all[i], NULL);
    say("%d of 400", count);
}

static void refusal(void) {
    int fd = tcp(0);
    say("connect %s", result(dial(fd)));
    peer("after", fd);
    fd = tcp(SOCK_NONBLOCK);
    int error = 0, dialled = dial(fd);
    socklen_t length = sizeof error;
    struct pollfd waiting = {fd, POLLOUT, 0};
    if (dialled == 0 || errno == EINPROGRESS) {
        poll(&waiting, 1, -1);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    } else {
        error = errno;
    }
    say("without waiting: %s", error ? strerrorname_np(error) : "ok");
}

/* The far side resets in the middle of what it promised. */
static void reset(void) {
    int fd = tcp(0);
    say("connect %s", result(dial(fd)));
    say("request %s", result(request(fd, "/cut", "")));
    say("read %s", result(read_all(fd, NULL, 0)));
    say("read again %s", result(read_all(fd, NULL, 0)));
    signal(SIGPIPE, SIG_IGN);
    say("send %s", result(request(fd, "/", "")));
}

/* A server that says nothing: our own patience, and a peek at nothing. */
static void silence(void) {
    int fd = tcp(0);
    struct timeval patience = {0, 200000};
    char byte;
    say("connect %s", result(dial(fd)));
    say("request %s", result(request(fd, "/hang", "")));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    say("recv %s", result(recv(fd, &byte, 1, 0)));
    say("peek %s", result(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT)));
    struct pollfd waiting = {fd, POLLIN, 0};
    say("poll %d", poll(&waiting, 1, 50));
}

/* Reads on until the far side is gone, however it goes. */
static void killed(void) {
    static char piece[1 << 20];
    int fd = tcp(0);
    say("connect %s", result(dial(fd)));
    say("request %s", result(request(fd, "/bytes?4000000000", "")));
    say("reading %s", result(recv(fd, piece, sizeof piece, MSG_WAITALL)));
    long sum = read_all(fd, NULL, 0);
    say("gone %s", sum < 0 ? result(sum) : "at the end");
}

/* Holds a connection until somebody ends the program. */
static void held(void) {
    char byte;
    int fd = tcp(0);
    if (dial(fd) < 0 || request(fd, "/hang", "") < 0) broken("connection");
    say("held");
    (void)!recv(fd, &byte, 1, 0);
}

/* We have said everything; the far side answers after it has seen the end. */
static void half_close(void) {
    char first[128] = "", body[1000];
    int fd = tcp(0);
    say("connect %s", result(dial(fd)));
    say("request %s", result(request(fd, "/", "Content-Length: 3000\r\n")));
    memset(body, 'b', sizeof body);
    for (int i = 0; i < 3; i++) say("body %ld", (long)send(fd, body, sizeof body, 0));
    say("shutdown %s", result(shutdown(fd, SHUT_WR)));
    long sum = read_all(fd, first, sizeof first);
    say("%ld bytes, %s", sum, first);
    say("send %s", result(send(fd, "x", 1, MSG_NOSIGNAL)));
    struct pollfd waiting = {fd, POLLIN | POLLRDHUP, 0};
    poll(&waiting, 1, -1);
    say("hung up %d", (waiting.revents & POLLHUP) != 0);
}

/* NAME answers with as many bytes as it is asked for, and takes as many. */
static void bulk(void) {
    int fd = tcp(0);
    say("connect %s", result(dial(fd)));
    say("request %s", result(request(fd, "/down", "")));
    say("down %ld", read_all(fd, NULL, 0));
    fd = tcp(0);
    say("connect %s", result(dial(fd)));
    say("request %s", result(request(fd, "/up", "Content-Length: 1073741824\r\n")));
    static char piece[1 << 16];
    long sum = 0;
    ssize_t n;
    while (sum < 1L << 30 && (n = send(fd, piece, sizeof piece, MSG_NOSIGNAL)) > 0) sum += n;
    shutdown(fd, SHUT_WR);
    char first[128] = "";
    read_all(fd, first, sizeof first);
    say("up %ld: %s", sum, first);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = {{"blocking", blocking}, {"again", again},       {"event-loop", event_loop}, {"duplicates", duplicates},
                     {"threads", threads},   {"refusal", refusal},   {"reset", reset},           {"silence", silence},
                     {"half-close", half_close}, {"bulk", bulk},     {"killed", killed},         {"held", held}};
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (argc != 4) return 64;
    name = argv[2];
    if (getaddrinfo(name, argv[3], &hints, &found)) broken("getaddrinfo");
    memcpy(&to, found->ai_addr, sizeof to);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (!strcmp(scenarios[i].name, argv[1])) scenarios[i].run();
    return 0;
}
