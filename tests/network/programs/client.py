"""Fetches URLs with one of Python's clients, and reports in the form of attack.h.

    client.py LIBRARY CA STEP=URL...       LIBRARY: urllib, requests, httpx, asyncio

A step is OPEN when the answer has status 200; otherwise it is BLOCKED with the kind of error that the library gave.
"""

import asyncio
import socket
import ssl
import sys
import urllib.parse


def root(error):
    """The error of the operating system or of the TLS library below what the client made of it."""
    seen = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((word for word in error.args if isinstance(word, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error


def name(error):
    error = root(error)
    if isinstance(error, socket.gaierror):
        return {value: key for key, value in vars(socket).items() if key.startswith("EAI_")}[error.errno]
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        import errno
        return errno.errorcode[error.errno]
    return type(error).__name__


def with_urllib(url, ca):
    import urllib.request
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=ca)) as answer:
        answer.read()
        return answer.status


def with_requests(url, ca):
    import requests
    return requests.get(url, verify=ca).status_code


def with_httpx(url, ca):
    import httpx
    return httpx.get(url, verify=ssl.create_default_context(cafile=ca), follow_redirects=True).status_code


def with_asyncio(url, ca):
    async def fetch():
        parts = urllib.parse.urlsplit(url)
        context = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        port = parts.port or (443 if context else 80)
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
        writer.write(f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n".encode())
        status = int((await reader.readline()).split()[1])
        await reader.read()
        writer.close()
        return status
    return asyncio.run(fetch())


fetch = globals()[f"with_{sys.argv[1]}"]
for word in sys.argv[3:]:
    step, url = word.split("=", 1)
    try:
        status = fetch(url, sys.argv[2])
        line = f"OPEN {step}" if status == 200 else f"BLOCKED {step} {status}"
    except Exception as error:
        line = f"BLOCKED {step} {name(error)}"
    print(line, file=sys.stderr, flush=True)
