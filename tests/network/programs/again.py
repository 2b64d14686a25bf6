"""Asks for a name, connects to what it got, and does all of it once more; reports in the form of attack.h.

    again.py NAME PORT TIMES

Each time is a step, called by its number: OPEN with an answer that names the address it came from, BLOCKED with the
error otherwise. `OPEN n` alone means an answer; `AT n ADDRESS` on a line of its own says from where.
"""

import errno
import socket
import sys

name, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for step in range(1, times + 1):
    try:
        with socket.create_connection((name, port)) as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            text = b""
            while data := sock.recv(65536):
                text += data
        if b" 200 " not in text:
            raise EOFError
        print(f"AT {step} {text.decode().split(' at ')[1].strip()}", file=sys.stderr)
        line = f"OPEN {step}"
    except socket.gaierror as error:
        names = {value: key for key, value in vars(socket).items() if key.startswith("EAI_")}
        line = f"BLOCKED {step} {names[error.errno]}"
    except EOFError:
        line = f"BLOCKED {step} EOF"
    except OSError as error:
        line = f"BLOCKED {step} {errno.errorcode[error.errno]}"
    print(line, file=sys.stderr, flush=True)
