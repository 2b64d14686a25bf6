/* A server that talks too much: FORM BYTES.
 *   noise      lines that are no messages, on stdout
 *   messages   notifications of 60 KiB, on stdout
 *   stderr     lines on stderr
 *   line       one line without an end, on stdout
 * Says `flooded` on stderr when all of it was taken. */
#include "attack.h"

static char block[60 * 1024];

static int flood(int fd, long long bytes) {
    while (bytes > 0) {
        ssize_t n = write(fd, block, sizeof block);
        if (n < 0) return 90;
        bytes -= n;
    }
    return 0;
}

int main(int argc, char **argv) {
    long long bytes = argc > 2 ? atoll(argv[2]) : 0;
    const char *form = argc > 1 ? argv[1] : "";
    int fd = strcmp(form, "stderr") == 0 ? 2 : 1;
    signal(SIGPIPE, SIG_IGN);
    memset(block, 'x', sizeof block);
    if (strcmp(form, "noise") == 0 || strcmp(form, "stderr") == 0)
        for (size_t at = 99; at < sizeof block; at += 100) block[at] = '\n';
    if (strcmp(form, "messages") == 0) {
        static const char head[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"";
        memcpy(block, head, sizeof head - 1);
        memcpy(block + sizeof block - 5, "\"}}\r\n", 5);
    }
    int code = flood(fd, bytes);
    if (code == 0) dprintf(2, "flooded\n");
    return code;
}
