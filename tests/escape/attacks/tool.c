/* Not an attack: the program that attacks try to run. It says 42, so that nobody takes another death for it.
 * With `euid` as its word it says 42 only when it runs with rights that its caller does not have. */
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "euid") == 0) return geteuid() != getuid() ? 42 : 0;
    return 42;
}
