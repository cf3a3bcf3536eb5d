"""Just enough BER to read a PKCS#12 file, and just enough DER to write one (X.690)."""

from collections.abc import Iterator
from dataclasses import dataclass

INTEGER, OCTET_STRING, NULL, OID, UTF8_STRING, BMP_STRING = 0x02, 0x04, 0x05, 0x06, 0x0C, 0x1E
SEQUENCE, SET = 0x30, 0x31
CONTEXT_0 = 0xA0
_CONSTRUCTED = 0x20
_DEEPEST = 32
_MOST = 10_000


class DerError(ValueError):
    """The bytes are not BER."""


@dataclass(frozen=True, slots=True)
class DerValue:
    """One value: its tag, its content, and how many bytes it took with its header."""

    tag: int
    content: bytes
    size: int

    def children(self) -> tuple["DerValue", ...]:
        """The values inside. Raises `DerError`."""
        if not self.tag & _CONSTRUCTED:
            raise DerError(f"tag {self.tag:#04x} holds no other values")
        return tuple(_each(self.content))

    def expect(self, tag: int) -> "DerValue":
        """The value itself, when it has that tag. Raises `DerError`."""
        if self.tag != tag:
            raise DerError(f"tag {self.tag:#04x} stands where {tag:#04x} must")
        return self

    def sequence(self) -> tuple["DerValue", ...]:
        return self.expect(SEQUENCE).children()

    def integer(self) -> int:
        return int.from_bytes(self.expect(INTEGER).content, signed=True)

    def octet_string(self, tag: int = OCTET_STRING, depth: int = 0) -> bytes:
        """The bytes of an octet string, also of one that comes in parts (X.690 8.7.3)."""
        if self.tag == tag | _CONSTRUCTED and depth < _DEEPEST:
            return b"".join(part.octet_string(depth=depth + 1) for part in self.children())
        return self.expect(tag).content


def parse(data: bytes) -> DerValue:
    """The value that `data` begins with. Raises `DerError`."""
    return _node(data, 0, len(data), 0)


def _each(data: bytes) -> Iterator[DerValue]:
    at = count = 0
    while at < len(data):
        node = _node(data, at, len(data), 0)
        at += node.size
        count += 1
        if count > _MOST:
            raise DerError(f"more than {_MOST} values stand side by side")
        yield node


def _node(data: bytes, at: int, end: int, depth: int) -> DerValue:
    if depth > _DEEPEST:
        raise DerError("values are nested too deeply")
    if end - at < 2:
        raise DerError("it ends within a header")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise DerError("a tag takes more than one byte")
    if length == 0x80:
        return _indefinite(data, at, end, depth)
    if length > 0x80:
        raw = length & 0x7F
        if raw > 4 or end - start < raw:
            raise DerError("a length takes too many bytes")
        length = int.from_bytes(data[start : start + raw])
        start += raw
    if length > end - start:
        raise DerError(f"{length - (end - start)} bytes are missing at the end")
    return DerValue(tag, data[start : start + length], start + length - at)


def _indefinite(data: bytes, at: int, end: int, depth: int) -> DerValue:
    """A value without a length, which two zero bytes end (X.690 8.1.3.6)."""
    if not data[at] & _CONSTRUCTED:
        raise DerError("a simple value has no length")
    inside = at + 2
    while data[inside : inside + 2] != b"\0\0":
        inside += _node(data, inside, end, depth + 1).size
    if inside + 2 > end:
        raise DerError("the end of a value is missing")
    return DerValue(data[at], data[at + 2 : inside], inside + 2 - at)


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    raw = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(raw))) + raw + content


def sequence(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, *parts)


def integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def octet_string(data: bytes) -> bytes:
    return tlv(OCTET_STRING, data)


def oid(dotted: str) -> bytes:
    """An object identifier, encoded: what stands behind its header (X.690 8.19)."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        encoded += bytes(reversed(groups))
    return bytes(encoded)
