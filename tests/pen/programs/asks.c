/* A server that does what its words say, one after the other: VERB THING. What came of each goes to stderr; then it
 * answers `tools/list` and `tools/call` until its stdin ends. For the tests of `audit explain` and `audit replay`. */
#include "attack.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

static int execute(const char *program) {
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, (char *)0);
        _exit(errno == ENOENT ? 127 : 126);
    }
    int status = 0;
    waitpid(child, &status, 0);
    errno = EACCES;
    return WIFEXITED(status) && WEXITSTATUS(status) == 126 ? -1 : 0;
}

static int tcp(const char *port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof to);
}

static int local(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, path, sizeof to.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof to);
}

static int filter(void) {
    struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, all};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int act(const char *verb, const char *thing) {
    char other[4096];
    snprintf(other, sizeof other, "%s.new", thing);
    if (strcmp(verb, "read") == 0) return open(thing, O_RDONLY | O_CLOEXEC);
    if (strcmp(verb, "list") == 0) return open(thing, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (strcmp(verb, "write") == 0) return open(thing, O_WRONLY | O_CLOEXEC);
    if (strcmp(verb, "truncate") == 0) return truncate(thing, 0);
    if (strcmp(verb, "create") == 0) return open(thing, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (strcmp(verb, "mkdir") == 0) return mkdir(thing, 0700);
    if (strcmp(verb, "delete") == 0) return unlink(thing);
    if (strcmp(verb, "rename") == 0) return rename(thing, other);
    if (strcmp(verb, "symlink") == 0) return symlink("x", thing);
    if (strcmp(verb, "chmod") == 0) return chmod(thing, 0640);
    if (strcmp(verb, "exec") == 0) return execute(thing);
    if (strcmp(verb, "tcp") == 0) return tcp(thing);
    if (strcmp(verb, "unix") == 0) return local(thing);
    if (strcmp(verb, "filter") == 0) return filter();
    if (strcmp(verb, "mount") == 0) return mount("none", thing, "tmpfs", 0, "");
    if (strcmp(verb, "unshare") == 0) return (int)syscall(SYS_unshare, 0x10000000);
    if (strcmp(verb, "ptrace") == 0) return (int)ptrace(PTRACE_ATTACH, 1, 0, 0);
    dprintf(2, "no such verb %s\n", verb);
    exit(97);
}

int main(int argc, char **argv) {
    for (int at = 1; at + 1 < argc; at += 2) {
        int done = act(argv[at], argv[at + 1]);
        dprintf(2, "%s %s %s\n", argv[at], argv[at + 1], done < 0 ? strerrorname_np(errno) : "ok");
    }
    static char line[1 << 16];
    while (fgets(line, sizeof line, stdin)) {
        char *id = strstr(line, "\"id\":");
        if (!id) continue;
        int number = atoi(id + 5);
        if (strstr(line, "tools/list"))
            printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"tools\":[{\"name\":\"look\",\"inputSchema\":{\"type\":\"object\"}},"
                   "{\"name\":\"remove\",\"inputSchema\":{\"type\":\"object\"}}]}}\n", number);
        else
            printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"content\":[]}}\n", number);
        fflush(stdout);
    }
    return 0;
}
