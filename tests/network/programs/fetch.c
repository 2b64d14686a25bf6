/* A client without a library: getaddrinfo, socket, connect, one request.
 *
 *   fetch STEP=NAME:PORT...
 *
 * OPEN when the answer has status 200; BLOCKED with the errno of the failing call, or with the EAI_ code of getaddrinfo
 * (EAI_SYSTEM is told as the errno behind it). */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *eai(int code) {
    switch (code) {
    case EAI_NONAME: return "EAI_NONAME";
    case EAI_AGAIN: return "EAI_AGAIN";
    case EAI_FAIL: return "EAI_FAIL";
#ifdef EAI_NODATA
    case EAI_NODATA: return "EAI_NODATA";
#endif
    case EAI_SYSTEM: return NULL;
    default: return "EAI_OTHER";
    }
}

static const char *name_of(int error) {
    static char number[16];
    switch (error) {
    case EACCES: return "EACCES";
    case ECONNREFUSED: return "ECONNREFUSED";
    case ECONNRESET: return "ECONNRESET";
    case ENETUNREACH: return "ENETUNREACH";
    case EINVAL: return "EINVAL";
    case EPERM: return "EPERM";
    case ETIMEDOUT: return "ETIMEDOUT";
    case EPIPE: return "EPIPE";
    default: snprintf(number, sizeof number, "E%d", error); return number;
    }
}

static const char *fetch(char *name, char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *at;
    int code = getaddrinfo(name, port, &hints, &found), fd = -1;
    if (code) return eai(code) ? eai(code) : name_of(errno);
    for (at = found; at; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0) continue;
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) break;
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    if (fd < 0) return name_of(errno);
    char text[4096];
    int length = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name);
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length) return name_of(errno);
    size_t have = 0;
    ssize_t n;
    while (have < sizeof text && (n = recv(fd, text + have, sizeof text - have, 0)) != 0) {
        if (n < 0) return name_of(errno);
        have += (size_t)n;
    }
    close(fd);
    return have > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0 ? NULL : "SHORT";
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char *name = strchr(argv[i], '='), *port;
        *name++ = 0;
        port = strrchr(name, ':');
        *port++ = 0;
        const char *how = fetch(name, port);
        fprintf(stderr, how ? "BLOCKED %s %s\n" : "OPEN %s\n", argv[i], how);
    }
    return 0;
}
