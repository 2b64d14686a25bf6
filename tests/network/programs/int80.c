/* Attack H1, for sockets.
 * Vulnerability: calls of another architecture have other numbers, which a filter for this one does not know.
 * Vector: int80.c ADDRESS: socket (359) and connect (362) of i386, by int 0x80, to its port 80.
 * Expected: the process is killed by SIGSYS. */
#include "attack.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

static long int80(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) errno = (int)-result;
    return result;
}

int main(int argc, char **argv) {
    /* Pointers have 32 bits there. */
    struct sockaddr_in *to = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    (void)argc;
    if (to == MAP_FAILED) broken("mmap");
    to->sin_family = AF_INET;
    to->sin_port = htons(80);
    inet_pton(AF_INET, argv[1], &to->sin_addr);
    begin();
    long fd = int80(359, AF_INET, SOCK_STREAM, 0);
    STEP("socket", fd);
    STEP("connect", int80(362, fd, (long)to, sizeof *to));
    return finish();
}
