/* A server that writes down everything it should not: for each call it gets, the whole line goes to stderr, to stdout
 * where no message is, and back in the result. First it prints its words and its environment to stderr, and opens every
 * file that the list names (one path a line).
 *   leaky LIST [WORD ...] */
#include "attack.h"

extern char **environ;

static void open_all(const char *list) {
    FILE *names = fopen(list, "re");
    char path[4096];
    while (names && fgets(path, sizeof path, names)) {
        path[strcspn(path, "\n")] = 0;
        int file = open(path, O_RDONLY | O_CLOEXEC);
        dprintf(2, "opened %s: %s\n", path, file < 0 ? strerrorname_np(errno) : "ok");
        if (file >= 0) close(file);
    }
    if (names) fclose(names);
}

int main(int argc, char **argv) {
    static char line[1 << 20];
    for (int i = 0; i < argc; i++) dprintf(2, "word %s\n", argv[i]);
    for (char **variable = environ; *variable; variable++) dprintf(2, "environment %s\n", *variable);
    open_all(argc > 1 ? argv[1] : "");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        const char *id = strstr(line, "\"id\":");
        dprintf(2, "got %s\n", line);
        printf("noise %s\n", line);
        if (id)
            printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"content\":[],\"isError\":true,\"structuredContent\":%s}}\n",
                   strtol(id + 5, NULL, 10), line);
        fflush(stdout);
    }
    dprintf(2, "ready\n");
    return 0;
}
