"""Search filters as text (RFC 4515): `parse`, and `Template` for filters with `%s`.

Parsing is tolerant of blanks where servers are: around parentheses, operators and attributes. In a value
every blank counts. Text that is not a filter raises FilterSyntaxError, with the position of the problem.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import final

from quintet.ldap import ber
from quintet.ldap.attributes import DESCRIPTION
from quintet.ldap.errors import NO_TEXT, FilterSyntaxError
from quintet.ldap.filter_tree import (
    NESTING,
    RULE,
    And,
    Approximate,
    EncodedFilter,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
    decode,
    escape_filter_value,
)

__all__ = [
    "And",
    "Approximate",
    "EncodedFilter",
    "Equality",
    "Extensible",
    "Filter",
    "GreaterOrEqual",
    "LessOrEqual",
    "Not",
    "Or",
    "Present",
    "Substrings",
    "Template",
    "decode",
    "encoded",
    "escape_filter_value",
    "parse",
]


def parse(text: str) -> Filter:
    """A search filter from its text (RFC 4515).

    Args:
        text: For example `(&(objectClass=person)(mail=*@example.com))`. Blanks around parentheses, operators
            and attributes do not count, and the outermost parentheses may be missing.

    Returns:
        The filter as a tree.

    Raises:
        FilterSyntaxError: The text is not a filter, or nests deeper than 100.
    """
    at = _blanks(text, 0)
    found, at = _filter(text, at, NESTING) if text[at : at + 1] == "(" else _component(text, at, NESTING)
    at = _blanks(text, at)
    if at != len(text):
        raise FilterSyntaxError("unexpected text after the end of the filter", at)
    return found


def encoded(given: object) -> EncodedFilter:
    """What a search sends for any form of a filter. Raises FilterSyntaxError and TypeError.

    Bytes that this package did not make are decoded, so that nothing but a filter is ever sent as one.
    """
    if isinstance(given, EncodedFilter):
        return given
    if isinstance(given, Filter):
        return given.encode()
    if isinstance(given, str):
        return _encoded_text(given) if len(given) <= _LONGEST_CACHED_TEXT else parse(given).encode()
    if isinstance(given, bytes):
        try:
            decode(given)
        except ber.BerError as error:
            raise FilterSyntaxError(f"bytes that are not a filter in BER: {error}") from None
        return EncodedFilter(given)
    if isinstance(given, Template):
        raise TypeError("a template is not a filter until encode or filter fills in a name")
    raise TypeError(f"a filter is a str, a Filter or its BER as bytes, not {type(given).__name__}")


_LONGEST_CACHED_TEXT = 1024


@lru_cache(256)
def _encoded_text(text: str) -> EncodedFilter:
    return parse(text).encode()


# Grammar: RFC 4515 section 3.

_BLANKS = re.compile(r"[ \t\r\n]*")
# simple = attr filtertype assertionvalue; filtertype = equal / approx / greaterorequal / lessorequal
_SIMPLE = re.compile(rf"({DESCRIPTION})[ \t\r\n]*(=|~=|>=|<=)")
# extensible = ( attr [dnattrs] [matchingrule] COLON EQUALS assertionvalue )
#            / ( [dnattrs] matchingrule COLON EQUALS assertionvalue )
_EXTENSIBLE = re.compile(rf"({DESCRIPTION})?[ \t]*(:[Dd][Nn](?=:))?(?::({RULE}))?[ \t]*:=")
_VALUE = re.compile(r"[^()\x00]*")
# escaped = ESC HEX HEX
_ESCAPED = re.compile(r"\\([0-9A-Fa-f]{2})?")


def _blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    assert found is not None
    return found.end()


def _filter(text: str, at: int, depth: int) -> tuple[Filter, int]:
    """`filter = LPAREN filtercomp RPAREN`."""
    if not depth:
        raise FilterSyntaxError(f"the filter nests deeper than {NESTING}", at)
    found, stop = _component(text, _blanks(text, at + 1), depth)
    stop = _blanks(text, stop)
    if text[stop : stop + 1] != ")":
        raise FilterSyntaxError("a parenthesis is not closed" if stop == len(text) else "expected ')'", stop)
    return found, stop + 1


def _component(text: str, at: int, depth: int) -> tuple[Filter, int]:
    """`filtercomp = and / or / not / item`."""
    match text[at : at + 1]:
        # and = AMPERSAND filterlist
        case "&":
            inner, at = _list(text, at + 1, depth - 1)
            return And(inner), at
        # or = VERTBAR filterlist
        case "|":
            inner, at = _list(text, at + 1, depth - 1)
            return Or(inner), at
        # not = EXCLAMATION filter
        case "!":
            at = _blanks(text, at + 1)
            if text[at : at + 1] != "(":
                raise FilterSyntaxError("expected a filter in parentheses after '!'", at)
            negated, at = _filter(text, at, depth - 1)
            return Not(negated), at
    return _item(text, at)


def _list(text: str, at: int, depth: int) -> tuple[tuple[Filter, ...], int]:
    """`filterlist = *filter` (RFC 4526: there may be none)."""
    inner = []
    at = _blanks(text, at)
    while text[at : at + 1] == "(":
        each, at = _filter(text, at, depth)
        inner.append(each)
        at = _blanks(text, at)
    return tuple(inner), at


def _item(text: str, at: int) -> tuple[Filter, int]:
    """`item = simple / present / substring / extensible`."""
    if found := _SIMPLE.match(text, at):
        attribute, kind = found.groups()
        if kind == "=":
            return _equality(attribute, text, found.end())
        value, stop = _value(text, found.end())
        return _ASSERTIONS[kind](attribute, _utf8(value, found.end())), stop
    if (found := _EXTENSIBLE.match(text, at)) and (found[1] or found[3]):
        value, stop = _value(text, found.end())
        raw = _utf8(value, found.end())
        return Extensible(found[1], found[3], raw, found[2] is not None), stop
    raise FilterSyntaxError("expected an attribute and one of = ~= >= <= :=", at)


_ASSERTIONS: dict[str, Callable[[str, bytes], Filter]] = {
    "~=": Approximate,
    ">=": GreaterOrEqual,
    "<=": LessOrEqual,
}


def _equality(attribute: str, text: str, at: int) -> tuple[Filter, int]:
    """`present = attr EQUALS ASTERISK`, `substring = attr EQUALS [initial] any [final]`.

    `any = ASTERISK *(assertionvalue ASTERISK)`
    """
    value, stop = _value(text, at)
    first, *others = value.split("*")
    if not others:
        return Equality(attribute, _utf8(first, at)), stop
    initial = _utf8(first, at) or None
    *middle, final = (_utf8(part, at) for part in others)
    between = tuple(part for part in middle if part)
    if not (initial or between or final):
        return Present(attribute), stop
    return Substrings(attribute, initial, between, final or None), stop


def _value(text: str, at: int) -> tuple[str, int]:
    found = _VALUE.match(text, at)
    assert found is not None
    stop = found.end()
    if text[stop : stop + 1] in ("(", "\0"):
        raise FilterSyntaxError(
            f"{text[stop]!r} inside a value must be written as \\{ord(text[stop]):02x}", stop
        )
    return found[0], stop


def _utf8(value: str, at: int) -> bytes:
    """`assertionvalue = valueencoding`, `valueencoding = 0*(normal / escaped)`."""
    try:
        first, *others = _ESCAPED.split(value)
        chunks = [first.encode("utf-8", "surrogateescape")]
        backslash = len(first)
        for digits, chunk in zip(others[::2], others[1::2], strict=True):
            if digits is None:
                message = "expected two hexadecimal digits after a backslash, which itself is written \\5c"
                raise FilterSyntaxError(message, at + backslash)
            chunks += bytes.fromhex(digits), chunk.encode("utf-8", "surrogateescape")
            backslash += 3 + len(chunk)
    except UnicodeEncodeError as error:
        raise FilterSyntaxError(NO_TEXT, at + error.start) from None
    return b"".join(chunks)


@final
class Template:
    """A filter with `%s` in place of a name, compiled once to BER with holes.

    A name fills the holes as bytes, so no name can change the shape of the filter. `encode` is the quickest
    way from a name to what a search sends.

    Two templates with the same text are equal.

    Args:
        text: A filter as for `parse`, with any number of `%s` inside values. Before `%s*`, one `*` at the end
            of a name is dropped; all other stars of a name are literal. A `%` before anything but `s` is
            literal too.

    Raises:
        FilterSyntaxError: The text is not a filter, or `%s` is not inside a value.
    """

    __slots__ = ("_ber", "_frames", "_hole", "_trimmed", "_trims", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._hole = _unused_byte(text)
        self._ber = _with_holes(text, self._hole).encode()
        self._trimmed = tuple(_trimmed_holes(self._ber, self._hole))
        self._trims = any(self._trimmed)
        # By the length of a name; by the negative length where a star at its end is dropped.
        self._frames: dict[int, tuple[bytes, ...]] = {}

    @property
    def holes(self) -> int:
        """How many `%s` there are."""
        return len(self._trimmed)

    def encode(self, name: str | bytes) -> EncodedFilter:
        """The filter for a name, in BER.

        Args:
            name: What takes the place of each `%s`.

        Returns:
            Bytes that every search takes as its filter.

        Raises:
            FilterSyntaxError: The name has no visible character: the filter might match every entry.
        """
        data = name.encode() if type(name) is str and name.isascii() else _name_bytes(name)
        if self._trims and data[-1:] == b"*":
            return self._without_star(data)
        if not data.isalnum() and _invisible(data):
            raise FilterSyntaxError(_EMPTY)
        frame = self._frames.get(size := len(data)) or self._frame(size, 0)
        return EncodedFilter(data.join(frame))

    def filter(self, name: str | bytes) -> Filter:
        """The filter for a name, as a tree.

        Args:
            name: What takes the place of each `%s`.

        Returns:
            The filter.

        Raises:
            FilterSyntaxError: The name has no visible character.
        """
        return decode(self.encode(name))

    def _without_star(self, data: bytes) -> EncodedFilter:
        trimmed = data[:-1]
        if _invisible(trimmed):
            raise FilterSyntaxError(_EMPTY)
        frame = self._frames.get(-len(data)) or self._frame(len(data), 1)
        filled = [frame[0]]
        for trim, chunk in zip(self._trimmed, frame[1:], strict=True):
            filled += trimmed if trim else data, chunk
        return EncodedFilter(b"".join(filled))

    def _frame(self, length: int, dropped: int) -> tuple[bytes, ...]:
        """The bytes around the holes for a name of this length: they depend on nothing else.

        `dropped` is 1 if a star at its end is left out where the template has its own, else 0.
        """
        sizes = [length - dropped if trim else length for trim in self._trimmed]
        frame = tuple(_framed(self._ber, self._hole, iter(sizes))[0])
        if length <= _KEPT_LENGTHS:
            self._frames[-length if dropped else length] = frame
        return frame

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash((Template, self.text))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


_KEPT_LENGTHS = 256
_EMPTY = "an empty name is never searched for"


def _with_holes(text: str, hole: bytes) -> Filter:
    """The tree of a template, each `%s` in it replaced by the byte that marks a hole."""
    first, *others = text.split("%s")
    mark = f"\\{hole.hex()}"
    try:
        return parse(mark.join((first, *others)))
    except FilterSyntaxError as error:
        start = len(first)  # of a mark, in the text that was parsed
        position = error.position
        for each in others:
            if error.position <= start:
                break
            position -= min(len(mark) - len("%s"), error.position - start)
            start += len(mark) + len(each)
        raise FilterSyntaxError(error.message, position) from None


def _name_bytes(name: str | bytes) -> bytes:
    if isinstance(name, bytes):
        return name
    try:
        return name.encode() if name.isascii() else name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise FilterSyntaxError(NO_TEXT, error.start) from None


_NOTHING = re.compile(  # what is mapped to nothing, by RFC 4518 section 2.2, and blanks
    "[\x00-\x20\x7f-\xa0\xad\u034f\u06dd\u070f\u1680\u1806\u180b-\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ufe00-\ufe0f\ufeff\ufff9-\ufffc\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]*"
)


def _invisible(name: bytes) -> bool:
    """Whether a server may take this for nothing."""
    return _NOTHING.fullmatch(name.decode("utf-8", "surrogateescape")) is not None


def _unused_byte(text: str) -> bytes:
    """The byte that marks the holes: no value of the template has it, so nothing else looks like one."""
    used = _utf8(re.sub(r"\\(?![0-9A-Fa-f]{2})", "", text), 0)
    for byte in range(0xFE, 0x7F, -1):
        if byte not in used:
            return bytes([byte])
    raise FilterSyntaxError("the template uses every byte there is")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, start, at = ber.header(data, at, len(data))
        yield tag, data[start:at]


def _trimmed_holes(data: bytes, hole: bytes) -> Iterator[bool]:
    """For each hole whether a `*` follows: it ends the first or an inner part of a substring filter."""
    for tag, content in _elements(data):
        if tag & 0x20:
            yield from _trimmed_holes(content, hole)
        else:
            count = content.count(hole)
            yield from (
                nth == count and tag in (0x80, 0x81) and content.endswith(hole) for nth in range(1, count + 1)
            )


def _framed(data: bytes, hole: bytes, sizes: Iterator[int]) -> tuple[list[bytes], int]:
    """`data` cut at its holes, with the lengths that holes of `sizes` need; and its filled length."""
    chunks, length = [b""], 0
    for tag, content in _elements(data):
        if tag & 0x20:
            inner, inside = _framed(content, hole, sizes)
        else:
            inner = content.split(hole)
            inside = len(content) - len(inner) + 1 + sum(islice(sizes, len(inner) - 1))
        opening = ber.head(tag, inside)
        chunks[-1] += opening + inner[0]
        chunks += inner[1:]
        length += len(opening) + inside
    return chunks, length
