"""The site of a world: HTTP on port 80 and HTTPS on port 443 of every address that it is given, HTTP on port SERVICE
of all that there are.

    site.py FOLDER SERVICE ADDRESS...        FOLDER holds site.pem and site.key

On stdout first the line `ready`, then one line of JSON for each request, written before the answer goes out. It ends
when its stdin does. Paths:

    /            one line of text that names the host asked for        /robots.txt   everybody may
    /page        a page of HTML                                       /to?URL       302 to that URL
    /bytes?N     N bytes                                              /cut          half of what is promised, then a reset
    /hang        no answer, until the client goes                     POST          takes a body
    CONNECT      a proxy for everybody

What FOLDER/answers.json has for HOST/PATH, the query aside, is answered first: {"api.example.com/user": {...}}, an object as
JSON, a string as text.
"""

import asyncio
import json
import os
import socket
import ssl
import struct
import sys

PAGE = "<html><head><title>A page</title></head><body><article><h1>A page</h1>" + "".join(
    f"<p>Paragraph {n} of a page that is long enough to be the main content of what was fetched.</p>" for n in range(20)
) + "</article></body></html>"


def told(folder, host, path):
    """What a test wants to be answered, and how it is written; None where it said nothing of this."""
    file = os.path.join(folder, "answers.json")
    if not os.path.exists(file):
        return None
    with open(file, encoding="utf-8") as answers:
        found = json.load(answers).get(f"{host}{path.partition('?')[0]}")
    if found is None or isinstance(found, str):
        return found and (found, "text/plain; charset=utf-8")
    return json.dumps(found), "application/json; charset=utf-8"


def say(**fields):
    print(json.dumps(fields), flush=True)


async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def answer(writer, status, body, kind="text/plain", more=""):
    if isinstance(body, str):
        body = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def one_request(reader, writer):
    """Whether there can be another one."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        if ":" in line:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
    if headers.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(headers.get("content-length", 0))
    body = await reader.readexactly(length)
    tls = writer.get_extra_info("ssl_object")
    address, port = writer.get_extra_info("sockname")[:2]
    say(address=address, port=port, sni=getattr(tls, "asked_for", None), tls=tls is not None, method=method,
        target=target, host=headers.get("host"), authorization=headers.get("authorization"), agent=headers.get("user-agent"), body=len(body), text=body[:200].decode("latin-1"))
    path = target
    if target.startswith("http://"):
        path = "/" + target[len("http://"):].partition("/")[2]
    if method == "CONNECT":
        host, _, to = target.rpartition(":")
        upstream = await asyncio.open_connection(host.strip("[]"), int(to))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pipe(reader, upstream[1]), pipe(upstream[0], writer))
        return False
    if path == "/hang":
        await reader.read()
        return False
    if path == "/cut":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        await writer.drain()
        reset(writer)
        return False
    if (wanted := told(sys.argv[1], headers.get("host"), path)) is not None:
        await answer(writer, "200 OK", *wanted)
    elif path.startswith("/to?"):
        await answer(writer, "302 Found", "", more=f"Location: {path[4:]}\r\n")
    elif path.startswith("/bytes?"):
        left = int(path[7:])
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n".encode())
        piece = b"0123456789abcdef" * 4096
        while left:
            n = min(left, len(piece))
            writer.write(piece[:n])
            left -= n
            await writer.drain()
    elif path == "/robots.txt":
        await answer(writer, "200 OK", "User-agent: *\nAllow: /\n")
    elif path == "/page":
        await answer(writer, "200 OK", PAGE, "text/html")
    else:
        await answer(writer, "200 OK", f"hello from {headers.get('host')} at {address}\n")
    return headers.get("connection", "").lower() != "close"


async def serve(reader, writer):
    try:
        while await one_request(reader, writer):
            pass
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError, OSError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def main(folder, service, addresses):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/site.pem", f"{folder}/site.key")

    def greeted(tls, name, _context):
        tls.asked_for = name

    context.sni_callback = greeted
    context.set_alpn_protocols(["http/1.1"])
    for address in addresses:
        await asyncio.start_server(serve, address, 80, backlog=1024)
        await asyncio.start_server(serve, address, 443, ssl=context, backlog=1024)
    # A service that is not the web, on every address.
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        await asyncio.start_server(serve, address, service, family=family, backlog=1024)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
