/* Attacks F3, F4, F8, F9, F10, F13 and F18.
 * Vulnerability: services on this machine and everything beyond it; rules on connect(2) that other calls go around.
 * Vector: connect to 127.0.0.1, to its IPv4-mapped and wildcard spellings and to ::1, with AF_UNSPEC, non-blocking, with
 *         TCP_FASTOPEN_CONNECT; sendto, sendmsg and sendmmsg with MSG_FASTOPEN; bind, and listen without bind.
 * Expected: EACCES, reason net.none (a flag that no rule sees, MSG_FASTOPEN, too). */
#include "attack.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
static uint16_t port;

static int tcp(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) broken("socket");
    return fd;
}

static struct sockaddr_in v4(const char *text) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

static int connect4(const char *text) {
    struct sockaddr_in address = v4(text);
    return connect(tcp(AF_INET), (struct sockaddr *)&address, sizeof address);
}

static int connect6(const char *text) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, text, &address.sin6_addr);
    return connect(tcp(AF_INET6), (struct sockaddr *)&address, sizeof address);
}

static int unspecified(void) {
    struct sockaddr address = {.sa_family = AF_UNSPEC};
    return connect(tcp(AF_INET), &address, sizeof address);
}

static int without_waiting(void) {
    struct sockaddr_in address = v4("127.0.0.1");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    return result < 0 && errno == EINPROGRESS ? 0 : result;
}

static int fast_connect(void) {
    struct sockaddr_in address = v4("127.0.0.1");
    int fd = tcp(AF_INET), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

static long fast_send(int how) {
    struct sockaddr_in address = v4("127.0.0.1");
    struct iovec data = {"x", 1};
    struct mmsghdr message = {.msg_hdr = {&address, sizeof address, &data, 1, NULL, 0, 0}};
    int fd = tcp(AF_INET);
    if (how == 0) return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address);
    if (how == 1) return sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN | MSG_NOSIGNAL);
    if (how == 2) return sendmmsg(fd, &message, 1, MSG_FASTOPEN | MSG_NOSIGNAL);
    return syscall(SYS_sendto, fd, "x", 1, (1UL << 32) | MSG_FASTOPEN, &address, sizeof address);
}

static int bind_any(int family) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6};
    if (family == AF_INET) return bind(tcp(family), (struct sockaddr *)&address, sizeof address);
    return bind(tcp(family), (struct sockaddr *)&address6, sizeof address6);
}

int main(int argc, char **argv) {
    (void)argc;
    port = (uint16_t)atoi(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    begin();
    STEP("connect", connect4("127.0.0.1"));
    STEP("wildcard", connect4("0.0.0.0"));
    STEP("mapped", connect6("::ffff:127.0.0.1"));
    STEP("unspecified", unspecified());
    STEP("non-blocking", without_waiting());
    STEP("fast-connect", fast_connect());
    STEP("fast-sendto", fast_send(0));
    STEP("fast-sendmsg", fast_send(1));
    STEP("fast-sendmmsg", fast_send(2));
    STEP("fast-high-bits", fast_send(3));
    STEP("bind", bind_any(AF_INET));
    STEP("bind6", bind_any(AF_INET6));
    STEP("autobind", listen(tcp(AF_INET), 1));
    return finish();
}
