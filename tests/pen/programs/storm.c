/* A server whose calls are storms of file accesses. READING has file.txt, OUTSIDE has secret.txt.
 *   repeat    100 000 times: READING/file.txt opened and read
 *   refused   100 000 times: OUTSIDE/secret.txt, which has to fail
 *   distinct   20 000 files, each another one: made and removed
 *   forever   a child opens what is not there until it is killed; answered at once
 *   child     a child makes child-ID and ends; answers its number
 *   ping      nothing
 * Answers with a number: of opens that went as they should, or of the process. */
#include "attack.h"

static const char *reading, *outside;

static long repeat(void) {
    char path[4096], byte;
    long worked = 0;
    snprintf(path, sizeof path, "%s/file.txt", reading);
    for (int n = 0; n < 100000; n++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        worked += fd >= 0 && read(fd, &byte, 1) == 1;
        if (fd >= 0) close(fd);
    }
    return worked;
}

static long refused(void) {
    char path[4096];
    long worked = 0;
    snprintf(path, sizeof path, "%s/secret.txt", outside);
    for (int n = 0; n < 100000; n++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        worked += fd < 0 && errno == EACCES;
        if (fd >= 0) close(fd);
    }
    return worked;
}

static long distinct(void) {
    char name[64];
    long worked = 0;
    for (int n = 0; n < 20000; n++) {
        snprintf(name, sizeof name, "one-of-many-%d", n);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0) close(fd);
        worked += fd >= 0 && unlink(name) == 0;
    }
    return worked;
}

static long forever(void) {
    pid_t child = fork();
    if (child < 0) broken("fork");
    if (child == 0)
        for (;;) {
            int fd = open("/x", O_RDONLY | O_CLOEXEC);
            if (fd >= 0) close(fd);
        }
    return child;
}

static long one_child(long id) {
    char name[64];
    int status;
    pid_t child = fork();
    if (child < 0) broken("fork");
    if (child == 0) {
        snprintf(name, sizeof name, "child-%ld", id);
        int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        _exit(fd < 0 ? 1 : (int)id);
    }
    waitpid(child, &status, 0);
    return child;
}

int main(int argc, char **argv) {
    char line[4096];
    if (argc != 3) return 99;
    reading = argv[1], outside = argv[2];
    while (fgets(line, sizeof line, stdin)) {
        const char *id_at = strstr(line, "\"id\":"), *name_at = strstr(line, "\"name\":\"");
        if (!id_at || !name_at) continue;
        long id = atol(id_at + 5), number = 0;
        const char *name = name_at + 8;
        if (!strncmp(name, "repeat", 6)) number = repeat();
        if (!strncmp(name, "refused", 7)) number = refused();
        if (!strncmp(name, "distinct", 8)) number = distinct();
        if (!strncmp(name, "forever", 7)) number = forever();
        if (!strncmp(name, "child", 5)) number = one_child(id);
        printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"content\":[],\"number\":%ld}}\n", id, number);
        fflush(stdout);
    }
    return 0;
}
