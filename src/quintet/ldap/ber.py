"""The Basic Encoding Rules, as far as LDAP uses them (RFC 4511 section 5.1): tag, length, value, both ways.

Only definite lengths of at most four bytes and tags of one byte exist here. Anything else raises BerError.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import final

NESTING = 128
"""How deep a message may nest, unless its reader says otherwise."""

ELEMENTS = 120_000
"""How many elements an entry may have, such as the members of a group. To read them takes about 50 ms."""

MAX_INT = 2**31 - 1
"""`maxInt` of RFC 4511: the largest message id, limit or result code."""


class BerError(ValueError):
    """The bytes are not the BER that was expected."""


@lru_cache(4096)
def head(tag: int, length: int) -> bytes:
    """The tag and the length that go before `length` bytes of content."""
    if length < 0x80:
        return bytes((tag, length))
    if length < 0x100:
        return bytes((tag, 0x81, length))
    if length < 0x10000:
        return bytes((tag, 0x82, length >> 8, length & 0xFF))
    return bytes((tag, 0x84)) + length.to_bytes(4, "big")


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element: tag, length, and `parts` as its content."""
    length = 0
    for part in parts:
        length += len(part)
    return b"".join((head(tag, length), *parts))


def integer(value: int, tag: int = 0x02) -> bytes:
    if 0x8000 <= value < 0x800000 and tag == 0x02:  # most message ids
        return (0x0203000000 | value).to_bytes(5, "big")
    content = value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)
    return bytes((tag, len(content))) + content


def enumerated(value: int) -> bytes:
    return integer(value, 0x0A)


def boolean(value: bool, tag: int = 0x01) -> bytes:
    return bytes((tag, 1, 0xFF if value else 0))


def octet_string(data: bytes, tag: int = 0x04) -> bytes:
    return head(tag, len(data)) + data


def sequence(*parts: bytes, tag: int = 0x30) -> bytes:
    return tlv(tag, *parts)


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag of the element at `at`, and where its content starts and stops: never past `end`."""
    if at + 2 > end:
        raise BerError("an element is cut off")
    tag = data[at]
    length = data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise BerError("LDAP has no tags of more than one byte")
    if length >= 0x80:
        count = length & 0x7F
        if not 0 < count <= 4:
            raise BerError("an indefinite length" if not count else f"a length of {count} bytes")
        if at + count > end:
            raise BerError("a length is cut off")
        length = int.from_bytes(data[at : at + count], "big")
        at += count
    stop = at + length
    if stop > end:
        raise BerError("an element is longer than what holds it")
    return tag, at, stop


def check_elements(data: bytes, at: int, end: int, nesting: int = NESTING, most: int = ELEMENTS) -> None:
    """Raise BerError unless all elements are well formed, none nests too deep, and they are not too many."""
    ends: list[int] = []
    left = most
    while True:
        while at == end:
            if not ends:
                return
            end = ends.pop()
        tag, start, stop = header(data, at, end)
        left -= 1
        if left < 0:
            raise BerError(f"a message of more than {most} elements")
        if tag & 0x20:
            if len(ends) >= nesting:
                raise BerError(f"elements nest deeper than {nesting}")
            ends.append(end)
            at, end = start, stop
        else:
            at = stop


@final
class Reader:
    """A cursor over the elements in `data[at:end]`. Each method reads the next one, or raises BerError."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self.at < self.end

    def next_is(self, tag: int) -> bool:
        return self.at < self.end and self.data[self.at] == tag

    def any(self) -> tuple[int, int, int]:
        """The tag of the next element, and where its content starts and stops."""
        tag, start, self.at = header(self.data, self.at, self.end)
        return tag, start, self.at

    def content(self, tag: int) -> tuple[int, int]:
        """Where the content of the next element starts and stops; it must have this tag."""
        found, start, stop = header(self.data, self.at, self.end)
        if found != tag:
            raise BerError(f"the tag {found:#04x} where {tag:#04x} belongs")
        self.at = stop
        return start, stop

    def inside(self, tag: int = 0x30) -> "Reader":
        """A cursor over what the next element holds."""
        start, stop = self.content(tag)
        return Reader(self.data, start, stop)

    def each(self, tag: int = 0x30) -> Iterator["Reader"]:
        """All that is left, element by element: each must have this tag."""
        while self.at < self.end:
            yield self.inside(tag)

    def octet_string(self, tag: int = 0x04) -> bytes:
        start, stop = self.content(tag)
        return self.data[start:stop]

    def text(self, tag: int = 0x04) -> str:
        """An octet string as text; bytes that are not UTF-8 become surrogates (PEP 383)."""
        return self.octet_string(tag).decode("utf-8", "surrogateescape")

    def texts(self, tag: int = 0x04) -> tuple[str, ...]:
        """All that is left, as text."""
        found = []
        while self.at < self.end:
            found.append(self.text(tag))
        return tuple(found)

    def integer(self, tag: int = 0x02) -> int:
        """A number from 0 to `MAX_INT`: LDAP has no others. Leading zero bytes are tolerated."""
        start, stop = self.content(tag)
        if not 1 <= stop - start <= 8:
            raise BerError(f"an integer of {stop - start} bytes")
        value = int.from_bytes(self.data[start:stop], "big", signed=True)
        if not 0 <= value <= MAX_INT:
            raise BerError(f"{value} is out of range")
        return value

    def boolean(self, tag: int = 0x01) -> bool:
        start, stop = self.content(tag)
        if stop - start != 1:
            raise BerError(f"a boolean of {stop - start} bytes")
        return self.data[start] != 0

    def finish(self) -> None:
        """Nothing may be left."""
        if self.at != self.end:
            raise BerError("something follows the last element")
