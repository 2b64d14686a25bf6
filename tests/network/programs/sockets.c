/* Attacks F2 to F5, F8, F9, F10, F18 and H9, by a server that has a network.
 * Vulnerability: calls that connect without connect(2); addresses that are exchanged while they are judged; listening.
 * Vector: sockets.c OTHER: the address of somebody else. example.com:80 is listed and is asked for first.
 * Expected: what is listed is reached in every native way; everything else is EACCES. */
#include "attack.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
static struct sockaddr_in listed, other;

static int tcp(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) broken("socket");
    return fd;
}

/* Whether somebody at the other end answers; 0 or -1. */
static int answers(int fd) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";
    char text[512];
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) return -1;
    ssize_t n = recv(fd, text, sizeof text, 0);
    if (n > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0) return 0;
    if (n >= 0) errno = ECONNRESET;
    return -1;
}

static int connect_to(int fd, const struct sockaddr_in *to) {
    return connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 ? -1 : answers(fd);
}

static int mapped(const struct sockaddr_in *to) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = to->sin_port};
    address.sin6_addr.s6_addr[10] = address.sin6_addr.s6_addr[11] = 0xff;
    memcpy(address.sin6_addr.s6_addr + 12, &to->sin_addr, 4);
    int fd = tcp(AF_INET6);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : answers(fd);
}

static int fast_connect(const struct sockaddr_in *to) {
    int fd = tcp(AF_INET), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
    return connect_to(fd, to);
}

static long fast_send(int how, const struct sockaddr_in *to) {
    struct sockaddr_in address = *to;
    struct iovec data = {"x", 1};
    struct mmsghdr message = {.msg_hdr = {&address, sizeof address, &data, 1, NULL, 0, 0}};
    int fd = tcp(AF_INET);
    if (how == 0) return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address);
    if (how == 1) return sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN | MSG_NOSIGNAL);
    if (how == 2) return sendmmsg(fd, &message, 1, MSG_FASTOPEN | MSG_NOSIGNAL);
    return syscall(SYS_sendto, fd, "x", 1, (1UL << 32) | MSG_FASTOPEN, &address, sizeof address);
}

static int high_bits(const struct sockaddr_in *to) {
    unsigned long fd = (unsigned long)tcp(AF_INET);
    long result = syscall(SYS_connect, fd | 1UL << 32, to, sizeof *to | 1UL << 32);
    return result < 0 ? -1 : answers((int)fd);
}

static int disconnect(int fd) {
    struct sockaddr nothing = {.sa_family = AF_UNSPEC};
    return connect(fd, &nothing, sizeof nothing);
}

/* Connects, lets go, and connects the same socket elsewhere. */
static int elsewhere(void) {
    int fd = tcp(AF_INET);
    if (connect(fd, (struct sockaddr *)&listed, sizeof listed) < 0) broken("listed");
    /* Refused or not: what counts is where the socket leads afterwards. */
    (void)disconnect(fd);
    if (connect(fd, (struct sockaddr *)&other, sizeof other) < 0) {
        if (errno == EISCONN) errno = EACCES;
        return -1;
    }
    return answers(fd);
}

static int bind_to(int family, int option, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = tcp(family), on = 1;
    if (option) setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
    if (family == AF_INET) return bind(fd, (struct sockaddr *)&address, sizeof address);
    return bind(fd, (struct sockaddr *)&address6, sizeof address6);
}

/* What the thread below exchanges while connect(2) reads it. */
static struct sockaddr_in moving;
static volatile bool stop;

static void *exchange(void *nothing) {
    while (!stop) {
        ((volatile struct sockaddr_in *)&moving)->sin_addr.s_addr = other.sin_addr.s_addr;
        ((volatile struct sockaddr_in *)&moving)->sin_addr.s_addr = listed.sin_addr.s_addr;
    }
    return nothing;
}

/* Whether one of many connects ended at the other one, by its own word. */
static int race(void) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";
    char text[1024], place[64];
    pthread_t thread;
    int won = 0, through = 0;
    inet_ntop(AF_INET, &other.sin_addr, place, sizeof place);
    moving = listed;
    if (pthread_create(&thread, NULL, exchange, NULL)) broken("thread");
    for (int i = 0; i < 400; i++) {
        int fd = tcp(AF_INET);
        if (connect(fd, (struct sockaddr *)&moving, sizeof moving) == 0 &&
            send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0) {
            size_t have = 0;
            ssize_t n;
            while (have < sizeof text - 1 && (n = recv(fd, text + have, sizeof text - 1 - have, 0)) > 0) have += (size_t)n;
            text[have] = 0;
            through++;
            won += strstr(text, place) != NULL;
        }
        close(fd);
    }
    stop = true;
    pthread_join(thread, NULL);
    if (!through) broken("no connection at all");
    errno = EACCES;
    return won ? 0 : -1;
}

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    (void)argc;
    signal(SIGPIPE, SIG_IGN);
    begin();
    if (getaddrinfo("example.com", "80", &hints, &found)) broken("getaddrinfo");
    memcpy(&listed, found->ai_addr, sizeof listed);
    other = listed;
    inet_pton(AF_INET, argv[1], &other.sin_addr);
    STEP("listed", connect_to(tcp(AF_INET), &listed));
    STEP("listed-mapped", mapped(&listed));
    STEP("listed-fast-connect", fast_connect(&listed));
    STEP("listed-high-bits", high_bits(&listed));
    STEP("other", connect_to(tcp(AF_INET), &other));
    STEP("mapped", mapped(&other));
    STEP("fast-connect", fast_connect(&other));
    STEP("high-bits", high_bits(&other));
    STEP("fast-sendto", fast_send(0, &other));
    STEP("fast-sendmsg", fast_send(1, &other));
    STEP("fast-sendmmsg", fast_send(2, &other));
    STEP("fast-send-high-bits", fast_send(3, &other));
    STEP("fast-sendto-listed", fast_send(0, &listed));
    STEP("elsewhere", elsewhere());
    STEP("race", race());
    STEP("bind", bind_to(AF_INET, 0, 0));
    STEP("bind6", bind_to(AF_INET6, 0, 0));
    STEP("reuse-port", bind_to(AF_INET, SO_REUSEPORT, 18080));
    STEP("autobind", listen(tcp(AF_INET), 1));
    STEP("autobind6", listen(tcp(AF_INET6), 1));
    return finish();
}
