"""Search filters as text (RFC 4515): `parse`, and `Template` for filters with `%s`.

Reading is tolerant of blanks where servers are: around parentheses, operators and attributes. In a value
every blank counts. Text that is no filter raises FilterSyntaxError, with the position of the fault.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import final

from quintet.ldap import ber
from quintet.ldap.errors import FilterSyntaxError
from quintet.ldap.filter_tree import (
    NESTING,
    And,
    Approximate,
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
)

__all__ = [
    "And",
    "Approximate",
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
    "parse",
]


def parse(text: str) -> Filter:
    """The filter that `text` stands for; the outermost parentheses may be missing. Raises FilterSyntaxError."""
    at = _blanks(text, 0)
    found, at = _filter(text, at, NESTING) if text[at : at + 1] == "(" else _component(text, at, NESTING)
    at = _blanks(text, at)
    if at != len(text):
        raise FilterSyntaxError("something follows the end of the filter", at)
    return found


# Grammar: RFC 4515 section 3.

_BLANKS = re.compile(r"[ \t\r\n]*")
_DESCRIPTION = r"(?:[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9_-]+)*"
_RULE = r"[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+"
# simple = attr filtertype assertionvalue; filtertype = equal / approx / greaterorequal / lessorequal
_SIMPLE = re.compile(rf"({_DESCRIPTION})[ \t\r\n]*(=|~=|>=|<=)")
# extensible = ( attr [dnattrs] [matchingrule] COLON EQUALS assertionvalue )
#            / ( [dnattrs] matchingrule COLON EQUALS assertionvalue )
_EXTENSIBLE = re.compile(rf"({_DESCRIPTION})?[ \t]*(:[Dd][Nn](?=:))?(?::({_RULE}))?[ \t]*:=")
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
        raise FilterSyntaxError(
            "the parenthesis is never closed" if stop == len(text) else "here must stand ')'", stop
        )
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
                raise FilterSyntaxError("after '!' must stand a filter in parentheses", at)
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
        return _ASSERTIONS[kind](attribute, _octets(value, found.end())), stop
    if (found := _EXTENSIBLE.match(text, at)) and (found[1] or found[3]):
        value, stop = _value(text, found.end())
        octets = _octets(value, found.end())
        return Extensible(found[1], found[3], octets, found[2] is not None), stop
    raise FilterSyntaxError("here must stand an attribute and one of = ~= >= <= :=", at)


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
        return Equality(attribute, _octets(first, at)), stop
    initial = _octets(first, at) or None
    *middle, final = (_octets(part, at) for part in others)
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


def _octets(value: str, at: int) -> bytes:
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
        raise FilterSyntaxError("half a surrogate pair is no character", at + error.start) from None
    return b"".join(chunks)


@final
class Template:
    """A filter in which `%s` stands for a name (reference 3.4), compiled to BER with holes once.

    A name fills the holes as octets, so no name can change the shape of the filter. Where the template has
    `%s*`, one `*` at the end of a name is dropped; all other stars are literal. A `%` before anything but a
    small `s` is literal, too. Two templates with the same text are equal. Raises FilterSyntaxError.
    """

    __slots__ = ("_ber", "_frames", "_hole", "_trimmed", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._hole = _unused_octet(text)
        self._ber = _with_holes(text, self._hole).encode()
        self._trimmed = tuple(_trimmed_holes(self._ber, self._hole))
        self._frames: dict[tuple[int, int], tuple[bytes, ...]] = {}

    @property
    def holes(self) -> int:
        """How many `%s` there are."""
        return len(self._trimmed)

    def encode(self, name: str | bytes) -> bytes:
        """The BER of the filter for `name`.

        Raises FilterSyntaxError for a name without a visible character: it might find everybody.
        """
        octets = trimmed = _name_octets(name)
        if octets[-1:] == b"*" and True in self._trimmed:
            trimmed = octets[:-1]
        if not trimmed.isalnum() and _invisible(trimmed):
            raise FilterSyntaxError("an empty name is never searched for")
        frame = self._frame(len(octets), len(trimmed))
        if trimmed is octets:
            return octets.join(frame)
        filled = [frame[0]]
        for trim, chunk in zip(self._trimmed, frame[1:], strict=True):
            filled += trimmed if trim else octets, chunk
        return b"".join(filled)

    def filter(self, name: str | bytes) -> Filter:
        """The tree of the filter for `name`. Raises as `encode` does."""
        return decode(self.encode(name))

    def _frame(self, length: int, trimmed: int) -> tuple[bytes, ...]:
        """The octets around the holes for a name of this length: they depend on nothing else."""
        frame = self._frames.get((length, trimmed))
        if frame is None:
            sizes = [trimmed if trim else length for trim in self._trimmed]
            frame = tuple(_framed(self._ber, self._hole, iter(sizes))[0])
            if length <= _KEPT_LENGTHS:
                self._frames[length, trimmed] = frame
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


def _with_holes(text: str, hole: bytes) -> Filter:
    """The tree of a template, each `%s` in it replaced by the octet that marks a hole."""
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


def _name_octets(name: str | bytes) -> bytes:
    if isinstance(name, bytes):
        return name
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise FilterSyntaxError("half a surrogate pair is no character", error.start) from None


_NOTHING = re.compile(  # what is mapped to nothing, by RFC 4518 section 2.2, and blanks
    "[\x00-\x20\x7f-\xa0\xad\u034f\u06dd\u070f\u1680\u1806\u180b-\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ufe00-\ufe0f\ufeff\ufff9-\ufffc\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]*"
)


def _invisible(octets: bytes) -> bool:
    """Whether a server may take this for nothing."""
    return _NOTHING.fullmatch(octets.decode("utf-8", "surrogateescape")) is not None


def _unused_octet(text: str) -> bytes:
    """The octet that marks the holes: no value of the template has it, so nothing else looks like one."""
    used = _octets(re.sub(r"\\(?![0-9A-Fa-f]{2})", "", text), 0)
    for octet in range(0xFE, 0x7F, -1):
        if octet not in used:
            return bytes([octet])
    raise FilterSyntaxError("the template uses every octet there is")


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
