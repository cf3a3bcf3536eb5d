"""A file's bytes as text and back again, with nothing lost: encoding, byte order mark and line ends stay."""

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import final

from quintet.diagnostics import Code, Finding, Pitfall

LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""\A<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# An ASCII character at the beginning, in one of the two byte orders, and no mark before it.
_BARE_UTF_16 = re.compile(rb"\A(?:[^\0]\0(?!\0)|\0[^\0])", re.DOTALL)
_SAVE = "save the file as UTF-8, and let it declare UTF-8 or nothing"


class EditError(ValueError):
    """The file cannot be read, or cannot be changed without risk to its meaning.

    `line` counts from 1, where it is known. `fix` says what to do, `code` which kind of problem it is.
    """

    def __init__(
        self, message: str, line: int | None = None, *, fix: str | None = None, code: Code = Pitfall.D15
    ) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.message = message
        self.line = line
        self.fix = fix or code.fix
        self.code = code


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
        """`text` in the file's own encoding. Raises `EditError` for a character that the encoding lacks."""
        try:
            return self.mark + text.encode(self.encoding, errors)
        except UnicodeEncodeError as error:
            message = f"the file is written in {self.encoding}, which has no {text[error.start]!r}"
            raise EditError(message, fix="save the file as UTF-8", code=Finding.Q46) from None

    def line(self, at: int) -> int:
        """The number of the line that the character at `at` stands in."""
        return Lines(self.text).at(at)


def read_ini_source(data: bytes) -> SourceText:
    """The text of an ini file: by its byte order mark, else UTF-8, else one character a byte (ISO 8859-1)."""
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
        raise _undecodable("the file looks like UTF-16 without a byte order mark", fix=_SAVE)
    declared = _DECLARED.match(data)
    if declared is None:
        return _decoded(data, "utf-8", "the file is not UTF-8, and declares no encoding")
    encoding = declared[1].decode()
    says = f'the XML declaration says encoding="{encoding}"'
    try:
        if "<?xml".encode(encoding) != b"<?xml":
            raise _undecodable(
                f"{says}, but the file is not written in it: its characters take one byte each",
                fix='write encoding="UTF-8" in the declaration, and save the file as UTF-8',
            )
    except LookupError:
        raise _undecodable(f"{says}, which is not a known encoding", fix=_SAVE) from None
    except UnicodeError:  # of codecs that are not for text, such as "undefined"
        raise _undecodable(f"{says}, which is not an encoding for files", fix=_SAVE) from None
    source = _decoded(data, encoding, f"{says}, but the file is not written in it")
    if not _is_written_as(source.text, encoding, data):
        raise _undecodable(f"{says}, which cannot be written back as it was", fix=_SAVE)
    return source


def _decoded(data: bytes, encoding: str, otherwise: str) -> SourceText:
    try:
        return SourceText(data.decode(encoding), encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(otherwise, _line_of(error, encoding), fix=_SAVE) from None
    except UnicodeError:  # of codecs that are not for text, such as "idna" and "punycode"
        raise _undecodable(otherwise, fix=_SAVE) from None


def _undecodable(message: str, line: int = 1, *, fix: str) -> EditError:
    return EditError(message, line, fix=fix, code=Finding.Q46)


def _line_of(error: UnicodeDecodeError, encoding: str) -> int:
    try:
        before = error.object[: error.start].decode(encoding, "replace")
    except UnicodeError:  # "idna" cannot replace
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
                message = f"the file has the byte order mark of {encoding}, but is not written in it"
                raise _undecodable(message, _line_of(error, encoding), fix=_SAVE) from None
    return None
