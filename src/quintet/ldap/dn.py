"""Distinguished names (RFC 4514): parse, compare by meaning, write.

Two names are equal when a directory would say so: attribute types in any case or spelling (`cn`,
`commonName`, `2.5.4.3`), values in any case and spacing, `#hex` or text, the parts of a multi-valued RDN in
any order. Reading is tolerant as servers are: blanks around separators, the quotes and semicolons of LDAPv2.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import final

from quintet.ldap import ber
from quintet.ldap.errors import DNSyntaxError

Rdn = tuple[tuple[str, str | bytes], ...]
"""One step of a name: (type, value) pairs, more than one when it is multi-valued.

A value is text; octets that are no UTF-8 stand in it as surrogates (PEP 383). It is `bytes`, a whole BER
value, where it was given as `#hex` and is no string.
"""

_Key = tuple[frozenset[tuple[str, str | bytes]], ...]

_CACHED_NAMES = 4096
_CACHED_LENGTH = 512


@final
class DN:
    """A distinguished name, the entry's own RDN first. The empty name (the root) is falsy."""

    __slots__ = ("_key", "_text", "rdns")

    def __init__(self, rdns: Sequence[Rdn] = ()) -> None:
        self.rdns: tuple[Rdn, ...] = tuple(rdns)
        self._key: _Key | None = None
        self._text: str | None = None

    @staticmethod
    def parse(text: str) -> "DN":
        """The name that `text` stands for. Raises DNSyntaxError, with the position of the fault."""
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    @property
    def parent(self) -> "DN | None":
        """The name one step up; None for the empty name."""
        return DN(self.rdns[1:]) if self.rdns else None

    def is_under(self, other: "DN") -> bool:
        """Whether this is `other` or a name anywhere below it."""
        above = len(other.rdns)
        return above <= len(self.rdns) and self.key[len(self.rdns) - above :] == other.key

    @property
    def key(self) -> _Key:
        """What stands for the meaning: equal for equal names, fit for a dict."""
        if self._key is None:
            self._key = tuple(
                frozenset((type_key(kind), _value_key(value)) for kind, value in rdn) for rdn in self.rdns
            )
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DN) and (self is other or self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __len__(self) -> int:
        return len(self.rdns)

    def __str__(self) -> str:
        if self._text is None:
            self._text = ",".join(
                "+".join(f"{_SHORT.get(kind, kind)}={_written(value)}" for kind, value in rdn)
                for rdn in self.rdns
            )
        return self._text

    def __repr__(self) -> str:
        return f"DN({str(self)!r})"


def escape_value(text: str) -> str:
    """`text` as an attribute value inside a name: escaped where RFC 4514 2.4 needs it.

    Control characters are escaped, too. Raises DNSyntaxError for half a surrogate pair.
    """
    return _NEEDS_ESCAPE.sub(_escape, text if text.isascii() else _clean(text))


# Grammar: RFC 4514 section 3.


def _parse(text: str) -> DN:
    """`distinguishedName = [ relativeDistinguishedName *( COMMA relativeDistinguishedName ) ]`.

    `relativeDistinguishedName = attributeTypeAndValue *( PLUS attributeTypeAndValue )`
    `attributeTypeAndValue = attributeType EQUALS attributeValue`
    """
    if not text.isascii():
        text = _clean(text)
    if not text.strip(_BLANKS):
        return DN()
    rdns: list[Rdn] = []
    rdn: list[tuple[str, str | bytes]] = []
    at = 0
    while True:
        found = _TYPE.match(text, at)
        if found is None:
            raise DNSyntaxError("here must stand an attribute type and '='", at)
        value, at = _value(text, found.end())
        rdn.append((found[1], value))
        separator = text[at : at + 1]
        if separator != "+":
            rdns.append(tuple(rdn))
            rdn = []
        if not separator:
            return DN(rdns)
        at += 1


_parse_cached = lru_cache(_CACHED_NAMES)(_parse)

_BLANKS = " \t\r\n"
# attributeType = descr / numericoid; the prefix "OID." is RFC 1779's.
_TYPE = re.compile(
    r"[ \t\r\n]*(?:[Oo][Ii][Dd]\.(?=[0-9]))?([A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+)[ \t\r\n]*=[ \t\r\n]*"
)
_PLAIN = re.compile(r'[^\\,;+"]*')
_IN_QUOTES = re.compile(r'[^\\"]*')
_HEX_PAIRS = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")
# hexstring = SHARP 1*hexpair
_HEX_STRING = re.compile(r"#((?:[0-9A-Fa-f]{2})+)[ \t\r\n]*(?=[,;+]|\Z)")


def _value(text: str, at: int) -> tuple[str | bytes, int]:
    """`attributeValue = string / hexstring`."""
    first = text[at : at + 1]
    if first == "#":
        found = _HEX_STRING.match(text, at)
        if found is None:
            raise DNSyntaxError("after '#' must stand pairs of hexadecimal digits", at)
        return _from_ber(bytes.fromhex(found[1])), found.end()
    if first == '"':
        return _quoted(text, at)
    stop = _PLAIN.match(text, at).end()  # type: ignore[union-attr]  # matches the empty string too
    if text[stop : stop + 1] not in ("\\", '"'):
        return text[at:stop].rstrip(_BLANKS), stop
    return _escaped(text, at, _PLAIN)


def _quoted(text: str, at: int) -> tuple[str, int]:
    """`<"> *( quotechar / pair ) <">` (RFC 2253 section 4)."""
    value, stop = _escaped(text, at + 1, _IN_QUOTES)
    if text[stop : stop + 1] != '"':
        raise DNSyntaxError("the quote is never closed", at)
    stop += 1
    while text[stop : stop + 1] and text[stop] in _BLANKS:
        stop += 1
    if text[stop : stop + 1] not in ("", ",", ";", "+"):
        raise DNSyntaxError("after a quoted value must stand ',' or '+'", stop)
    return value, stop


def _escaped(text: str, at: int, plain: re.Pattern[str]) -> tuple[str, int]:
    """`string = [ ( leadchar / pair ) [ *( stringchar / pair ) ( trailchar / pair ) ] ]`."""
    chunks: list[bytes] = []
    while True:
        found = plain.match(text, at)
        assert found is not None
        chunk, at = found[0], found.end()
        following = text[at : at + 1]
        if following != "\\":
            break
        chunks.append(_octets(chunk))
        # pair = ESC ( ESC / special / hexpair ); before any other character, the escape is tolerated
        if pairs := _HEX_PAIRS.match(text, at):
            chunks.append(bytes.fromhex(pairs[0].replace("\\", "")))
            at = pairs.end()
        elif at + 1 < len(text):
            chunks.append(_octets(text[at + 1]))
            at += 2
        else:
            raise DNSyntaxError("nothing stands after the last backslash", at)
    if plain is _PLAIN:
        if following == '"':
            raise DNSyntaxError("a quote inside a value must be escaped", at)
        chunk = chunk.rstrip(_BLANKS)
    chunks.append(_octets(chunk))
    return b"".join(chunks).decode("utf-8", "surrogateescape"), at


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _clean(text: str) -> str:
    try:
        return _octets(text).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise DNSyntaxError("half a surrogate pair is no character", error.start) from None


_STRINGS = {  # tags of ITU-T X.680 section 8.4 whose values have a text
    0x04: "utf-8",  # OCTET STRING
    0x0C: "utf-8",  # UTF8String
    0x12: "ascii",  # NumericString
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # TeletexString
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


def _from_ber(data: bytes) -> str | bytes:
    try:
        tag, start, stop = ber.header(data, 0, len(data))
        if stop != len(data):
            return data
        return data[start:stop].decode(_STRINGS[tag])
    except (ber.BerError, UnicodeDecodeError, KeyError):
        return data


# RFC 4514 2.4: the specials anywhere, '#' or a blank at the start, a blank at the end. Control characters and
# octets that are no UTF-8 are written in hexadecimal: so the text can be logged, and read back.
_NEEDS_ESCAPE = re.compile(r'["+,;<>\\]|\A[ #]| \Z|[\x00-\x1f\x7f]|[\ud800-\udfff]')


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if " " <= char < "\x7f":
        return "\\" + char
    return "".join(f"\\{octet:02x}" for octet in char.encode("utf-8", "surrogateescape"))


def _written(value: str | bytes) -> str:
    return escape_value(value) if isinstance(value, str) else "#" + value.hex()


# Comparison: RFC 4518 in spirit: compatibility forms, case and spacing do not count.

_SPELLINGS = (  # RFC 4514 section 3 and RFC 4519; the short name first
    ("cn", "commonname", "2.5.4.3"),
    ("sn", "surname", "2.5.4.4"),
    ("serialNumber", "2.5.4.5"),
    ("c", "countryname", "2.5.4.6"),
    ("l", "localityname", "2.5.4.7"),
    ("st", "stateorprovincename", "2.5.4.8"),
    ("street", "streetaddress", "2.5.4.9"),
    ("o", "organizationname", "2.5.4.10"),
    ("ou", "organizationalunitname", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("givenName", "gn", "2.5.4.42"),
    ("initials", "2.5.4.43"),
    ("generationQualifier", "2.5.4.44"),
    ("dnQualifier", "2.5.4.46"),
    ("uid", "userid", "0.9.2342.19200300.100.1.1"),
    ("mail", "rfc822mailbox", "0.9.2342.19200300.100.1.3"),
    ("dc", "domaincomponent", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "email", "e", "pkcs9email", "1.2.840.113549.1.9.1"),
)
_SHORT = {spelling: names[0] for names in _SPELLINGS for spelling in names if "." in spelling}
_TYPES = {spelling.lower(): names[0].lower() for names in _SPELLINGS for spelling in names}


def type_key(kind: str) -> str:
    """What stands for an attribute type, however it is spelled: `2.5.4.3` and `commonName` give `cn`."""
    kind = kind.lower()
    return _TYPES.get(kind, kind)


def _value_key(value: str | bytes) -> str | bytes:
    return fold(value) if isinstance(value, str) else value


def fold(value: str) -> str:
    """What stands for a text where case, spacing and compatibility forms do not count."""
    if not value.isascii() and not _has_many_marks(value):
        value = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
    return " ".join(value.casefold().split())


_MOST_MARKS = 30
"""Combining marks in a row, as in Stream-Safe Text (UAX #15). Sorting more takes quadratic time."""


def _has_many_marks(value: str) -> bool:
    if len(value) <= _MOST_MARKS:
        return False
    run = 0
    for char in value:
        run = run + 1 if unicodedata.combining(char) else 0
        if run > _MOST_MARKS:
            return True
    return False
