/* A server that does not want to end: daemons that leave the session and the group, ignore what can be ignored, and
 * hop from process to process, the parent dying each time. The words end with a marker by which the tester finds
 * them. It says `ready` when all of them are on their way. Everything ends by itself after a minute: a safety of the
 * test's. */
#include "attack.h"
#include <time.h>

static time_t last;

static void hop(void) {
    /* A hop costs a notification; a pause keeps the machine usable for the tester, who has to see them. */
    while (time(NULL) < last) {
        pid_t child = fork();
        if (child > 0) _exit(0);
        if (child < 0) usleep(1000);
        if (child == 0) setsid();
        usleep(200);
    }
    _exit(0);
}

static void still(void) {
    while (time(NULL) < last) sleep(1);
    _exit(0);
}

static void detach(void (*stay)(void)) {
    if (fork() == 0) {
        setsid();
        if (fork() > 0) _exit(0);
        if (chdir("/") < 0) _exit(90);
        for (int fd = 0; fd < 3; fd++) close(fd);
        stay();
    }
}

int main(int argc, char **argv) {
    int hoppers = argc > 1 ? atoi(argv[1]) : 4;
    last = time(NULL) + 60;
    for (int number = 1; number < 32; number++)
        if (number != SIGCHLD) signal(number, SIG_IGN);
    for (int i = 0; i < hoppers; i++) detach(hop);
    for (int i = 0; i < 3; i++) detach(still);
    dprintf(2, "ready\n");
    still();
}
