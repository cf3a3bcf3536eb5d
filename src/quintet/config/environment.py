"""Reading `STI__Section__KEY` variables (reference 2.2), the form that containers use for sametime.ini."""

import re
from collections.abc import Mapping

from quintet.config.ini import Entry, same_section
from quintet.config.schema import COMPONENT_KEYS
from quintet.diagnostics import Diagnostics, Place, shown

ENVIRONMENT = Place("environment")

_PROPER = re.compile(r"STI__(.+?)__(.+)", re.DOTALL)
# The section of a component, `Debug_StUsers`, can be told from the key alone that follows.
_COMPONENT = rf"Debug_[^_]+(?=__?(?:{'|'.join(COMPONENT_KEYS)})\Z)"
_SLIP = re.compile(rf"STI__?({_COMPONENT}|Config|Directory|Debug)__?(.+)", re.IGNORECASE | re.DOTALL)


def read_environment(environ: Mapping[str, str], findings: Diagnostics) -> tuple[Entry, ...]:
    """The entries that count: every key once. An empty value is as if the variable were not there.

    Where two spellings name one key, the proper one wins over a slip, else the last in the order of names.
    """
    filled = {name: value for name in sorted(environ) if (value := environ[name].strip())}
    found: dict[tuple[str, str], Entry] = {}
    for entry in (*_slips(filled, findings), *_proper(filled)):
        name = (same_section(entry.section or ""), entry.key.casefold())
        before = found.pop(name, None)
        if before is not None:
            findings.warning(
                ENVIRONMENT,
                entry.written,
                f"{before.written} and {entry.written} set the same key; {entry.written} counts",
            )
        found[name] = entry
    return tuple(found.values())


def parse_variable(name: str) -> tuple[str, str] | None:
    """Section and key of a variable in the documented form, None for any other name."""
    match = _PROPER.fullmatch(name)
    return None if match is None else (match[1], match[2])


def _proper(environ: Mapping[str, str]) -> list[Entry]:
    return [
        Entry(*named, value, ENVIRONMENT, name)
        for name, value in environ.items()
        if (named := parse_variable(name)) is not None
    ]


def _slips(environ: Mapping[str, str], findings: Diagnostics) -> list[Entry]:
    entries = []
    for name, value in environ.items():
        if not name.startswith("STI_") or parse_variable(name) is not None:
            continue
        match = _SLIP.fullmatch(name)
        if match is not None:
            right = f"STI__{match[1]}__{match[2]}"
            findings.warning(
                ENVIRONMENT, name, f"single underscores are a slip; write {right}, as which it is taken"
            )
            entries.append(Entry(match[1], match[2], value, ENVIRONMENT, name))
        elif name.startswith("STI__"):
            findings.warning(
                ENVIRONMENT, name, f"{shown(name)} is not of the form STI__Section__KEY; it is ignored"
            )
    return entries
