"""Reading `STI__Section__KEY` variables (config 2.2), the form that containers use for sametime.ini.

They come from the process's environment, or from files as containers are given them: `custom.env`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from quintet.config.ini import IniEntry, read_ini_source, same_section
from quintet.config.schema import COMPONENT_KEYS, STORE_NAMES, without_scope
from quintet.config.source import LINE_END
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Place, shown

ENVIRONMENT = Place("environment")
ENV_FILES = ("custom.env", "tlsldap.env")
(
    """Files of variables that are read when they are beside the settings, as Sametime 12's documentation"
    " names them."""
)

_DOCUMENTED = re.compile(r"STI__(.+?)__(.+)", re.DOTALL)
# The section of a component, `Debug_StUsers`, can be told from the key alone that follows.
_COMPONENT = rf"Debug_[^_]+(?=__?(?:{'|'.join(COMPONENT_KEYS)})\Z)"
_SINGLE = re.compile(
    rf"STI__?({_COMPONENT}|Config|Directory|Debug|STCONVOMAP)__?(.+)", re.IGNORECASE | re.DOTALL
)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is set, in the environment or in a line of a file."""

    name: str
    value: str = field(repr=False)
    place: Place = ENVIRONMENT


def variables_of(environ: Mapping[str, str]) -> tuple[Variable, ...]:
    """The variables of the process, in the order of their names."""
    return tuple(Variable(name, environ[name]) for name in sorted(environ) if name.startswith("STI_"))


def read_env_file(data: bytes, file: str) -> tuple[Variable, ...]:
    """The `STI_` variables of a file with lines `NAME=VALUE`, as Docker's `env_file` has them.

    A pair of quotes around a value is removed. Raises `EditError` for bytes that are no text.
    """
    found = []
    for number, line in enumerate(LINE_END.split(read_ini_source(data).text), 1):
        assignment = _ASSIGNMENT.fullmatch(line)
        if assignment is not None and assignment[1].startswith("STI_"):
            found.append(Variable(assignment[1], _unquoted(assignment[2].strip()), Place(file, number)))
    return tuple(found)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def read_variables(variables: Iterable[Variable], findings: Diagnostics) -> tuple[IniEntry, ...]:
    """The entries that count: every key once. An empty value is as if the variable were not set.

    Of several for one key, the last counts; one of the process counts above those of files, and of two in one
    place, the documented form above another.
    """
    filled = [each for each in variables if each.value.strip()]
    entries = [*_with_single_underscores(filled, findings), *_documented(filled)]
    found: dict[tuple[str, str], IniEntry] = {}
    for entry in sorted(entries, key=lambda each: each.place == ENVIRONMENT):
        name = (same_section(entry.section or ""), entry.key.casefold())
        before = found.pop(name, None)
        if before is not None and before.value != entry.value:
            _report_twice(before, entry, findings)
        found[name] = entry
    return tuple(found.values())


def parse_variable(name: str) -> tuple[str, str] | None:
    """Section and key of a variable in the documented form, None for any other name."""
    match = _DOCUMENTED.fullmatch(name)
    return None if match is None else (match[1], match[2])


def _report_twice(before: IniEntry, entry: IniEntry, findings: Diagnostics) -> None:
    message = (
        f"{before.written} ({before.place}) and {entry.written} ({entry.place}) set the same key to different"
        f" values; {entry.written} ({entry.place}) is used"
    )
    findings.add(
        Finding.Q50, entry.place, entry.written, message, f"remove {before.written} ({before.place})"
    )


def _documented(variables: Iterable[Variable]) -> Iterator[IniEntry]:
    for each in variables:
        named = parse_variable(each.name)
        if named is not None:
            yield IniEntry(*named, each.value.strip(), each.place, each.name, variable=True)


def _with_single_underscores(variables: Iterable[Variable], findings: Diagnostics) -> Iterator[IniEntry]:
    for each in variables:
        if parse_variable(each.name) is not None:
            continue
        match = _SINGLE.fullmatch(each.name)
        if match is not None:
            section, key = match.groups()
            right = f"STI__{section}__{key}"
            code = Pitfall.D5 if without_scope(key) in STORE_NAMES else Finding.Q52
            message = f"{each.name} is written with single underscores; it is read as {right}"
            fix = f"write {right}"
            findings.add(code, each.place, each.name, message, fix, severity=Finding.Q52.severity)
            yield IniEntry(section, key, each.value.strip(), each.place, each.name, variable=True)
        elif each.name.startswith("STI__"):
            message = f"{shown(each.name)} is not of the form STI__Section__KEY; it is ignored"
            findings.add(Finding.Q53, each.place, each.name[:60], message)
