"""terminal.py ANSWER BETWEEN COMMAND…: COMMAND on a terminal; when it asks, BETWEEN is done by a shell, then ANSWER given."""

import os
import pty
import subprocess
import sys

answer, between, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
said = b""
is_answered = False
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    said += part
    if not is_answered and b"[y/N] " in said:
        is_answered = True
        subprocess.run(["sh", "-c", between], check=True)
        os.write(terminal, answer.encode() + b"\n")
_, status = os.waitpid(pid, 0)
sys.stdout.write(said.decode())
sys.exit(os.waitstatus_to_exitcode(status) if is_answered else 99)
