/* Attack A16.
 * Vulnerability: a file handle opens an inode without any path; rules on paths are not asked.
 * Vector: name_to_handle_at(2), open_by_handle_at(2).
 * Expected: EPERM, for root too; an ordinary user is refused the second one by the kernel as well. */
#include "attack.h"

int main(int argc, char **argv) {
    struct {
        struct file_handle head;
        unsigned char body[128];
    } handle = {.head.handle_bytes = 128};
    int mount;
    (void)argc;
    begin();
    STEP("name", name_to_handle_at(AT_FDCWD, argv[1], &handle.head, &mount, 0));
    int root = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) broken("open");
    STEP("open", open_by_handle_at(root, &handle.head, O_RDONLY));
    return finish();
}
