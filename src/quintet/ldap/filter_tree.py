"""Search filters as a tree: to and from BER (RFC 4511 section 4.5.1.7), and as canonical text (RFC 4515).

A value is bytes from the start and never goes through text again. `filters` reads the text form.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from quintet.ldap import ber
from quintet.ldap.attributes import DESCRIPTION
from quintet.ldap.errors import FilterSyntaxError

NESTING = 100
"""How deep a filter may nest, in text and in BER: far more than any server takes."""

RULE = r"(?!(?i:dn)(?![\w-]))[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+"
"""A matching rule, by name or OID. Unlike an attribute it has no options; "dn" is no name in text."""


@final
class EncodedFilter(bytes):
    """A filter in BER that this package made. Other bytes are checked before they are sent."""

    __slots__ = ()


class Filter(ABC):
    """A search filter: `And`, `Or`, `Not`, `Equality` and so on. `parse` makes it from text.

    `str(filter)` is canonical text (RFC 4515), which `parse` reads back to an equal filter. `one & other`,
    `one | other` and `~one` make `And`, `Or` and `Not`.
    """

    __slots__ = ()

    def encode(self) -> EncodedFilter:
        """The filter in BER, to be sent many times.

        Returns:
            Bytes that every search takes in place of the filter.

        Raises:
            FilterSyntaxError: An attribute or a matching rule is not a name, or an assertion has no parts.
            TypeError: A value is not bytes, or a name not a str.
        """
        return EncodedFilter(self.encode_part())

    @abstractmethod
    def encode_part(self) -> bytes:
        """The filter in BER, as a part of another."""

    @abstractmethod
    def __str__(self) -> str: ...

    def __and__(self, other: "Filter") -> "And":
        return And((self, other)) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: "Filter") -> "Or":
        return Or((self, other)) if isinstance(other, Filter) else NotImplemented

    def __invert__(self) -> "Not":
        return Not(self)


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of `filters` match. Without any it is always true (RFC 4526)."""

    filters: tuple[Filter, ...]

    def encode_part(self) -> bytes:
        return ber.tlv(0xA0, *(each.encode_part() for each in self.filters))

    def __str__(self) -> str:
        return f"(&{''.join(map(str, self.filters))})"


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """Any of `filters` matches. Without any it is never true (RFC 4526)."""

    filters: tuple[Filter, ...]

    def encode_part(self) -> bytes:
        return ber.tlv(0xA1, *(each.encode_part() for each in self.filters))

    def __str__(self) -> str:
        return f"(|{''.join(map(str, self.filters))})"


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """`filter` does not match."""

    filter: Filter

    def encode_part(self) -> bytes:
        return ber.tlv(0xA2, self.filter.encode_part())

    def __str__(self) -> str:
        return f"(!{self.filter})"


@dataclass(frozen=True, slots=True)
class Equality(Filter):
    """`(attribute=value)`: the attribute has the value."""

    attribute: str
    value: bytes

    def encode_part(self) -> bytes:
        return _assertion(0xA3, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}={escape_filter_value(self.value)})"


@dataclass(frozen=True, slots=True)
class Substrings(Filter):
    """`(attribute=initial*any*...*final)`: the attribute has a value with these parts."""

    attribute: str
    initial: bytes | None = None
    any: tuple[bytes, ...] = ()
    final: bytes | None = None

    def encode_part(self) -> bytes:
        parts = [_value(part, 0x81) for part in self.any]
        if self.initial is not None:
            parts.insert(0, _value(self.initial, 0x80))
        if self.final is not None:
            parts.append(_value(self.final, 0x82))
        if not parts:
            raise FilterSyntaxError("a substring filter needs at least one part")
        return ber.tlv(0xA4, _name(self.attribute), ber.sequence(*parts))

    def __str__(self) -> str:
        parts = (self.initial or b"", *self.any, self.final or b"")
        return f"({self.attribute}={'*'.join(map(escape_filter_value, parts))})"


@dataclass(frozen=True, slots=True)
class GreaterOrEqual(Filter):
    """`(attribute>=value)`: the attribute has such a value."""

    attribute: str
    value: bytes

    def encode_part(self) -> bytes:
        return _assertion(0xA5, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}>={escape_filter_value(self.value)})"


@dataclass(frozen=True, slots=True)
class LessOrEqual(Filter):
    """`(attribute<=value)`: the attribute has such a value."""

    attribute: str
    value: bytes

    def encode_part(self) -> bytes:
        return _assertion(0xA6, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}<={escape_filter_value(self.value)})"


@dataclass(frozen=True, slots=True)
class Present(Filter):
    """`(attribute=*)`: the attribute has any value."""

    attribute: str

    def encode_part(self) -> bytes:
        return _name(self.attribute, 0x87)

    def __str__(self) -> str:
        return f"({self.attribute}=*)"


@dataclass(frozen=True, slots=True)
class Approximate(Filter):
    """`(attribute~=value)`: the attribute has a value that the server calls alike."""

    attribute: str
    value: bytes

    def encode_part(self) -> bytes:
        return _assertion(0xA8, self.attribute, self.value)

    def __str__(self) -> str:
        return f"({self.attribute}~={escape_filter_value(self.value)})"


@dataclass(frozen=True, slots=True)
class Extensible(Filter):
    """`(attribute:rule:=value)`: a match by a matching rule.

    Attributes:
        attribute: The attribute; None for any that the rule fits.
        rule: The matching rule, by name or OID; None for the attribute's own equality rule.
        value: What is compared with.
        dn_attributes: Whether the attributes of the DN count as well (`:dn`).
    """

    attribute: str | None
    rule: str | None
    value: bytes
    dn_attributes: bool = False

    def encode_part(self) -> bytes:
        if self.rule is None and self.attribute is None:
            raise FilterSyntaxError("an extensible filter needs an attribute or a matching rule")
        if self.rule is not None and not _RULE.fullmatch(self.rule):
            raise FilterSyntaxError(f"{self.rule!r} is not the name of a matching rule")
        parts = []
        if self.rule is not None:
            parts.append(_name(self.rule, 0x81))
        if self.attribute is not None:
            parts.append(_name(self.attribute, 0x82))
        parts.append(_value(self.value, 0x83))
        if self.dn_attributes:
            parts.append(ber.boolean(True, tag=0x84))
        return ber.tlv(0xA9, *parts)

    def __str__(self) -> str:
        dn = ":dn" if self.dn_attributes else ""
        rule = f":{self.rule}" if self.rule is not None else ""
        return f"({self.attribute or ''}{dn}{rule}:={escape_filter_value(self.value)})"


def _assertion(tag: int, attribute: str, value: bytes) -> bytes:
    return ber.tlv(tag, _name(attribute), _value(value))


def _value(value: bytes, tag: int = 0x04) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"a value in a filter is bytes, not {type(value).__name__}")
    return ber.octet_string(value, tag)


_DESCRIPTION = re.compile(DESCRIPTION)
_RULE = re.compile(RULE)


@lru_cache(1024)
def _name(name: str, tag: int = 0x04) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"a name in a filter is str, not {type(name).__name__}")
    if not _DESCRIPTION.fullmatch(name):
        raise FilterSyntaxError(f"{name!r} is not the name of an attribute or a matching rule")
    return ber.octet_string(name.encode(), tag)


# valueencoding = 0*(normal / escaped); control characters are escaped as well, so that the text can be logged
_NEEDS_ESCAPE = re.compile(r"[\x00-\x1f\x7f()*\\\udc80-\udcff]")


def escape_filter_value(value: str | bytes) -> str:
    """A value, escaped for the text of a filter (RFC 4515 section 3).

    `Template` does this by itself, and faster.

    Args:
        value: The value; surrogates stand for bytes that are not UTF-8 (PEP 383).

    Returns:
        The value with backslashes and hexadecimal digits where they are needed.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    return _NEEDS_ESCAPE.sub(lambda found: f"\\{found[0].encode('utf-8', 'surrogateescape').hex()}", value)


def decode(data: bytes) -> Filter:
    """The tree for a filter in BER. Raises BerError for anything else, and for one that nests too deep."""
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
    attribute, value = _description(inside.octet_string()), inside.octet_string()
    inside.finish()
    return _ASSERTIONS[tag](attribute, value)


def _substrings(reader: ber.Reader) -> Substrings:
    attribute, parts = _description(reader.octet_string()), reader.inside()
    reader.finish()
    initial = parts.octet_string(0x80) if parts.next_is(0x80) else None
    inner = []
    while parts.next_is(0x81):
        inner.append(parts.octet_string(0x81))
    final = parts.octet_string(0x82) if parts.next_is(0x82) else None
    parts.finish()
    if initial is None and not inner and final is None:
        raise ber.BerError("a substring filter has at least one part")
    return Substrings(attribute, initial, tuple(inner), final)


def _extensible(reader: ber.Reader) -> Extensible:
    rule = _description(reader.octet_string(0x81)) if reader.next_is(0x81) else None
    attribute = _description(reader.octet_string(0x82)) if reader.next_is(0x82) else None
    value = reader.octet_string(0x83)
    dn_attributes = reader.next_is(0x84) and reader.boolean(0x84)
    reader.finish()
    if rule is None and attribute is None:
        raise ber.BerError("an extensible filter has an attribute or a matching rule")
    if rule is not None and not _RULE.fullmatch(rule):
        raise ber.BerError("this name cannot be that of a matching rule")
    return Extensible(attribute, rule, value, dn_attributes)


_DESCRIPTION_BYTES = re.compile(DESCRIPTION.encode())


def _description(data: bytes) -> str:
    if not _DESCRIPTION_BYTES.fullmatch(data):
        raise ber.BerError("an attribute description has characters that it must not have")
    return data.decode()
