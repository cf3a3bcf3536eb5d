"""What frequent requests say and are answered, read and made with little work."""

from typing import final
from urllib.parse import unquote_plus

from starlette.responses import Response


@final
class Content(Response):
    """A response of these bytes and headers. Names of headers are in small letters."""

    def __init__(self, body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *headers]


def query_fields(query: bytes, *, most: int, errors: str = "replace") -> list[tuple[str, str]]:
    """Names and values of a query, as `urllib.parse.parse_qsl` reads them, those without a value included.

    `errors` is what becomes of bytes that are no UTF-8. Raises ValueError for more than `most`.
    """
    pieces = query.decode("latin-1").split("&")
    if len(pieces) > most:
        raise ValueError("too many parameters")
    pairs = [piece.partition("=") for piece in pieces if piece]
    if b"%" in query or b"+" in query:
        return [
            (unquote_plus(name, errors=errors), unquote_plus(value, errors=errors))
            for name, _, value in pairs
        ]
    return [(name, value) for name, _, value in pairs]
