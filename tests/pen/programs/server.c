/* A server that does one thing, said by its words:
 *   exit CODE          ends with this code at once
 *   signal NUMBER      ends by this signal at once
 *   wait               says `ready`, reads stdin to its end, says how much it was, exits 0
 *   stubborn           says `ready`, ignores the end of stdin and SIGTERM
 *   mark FILE          makes FILE and exits 0
 *   orphan MARKER      leaves a child that holds stdout and stderr, exits 5 at once
 *   forks COUNT        forks so many children that wait, all at once, exits 0 if it could
 *   kill-parent        says `ready`, kills its parent and stays
 * Words to the tester go to stderr. */
#include "attack.h"

static int wait_for_end(void) {
    static char buffer[1 << 16];
    long long total = 0;
    dprintf(2, "ready\n");
    for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;) total += n;
    dprintf(2, "received %lld\n", total);
    return 0;
}

static _Noreturn void stubborn(void) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    dprintf(2, "ready\n");
    /* A safety of the test's: nothing stays for ever, whatever the product does. */
    alarm(60);
    for (;;) pause();
}

static int forks(int count) {
    int gate[2];
    char byte;
    if (pipe2(gate, O_CLOEXEC) < 0) return 90;
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0) return 91;
        if (child == 0) {
            close(gate[1]);
            _exit((int)read(gate[0], &byte, 1));
        }
    }
    close(gate[1]);
    while (wait(NULL) > 0)
        ;
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "wait", *word = argc > 2 ? argv[2] : "";
    if (strcmp(what, "exit") == 0) return atoi(word);
    if (strcmp(what, "signal") == 0) {
        raise(atoi(word));
        return 98;
    }
    if (strcmp(what, "wait") == 0) return wait_for_end();
    if (strcmp(what, "stubborn") == 0) stubborn();
    if (strcmp(what, "mark") == 0) return creat(word, 0644) < 0;
    if (strcmp(what, "forks") == 0) return forks(atoi(word));
    if (strcmp(what, "orphan") == 0) {
        if (fork() == 0) stubborn();
        return 5;
    }
    if (strcmp(what, "kill-parent") == 0) {
        int result = kill(getppid(), SIGKILL);
        dprintf(2, "killed %s\n", result < 0 ? strerrorname_np(errno) : "it");
        stubborn();
    }
    return 97;
}
