/* A launcher: COUNT Landlock domains that forbid nothing that matters are entered before the rest of its words; the
 * kernel allows 16. */
#include "attack.h"
#include <linux/landlock.h>
#include <sys/prctl.h>

int main(int argc, char **argv) {
    /* Making block devices is what nobody here does. */
    struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK};
    (void)argc;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) broken("no_new_privs");
    for (int i = 0; i < atoi(argv[1]); i++) {
        int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
        if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) broken("landlock");
        close(ruleset);
    }
    execv(argv[2], argv + 2);
    broken(argv[2]);
}
