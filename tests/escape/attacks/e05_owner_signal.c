/* Attack E5.
 * Vulnerability: the kernel signals the owner of a descriptor on the caller's behalf; a scope on kill(2) is not asked.
 * Vector: F_SETOWN and F_SETOWN_EX to a process outside and to its group, with F_SETSIG; FIOSETOWN and SIOCSPGRP.
 * Expected: EPERM, reason syscall.foreign-process (the ioctl forms: syscall.ioctl); to oneself it works. */
#include "attack.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#ifndef FIOSETOWN
#define FIOSETOWN 0x8901
#endif

int main(int argc, char **argv) {
    int victim = atoi(argv[1]), pair[2];
    struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = victim};
    (void)argc;
    begin();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) broken("socketpair");
    STEP("self", fcntl(pair[0], F_SETOWN, getpid()));
    STEP("setown", fcntl(pair[0], F_SETOWN, victim));
    STEP("setown-group", fcntl(pair[0], F_SETOWN, -getpgid(victim)));
    STEP("setown-ex", fcntl(pair[0], F_SETOWN_EX, &owner));
    STEP("fiosetown", ioctl(pair[0], FIOSETOWN, &victim));
    STEP("siocspgrp", ioctl(pair[0], SIOCSPGRP, &victim));
    return finish();
}
