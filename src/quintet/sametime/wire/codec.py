"""Numbers, booleans, strings and opaques (P5): functions that write them, and a bounded reader.

Text is `str`. Bytes that are not UTF-8 travel as surrogates (PEP 383), so that names and ids come back byte
for byte (P6).
"""

from collections.abc import Callable, Mapping
from struct import Struct, error
from typing import Final, TypeVar, final

from quintet.sametime.errors import MalformedMessageError, UnencodableValueError, UnknownMessageTypeError

MAX_STRING: Final = 0xFFFF
"""Bytes in a string."""

MAX_ELEMENTS: Final = 10_000
"""Elements of a list in any message, unless a message says otherwise: some 20 ms of work (P69)."""

_U16 = Struct(">H")
_U32 = Struct(">I")

T = TypeVar("T")


def u16(value: int) -> bytes:
    try:
        return _U16.pack(value)
    except error:
        raise UnencodableValueError(f"{value} is not an unsigned 16-bit number") from None


def u32(value: int) -> bytes:
    try:
        return _U32.pack(value)
    except error:
        raise UnencodableValueError(f"{value} is not an unsigned 32-bit number") from None


def boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def string(text: str) -> bytes:
    """A string. Raises UnencodableValueError for a NUL, or more than 65,535 bytes (P6)."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UnencodableValueError("a string with surrogates that stand for no byte") from None
    if len(data) > MAX_STRING:
        raise UnencodableValueError(f"a string of {len(data)} bytes; {MAX_STRING} are possible")
    if 0 in data:
        raise UnencodableValueError("a string with a NUL")
    return _U16.pack(len(data)) + data


def opaque(data: bytes) -> bytes:
    return _U32.pack(len(data)) + data


def clip(text: str, size: int = MAX_STRING) -> str:
    """The beginning of `text` that fits in `size` bytes and splits no character; NULs become spaces.

    For text from a directory, which a string may not be able to carry as it is.
    """
    text = text.replace("\0", " ")
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= size:
        return text
    while size and data[size] & 0xC0 == 0x80:
        size -= 1
    return data[:size].decode("utf-8", "surrogateescape")


@final
class WireReader:
    """A cursor over `data[at:end]`. Each method reads what comes next, or raises MalformedMessageError."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self.end - self.at

    def u16(self) -> int:
        at = self.skip(2)
        value: int = _U16.unpack_from(self.data, at)[0]
        return value

    def u32(self) -> int:
        at = self.skip(4)
        value: int = _U32.unpack_from(self.data, at)[0]
        return value

    def boolean(self) -> bool:
        return self.data[self.skip(1)] != 0

    def string(self) -> str:
        data = self.string_bytes()
        if 0 in data:
            raise MalformedMessageError(f"a NUL in the string that ends at byte {self.at}")
        return data.decode("utf-8", "surrogateescape")

    def string_bytes(self) -> bytes:
        """A string as its bytes, whatever they are."""
        size = self.u16()
        at = self.skip(size)
        return self.data[at : at + size]

    def opaque(self) -> bytes:
        size = self.u32()
        at = self.skip(size)
        return self.data[at : at + size]

    def within_opaque(self) -> "WireReader":
        """A reader over the content of an opaque; this one goes on behind it."""
        size = self.u32()
        at = self.skip(size)
        return WireReader(self.data, at, at + size)

    def count(self, smallest: int, most: int = MAX_ELEMENTS) -> int:
        """A `u32` that says how many elements follow, each of at least `smallest` bytes.

        It is believed only if so many can be there (P69).
        """
        count = self.u32()
        if count > most:
            raise MalformedMessageError(f"{count} elements; the limit is {most}")
        if count * smallest > self.remaining:
            raise MalformedMessageError(f"{count} elements in {self.remaining} bytes")
        return count

    def rest(self) -> bytes:
        """All that is left."""
        at, self.at = self.at, self.end
        return self.data[at : self.end]

    def skip(self, size: int) -> int:
        """Move behind `size` bytes; where they begin."""
        at = self.at
        if size > self.end - at:
            raise MalformedMessageError(f"{size} bytes expected at byte {at}; {self.end - at} are left")
        self.at = at + size
        return at


def read_as(
    table: Mapping[int, Callable[[WireReader], T]], service: str, message_type: int, data: bytes
) -> T:
    """The message of a service that `data` is by its type.

    Raises UnknownMessageTypeError, or MalformedMessageError.
    """
    read = table.get(message_type)
    if read is None:
        raise UnknownMessageTypeError(service, message_type)
    return read(WireReader(data))
