/* Attack F: connecting by io_uring.
 * Vulnerability: the kernel connects on its own, no connect(2) is made.
 * Vector: uring.c ADDRESS: IORING_OP_CONNECT to its port 80.
 * Expected: ENOSYS from io_uring_setup, reason syscall.unsupported. */
#include "attack.h"
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int connect_by_ring(const char *text) {
    struct io_uring_params set = {0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, text, &to.sin_addr);
    int ring = (int)syscall(SYS_io_uring_setup, 2, &set);
    if (ring < 0) return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t size = set.sq_off.array + set.sq_entries * sizeof(uint32_t);
    size_t done = set.cq_off.cqes + set.cq_entries * sizeof(struct io_uring_cqe);
    char *sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, done, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = mmap(NULL, set.sq_entries * sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (fd < 0 || sq == MAP_FAILED || cq == MAP_FAILED || entry == MAP_FAILED) broken("ring");
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_CONNECT;
    entry->fd = fd;
    entry->addr = (uint64_t)(uintptr_t)&to;
    entry->off = sizeof to;
    ((uint32_t *)(sq + set.sq_off.array))[0] = 0;
    __atomic_store_n((uint32_t *)(sq + set.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -1;
    int result = ((struct io_uring_cqe *)(cq + set.cq_off.cqes))->res;
    errno = -result;
    return result;
}

int main(int argc, char **argv) {
    (void)argc;
    begin();
    STEP("io_uring", connect_by_ring(argv[1]));
    return finish();
}
