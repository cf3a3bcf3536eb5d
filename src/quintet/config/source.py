"""A file's bytes as text and back again, with nothing lost: encoding, byte order mark and line ends stay."""

import codecs
import re
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""\A<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


class CannotEdit(ValueError):
    """The file cannot be changed without risk to what it says. `line` counts from 1, where it is known."""

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what if line is None else f"line {line}: {what}")
        self.what = what
        self.line = line


@dataclass(frozen=True, slots=True)
class SourceText:
    """What a file says, and how it is written down."""

    text: str
    encoding: str
    mark: bytes = b""

    def encode(self, text: str, *, errors: str = "strict") -> bytes:
        """`text` in the file's own encoding. Raises `CannotEdit` for a letter that the encoding lacks."""
        try:
            return self.mark + text.encode(self.encoding, errors)
        except UnicodeEncodeError as error:
            letter = text[error.start]
            raise CannotEdit(f"the file is written in {self.encoding}, which has no {letter!r}") from None

    def line(self, at: int) -> int:
        """The number of the line that the character at `at` stands in."""
        before = self.text[:at]
        return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")


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
    declared = _DECLARED.match(data)
    encoding = declared[1].decode() if declared else "utf-8"
    try:
        text = data.decode(encoding)
    except LookupError:
        raise CannotEdit(f"the encoding {encoding!r} is not known", 1) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CannotEdit(f"this is not {encoding}, which the file says that it is", line) from None
    except UnicodeError:  # of codecs that are none for text, such as "idna" and "punycode"
        raise CannotEdit(f"the encoding {encoding!r} is none for files", 1) from None
    if not _is_written_as(text, encoding, data):
        raise CannotEdit(f"the encoding {encoding!r} cannot be written back as it was", 1)
    return SourceText(text, encoding)


def _is_written_as(text: str, encoding: str, data: bytes) -> bool:
    try:
        return text.encode(encoding) == data
    except UnicodeError:
        return False


def _by_mark(data: bytes) -> SourceText | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return SourceText(data[len(mark) :].decode(encoding), encoding, mark)
            except UnicodeDecodeError:
                raise CannotEdit(f"the file begins as {encoding} and does not go on so") from None
    return None
