/* A busy user: so many threads that wait until stdin ends. Says `ready` when they are there. */
#include "attack.h"
#include <pthread.h>

static _Noreturn void *idle(void *unused) {
    (void)unused;
    for (;;) pause();
}

int main(int argc, char **argv) {
    char byte;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 300); i++) {
        pthread_t thread;
        if ((errno = pthread_create(&thread, &small, idle, NULL))) broken("pthread_create");
    }
    dprintf(1, "ready\n");
    return (int)read(0, &byte, 1);
}
