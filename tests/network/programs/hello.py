"""What a connection may say first: attacks on the check of SNI and Host, reported in the form of attack.h.

    hello.py CA STEP...

Every step connects by a name that is listed, and then says something else. A step is OPEN when the far side took it:
a TLS handshake that ended, an answer with status 200, or `taken` from the test's own server; otherwise it is BLOCKED,
and `how` is RESET for a reset and EOF for an end without an answer.
"""

import socket
import ssl
import sys

NAME = "example.com"
OWN = "own.example.com"


def dial(name=NAME, port=443):
    sock = socket.create_connection((name, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def context():
    made = ssl.create_default_context(cafile=sys.argv[1])
    made.check_hostname = False
    return made


def greet(sni, name=NAME, piece=None, made=None):
    """A handshake; the hello goes out in pieces of so many bytes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = (made or context()).wrap_bio(incoming, outgoing, server_hostname=sni)
    with dial(name) as sock:
        while True:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            data = outgoing.read()
            size = piece or max(len(data), 1)
            for at in range(0, len(data), size):
                sock.sendall(data[at:at + size])
            if done:
                return
            data = sock.recv(65536)
            if not data:
                raise EOFError
            incoming.write(data)


def say(text, name=NAME, port=80, then=None):
    """Sends it, and wants a status of 200 for each of the requests in it."""
    with dial(name, port) as sock:
        sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)
        if then:
            expect_ok(sock)
            sock.sendall(then.encode("latin-1"))
        expect_ok(sock)


def expect_ok(sock):
    seen = b""
    while b"\r\n\r\n" not in seen:
        data = sock.recv(65536)
        if not data:
            raise EOFError
        seen += data
    status, rest = seen.split(b"\r\n\r\n", 1)
    if not status.startswith(b"HTTP/1.1 200"):
        raise ValueError(status.split(b"\r\n")[0].decode())
    lengths = [line.split(b":")[1] for line in status.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    left = int(lengths[0]) - len(rest) if lengths else 0
    while left > 0:
        left -= len(sock.recv(left))


def to_own(data, port):
    """To the test's own server, which answers anything with `taken`."""
    with dial(OWN, port) as sock:
        sock.sendall(data)
        if sock.recv(16) != b"taken":
            raise EOFError


def request(host, target="/", method="GET", version="1.1", more=""):
    head = f"{method} {target} HTTP/{version}\r\n"
    if host is not None:
        head += f"Host: {host}\r\n"
    return head + more + "\r\n"


def old_tls():
    made = context()
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    return made


STEPS = {
    # TLS
    "listed-sni": lambda: greet(NAME),
    "other-listed-sni": lambda: greet("www.example.com"),
    "upper-case-sni": lambda: greet("EXAMPLE.com"),
    "split-hello": lambda: greet(NAME, piece=1),
    "tls-1.2": lambda: greet(NAME, made=old_tls()),
    "sni-mismatch": lambda: greet("evil.io"),
    "sni-mismatch-split": lambda: greet("evil.io", piece=1),
    "sni-suffix": lambda: greet("example.com.evil.io"),
    "no-sni": lambda: greet(None),
    "sni-mismatch-1.2": lambda: greet("evil.io", made=old_tls()),
    "not-tls": lambda: to_own(b"SSH-2.0-OpenSSH_9.2\r\n", 443),
    "http-on-443": lambda: to_own(request(OWN).encode(), 443),
    "half-a-record": lambda: to_own(b"\x16\x03\x01\x02\x00\x02", 443),
    # HTTP
    "listed-host": lambda: say(request(NAME)),
    "host-with-port": lambda: say(request(f"{NAME}:80")),
    "host-upper-case": lambda: say(request("Example.COM")),
    "absolute-form": lambda: say(request(NAME, f"http://{NAME}/")),
    "keep-alive": lambda: say(request(NAME), then=request(NAME)),
    "host-mismatch": lambda: say(request("evil.io")),
    "host-suffix": lambda: say(request("example.com.evil.io")),
    "host-user": lambda: say(request("example.com@evil.io")),
    "host-missing": lambda: say(request(None, version="1.0")),
    "host-twice": lambda: say(request(NAME, more="Host: evil.io\r\n")),
    "host-twice-other-first": lambda: say(request("evil.io", more=f"Host: {NAME}\r\n")),
    "absolute-form-mismatch": lambda: say(request(NAME, "http://evil.io/")),
    "host-mismatch-absolute": lambda: say(request("evil.io", f"http://{NAME}/")),
    "connect": lambda: say(request("evil.io:443", "evil.io:443", "CONNECT")),
    "connect-listed-host": lambda: say(request(NAME, "evil.io:443", "CONNECT")),
    "connect-other-port": lambda: say(request(NAME, f"{NAME}:8080", "CONNECT")),
    "second-request": lambda: say(request(NAME), then=request("evil.io")),
    "pipelined-request": lambda: say(request(NAME) + request("evil.io"), then=None),
    "not-http": lambda: to_own(b"SSH-2.0-OpenSSH_9.2\r\n", 80),
    "http-2": lambda: to_own(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 80),
    "tls-on-80": lambda: to_own(bytes.fromhex("1603010200010001fc0303") + bytes(32), 80),
    "header-bare-cr": lambda: say(f"GET / HTTP/1.1\r\nX: y\rHost: evil.io\r\nHost: {NAME}\r\n\r\n"),
    "endless-header": lambda: to_own(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 40_000, 80),
}


def how(error):
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "RESET"
    if isinstance(error, (EOFError, ssl.SSLEOFError)):
        return "EOF"
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        import errno
        return errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__


for step in sys.argv[2:]:
    try:
        STEPS[step]()
        line = f"OPEN {step}"
    except Exception as error:
        line = f"BLOCKED {step} {how(error)}"
    print(line, file=sys.stderr, flush=True)
