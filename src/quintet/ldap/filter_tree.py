"""Search filters as a tree: to and from BER (RFC 4511 4.5.1.7), and as canonical text (RFC 4515).

A value is bytes from the start and never goes through text again. `filters` reads the text form.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from quintet.ldap import ber

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
            parts.append(ber.boolean(True, tag=0x84))
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
    reader = ber.Reader(data)
    found = _read(reader, NESTING)
    reader.finish()
    return found


_ASSERTIONS: dict[int, Callable[[str, bytes], Filter]] = {
    0xA3: Equality,
    0xA5: GreaterOrEqual,
    0xA6: LessOrEqual,
    0xA8: Approximate,
}


def _read(reader: ber.Reader, depth: int) -> Filter:
    if not depth:
        raise ber.BerError(f"the filter nests deeper than {NESTING}")
    tag, start, stop = reader.any()
    inside = ber.Reader(reader.data, start, stop)
    match tag:
        case 0xA0 | 0xA1:
            filters = []
            while inside:
                filters.append(_read(inside, depth - 1))
            return And(tuple(filters)) if tag == 0xA0 else Or(tuple(filters))
        case 0xA2:
            negated = _read(inside, depth - 1)
            inside.finish()
            return Not(negated)
        case 0xA4:
            return _substrings(inside)
        case 0x87:
            return Present(_description(reader.data[start:stop]))
        case 0xA9:
            return _extensible(inside)
    if tag not in _ASSERTIONS:
        raise ber.BerError(f"no filter has the tag {tag:#04x}")
    attribute, value = _description(inside.octets()), inside.octets()
    inside.finish()
    return _ASSERTIONS[tag](attribute, value)


def _substrings(reader: ber.Reader) -> Substrings:
    attribute, parts = _description(reader.octets()), reader.inside()
    reader.finish()
    initial = parts.octets(0x80) if parts.next_is(0x80) else None
    inner = []
    while parts.next_is(0x81):
        inner.append(parts.octets(0x81))
    final = parts.octets(0x82) if parts.next_is(0x82) else None
    parts.finish()
    if initial is None and not inner and final is None:
        raise ber.BerError("a substring filter has at least one part")
    return Substrings(attribute, initial, tuple(inner), final)


def _extensible(reader: ber.Reader) -> Extensible:
    rule = _description(reader.octets(0x81)) if reader.next_is(0x81) else None
    attribute = _description(reader.octets(0x82)) if reader.next_is(0x82) else None
    value = reader.octets(0x83)
    dn_attributes = reader.next_is(0x84) and reader.boolean(0x84)
    reader.finish()
    if rule is None and attribute is None:
        raise ber.BerError("an extensible filter has an attribute or a matching rule")
    if rule is not None and rule.lower() == "dn":
        raise ber.BerError("a matching rule cannot have the name dn: its text would mean something else")
    return Extensible(attribute, rule, value, dn_attributes)


_DESCRIPTION = re.compile(rb"(?:[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9_-]+)*")


def _description(octets: bytes) -> str:
    if not _DESCRIPTION.fullmatch(octets):
        raise ber.BerError("an attribute description has characters that it must not have")
    return octets.decode()
