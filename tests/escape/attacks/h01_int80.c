/* Attack H1.
 * Vulnerability: a filter that does not look at the architecture reads i386 numbers as x86-64 ones.
 * Vector: mkdir(2) of i386 (39) by `int 0x80` from 64-bit code; its path must lie below 4 GiB.
 * Expected: the process is killed by SIGSYS at once. */
#include "attack.h"
#include <sys/mman.h>

int main(int argc, char **argv) {
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long result;
    (void)argc;
    begin();
    if (low == MAP_FAILED) broken("mmap");
    snprintf(low, 4096, "%s", argv[1]);
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(39L), "b"(low), "c"(0755L) : "memory", "r8", "r9", "r10", "r11");
    errno = result < 0 ? (int)-result : 0;
    report("int80", errno);
    return finish();
}
