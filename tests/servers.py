"""A web server on the loopback interface that serves one file, with faults that a test chooses."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = [
    "ArchiveServer",
    "Turn",
    "breaks_after",
    "ignores_range",
    "sends",
    "serving",
    "slowly",
    "status",
    "web_page",
    "without_length",
]


@dataclass(frozen=True)
class Request:
    """A request of a client to the storage."""

    method: str
    range: str | None
    if_range: str | None


class ArchiveServer(ThreadingHTTPServer):
    """Serves ``content`` under ``url``, by way of a redirect, with an ETag and ranges; refuses HEAD.

    Attributes:
        content: what it serves; may be changed at any time.
        turns: how the next requests are answered, one each, before it behaves.
        always: how requests are answered when no turn is left.
        requests: what has been asked.
        etags: whether it states an ETag.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.turns: deque[Turn] = deque()
        self.always: Turn = _properly
        self.requests: list[Request] = []
        self.etags = True

    @property
    def url(self) -> str:
        """The address that redirects to the storage."""
        return f"http://127.0.0.1:{self.server_port}/records/files/archive?download=1"

    @property
    def etag(self) -> str:
        """The ETag, which depends on the content."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up; the tests cause this."""


class _Handler(BaseHTTPRequestHandler):
    server: ArchiveServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.server.requests.append(Request("HEAD", None, None))
        self.reply(403, b"")

    def do_GET(self) -> None:
        if not self.path.startswith("/storage/"):
            self.reply(302, b"", Location="/storage/archive?signature=for-this-request-only")
            return
        server = self.server
        server.requests.append(Request("GET", self.headers.get("Range"), self.headers.get("If-Range")))
        (server.turns.popleft() if server.turns else server.always)(self)

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        """Send a status, headers (``Content_Type`` for Content-Type; the length may be wrong) and a body."""
        self.send_response(code)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def announce(self, start: int) -> None:
        """Send the headers of the content from byte ``start``."""
        size = len(self.server.content)
        stated = {"Content_Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        self.reply(206 if start else 200, b"", Content_Length=str(size - start), **stated, **self.validators())

    def validators(self) -> dict[str, str]:
        return {"ETag": self.server.etag} if self.server.etags else {}

    def start(self) -> int:
        """The first byte that the client requests of this version of the content."""
        wanted, known = self.headers.get("Range"), self.headers.get("If-Range")
        return 0 if wanted is None or known not in (None, self.server.etag) else int(wanted[6:-1])

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


#: A function that answers one request.
Turn = Callable[[_Handler], None]


def _properly(handler: _Handler) -> None:
    content, start = handler.server.content, handler.start()
    if start >= len(content):
        handler.reply(416, b"", Content_Range=f"bytes */{len(content)}")
    else:
        handler.announce(start)
        handler.wfile.write(content[start:])


def breaks_after(size: int) -> Turn:
    """Send that many bytes of the requested content, then hang up."""

    def turn(handler: _Handler) -> None:
        content, start = handler.server.content, handler.start()
        handler.announce(start)
        handler.wfile.write(content[start : start + size])
        handler.hang_up()

    return turn


def ignores_range(handler: _Handler) -> None:
    """Send the whole file in response to a request for the rest."""
    handler.reply(200, handler.server.content, **handler.validators())


def sends(body: bytes, **headers: str) -> Turn:
    """Send different content."""
    return lambda handler: handler.reply(200, body, **headers)


def web_page(handler: _Handler) -> None:
    """Send an error page with a status of success."""
    handler.reply(200, b"<!DOCTYPE html><html>Too many users have viewed this file.</html>", Content_Type="text/html")


def status(code: int, **headers: str) -> Turn:
    """Send an error."""
    return lambda handler: handler.reply(code, b"sorry", **headers)


def without_length(handler: _Handler) -> None:
    """Send the whole file in chunks, without its length."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in _pieces(handler.server.content, 1000):
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def slowly(pause: float, size: int) -> Turn:
    """Send small pieces slowly."""

    def turn(handler: _Handler) -> None:
        content, start = handler.server.content, handler.start()
        handler.announce(start)
        for piece in _pieces(content[start:], size):
            handler.wfile.write(piece)
            time.sleep(pause)

    return turn


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


@contextmanager
def serving(content: bytes) -> Iterator[ArchiveServer]:
    """Run a server in a thread while the body runs."""
    with ArchiveServer(content) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
