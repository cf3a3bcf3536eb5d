"""Reading `STI__Section__KEY` variables (reference 2.2), the form that containers use for sametime.ini."""

import re
from collections.abc import Mapping

from quintet.config.ini import Entry, same_section
from quintet.config.problems import Findings, Place, shown

ENVIRONMENT = Place("environment")

_PROPER = re.compile(r"STI__(.+?)__(.+)", re.DOTALL)
_SLIP = re.compile(r"STI_{1,2}(Config|Directory|Debug)_{1,2}(.+)", re.IGNORECASE | re.DOTALL)


def read_environment(environ: Mapping[str, str], findings: Findings) -> tuple[Entry, ...]:
    """The entries that count: every key once. An empty value is as if the variable were not there.

    Where two spellings name one key, the proper one wins over a slip, else the last in the order of names.
    """
    found: dict[tuple[str, str], Entry] = {}
    for entry in (*_slips(environ, findings), *_proper(environ)):
        name = (same_section(entry.section or ""), entry.key.casefold())
        before = found.pop(name, None)
        if before is not None:
            findings.warning(
                ENVIRONMENT,
                entry.written,
                f"{before.written} and {entry.written} set the same key; {entry.written} counts",
            )
        found[name] = entry
    return tuple(entry for entry in found.values() if entry.value)


def _proper(environ: Mapping[str, str]) -> list[Entry]:
    return [
        Entry(match[1], match[2], environ[name].strip(), ENVIRONMENT, name)
        for name in sorted(environ)
        if (match := _PROPER.fullmatch(name))
    ]


def _slips(environ: Mapping[str, str], findings: Findings) -> list[Entry]:
    entries = []
    for name in sorted(environ):
        if not name.startswith("STI_") or _PROPER.fullmatch(name):
            continue
        match = _SLIP.fullmatch(name)
        if match is not None:
            right = f"STI__{match[1]}__{match[2]}"
            findings.warning(ENVIRONMENT, name, f"single underscores are a slip; write {right}. It is read")
            entries.append(Entry(match[1], match[2], environ[name].strip(), ENVIRONMENT, name))
        elif name.startswith("STI__"):
            findings.warning(
                ENVIRONMENT, name, f"{shown(name)} is not of the form STI__Section__KEY; it is ignored"
            )
    return entries
