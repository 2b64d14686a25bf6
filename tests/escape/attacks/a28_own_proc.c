/* Attack A28 (our number).
 * Vulnerability: a process's own part of /proc writes its memory, leads to the root folder, changes how the kernel
 *         treats it.
 * Vector: mem, root, ns, oom_score_adj, the list of all processes, the parent, the kernel's settings.
 * Expected: EACCES, reason fs.proc.not-served; what programs need of themselves and their children is served. */
#include "attack.h"

static char buffer[128];

static const char *of(pid_t pid, const char *what) {
    snprintf(buffer, sizeof buffer, "/proc/%d/%s", pid, what);
    return buffer;
}

/* The first line of `status` names its process: ours, not that of whoever opened it for us. */
static int names_us(const char *path) {
    char head[512] = {0}, want[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    ssize_t n = read(fd, head, sizeof head - 1);
    close(fd);
    snprintf(want, sizeof want, "\nPid:\t%d\n", getpid());
    return n > 0 && strstr(head, want) ? 0 : ESRCH;
}

int main(int argc, char **argv) {
    char byte;
    int gate[2];
    (void)argc, (void)argv;
    begin();
    if (pipe2(gate, O_CLOEXEC) < 0) broken("pipe2");
    pid_t child = fork();
    if (child == 0) {
        close(gate[1]);
        _exit((int)read(gate[0], &byte, 1));
    }
    report("self-status", names_us("/proc/self/status"));
    report("thread-status", names_us("/proc/thread-self/status"));
    report("pid-status", names_us(of(getpid(), "status")));
    STEP("maps", try_open("/proc/self/maps", O_RDONLY, 0));
    STEP("fds", try_open("/proc/self/fd", O_RDONLY | O_DIRECTORY, 0));
    STEP("exe", try_open("/proc/self/exe", O_RDONLY, 0));
    STEP("child-status", try_open(of(child, "status"), O_RDONLY, 0));
    STEP("cpuinfo", try_open("/proc/cpuinfo", O_RDONLY, 0));
    STEP("mem-read", try_open("/proc/self/mem", O_RDONLY, 0));
    STEP("mem-write", try_open("/proc/self/mem", O_RDWR, 0));
    STEP("root", try_open("/proc/self/root/etc", O_RDONLY | O_DIRECTORY, 0));
    STEP("namespace", try_open("/proc/self/ns/user", O_RDONLY, 0));
    STEP("oom", try_open("/proc/self/oom_score_adj", O_WRONLY, 0));
    STEP("list", try_open("/proc", O_RDONLY | O_DIRECTORY, 0));
    STEP("parent", try_open(of(getppid(), "status"), O_RDONLY, 0));
    STEP("net", try_open("/proc/self/net/tcp", O_RDONLY, 0));
    STEP("keys", try_open("/proc/keys", O_RDONLY, 0));
    STEP("sysctl", try_open("/proc/sys/kernel/core_pattern", O_RDONLY, 0));
    close(gate[1]);
    waitpid(child, NULL, 0);
    return finish();
}
