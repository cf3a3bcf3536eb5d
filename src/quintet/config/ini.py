"""Reading sametime.ini (reference 2.1): sections in brackets, `KEY=VALUE` below them.

Sections and keys compare without case. Of a key given twice the last counts. Nothing here knows what the keys
mean; that is `known` and `ini_values`.
"""

import re
from dataclasses import dataclass, field
from enum import Enum

from quintet.config.source import LINE_END, EditError, read_ini_source
from quintet.diagnostics import Diagnostics, Place, shown

FILE = "sametime.ini"

_LINE = re.compile(rf"([^\r\n]*)({LINE_END.pattern}|\Z)")
_HEADER = re.compile(r"\s*\[([^\]]*)\]")
_MOST_LINES = 20_000
_COMMENTS = (";", "#")


class LineKind(Enum):
    SECTION = "section"
    KEY = "key"
    COMMENT = "comment"
    BLANK = "blank"
    OTHER = "neither"


@dataclass(frozen=True, slots=True)
class IniLine:
    """One line. `text` and `end` together are what stands in the file; `section` is the one it stands in."""

    number: int
    text: str
    end: str
    kind: LineKind
    section: str | None = None
    key: str | None = None
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with its value, from the file or the environment. `written` is its name as it stands there."""

    section: str | None
    key: str
    value: str = field(repr=False)
    place: Place
    written: str


def parse_ini(text: str) -> tuple[IniLine, ...]:
    """All lines of `text`, in order. Joined again, they are the text."""
    lines: list[IniLine] = []
    section: str | None = None
    for number, found in enumerate(_LINE.finditer(text), 1):
        content, end = found.groups()
        if not content and not end:
            break
        line = _line(number, content, end, section)
        section = line.section
        lines.append(line)
    return tuple(lines)


def _line(number: int, text: str, end: str, section: str | None) -> IniLine:
    bare = text.strip()
    if not bare:
        return IniLine(number, text, end, LineKind.BLANK, section)
    if header := _HEADER.match(text):
        return IniLine(number, text, end, LineKind.SECTION, header[1].strip())
    if bare.startswith(_COMMENTS):
        return IniLine(number, text, end, LineKind.COMMENT, section)
    key, equals, value = bare.partition("=")
    if not equals or not key.strip():
        return IniLine(number, text, end, LineKind.OTHER, section)
    return IniLine(number, text, end, LineKind.KEY, section, key.strip(), value.strip())


def same_section(name: str) -> str:
    """What equal section names have in common: `Debug-StUsers`, `DEBUG_STUSERS`."""
    return name.casefold().replace("-", "_")


def read_ini(data: bytes, findings: Diagnostics, file: str = FILE) -> tuple[Entry, ...]:
    """The entries that count, in the order of the file: every key once, its last value."""
    try:
        source = read_ini_source(data)
    except EditError as error:
        findings.error(Place(file, error.line), None, error.message)
        return ()
    if "\0" in source.text:
        line = source.line(source.text.index("\0"))
        findings.error(
            Place(file, line), None, "there is a NUL byte here, as in UTF-16; save the file as UTF-8"
        )
        return ()
    if source.encoding == "iso-8859-1":
        findings.note(Place(file), None, "the file is not UTF-8; it is read as ISO 8859-1 (Latin 1)")
    lines = parse_ini(source.text)
    if len(lines) > _MOST_LINES:
        findings.error(Place(file), None, f"the file has more than {_MOST_LINES} lines; is it the right one?")
        return ()
    _check_layout(lines, findings, file)
    return _last(lines, findings, file)


def _check_layout(lines: tuple[IniLine, ...], findings: Diagnostics, file: str) -> None:
    seen: dict[str, int] = {}
    for line in lines:
        place = Place(file, line.number)
        if line.kind is LineKind.SECTION and line.section is not None:
            first = seen.setdefault(same_section(line.section), line.number)
            if first != line.number:
                findings.warning(
                    place,
                    None,
                    f"the section [{line.section}] stands here again, first in line {first}; both are read",
                )
        elif line.kind is LineKind.OTHER:
            findings.warning(
                place, None, "this is no section, no comment and no KEY=VALUE; the line is ignored"
            )
        elif line.kind is LineKind.KEY and line.value is not None:
            strange = next((c for c in line.value if not _is_xml_character(c)), None)
            if strange is not None:
                findings.warning(
                    place, line.key, f"the value holds the control character U+{ord(strange):04X}"
                )


def _last(lines: tuple[IniLine, ...], findings: Diagnostics, file: str) -> tuple[Entry, ...]:
    entries: dict[tuple[str, str], Entry] = {}
    for line in lines:
        if line.key is None or line.value is None:
            continue
        place = Place(file, line.number)
        name = (same_section(line.section or ""), line.key.casefold())
        before = entries.pop(name, None)
        if before is not None:
            section = f"[{line.section}]" if line.section is not None else "no section"
            findings.warning(
                place,
                line.key,
                f"{shown(line.key)} stands in {section} in line {before.place.line} and in line"
                f" {line.number}; line {line.number} counts",
            )
        entries[name] = Entry(line.section, line.key, line.value, place, line.key)
    return tuple(entries.values())


def _is_xml_character(char: str) -> bool:
    """XML 1.0, production 2; sametime.ini may hold no others."""
    return char == "\t" or (char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff")
