"""Changing sametime.ini in place: only the line that must change, and in it only the value.

Sections and keys are found without regard to case, as the reader finds them. What stands there keeps its
spelling.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from quintet.config.source import CannotEdit, read_ini_source

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_SECTION = re.compile(r"[^\S\r\n]*\[([^\]\r\n]*)\]")
_KEY = re.compile(
    r"(?P<before>[^\S\r\n]*(?P<key>[^=\r\n]*?)[^\S\r\n]*=[^\S\r\n]*)(?P<value>[^\r\n]*?)(?P<after>\s*)\Z"
)
_COMMENT = (";", "#")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its section, and what it says in it. A line without a key has `key` None."""

    section: str | None
    text: str
    key: str | None = None
    is_header: bool = False


def get_key(source: bytes, section: str, key: str) -> str | None:
    """The value in effect: the last one, when there are several. None when the key is absent."""
    value = None
    for line in _lines(read_ini_source(source).text):
        if _is_key(line, section, key):
            match = _KEY.match(line.text)
            value = match["value"] if match else None
    return value


def set_key(source: bytes, section: str, key: str, value: str) -> bytes:
    """The file with `key=value` in `section`: replaced where the value in effect stands, else added.

    A new key goes below the last key of its section, a new section to the end of the file. Raises
    `CannotEdit` for a name or a value that an ini file cannot hold.
    """
    _check(section, key, value)
    original = read_ini_source(source)
    lines = list(_lines(original.text))
    found = [at for at, line in enumerate(lines) if _is_key(line, section, key)]
    texts = [line.text for line in lines]
    if found:
        texts[found[-1]] = _with_value(texts[found[-1]], value)
    else:
        _add(texts, lines, section, f"{key}={value}", _line_end(original.text))
    return original.encode("".join(texts))


def remove_key(source: bytes, section: str, key: str) -> bytes:
    """The file without any line that sets `key` in `section`. An unchanged file when there is none."""
    original = read_ini_source(source)
    kept = [line.text for line in _lines(original.text) if not _is_key(line, section, key)]
    return original.encode("".join(kept))


def _lines(text: str) -> Iterator[_Line]:
    section = None
    for line in _LINES.findall(text):
        header = _SECTION.match(line)
        if header:
            section = header[1].strip()
            yield _Line(section, line, is_header=True)
        elif line.lstrip().startswith(_COMMENT):
            yield _Line(section, line)
        else:
            match = _KEY.match(line)
            yield _Line(section, line, key=match["key"] if match else None)


def _is_key(line: _Line, section: str, key: str) -> bool:
    return (
        line.key is not None
        and line.section is not None
        and line.key.casefold() == key.casefold()
        and line.section.casefold() == section.casefold()
    )


def _with_value(line: str, value: str) -> str:
    match = _KEY.match(line)
    if match is None:
        return line
    return match["before"] + value + match["after"]


def _add(texts: list[str], lines: list[_Line], section: str, text: str, end: str) -> None:
    """Puts a new line into `texts`, which stand beside `lines`."""
    own = [
        at
        for at, line in enumerate(lines)
        if line.section is not None
        and line.section.casefold() == section.casefold()
        and (line.is_header or line.key is not None)
    ]
    if own:
        above = own[-1]
        if not texts[above].endswith(("\r", "\n")):
            texts[above] += end
        texts.insert(above + 1, text + end)
        return
    if texts and not texts[-1].endswith(("\r", "\n")):
        texts[-1] += end
    if texts and texts[-1].strip():
        texts.append(end)
    texts += [f"[{section}]{end}", text + end]


def _line_end(text: str) -> str:
    """The line end of the file, which is that of its first line."""
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def _check(section: str, key: str, value: str) -> None:
    for name in (section, key):
        if not _NAME.fullmatch(name):
            raise CannotEdit(f"{name!r} cannot be a name in an ini file")
    if value != value.strip():
        raise CannotEdit(f"the value of {key} begins or ends with a blank, which an ini file loses")
    if any(not letter.isprintable() for letter in value):
        raise CannotEdit(f"the value of {key} holds a letter that cannot stand on a line")
