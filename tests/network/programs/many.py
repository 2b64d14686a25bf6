"""Many connections, and slow ones; reports in the form of attack.h.

    many.py NAME PORT STEP...

    hold:N     N connections, all held until the last step     again:N    N more, one at a time, each closed at once
    drop       closes what is held                             late       a request in two halves, a moment apart
    silent     says nothing, and waits for the end             half       half a request, then nothing
    trickle    a request that goes on, a byte at a time        idle       a request, its answer, then nothing

`hold` and `again` are a step for each connection: hold.1, hold.2 …
"""

import errno
import socket
import sys
import threading
import time

name, port = sys.argv[1], int(sys.argv[2])
REQUEST = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
held = []


def dial():
    sock = socket.create_connection((name, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def answered(sock):
    data = sock.recv(65536)
    if not data:
        raise EOFError
    if not data.startswith(b"HTTP/1.1 200"):
        raise ValueError(data[:20])


def until_the_end(sock):
    while sock.recv(65536):
        pass
    raise EOFError


def hold():
    sock = dial()
    sock.sendall(REQUEST)
    answered(sock)
    held.append(sock)


def again():
    with dial() as sock:
        sock.sendall(REQUEST)
        answered(sock)


def late():
    with dial() as sock:
        sock.sendall(REQUEST[:20])
        time.sleep(0.2)
        sock.sendall(REQUEST[20:])
        answered(sock)


def silent():
    with dial() as sock:
        until_the_end(sock)


def half():
    with dial() as sock:
        sock.sendall(REQUEST[:20])
        until_the_end(sock)


def trickle():
    with dial() as sock:
        def drip():
            try:
                sock.sendall(REQUEST[:-2])
                while True:
                    sock.sendall(b"X")
                    time.sleep(0.05)
            except OSError:
                pass
        threading.Thread(target=drip, daemon=True).start()
        until_the_end(sock)


def idle():
    with dial() as sock:
        sock.sendall(REQUEST)
        answered(sock)
        until_the_end(sock)


def drop():
    while held:
        held.pop().close()


def tried(step, act):
    try:
        act()
        line = f"OPEN {step}"
    except EOFError:
        line = f"BLOCKED {step} EOF"
    except OSError as error:
        line = f"BLOCKED {step} {errno.errorcode.get(error.errno, error.errno)}"
    print(line, file=sys.stderr, flush=True)


for word in sys.argv[3:]:
    kind, _, count = word.partition(":")
    act = globals()[kind]
    if count:
        for number in range(1, int(count) + 1):
            tried(f"{kind}.{number}", act)
    else:
        tried(kind, act)
