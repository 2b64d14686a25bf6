/* Attack C12 (CVE-2019-5736) and I11.
 * Vulnerability: overwriting the launcher, its log or its configuration.
 * Vector: the launcher's binary by path and through /proc/<parent>/exe; the log folder; the profile.
 * Expected: EACCES. A running binary cannot be opened for writing anyway (ETXTBSY from the kernel). */
#include "attack.h"

int main(int argc, char **argv) {
    char exe[64];
    (void)argc;
    begin();
    snprintf(exe, sizeof exe, "/proc/%d/exe", getppid());
    STEP("parent-exe", try_open(exe, O_WRONLY, 0));
    STEP("binary", try_open(argv[1], O_WRONLY | O_APPEND, 0));
    STEP("log", try_write(in(argv[2], "heads.jsonl")));
    STEP("log-folder", try_open(argv[2], O_RDONLY | O_DIRECTORY, 0));
    STEP("profile", try_write(argv[3]));
    return finish();
}
