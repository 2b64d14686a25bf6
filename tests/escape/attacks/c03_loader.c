/* Attack C3.
 * Vulnerability: the dynamic loader runs any file that can be read, executable or not.
 * Vector: ld.so FILE, where ld.so is granted (dynamically linked programs need it) and FILE is only readable.
 * Expected: EACCES, reason exec.loader; a dynamically linked program that is granted runs. */
#include "attack.h"

static char *loader, *program;

static int by_loader(void *unused) {
    char *words[] = {loader, program, NULL};
    (void)unused;
    return execv(loader, words), errno;
}

static int directly(void *path) {
    char *words[] = {path, NULL};
    return execv(path, words), errno;
}

int main(int argc, char **argv) {
    (void)argc;
    loader = argv[1], program = argv[2];
    begin();
    report("granted", in_child(directly, argv[3]));
    report("loader", in_child(by_loader, NULL));
    return finish();
}
