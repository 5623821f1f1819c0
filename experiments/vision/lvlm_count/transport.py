"""Requests to a server that nobody vouches for: an address without secrets, no redirects, a deadline."""

import contextlib
import dataclasses
import http.client
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

LARGEST = 1 << 20
"""Bytes of an answer; a count takes some hundreds."""
REFUSAL = 1 << 11
"""Bytes that are read of a refusal, whose words are cut anyway."""
CHUNK = 1 << 14


class EndpointError(ExperimentError):
    """A model's server has no valid address, refuses, is not there, or gives no count."""


def checked_address(address: str) -> str:
    """The address, if it is one of a server up to `/chat/completions`, and holds no secret.

    Raises:
        EndpointError: for another scheme, no host, a user or password, a query or a fragment; it shows
            the address without them.
    """
    said = quoted(address, secret=True)
    if not address.isascii() or not address.isprintable() or " " in address:
        raise EndpointError(f"{said} is no address; it holds printable ASCII characters alone")
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname
        _ = parts.port  # raises if it is none
    except ValueError as error:
        # The error repeats what it could not read, which may be a password.
        raise EndpointError(f"{said} is no address; its host or port cannot be read") from error
    if parts.scheme not in ("http", "https"):
        raise EndpointError(f"{said} is no address; it begins with http:// or https://")
    if "@" in parts.netloc:
        raise EndpointError(f"{said} holds a user or a password; give a key by OPENAI_API_KEY")
    if "?" in address or "#" in address:
        raise EndpointError(f"{said} has a query or a fragment; an address ends like /v1")
    if not host:
        raise EndpointError(f"{said} is no address; it names no host")
    return address


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server said.

    Args:
        status: 200 and the like; any.
        content: of the answer; the beginning, if the status is an error's.
        location: where it sends the asker instead; nobody goes there.
    """

    status: int
    content: bytes
    location: str = ""


def post(
    address: str, body: bytes, headers: Mapping[str, str], *, timeout: float, largest: int = LARGEST
) -> Answer:
    """Sends a request and waits for the whole answer, whatever its status.

    A redirect is an answer like any other: whoever follows one carries the key to another host.

    Args:
        address: with http:// or https://.
        body, headers: of the request.
        timeout: seconds until the last byte of the answer, however the server spreads them.
        largest: bytes that an answer may have.

    Raises:
        TimeoutError: nothing whole came in time; the connection is cut.
        OSError: there is no connection, or it broke.
        http.client.HTTPException: what came is no HTTP.
        ValueError: the answer is too large.
    """
    deadline = time.monotonic() + timeout
    sockets: list[socket.socket] = []
    answers: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            request = urllib.request.Request(address, data=body, headers=dict(headers))
            answers.put(_sent(request, sockets, timeout, deadline, largest))
        except Exception as error:
            answers.put(error)  # and it is raised where it is waited for

    # No timeout of a socket bounds the sum of many short waits, nor a look-up of a name.
    threading.Thread(target=work, daemon=True).start()
    try:
        found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise TimeoutError(f"no whole answer within {timeout:g} s") from None
    finally:
        _cut(sockets)
    if isinstance(found, Exception):
        raise found
    return found


def _sent(
    request: urllib.request.Request,
    sockets: list[socket.socket],
    timeout: float,
    deadline: float,
    largest: int,
) -> Answer:
    opener = urllib.request.build_opener(_Stay, _Http(sockets, deadline), _Https(sockets, deadline))
    try:
        with opener.open(request, timeout=timeout) as answer:
            content = _read(answer, deadline, largest + 1)
            if len(content) > largest:
                raise ValueError(f"an answer of more than {largest} bytes")
            return Answer(answer.status, content)
    except urllib.error.HTTPError as error:
        with error:
            location = error.headers.get("Location") or ""
            return Answer(error.code, _read(error, deadline, REFUSAL), location)


def _read(answer: Any, deadline: float, most: int) -> bytes:
    content = b""
    while len(content) < most and (part := answer.read1(min(CHUNK, most - len(content)))):
        content += part
        _check(deadline)
    return content


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("the deadline is over")


def _cut(sockets: list[socket.socket]) -> None:
    """Ends every connection, under the reader's feet if there still is one."""
    for opened in sockets:
        # It may be closed already. Not an SSL socket's own shutdown, which suffers no reader beside it.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(opened, socket.SHUT_RDWR)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _kept(
    kind: type[http.client.HTTPConnection], sockets: list[socket.socket], deadline: float
) -> type[http.client.HTTPConnection]:
    """Connections of a kind that are noted once they are there, and not used if that is too late."""

    class Kept(kind):  # type: ignore[misc,valid-type]
        def connect(self) -> None:
            super().connect()
            sockets.append(self.sock)
            _check(deadline)

    return Kept


class _Http(urllib.request.HTTPHandler):
    def __init__(self, sockets: list[socket.socket], deadline: float) -> None:
        super().__init__()
        self._kind = _kept(http.client.HTTPConnection, sockets, deadline)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._kind, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, sockets: list[socket.socket], deadline: float) -> None:
        super().__init__()
        self._kind = _kept(http.client.HTTPSConnection, sockets, deadline)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._kind, req, context=ssl.create_default_context())
