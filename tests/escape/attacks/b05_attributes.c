/* Attack B5.
 * Vulnerability: Landlock does not mediate extended attributes; some of them carry rights, all of them carry data.
 * Vector: setxattr and removexattr in all their forms, setxattrat (463), removexattrat (466), file_setattr (469).
 * Expected: EACCES outside every grant and in a read grant; in the workspace `user.*` works, `security.*` and
 *           `trusted.*` are EPERM, and so are a file's flags (file_setattr). */
#include "attack.h"
#include <sys/xattr.h>
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif
#ifndef SYS_removexattrat
#define SYS_removexattrat 466
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

struct xattr_arguments {
    __attribute__((aligned(8))) uint64_t value;
    uint32_t size, flags;
};

int main(int argc, char **argv) {
    const char *workspace = argv[1], *secret = argv[2], *page = argv[3], *mine = in(workspace, "note.txt");
    struct xattr_arguments arguments = {.value = (uint64_t)(uintptr_t)"v", .size = 1};
    struct {
        uint64_t flags;
        uint32_t extent, extents, project, cow_extent;
    } attributes = {0};
    char read[4];
    (void)argc;
    begin();
    STEP("own", setxattr(mine, "user.a", "v", 1, 0));
    STEP("own-remove", removexattr(mine, "user.a"));
    STEP("own-setxattrat",
         syscall(SYS_setxattrat, AT_FDCWD, mine, AT_SYMLINK_NOFOLLOW, "user.c", &arguments, sizeof arguments));
    STEP("own-setxattrat-read", getxattr(mine, "user.c", read, sizeof read) == 1 && *read == 'v' ? 0 : -1);
    STEP("own-file_setattr",
         syscall(SYS_file_setattr, AT_FDCWD, mine, &attributes, sizeof attributes, 0));
    STEP("own-setxattrat-trusted",
         syscall(SYS_setxattrat, AT_FDCWD, mine, 0, "trusted.b", &arguments, sizeof arguments));
    STEP("setxattr", setxattr(secret, "user.a", "v", 1, 0));
    STEP("lsetxattr", lsetxattr(secret, "user.b", "v", 1, 0));
    STEP("setxattrat", syscall(SYS_setxattrat, AT_FDCWD, secret, 0, "user.c", &arguments, sizeof arguments));
    STEP("removexattr", removexattr(secret, "user.staged1"));
    STEP("lremovexattr", lremovexattr(secret, "user.staged2"));
    STEP("removexattrat", syscall(SYS_removexattrat, AT_FDCWD, secret, 0, "user.staged3"));
    STEP("file_setattr", syscall(SYS_file_setattr, AT_FDCWD, secret, &attributes, sizeof attributes, 0));
    int reading = open(page, O_RDONLY | O_CLOEXEC);
    if (reading < 0) broken("open");
    STEP("fsetxattr-read-only", fsetxattr(reading, "user.a", "v", 1, 0));
    STEP("fremovexattr-read-only", fremovexattr(reading, "user.staged1"));
    STEP("trusted", setxattr(mine, "trusted.a", "v", 1, 0));
    STEP("security", setxattr(mine, "security.a", "v", 1, 0));
    return finish();
}
