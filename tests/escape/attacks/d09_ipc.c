/* Attacks D9 and D10.
 * Vulnerability: shared memory, queues and keys that belong to the user, not to the tree.
 * Vector: System V shared memory, semaphores and queues; POSIX queues; the kernel keyring.
 * Expected: EPERM, reason syscall.not-allowed. */
#include "attack.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

/* System V objects outlive us: what the unconfined run made is taken away again. */
static int made_shm(void) {
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    if (id >= 0) shmctl(id, IPC_RMID, NULL);
    return id;
}

static int made_sem(void) {
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    if (id >= 0) semctl(id, 0, IPC_RMID);
    return id;
}

static int made_msg(void) {
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (id >= 0) msgctl(id, IPC_RMID, NULL);
    return id;
}

static long made_key(void) {
    return syscall(SYS_add_key, "user", "caponier-attack", "x", 1, -3 /* session keyring */);
}

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("shm", made_shm());
    STEP("sem", made_sem());
    STEP("msg", made_msg());
    mqd_t queue = mq_open(argv[1], O_CREAT | O_RDWR, 0600, NULL);
    report("mq", queue == (mqd_t)-1 ? errno : 0);
    if (queue != (mqd_t)-1) mq_unlink(argv[1]);
    STEP("add-key", made_key());
    STEP("keyctl", syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -4 /* user keyring */, 1));
    STEP("request-key", syscall(SYS_request_key, "user", "caponier-attack", NULL, -3));
    return finish();
}
