"""Distinguished names (RFC 4514): parsed, compared semantically, built and written.

Two names are equal when a directory would say so: attribute types in any case or spelling (`cn`,
`commonName`, `2.5.4.3`), values in any case and spacing, `#hex` or text, the parts of a multi-valued RDN in
any order. Parsing is tolerant as servers are: blanks around separators, the quotes and semicolons of LDAPv2.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import final

from quintet.ldap import ber
from quintet.ldap.attributes import SHORT_NAMES, type_key
from quintet.ldap.errors import NO_TEXT, DNSyntaxError

__all__ = ["DN", "Rdn", "escape_dn_value", "fold", "type_key"]

Rdn = tuple[tuple[str, str | bytes], ...]
"""One part of a name, between two commas: (type, value) pairs, more than one if it is multi-valued.

A value is text; bytes that are not UTF-8 are surrogates in it (PEP 383). It is `bytes`, a whole BER
value, where it was given as `#hex` and is not a string.
"""

_Key = tuple[frozenset[tuple[str, str | bytes]], ...]

_CACHED_NAMES = 4096
_CACHED_LENGTH = 512


@final
class DN:
    """A distinguished name, the entry's own RDN first. It is never changed.

    `DN.parse` makes one from text. Equality is semantic: `DN.parse("CN=Ann Lee, O=X") == DN.parse("cn=ann
    lee,o=x")`. `str(dn)` is the text by RFC 4514, with everything escaped that needs it. The empty name, the
    root, is falsy.

    Args:
        rdns: The parts of the name, the entry's own first; each as (type, value) pairs. Values are not
            escaped. They are in the attribute `rdns`.
    """

    __slots__ = ("_key", "_text", "rdns")

    def __init__(self, rdns: Sequence[Rdn] = ()) -> None:
        if isinstance(rdns, str):  # type: ignore[unreachable]  # without a type checker it is
            raise TypeError("DN takes the parts of a name; DN.parse takes text")
        self.rdns: tuple[Rdn, ...] = tuple(rdns)
        self._key: _Key | None = None
        self._text: str | None = None

    @staticmethod
    def parse(text: str) -> "DN":
        """A name from its text (RFC 4514).

        Args:
            text: For example `cn=Ann Lee,ou=people,o=example`; the empty text is the root.

        Returns:
            The name.

        Raises:
            DNSyntaxError: The text is not a DN; `position` says where.
        """
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    @property
    def rdn(self) -> Rdn:
        """The entry's own part of the name: (type, value) pairs; empty for the root."""
        return self.rdns[0] if self.rdns else ()

    @property
    def parent(self) -> "DN | None":
        """The name one level up; None for the root."""
        return DN(self.rdns[1:]) if self.rdns else None

    def child(self, kind: str, value: str) -> "DN":
        """The name of an entry directly below this one.

        Args:
            kind: The attribute type, such as `cn`.
            value: Its value as it is, without escapes.

        Returns:
            The longer name.

        Raises:
            DNSyntaxError: `kind` is not an attribute type.
        """
        if not _PLAIN_TYPE.fullmatch(kind):
            raise DNSyntaxError(f"{kind!r} is not an attribute type")
        return DN((((kind, _clean(value)),), *self.rdns))

    def join(self, above: "DN") -> "DN":
        """This name, continued by another: `DN.parse("cn=a,ou=b").join(DN.parse("o=c"))` is `cn=a,ou=b,o=c`.

        Args:
            above: What stands above.

        Returns:
            The longer name.
        """
        return DN(self.rdns + above.rdns)

    def is_under(self, other: "DN") -> bool:
        """Whether this is `other` or a name anywhere below it.

        Args:
            other: The name above. Everything is under the root.

        Returns:
            True or False; nothing is asked of a server.
        """
        above = len(other.rdns)
        return above <= len(self.rdns) and self.key[len(self.rdns) - above :] == other.key

    def relative_to(self, above: "DN") -> "DN":
        """This name without the part that it shares with one above.

        Args:
            above: A name that this one is under.

        Returns:
            What is left, which `join(above)` continues to this name again; the root if both are equal.

        Raises:
            ValueError: This name is not under `above`.
        """
        if not self.is_under(above):
            raise ValueError(f"{str(self)!r} is not under {str(above)!r}")
        return DN(self.rdns[: len(self.rdns) - len(above.rdns)])

    @property
    def key(self) -> _Key:
        """What is equal for equal names and can be a key of a dict."""
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
                "+".join(f"{SHORT_NAMES.get(kind, kind)}={_written(value)}" for kind, value in rdn)
                for rdn in self.rdns
            )
        return self._text

    def __repr__(self) -> str:
        return f"DN({str(self)!r})"


def escape_dn_value(text: str) -> str:
    """A value, escaped for the text of a DN (RFC 4514 section 2.4).

    `DN.child` does this by itself. Control characters are escaped too.

    Args:
        text: The value; surrogates stand for bytes that are not UTF-8 (PEP 383).

    Returns:
        The value with backslashes where they are needed.

    Raises:
        DNSyntaxError: The value has half of a surrogate pair.
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
            raise DNSyntaxError("expected an attribute type and '='", at)
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
_PLAIN_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+")
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
            raise DNSyntaxError("expected pairs of hexadecimal digits after '#'", at)
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
        raise DNSyntaxError("a quote is not closed", at)
    stop += 1
    while text[stop : stop + 1] and text[stop] in _BLANKS:
        stop += 1
    if text[stop : stop + 1] not in ("", ",", ";", "+"):
        raise DNSyntaxError("expected ',' or '+' after a quoted value", stop)
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
        chunks.append(_utf8(chunk))
        # pair = ESC ( ESC / special / hexpair ); before any other character, the escape is tolerated
        if pairs := _HEX_PAIRS.match(text, at):
            chunks.append(bytes.fromhex(pairs[0].replace("\\", "")))
            at = pairs.end()
        elif at + 1 < len(text):
            chunks.append(_utf8(text[at + 1]))
            at += 2
        else:
            raise DNSyntaxError("expected a character after the last backslash", at)
    if plain is _PLAIN:
        if following == '"':
            raise DNSyntaxError("a quote inside a value must be escaped", at)
        chunk = chunk.rstrip(_BLANKS)
    chunks.append(_utf8(chunk))
    return b"".join(chunks).decode("utf-8", "surrogateescape"), at


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _clean(text: str) -> str:
    try:
        return _utf8(text).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise DNSyntaxError(NO_TEXT, error.start) from None


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


# RFC 4514 section 2.4: the specials anywhere, '#' or a blank at the start, a blank at the end. Control
# characters and bytes that are not UTF-8 are written in hexadecimal: so the text can be logged and parsed
# again.
_NEEDS_ESCAPE = re.compile(r'["+,;<>\\]|\A[ #]| \Z|[\x00-\x1f\x7f]|[\ud800-\udfff]')


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if " " <= char < "\x7f":
        return "\\" + char
    return "".join(f"\\{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def _written(value: str | bytes) -> str:
    return escape_dn_value(value) if isinstance(value, str) else "#" + value.hex()


# Comparison: RFC 4518 in spirit: compatibility forms, case and spacing do not count.


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
