"""HTTP requests for published files, and the servers' answers.

Only GET is used, because the storage of some archives refuses HEAD.
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

#: Bytes read from the network at a time.
_BLOCK = 1 << 18
#: Status codes of temporary failures.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
#: The beginning of a web page, whatever content type the server states.
_WEB_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml)", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:(\d+)|\*)")


class BreakError(Exception):
    """A temporary failure.

    Attributes:
        wait: the wait in seconds that the server asks for; 0 without a request.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class RefusalError(Exception):
    """A permanent failure: this server does not send the file."""


class Answer:
    """A server's answer: a whole file, or the rest of a file.

    Attributes:
        rest: whether the server sends the rest of a file.
        start: the position of the first byte in the file.
        total: the size of the whole file in bytes; None if unknown.
        validator: its strong ETag, else the date of its last change; None if the server sends neither.
    """

    def __init__(self, response: HTTPResponse) -> None:
        headers = response.headers
        self._response = response
        self.rest = response.status == HTTPStatus.PARTIAL_CONTENT
        self.start, total = 0, headers.get("Content-Length", "")
        if self.rest:
            found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
            if found is None:
                raise RefusalError("the server does not state which part of the file it sends")
            self.start, total = int(found[1]), found[2] or ""
        self.total = int(total) if total.isdigit() else None
        etag = headers.get("ETag")
        self.validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive; raise a BreakError if the connection breaks."""
        while True:
            try:
                block = self._response.read1(_BLOCK)
            except (OSError, HTTPException) as failure:
                raise BreakError(f"the connection broke ({_words(failure)})") from failure
            if not block:
                return
            yield block

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def host_of(url: str) -> str:
    """Return the host of an address."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url


def ask(url: str, start: int, validator: str | None, silence: float) -> Answer:
    """Request a file from byte ``start``.

    Args:
        url: http or https; redirects are followed.
        start: the number of existing bytes.
        validator: the file's validator when these bytes were sent; the server sends the whole file if it changed.
        silence: seconds without a byte after which the connection counts as broken.

    Raises:
        BreakError: a later attempt can succeed.
        RefusalError: no later attempt can succeed.
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
    """Return an opener for http and https only, also after redirects; it uses the user's proxies."""
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
        return RefusalError("the server redirects in a loop")
    # The standard phrase of the status code; the server's own text is not trusted.
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
        return RefusalError("unknown host")
    return BreakError(_words(reason))


def _words(reason: BaseException) -> str:
    """Return a readable description of a network error."""
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, socket.gaierror):
        return "the host name cannot be resolved"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    if isinstance(reason, RemoteDisconnected):
        return "the server closed the connection"
    # The text of the exception can quote anything that the server sent.
    return f"not valid HTTP: {type(reason).__name__}"
