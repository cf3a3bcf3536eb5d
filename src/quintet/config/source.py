"""A file's bytes as text and back again, with nothing lost: encoding, byte order mark and line ends stay."""

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import final

from quintet.diagnostics import Code, Finding, Pitfall

LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


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


def undecodable(message: str, line: int = 1, *, fix: str | None = None) -> EditError:
    """The error of a file whose characters cannot be read."""
    return EditError(message, line, fix=fix, code=Finding.Q46)


@final
class Lines:
    """Which line a character is in. Lines end with CR, LF or both (XML 1.0, 2.11)."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in LINE_END.finditer(text))]

    def at(self, position: int) -> int:
        """The number of the line, from 1."""
        return bisect_right(self._starts, position)

    def place(self, position: int) -> tuple[int, int]:
        """The numbers of line and column, from 1."""
        line = self.at(position)
        return line, position - self._starts[line - 1] + 1


@dataclass(frozen=True, slots=True)
class SourceText:
    """What a file says, and how it is written down."""

    text: str = field(repr=False)
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
        """The number of the line that the character at `at` is in."""
        return Lines(self.text).at(at)


def by_mark(data: bytes) -> SourceText | None:
    """The text of a file with a byte order mark. Raises `EditError` when it is not in that encoding."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            content = data[len(mark) :]
            try:
                return SourceText(content.decode(encoding), encoding, mark)
            except UnicodeDecodeError as error:
                before = content[: error.start].decode(encoding, "replace")
                message = f"the file has the byte order mark of {encoding}, but is not written in it"
                raise undecodable(message, Lines(before).at(len(before))) from None
    return None
