"""What frequent requests say and are answered, read and made with little work."""

from collections.abc import Sequence
from typing import Any, Final, final
from urllib.parse import unquote_plus

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE

Headers = tuple[tuple[bytes, bytes], ...]
"""Names, in small letters, and values."""

USUAL_HEADERS: Final[Headers] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""What an answer has that does not say otherwise."""
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""What an answer over TLS has."""

_HEAD = "quintet.head"
"""Where a request's scope keeps its head."""


@final
class FixedHeaders:
    """Headers that many answers have: those given, the usual ones, and over TLS one more.

    `plain` and `secure` are their lines as they are sent, without and with TLS.
    """

    __slots__ = ("headers", "plain", "secure")

    def __init__(self, *given: tuple[bytes, bytes]) -> None:
        names = dict(given)
        self.headers: Headers = (*given, *(each for each in USUAL_HEADERS if each[0] not in names))
        self.plain = b"".join(map(header_line, self.headers))
        self.secure = self.plain + header_line(HSTS)


@final
class Content:
    """An answer of these bytes, with headers that others have, too, and its own.

    No name is among both. `secure` is set before it is sent: whether the client is connected over TLS.
    """

    __slots__ = ("body", "fixed", "own", "secure", "status_code")

    def __init__(
        self, body: bytes, fixed: FixedHeaders, *own: tuple[bytes, bytes], status: int = 200
    ) -> None:
        self.status_code = status
        self.body = body
        self.fixed = fixed
        self.own = own
        self.secure = False

    def lines(self) -> bytes:
        """The headers as they are sent. Raises RuntimeError for a value that no header can have."""
        lines = b"%scontent-length: %d\r\n" % (
            self.fixed.secure if self.secure else self.fixed.plain,
            len(self.body),
        )
        return lines + b"".join(map(header_line, self.own)) if self.own else lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's
        """Answer an ASGI server."""
        headers = [(b"content-length", b"%d" % len(self.body)), *self.own, *self.fixed.headers]
        if self.secure:
            headers.append(HSTS)
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


Answer = Content | Response


def header_line(header: tuple[bytes, bytes]) -> bytes:
    """A header as it is sent. Raises RuntimeError for what no header can have, as uvicorn does."""
    name, value = header
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError("invalid HTTP header")
    return b"%s: %s\r\n" % header


@final
class Head:
    """The headers of a request by name, and what was found out from them and from the connection alone.

    Requests that follow one another on a connection mostly have the same headers: they can share one. Values
    of one name are joined as RFC 9110 5.2 and RFC 9113 8.2.3 say. `known` belongs to those who find out.
    """

    __slots__ = ("_pairs", "headers", "known")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs
        self.known: dict[str, Any] = {}
        self.headers: dict[bytes, bytes] = dict(pairs)
        if len(self.headers) != len(pairs):
            values: dict[bytes, list[bytes]] = {}
            for name, value in pairs:
                values.setdefault(name, []).append(value)
            for name, several in values.items():
                self.headers[name] = (b"; " if name == b"cookie" else b", ").join(several)

    def is_that_of(self, pairs: Sequence[tuple[bytes, bytes]]) -> bool:
        """Whether these are the headers, in the same order."""
        return self._pairs == pairs

    def put(self, scope: Scope) -> None:
        """Let this be the head of a request that has the same headers and connection."""
        scope[_HEAD] = self


def head_of(scope: Scope) -> Head:
    """The head of a request."""
    found: Head | None = scope.get(_HEAD)
    if found is None:
        found = Head(scope["headers"])
        found.put(scope)
    return found


def query_fields(query: bytes, *, most: int, errors: str = "replace") -> list[tuple[str, str]]:
    """Names and values of a query, as `urllib.parse.parse_qsl` reads them, those without a value included.

    `errors` is what becomes of bytes that are no UTF-8. Raises ValueError for more than `most`.
    """
    text = query.decode("latin-1")
    pieces = text.split("&")
    if len(pieces) > most:
        raise ValueError("too many parameters")
    fields = [piece.partition("=")[::2] for piece in pieces if piece]
    if "%" in text or "+" in text:
        return [
            (unquote_plus(name, errors=errors), unquote_plus(value, errors=errors)) for name, value in fields
        ]
    return fields
