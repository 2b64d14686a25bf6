/* Attacks H4 and H16.
 * Vulnerability: a user namespace gives every capability inside it, and with it mounts and network devices.
 * Vector: clone3 (whose flags a filter cannot read), clone with namespace flags, unshare, setns, mount, umount2,
 *         pivot_root, chroot, and the new mount calls.
 * Expected: clone3 ENOSYS (syscall.unsupported), the rest EPERM (syscall.namespace); plain threads and forks work. */
#include "attack.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sys/mount.h>

static int unshare_flags(void *flags) { return syscall(SYS_unshare, (long)flags) < 0 ? errno : 0; }

static int change_root(void *path) { return chroot(path) < 0 ? errno : 0; }

static int join_own(void *unused) {
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    (void)unused;
    /* Confined the file is not served either: the call must be refused whatever the descriptor. */
    return syscall(SYS_setns, fd, 0) < 0 ? errno : 0;
}

static long clone3_with(uint64_t flags) {
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) _exit(0);
    if (child > 0) waitpid((pid_t)child, NULL, 0);
    return child;
}

static long clone_with(unsigned long flags) {
    long child = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) _exit(0);
    if (child > 0) waitpid((pid_t)child, NULL, 0);
    return child;
}

static void *nothing(void *unused) { return unused; }

int main(int argc, char **argv) {
    pthread_t thread;
    (void)argc, (void)argv;
    begin();
    report("thread", pthread_create(&thread, NULL, nothing, NULL));
    STEP("fork", clone_with(0));
    STEP("clone3", clone3_with(0));
    STEP("clone3-user", clone3_with(CLONE_NEWUSER));
    STEP("clone-user", clone_with(CLONE_NEWUSER));
    STEP("clone-user-net", clone_with(CLONE_NEWUSER | CLONE_NEWNET));
    STEP("clone-pid", clone_with(CLONE_NEWPID));
    report("unshare-user", in_child(unshare_flags, (void *)(long)CLONE_NEWUSER));
    report("unshare-mount", in_child(unshare_flags, (void *)(long)CLONE_NEWNS));
    report("setns", in_child(join_own, NULL));
    report("chroot", in_child(change_root, "/"));
    /* With a source that does not exist the unconfined run changes nothing. */
    STEP("mount", mount("none", "/nonexistent", "tmpfs", 0, NULL));
    STEP("umount", umount2("/nonexistent", MNT_DETACH));
    STEP("pivot-root", syscall(SYS_pivot_root, "/nonexistent", "/nonexistent"));
    STEP("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    STEP("open-tree", syscall(SYS_open_tree, AT_FDCWD, "/", 0));
    STEP("move-mount", syscall(SYS_move_mount, -1, "", -1, "", 0));
    return finish();
}
