/* Attack H18.
 * Vulnerability: a file that the broker opens and injects cannot be injected when the caller has no number left; a
 *         broker that then lets the call go on has let it through.
 * Vector: RLIMIT_NOFILE = 3, then open /proc/self/status, a granted file and another process's file.
 * Expected: EMFILE, as without the pen; with numbers left, /proc/self/status is served. */
#include "attack.h"
#include <sys/resource.h>

int main(int argc, char **argv) {
    struct rlimit limit, few = {3, 0};
    char theirs[64];
    (void)argc;
    snprintf(theirs, sizeof theirs, "/proc/%s/status", argv[2]);
    begin();
    STEP("served", try_open("/proc/self/status", O_RDONLY, 0));
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) broken("getrlimit");
    few.rlim_max = limit.rlim_max;
    close(3), close(4), close(5), close(6);
    if (setrlimit(RLIMIT_NOFILE, &few) < 0) broken("setrlimit");
    STEP("status", try_open("/proc/self/status", O_RDONLY, 0));
    STEP("granted", try_open(argv[1], O_RDONLY, 0));
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) broken("setrlimit");
    STEP("again", try_open("/proc/self/status", O_RDONLY, 0));
    return finish();
}
