/* Not an attack: a process outside the tree, of the same user, with something to lose. It lives until its stdin ends
 * and ignores nothing, so that a signal that reaches it is seen. Descriptor 8 is its secret. */
#include "attack.h"
#include <sys/prctl.h>

int main(int argc, char **argv) {
    char byte;
    (void)argc;
    /* Where Yama is on, the kernel alone would refuse: the attacks must meet our answer. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    if (chdir(argv[1]) < 0) broken("chdir");
    int fd = open("secret.txt", O_RDONLY);
    if (fd < 0 || dup2(fd, 8) < 0) broken("secret.txt");
    dprintf(1, "ready\n");
    while (read(0, &byte, 1) > 0)
        ;
    return 0;
}
