"""A server that publishes a file: asking it over HTTP, and telling what it answers.

Only GET is used, because the storage behind some archives refuses HEAD.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, InvalidURL, RemoteDisconnected, responses
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from simtool import __version__

__all__ = ["Answer", "BreakError", "RefusalError", "ask", "host_of"]

#: Bytes taken from the network at a time.
_BLOCK = 1 << 18
#: Answers that may be another one in a moment.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
#: How a web page begins, whatever type the server gives it.
_WEB_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml)", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:(\d+)|\*)")


class BreakError(Exception):
    """A failure that may be over in a moment.

    Attributes:
        wait: seconds for which the server asks; 0 where it does not.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class RefusalError(Exception):
    """This server will not give the file, however often it is asked."""


class Answer:
    """What a server is about to send: a whole file, or the rest of one.

    Attributes:
        rest: whether it sends the rest of a file.
        start: position of the first byte in the file.
        total: size of the whole file in bytes; None where the server does not say.
        validator: its strong ETag, else the date of its last change; None where the server gives neither.
    """

    def __init__(self, response: HTTPResponse) -> None:
        headers = response.headers
        self._response = response
        self.rest = response.status == HTTPStatus.PARTIAL_CONTENT
        self.start, total = 0, headers.get("Content-Length", "")
        if self.rest:
            found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
            if found is None:
                raise RefusalError("the server does not say which part of the file it sends")
            self.start, total = int(found[1]), found[2] or ""
        self.total = int(total) if total.isdigit() else None
        etag = headers.get("ETag")
        self.validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")

    def blocks(self) -> Iterator[bytes]:
        """The bytes as they arrive.

        Raises:
            BreakError: the connection breaks off.
        """
        while True:
            try:
                block = self._response.read1(_BLOCK)
            except (OSError, HTTPException) as failure:
                raise BreakError(f"the connection broke off ({_words(failure)})") from failure
            if not block:
                return
            yield block

    def close(self) -> None:
        """Hang up."""
        self._response.close()


def host_of(url: str) -> str:
    """The server of an address, as people know it."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url


def ask(url: str, start: int, validator: str | None, silence: float) -> Answer:
    """Ask for a file from byte ``start`` on.

    Args:
        url: http or https; redirects are followed.
        start: how many bytes are there already.
        validator: what the server said of the file when they came: it sends the whole file if that has changed.
        silence: seconds without a byte after which the connection counts as broken.

    Raises:
        BreakError: it may work the next time.
        RefusalError: it will not.
    """
    headers = {"User-Agent": f"simtool/{__version__}", "Accept": "*/*"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = _opener().open(request.Request(url, headers=headers), timeout=silence)  # noqa: S310 - http only
        if response.status == HTTPStatus.OK and _is_web_page(response):
            response.close()
            raise RefusalError("the server sent a web page instead of the archive")
    except HTTPError as failure:
        with failure:
            raise _refusal(failure) from failure
    except URLError as failure:
        raise _unreachable(failure.reason) from failure
    except (InvalidURL, ValueError) as failure:
        raise RefusalError("not a valid address") from failure
    except (OSError, HTTPException) as failure:
        raise BreakError(_words(failure)) from failure
    return Answer(response)


def _opener() -> request.OpenerDirector:
    """What speaks http and https, by way of the user's proxies, and nothing else, redirected or not."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _is_web_page(response: HTTPResponse) -> bool:
    return response.headers.get_content_type() == "text/html" or _WEB_PAGE.match(response.peek(256)) is not None


def _refusal(failure: HTTPError) -> BreakError | RefusalError:
    if HTTPStatus.MULTIPLE_CHOICES <= failure.code < HTTPStatus.BAD_REQUEST:
        return RefusalError("the server redirects in a circle")
    # The usual words for the number: the server's own may be anything.
    reason = f"the server answered {failure.code} {responses.get(failure.code, '')}".rstrip()
    if failure.code not in _PASSING:
        return RefusalError(reason)
    after = failure.headers.get("Retry-After", "")
    return BreakError(reason, wait=float(after) if after.isdigit() else 0.0)


def _unreachable(reason: str | BaseException) -> BreakError | RefusalError:
    if isinstance(reason, str):
        return RefusalError("not an http or https address")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return RefusalError(f"its certificate is not trusted ({reason.verify_message})")
    if isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN:
        return RefusalError("there is no such host")
    return BreakError(_words(reason))


def _words(reason: BaseException) -> str:
    """What the network said, for people."""
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, socket.gaierror):
        return "the name of the host cannot be looked up"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    if isinstance(reason, RemoteDisconnected):
        return "the server hung up"
    # Not its text, which may quote whatever the server sent.
    return f"no proper HTTP: {type(reason).__name__}"
