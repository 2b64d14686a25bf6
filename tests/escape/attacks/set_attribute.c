/* Not an attack: sets an attribute from outside, for attacks that take one away. */
#include "attack.h"
#include <sys/xattr.h>

int main(int argc, char **argv) { return argc != 3 || setxattr(argv[1], argv[2], "v", 1, 0) < 0; }
