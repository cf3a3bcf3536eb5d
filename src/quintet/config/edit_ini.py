"""Changing sametime.ini in place: only the line that must change, and in it only the value.

Sections and keys are found as the reader finds them. What stands there keeps its spelling.
"""

import re

from quintet.config.ini import IniLine, LineKind, parse_ini, same_section
from quintet.config.source import EditError, read_ini_source

_VALUE = re.compile(r"(?P<before>[^=]*=\s*)(?P<value>.*?)(?P<after>\s*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def get_key(source: bytes, section: str, key: str) -> str | None:
    """The value in effect: the last one, when there are several. None when the key is absent."""
    values = [line.value for line in parse_ini(read_ini_source(source).text) if _is_key(line, section, key)]
    return values[-1] if values else None


def set_key(source: bytes, section: str, key: str, value: str) -> bytes:
    """The file with `key=value` in `section`: replaced where the value in effect stands, else added.

    A new key goes below the last key of its section, a new section to the end of the file. Raises
    `EditError` for a name or a value that an ini file cannot hold.
    """
    _check(section, key, value)
    original = read_ini_source(source)
    lines = parse_ini(original.text)
    texts = [line.text + line.end for line in lines]
    found = [at for at, line in enumerate(lines) if _is_key(line, section, key)]
    if found:
        line = lines[found[-1]]
        texts[found[-1]] = _with_value(line.text, value) + line.end
    else:
        _add(texts, lines, section, f"{key}={value}", lines[0].end if lines else "")
    return original.encode("".join(texts))


def remove_key(source: bytes, section: str, key: str) -> bytes:
    """The file without any line that sets `key` in `section`. An unchanged file when there is none."""
    original = read_ini_source(source)
    kept = [line.text + line.end for line in parse_ini(original.text) if not _is_key(line, section, key)]
    return original.encode("".join(kept))


def _is_key(line: IniLine, section: str, key: str) -> bool:
    return (
        line.key is not None
        and line.section is not None
        and line.key.casefold() == key.casefold()
        and same_section(line.section) == same_section(section)
    )


def _with_value(text: str, value: str) -> str:
    found = _VALUE.fullmatch(text)
    return text if found is None else found["before"] + value + found["after"]


def _add(texts: list[str], lines: tuple[IniLine, ...], section: str, text: str, end: str) -> None:
    """Puts a new line into `texts`, which are those of `lines`."""
    end = end or "\n"
    own = [
        at
        for at, line in enumerate(lines)
        if line.kind in (LineKind.SECTION, LineKind.KEY)
        and line.section is not None
        and same_section(line.section) == same_section(section)
    ]
    above = own[-1] if own else len(texts) - 1
    if texts and not texts[above].endswith(("\r", "\n")):
        texts[above] += end
    if own:
        texts.insert(above + 1, text + end)
        return
    if texts and texts[-1].strip():
        texts.append(end)
    texts += [f"[{section}]{end}", text + end]


def _check(section: str, key: str, value: str) -> None:
    for name in (section, key):
        if not _NAME.fullmatch(name):
            raise EditError(f"{name!r} cannot be a name in an ini file")
    if value != value.strip():
        raise EditError(f"the value of {key} begins or ends with a blank, which an ini file loses")
    if any(not letter.isprintable() for letter in value):
        raise EditError(f"the value of {key} holds a letter that cannot stand on a line")
