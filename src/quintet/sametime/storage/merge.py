"""Two versions of a contact list become one, line by line, against the version that both began with.

A contact list is kept as its text (P99), and merged as such, so that lines that are of no known kind stay as
they are. A `G` line begins a section; lines below belong to it. Sections and lines have keys: the id with its
type for groups and contacts, the word before `=` for settings like `Version`, the whole line for any other.

- What one side added is there, what one side removed is gone.
- What one side changed (a name, an alias, whether a group is open) is as that side has it, even if the other
  removed it; what both changed is as the newcomer, `mine`, has it.
- The order is that of `theirs`; what only `mine` has comes at the end of its section.

Clients write IDs as the server gave them, so only their case is ignored here.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from quintet.sametime.ids import id_key

T = TypeVar("T")

_TOP: Final = ""


def merge_contact_lists(base: str, theirs: str, mine: str) -> str:
    """The text that has the changes from `base` to `theirs` and from `base` to `mine`."""
    old, stored, new = map(_sections, (base, theirs, mine))
    merged = _merge(old, stored, new, _merge_section)
    lines = [line for section in merged.values() for line in section.values()]
    return "".join([f"{line}\r\n" for line in lines])


def replace_contact(contact_list: str, old: str, new: str) -> tuple[str, int]:
    """The text with the ID `new` wherever the ID `old` was, and how often that was."""
    wanted = id_key(old)
    lines: list[str] = []
    count = 0
    for line in _lines(contact_list):
        kind, identifier, rest = _split(line)
        if kind and id_key(_unpacked(identifier[:-1])) == wanted:
            line = f"{kind} {_packed(new)}{identifier[-1]}{rest}"  # noqa: PLW2901
            count += 1
        lines.append(line)
    return "".join([f"{line}\r\n" for line in lines]) if count else contact_list, count


_Section = dict[str, str]
"""Lines by their keys. The section's own `G` line has the key of the section."""


def _sections(text: str) -> dict[str, _Section]:
    sections: dict[str, _Section] = {_TOP: {}}
    current = sections[_TOP]
    for line in _lines(text):
        key = _line_key(line)
        if line.startswith("G "):
            current = sections.setdefault(key, {})
        current.setdefault(key, line)
    return sections


def _lines(text: str) -> list[str]:
    stripped = (line.strip(" \t") for line in text.replace("\r", "\n").split("\n"))
    return [line for line in stripped if line]


def _line_key(line: str) -> str:
    kind, identifier, _ = _split(line)
    if kind:
        return f"{kind} {identifier.casefold()}"
    setting, equals, _ = line.partition("=")
    return f"={setting}" if equals and setting.isalnum() else line


def _split(line: str) -> tuple[str, str, str]:
    """Kind, id with type, and the rest of a line of a group or contact; an empty kind for any other."""
    if line.startswith("U "):
        identifier, colons, rest = line[2:].partition("::")
        if colons and len(identifier.strip()) > 1:
            return "U", identifier.strip(), colons + rest
    elif line.startswith("G "):
        fields = line[2:].split(None, 1)
        if fields and len(fields[0]) > 1:
            return "G", fields[0], line[2:].lstrip()[len(fields[0]) :]
    return "", "", ""


def _packed(text: str) -> str:
    return "".join([";" if each.isspace() or each == "\0" else each for each in text])


def _unpacked(text: str) -> str:
    return text.replace(";", " ")


def _merge_section(base: _Section | None, theirs: _Section | None, mine: _Section | None) -> _Section | None:
    """One section, None where it is not there. One that one side removed stays if the other changed it."""
    if theirs is not None and mine is not None:
        return _merge(base or {}, theirs, mine, _pick)
    left = theirs if mine is None else mine
    if left is None or base is None:
        return left
    kept = _merge(base, theirs or {}, mine or {}, _pick)
    head = next(iter(left.items()))
    return dict([head]) | kept if kept else None


def _pick(base: str | None, theirs: str | None, mine: str | None) -> str | None:
    if mine == base:
        return theirs
    if mine is None and theirs != base:
        return theirs
    return mine


def _merge(
    base: dict[str, T],
    theirs: dict[str, T],
    mine: dict[str, T],
    choose: Callable[[T | None, T | None, T | None], T | None],
) -> dict[str, T]:
    merged: dict[str, T] = {}
    for key in (*theirs, *(each for each in mine if each not in theirs)):
        chosen = choose(base.get(key), theirs.get(key), mine.get(key))
        if chosen is not None:
            merged[key] = chosen
    return merged
