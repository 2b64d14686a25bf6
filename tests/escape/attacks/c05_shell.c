/* Attacks C5 and C6.
 * Vulnerability: a shell runs whatever text reaches it; a script is a shell in disguise.
 * Vector: execve of /bin/sh, of its other names, by system(3); a granted script whose interpreter is the shell.
 * Expected: EACCES, reason exec.shell. */
#include "attack.h"

static int shell(void *path) {
    char *words[] = {path, "-c", "exit 42", NULL};
    return execv(path, words), errno;
}

static int script(void *path) {
    char *words[] = {path, NULL};
    return execv(path, words), errno;
}

int main(int argc, char **argv) {
    (void)argc;
    begin();
    report("sh", in_child(shell, "/bin/sh"));
    report("usr-bin-sh", in_child(shell, "/usr/bin/sh"));
    report("bash", in_child(shell, "/bin/bash"));
    report("script", in_child(script, argv[1]));
    /* system(3) reports a shell that cannot be run as exit status 127. */
    int status = system("exit 42");
    report("system", WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : ENOEXEC);
    return finish();
}
