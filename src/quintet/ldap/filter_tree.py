"""Search filters as a tree: to and from BER (RFC 4511 4.5.1.7), and as canonical text (RFC 4515).

A value is bytes from the start and never goes through text again. `filters` reads the text form.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from quintet.ldap import _ber as ber

NESTING = 100
"""How deep a filter may nest, in text and in BER: far more than any server takes."""


class Filter(ABC):
    """Any node. `str(node)` is canonical RFC 4515 text, which `filters.parse` reads back to an equal node."""

    __slots__ = ()

    @abstractmethod
    def encode(self) -> bytes:
        """The BER form."""

    @abstractmethod
    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of `filters`; without any it is always true (RFC 4526)."""

    filters: tuple[Filter, ...]

    def encode(self) -> bytes:
        return ber.tlv(0xA0, *(each.encode() for each in self.filters))

    def __str__(self) -> str:
        return f"(&{''.join(map(str, self.filters))})"


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """Any of `filters`; without any it is never true (RFC 4526)."""

    filters: tuple[Filter, ...]

    def encode(self) -> bytes:
        return ber.tlv(0xA1, *(each.encode() for each in self.filters))

    def __str__(self) -> str:
        return f"(|{''.join(map(str, self.filters))})"


@dataclass(frozen=True, slots=True)
class Not(Filter):
    filter: Filter

    def encode(self) -> bytes:
        return ber.tlv(0xA2, self.filter.encode())

    def __str__(self) -> str:
        return f"(!{self.filter})"


@dataclass(frozen=True, slots=True)
class Equality(Filter):
    attribute: str
    value: bytes

    def encode(self) -> bytes:
        return _assertion(0xA3, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class Substrings(Filter):
    """`initial*any*...*final`; at least one of them is given."""

    attribute: str
    initial: bytes | None = None
    any: tuple[bytes, ...] = ()
    final: bytes | None = None

    def encode(self) -> bytes:
        parts = [ber.octets(part, tag=0x81) for part in self.any]
        if self.initial is not None:
            parts.insert(0, ber.octets(self.initial, tag=0x80))
        if self.final is not None:
            parts.append(ber.octets(self.final, tag=0x82))
        return ber.tlv(0xA4, ber.octets(self.attribute.encode()), ber.sequence(*parts))

    def __str__(self) -> str:
        parts = (self.initial or b"", *self.any, self.final or b"")
        return f"({self.attribute}={'*'.join(map(escape, parts))})"


@dataclass(frozen=True, slots=True)
class GreaterOrEqual(Filter):
    attribute: str
    value: bytes

    def encode(self) -> bytes:
        return _assertion(0xA5, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}>={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class LessOrEqual(Filter):
    attribute: str
    value: bytes

    def encode(self) -> bytes:
        return _assertion(0xA6, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}<={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class Present(Filter):
    attribute: str

    def encode(self) -> bytes:
        return ber.octets(self.attribute.encode(), tag=0x87)

    def __str__(self) -> str:
        return f"({self.attribute}=*)"


@dataclass(frozen=True, slots=True)
class Approximate(Filter):
    attribute: str
    value: bytes

    def encode(self) -> bytes:
        return _assertion(0xA8, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}~={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class Extensible(Filter):
    """A match by `rule`, in `attribute` or in any; with `dn_attributes` in those of the name, too."""

    attribute: str | None
    rule: str | None
    value: bytes
    dn_attributes: bool = False

    def encode(self) -> bytes:
        parts = []
        if self.rule is not None:
            parts.append(ber.octets(self.rule.encode(), tag=0x81))
        if self.attribute is not None:
            parts.append(ber.octets(self.attribute.encode(), tag=0x82))
        parts.append(ber.octets(self.value, tag=0x83))
        if self.dn_attributes:
            parts.append(ber.octets(b"\xff", tag=0x84))
        return ber.tlv(0xA9, *parts)

    def __str__(self) -> str:
        dn = ":dn" if self.dn_attributes else ""
        rule = f":{self.rule}" if self.rule is not None else ""
        return f"({self.attribute or ''}{dn}{rule}:={escape(self.value)})"


def _assertion(tag: int, attribute: str, value: bytes) -> bytes:
    return ber.tlv(tag, ber.octets(attribute.encode()), ber.octets(value))


# valueencoding = 0*(normal / escaped); control characters are escaped as well, so that the text can be logged
_NEEDS_ESCAPE = re.compile(r"[\x00-\x1f\x7f()*\\\udc80-\udcff]")


def escape(value: bytes) -> str:
    """`value` as it stands in a filter's text (RFC 4515 section 3)."""
    return _NEEDS_ESCAPE.sub(
        lambda found: f"\\{found[0].encode('utf-8', 'surrogateescape').hex()}",
        value.decode("utf-8", "surrogateescape"),
    )


def decode(data: bytes) -> Filter:
    """The tree for BER that someone sent. Raises BerError for whatever is no filter, or nests too deep."""
    found, at = _decode(data, 0, len(data), NESTING)
    if at != len(data):
        raise ber.BerError("octets follow the filter")
    return found


def _decode(data: bytes, at: int, end: int, depth: int) -> tuple[Filter, int]:
    if not depth:
        raise ber.BerError(f"the filter nests deeper than {NESTING}")
    tag, at, stop = ber.header(data, at, end)
    match tag:
        case 0xA0 | 0xA1:
            inner = []
            while at < stop:
                each, at = _decode(data, at, stop, depth - 1)
                inner.append(each)
            return (And if tag == 0xA0 else Or)(tuple(inner)), stop
        case 0xA2:
            negated, at = _decode(data, at, stop, depth - 1)
            if at != stop:
                raise ber.BerError("a negation holds exactly one filter")
            return Not(negated), stop
        case 0xA4:
            return _substrings(data, at, stop), stop
        case 0x87:
            return Present(_text(data[at:stop])), stop
        case 0xA9:
            return _extensible(data, at, stop), stop
    if tag not in _ASSERTIONS:
        raise ber.BerError(f"no filter has the tag {tag:#04x}")
    parts = _parts(data, at, stop)
    if [part_tag for part_tag, _ in parts] != [0x04, 0x04]:
        raise ber.BerError("an assertion holds an attribute and a value")
    return _ASSERTIONS[tag](_text(parts[0][1]), parts[1][1]), stop


_ASSERTIONS: dict[int, Callable[[str, bytes], Filter]] = {
    0xA3: Equality,
    0xA5: GreaterOrEqual,
    0xA6: LessOrEqual,
    0xA8: Approximate,
}


def _substrings(data: bytes, at: int, end: int) -> Substrings:
    parts = _parts(data, at, end)
    if [tag for tag, _ in parts] != [0x04, 0x30]:
        raise ber.BerError("a substring filter holds an attribute and a sequence")
    pieces = _parts(parts[1][1], 0, len(parts[1][1]))
    tags = [tag for tag, _ in pieces]
    if not tags or not set(tags) <= {0x80, 0x81, 0x82} or 0x80 in tags[1:] or 0x82 in tags[:-1]:
        raise ber.BerError("the parts of a substring filter are out of order")
    return Substrings(
        _text(parts[0][1]),
        pieces[0][1] if tags[0] == 0x80 else None,
        tuple(piece for tag, piece in pieces if tag == 0x81),
        pieces[-1][1] if tags[-1] == 0x82 else None,
    )


def _extensible(data: bytes, at: int, end: int) -> Extensible:
    parts = _parts(data, at, end)
    fields = dict(parts)
    tags = [tag for tag, _ in parts]
    if tags != sorted(fields) or not set(tags) <= {0x81, 0x82, 0x83, 0x84} or 0x83 not in fields:
        raise ber.BerError("the parts of an extensible filter are out of order")
    if 0x81 not in fields and 0x82 not in fields:
        raise ber.BerError("an extensible filter has an attribute or a matching rule")
    return Extensible(
        _text(fields[0x82]) if 0x82 in fields else None,
        _text(fields[0x81]) if 0x81 in fields else None,
        fields[0x83],
        fields.get(0x84, b"\x00") != b"\x00",
    )


def _parts(data: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    parts = []
    while at < end:
        tag, start, at = ber.header(data, at, end)
        parts.append((tag, bytes(data[start:at])))
    return parts


_DESCRIPTION = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9_-]+)*")


def _text(data: bytes) -> str:
    try:
        text = bytes(data).decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not _DESCRIPTION.fullmatch(text):
        raise ber.BerError("an attribute description has characters that it must not have")
    return text
