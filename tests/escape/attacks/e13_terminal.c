/* Attacks E13 and H3 (CVE-2017-5226).
 * Vulnerability: TIOCSTI types into the user's terminal; a 64-bit comparison in the filter is fooled by high bits that
 *         the kernel throws away.
 * Vector: TIOCSTI, plain and with bit 32 and bit 63 set; TIOCSETD; TIOCLINUX; TIOCCONS, on a terminal of our own.
 * Expected: EPERM, reason syscall.ioctl, before the descriptor is looked at; an unknown command is ENOTTY. */
#include "attack.h"
#include <sys/ioctl.h>
#include <termios.h>

int main(int argc, char **argv) {
    int master, terminal = 0, line = 0;
    struct winsize size;
    (void)argc, (void)argv;
    begin();
    /* Confined there is no terminal to be had; the refusal must not depend on that. */
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master >= 0) {
        if (fork()) {
            int status;
            wait(&status);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
        }
        begin();
        setsid();
        grantpt(master), unlockpt(master);
        terminal = open(ptsname(master), O_RDWR);
        if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0) broken("terminal");
    }
    STEP("sti", syscall(SYS_ioctl, terminal, (unsigned long)TIOCSTI, "x"));
    STEP("sti-bit-32", syscall(SYS_ioctl, terminal, TIOCSTI + (1UL << 32), "x"));
    STEP("sti-bit-63", syscall(SYS_ioctl, terminal, TIOCSTI + (1UL << 63), "x"));
    STEP("line-discipline", ioctl(terminal, TIOCSETD, &line));
    STEP("linux", ioctl(terminal, TIOCLINUX, "\x02"));
    STEP("unknown", ioctl(terminal, 0xdeadbeef, 0));
    if (master >= 0) STEP("window-size", ioctl(terminal, TIOCGWINSZ, &size));
    else blocked("window-size", "ENOTTY");
    return finish();
}
