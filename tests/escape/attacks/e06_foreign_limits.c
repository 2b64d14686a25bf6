/* Attack E6.
 * Vulnerability: limits, priority and scheduling of another process of the user's are changed; it starves or dies.
 * Vector: prlimit, setpriority, sched_setaffinity, sched_setscheduler, sched_setparam, sched_setattr, ioprio_set on a
 *         process outside; priority of the whole user.
 * Expected: EPERM, reason syscall.foreign-process; on oneself they work as far as the kernel lets them. */
#include "attack.h"
#include <sched.h>
#include <sys/resource.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

int main(int argc, char **argv) {
    pid_t victim = atoi(argv[1]);
    struct rlimit limit;
    struct sched_param normal = {0};
    struct attributes attributes = {.size = sizeof attributes, .nice = 5};
    cpu_set_t cpus;
    (void)argc;
    begin();
    STEP("own-limit", prlimit(0, RLIMIT_NOFILE, NULL, &limit));
    limit.rlim_cur = 16;
    STEP("own-limit-set", prlimit(0, RLIMIT_NOFILE, &limit, NULL));
    STEP("own-limit-by-pid", prlimit(getpid(), RLIMIT_NOFILE, NULL, &limit));
    STEP("own-affinity", sched_getaffinity(0, sizeof cpus, &cpus));
    STEP("own-priority", setpriority(PRIO_PROCESS, 0, 1));
    STEP("prlimit-read", prlimit(victim, RLIMIT_CORE, NULL, &limit));
    struct rlimit none = {0, 0};
    STEP("prlimit", prlimit(victim, RLIMIT_CORE, &none, NULL));
    STEP("priority", setpriority(PRIO_PROCESS, victim, 5));
    STEP("affinity", sched_setaffinity(victim, sizeof cpus, &cpus));
    STEP("scheduler", sched_setscheduler(victim, SCHED_OTHER, &normal));
    STEP("param", sched_setparam(victim, &normal));
    STEP("attr", syscall(SYS_sched_setattr, victim, &attributes, 0));
    STEP("io-priority", syscall(SYS_ioprio_set, 1 /* process */, victim, (2 << 13) | 7));
    return finish();
}
