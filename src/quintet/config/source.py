"""A file's bytes as text and back again, with nothing lost: encoding, byte order mark and line ends stay."""

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import final

LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""\A<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# A letter of ASCII at the beginning, in one of the two orders, and no mark before it.
_BARE_UTF_16 = re.compile(rb"\A(?:[^\0]\0(?!\0)|\0[^\0])", re.DOTALL)
_CURE = "save the file as UTF-8"


class EditError(ValueError):
    """The file cannot be read, or not changed without risk to what it says.

    `line` counts from 1, where it is known.
    """

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what if line is None else f"line {line}: {what}")
        self.message = what
        self.line = line


@final
class Lines:
    """Which line a character stands in. Lines end with CR, LF or both (XML 1.0, 2.11)."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in LINE_END.finditer(text))]

    def at(self, position: int) -> int:
        """The number of the line, from 1."""
        return bisect_right(self._starts, position)


@dataclass(frozen=True, slots=True)
class SourceText:
    """What a file says, and how it is written down."""

    text: str
    encoding: str
    mark: bytes = b""

    def encode(self, text: str, *, errors: str = "strict") -> bytes:
        """`text` in the file's own encoding. Raises `EditError` for a letter that the encoding lacks."""
        try:
            return self.mark + text.encode(self.encoding, errors)
        except UnicodeEncodeError as error:
            letter = text[error.start]
            raise EditError(f"the file is written in {self.encoding}, which has no {letter!r}") from None

    def line(self, at: int) -> int:
        """The number of the line that the character at `at` stands in."""
        return Lines(self.text).at(at)


def read_ini_source(data: bytes) -> SourceText:
    """The text of an ini file: by its byte order mark, else UTF-8, else one letter a byte (ISO 8859-1)."""
    marked = _by_mark(data)
    if marked is not None:
        return marked
    try:
        return SourceText(data.decode(), "utf-8")
    except UnicodeDecodeError:
        return SourceText(data.decode("iso-8859-1"), "iso-8859-1")


def read_xml_source(data: bytes) -> SourceText:
    """The text of an XML file: by its byte order mark, its declaration, else UTF-8 (XML 1.0, appendix F)."""
    marked = _by_mark(data)
    if marked is not None:
        return marked
    if _BARE_UTF_16.match(data):
        raise EditError(f"this looks like UTF-16 without its byte order mark; {_CURE}", 1)
    declared = _DECLARED.match(data)
    encoding = declared[1].decode() if declared else "utf-8"
    try:
        text = data.decode(encoding)
    except LookupError:
        raise EditError(f"the encoding {encoding!r} is not known; {_CURE}", 1) from None
    except UnicodeDecodeError as error:
        why = f"{encoding}, which the file says that it is" if declared else "UTF-8, and names no encoding"
        raise EditError(f"this is not {why}; {_CURE}", _line_of(error, encoding)) from None
    except UnicodeError:  # of codecs that are none for text, such as "idna" and "punycode"
        raise EditError(f"the encoding {encoding!r} is none for files; {_CURE}", 1) from None
    if not _is_written_as(text, encoding, data):
        raise EditError(f"the encoding {encoding!r} cannot be written back as it was; {_CURE}", 1)
    return SourceText(text, encoding)


def _line_of(error: UnicodeDecodeError, encoding: str) -> int:
    try:
        before = error.object[: error.start].decode(encoding, "replace")
    except UnicodeError:  # "idna" knows no replacing
        return 1
    return Lines(before).at(len(before))


def _is_written_as(text: str, encoding: str, data: bytes) -> bool:
    try:
        return text.encode(encoding) == data
    except UnicodeError:
        return False


def _by_mark(data: bytes) -> SourceText | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            content = data[len(mark) :]
            try:
                return SourceText(content.decode(encoding), encoding, mark)
            except UnicodeDecodeError as error:
                what = f"the file begins as {encoding} and does not go on so; {_CURE}"
                raise EditError(what, _line_of(error, encoding)) from None
    return None
