"""Reading sametime.ini (config 2.1): sections in brackets, `KEY=VALUE` below them.

Sections and keys compare without case. Of a key given twice the last counts. Nothing here knows what the keys
mean; that is `schema` and `ini_values`.
"""

import re
from dataclasses import dataclass, field
from enum import Enum

from quintet.config.parsers import character_name, is_invisible
from quintet.config.schema import INI
from quintet.config.source import LINE_END, EditError, SourceText, by_mark
from quintet.diagnostics import Diagnostics, Finding, Place, shown

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
    """One line. `text` and `end` together are what the file has; `section` is the one that the line is in."""

    number: int
    text: str
    end: str
    kind: LineKind
    section: str | None = None
    key: str | None = None
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class IniEntry:
    """One key with its value, from the file or from a `variable`. `written` is its name there."""

    section: str | None
    key: str
    value: str = field(repr=False)
    place: Place
    written: str
    variable: bool = False


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


def read_ini(data: bytes, findings: Diagnostics, file: str = INI) -> tuple[IniEntry, ...]:
    """The entries that count, in the order of the file: every key once, its last value."""
    try:
        source = read_ini_source(data)
    except EditError as error:
        findings.add(Finding.Q46, Place(file, error.line), None, error.message, error.fix)
        return ()
    if "\0" in source.text:
        line = source.line(source.text.index("\0"))
        findings.add(Finding.Q46, Place(file, line), None, "there is a NUL byte here, as in UTF-16")
        return ()
    if source.encoding == "iso-8859-1":
        findings.add(
            Finding.Q45, Place(file), None, "the file is not UTF-8; it is read as ISO 8859-1 (Latin 1)"
        )
    lines = parse_ini(source.text)
    if len(lines) > _MOST_LINES:
        findings.add(Finding.Q43, Place(file), None, f"the file has more than {_MOST_LINES} lines")
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
                message = f"the section [{line.section}] appears again, first in line {first}; both are read"
                findings.add(Finding.Q48, place, None, message, f"move these keys to line {first}")
        elif line.kind is LineKind.OTHER:
            message = "the line is neither a section, a comment nor KEY=VALUE; it is ignored"
            findings.add(Finding.Q49, place, None, message)
        elif line.kind is LineKind.KEY and line.value is not None:
            _check_characters(line, place, findings)


def _check_characters(line: IniLine, place: Place, findings: Diagnostics) -> None:
    """Warns of what XML does not allow (config 2.1), and of invisible characters that were stripped."""
    name = shown(line.key or "")
    strange = next((c for c in line.value or "" if not _is_xml_character(c)), None)
    if strange is not None:
        message = f"the value of {name} contains the control character U+{ord(strange):04X}"
        findings.add(Finding.Q51, place, line.key, message)
    _, _, written = line.text.partition("=")
    bare = written.strip(" \t")
    hidden = next((c for c in bare[:1] + bare[-1:] if is_invisible(c) and c.isspace()), None)
    if hidden is not None:
        message = f"the value of {name} begins or ends with an invisible character, {character_name(hidden)}"
        findings.add(Finding.Q51, place, line.key, message, f"type the value of {name} again")


def read_ini_source(data: bytes) -> SourceText:
    """The text of an ini file: by its byte order mark, else UTF-8, else one character a byte (ISO 8859-1)."""
    marked = by_mark(data)
    if marked is not None:
        return marked
    try:
        return SourceText(data.decode(), "utf-8")
    except UnicodeDecodeError:
        return SourceText(data.decode("iso-8859-1"), "iso-8859-1")


def _last(lines: tuple[IniLine, ...], findings: Diagnostics, file: str) -> tuple[IniEntry, ...]:
    entries: dict[tuple[str, str], IniEntry] = {}
    for line in lines:
        if line.key is None or line.value is None:
            continue
        place = Place(file, line.number)
        name = (same_section(line.section or ""), line.key.casefold())
        before = entries.pop(name, None)
        if before is not None:
            section = f"[{line.section}]" if line.section is not None else "no section"
            message = (
                f"{shown(line.key)} is set in {section} in line {before.place.line} and in line"
                f" {line.number};"
                f" line {line.number} is used"
            )
            findings.add(Finding.Q50, place, line.key, message, f"remove line {before.place.line}")
        entries[name] = IniEntry(line.section, line.key, line.value, place, line.key)
    return tuple(entries.values())


def _is_xml_character(char: str) -> bool:
    """XML 1.0, production 2; sametime.ini may hold no others."""
    return char == "\t" or (char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff")
