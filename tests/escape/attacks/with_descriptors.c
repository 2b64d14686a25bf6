/* Not an attack: a careless client. It opens a folder (7), a file (8) and a socket pair (9), all inheritable, and
 * becomes the rest of its words. */
#include "attack.h"
#include <sys/socket.h>

int main(int argc, char **argv) {
    int pair[2], folder = open(argv[1], O_RDONLY | O_DIRECTORY), file = open(argv[2], O_RDONLY);
    (void)argc;
    if (folder < 0 || file < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) broken("stage");
    if (dup2(folder, 7) < 0 || dup2(file, 8) < 0 || dup2(pair[0], 9) < 0 || dup2(pair[1], 10) < 0) broken("dup2");
    execv(argv[3], argv + 3);
    broken(argv[3]);
}
