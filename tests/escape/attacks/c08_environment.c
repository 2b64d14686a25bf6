/* Attacks C8, D3 and D5.
 * Vulnerability: variables that make a program load code (LD_PRELOAD, NODE_OPTIONS …) or lead to an agent.
 * Vector: the client's environment holds them; the server looks.
 * Expected: they are not there (reported as ENOENT), and their names are in session.start. */
#include "attack.h"

int main(int argc, char **argv) {
    begin();
    for (int i = 1; i < argc; i++) report(argv[i], getenv(argv[i]) ? 0 : ENOENT);
    return finish();
}
