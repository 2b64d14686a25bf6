/* A launcher: no file may grow beyond BYTES, as on a full disk (EFBIG instead of ENOSPC), for the rest of its words. */
#include "attack.h"
#include <sys/resource.h>

int main(int argc, char **argv) {
    struct rlimit limit = {(rlim_t)atoll(argv[1]), (rlim_t)atoll(argv[1])};
    (void)argc;
    /* By default the kernel kills who writes beyond the limit; a full disk does not. */
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0) broken("setrlimit");
    execv(argv[2], argv + 2);
    broken(argv[2]);
}
