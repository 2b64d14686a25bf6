/* Attack H13.
 * Vulnerability: paths that a broker reads differently from the kernel, or that break the record.
 * Vector: longer than PATH_MAX, exactly as long as allowed, an unmapped pointer, ending at the end of a page before an
 *         unmapped one, running into it, not UTF-8, with a newline and terminal escapes, empty.
 * Expected: the kernel's own errno for what is malformed, EACCES for the rest; each record is one line of JSON. */
#include "attack.h"
#include <sys/mman.h>

int main(int argc, char **argv) {
    const char *outside = argv[1], *secret = in(outside, "secret.txt");
    static char path[8192];
    (void)argc;
    begin();

    memset(path, '/', 4200);
    strcpy(path + 4200, "x");
    STEP("too-long", try_open(path, O_RDONLY, 0));

    /* 4095 bytes and the NUL: the longest there is. */
    size_t length = strlen(secret);
    memset(path, '/', 4095 - length);
    strcpy(path + 4095 - length, secret);
    STEP("longest", try_open(path, O_RDONLY, 0));

    STEP("unmapped", try_open((const char *)16, O_RDONLY, 0));
    STEP("kernel-pointer", try_open((const char *)0xffffffff80000000UL, O_RDONLY, 0));

    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || munmap(pages + 4096, 4096) < 0) broken("mmap");
    char *at_end = pages + 4096 - (length + 1);
    strcpy(at_end, secret);
    STEP("page-end", try_open(at_end, O_RDONLY, 0));
    memset(pages, '/', 4096);
    STEP("into-hole", try_open(pages + 4000, O_RDONLY, 0));

    STEP("not-utf-8", try_open(in(outside, "caf\xe9\xff.txt"), O_RDONLY, 0));
    STEP("escapes", try_open(in(outside, "\x1b[2J\x1b]0;owned\x07\nline\r\t\"quoted\\.txt"), O_RDONLY, 0));
    STEP("unicode", try_open(in(outside, "\xe2\x80\xae" "txt.exe\xe2\x80\xa8.txt"), O_RDONLY, 0));
    STEP("empty", try_open("", O_RDONLY, 0));
    return finish();
}
