"""The values of sametime.ini that are in effect, each with its origin, and slips in their names.

The environment wins over the file. A key counts only in its own section. An empty value is no value.
"""

from collections.abc import Iterable

from quintet.config.environment import parse_variable
from quintet.config.ini import FILE, Entry, same_section
from quintet.config.parsers import Value, check_quotes
from quintet.config.schema import (
    COMPONENT_KEYS,
    FOREIGN_PREFIXES,
    FOREIGN_SECTIONS,
    INI_KEYS,
    KNOWN_INI,
    LDAP_PREFIXES,
    OTHER_PREFIXES,
    IniKey,
    Kind,
)
from quintet.diagnostics import Diagnostics, Place
from quintet.tls import Origin

_FOREIGN = frozenset(same_section(name) for name in FOREIGN_SECTIONS)
_OTHER_SCOPES = tuple(p.casefold() for p in (*OTHER_PREFIXES, *FOREIGN_PREFIXES))
_NAMES = tuple(key.name for key in INI_KEYS)


class IniValues:
    """What the file and the environment say together."""

    def __init__(self, file: Iterable[Entry], environment: Iterable[Entry]) -> None:
        self._effective: dict[tuple[str, str], Entry] = {}
        self._all = (*file, *environment)
        for entry in self._all:
            if entry.value:
                self._effective[_name(entry)] = entry

    def get(self, name: str) -> Value | None:
        """The value of a known key in effect, from the first of its sections that has it."""
        key = KNOWN_INI[name.casefold()]
        for section in key.sections:
            entry = self._effective.get((same_section(section), name.casefold()))
            if entry is not None:
                return Value(entry.value, entry.written, entry.place)
        return None

    def scoped(self, name: str) -> tuple[str, Origin] | None:
        """The value of a TLS key for LDAP with its origin: `STLDAP_` if set, else `ST_` (reference 2.4).

        `name` is without its prefix: "TLS_TRUST_STORE_FILE".
        """
        for prefix in LDAP_PREFIXES:
            value = self.get(prefix + name)
            if value is not None:
                return value.text, Origin(value.key, str(value.place))
        return None

    def check_names(self, findings: Diagnostics) -> None:
        """Tells of every key that is unknown, in the wrong section or not written as documented."""
        for entry in self._all:
            _check_name(entry, findings)


def place_of(origin: Origin) -> Place:
    """The place that an origin names."""
    file, colon, line = origin.place.rpartition(":")
    if colon and line.isdecimal():
        return Place(file, int(line))
    return Place(origin.place)


def _name(entry: Entry) -> tuple[str, str]:
    return same_section(entry.section or ""), entry.key.casefold()


def _check_name(entry: Entry, findings: Diagnostics) -> None:
    section = same_section(entry.section or "")
    known = KNOWN_INI.get(entry.key.casefold())
    if known is None:
        _unknown(entry, section, findings)
        return
    if section not in {same_section(s) for s in known.sections} and not _is_component(known, section):
        where = f"[{entry.section}]" if entry.section is not None else "no section"
        findings.warning(
            entry.place,
            entry.written,
            f"{known.name} stands in {where}, where it has no effect; it belongs into"
            f" [{known.sections[0]}] {_cure(entry, known)}",
        )
        return
    if entry.key != known.name:
        findings.warning(
            entry.place, entry.written, f"the key is written {known.name}; it is read all the same"
        )
    if entry.value and known.unused and not entry.key.casefold().startswith(_OTHER_SCOPES):
        findings.note(entry.place, entry.written, f"is accepted and ignored: {known.unused}")
    what = "the password" if known.kind is Kind.SECRET else "the value"
    if len(entry.value) > 1 and entry.value[0] == entry.value[-1] == '"':
        findings.warning(
            entry.place, entry.written, f"the quotes around {what} count as a part of it; remove them"
        )
    check_quotes(Value(entry.value, entry.written, entry.place), entry.value, what, findings)


def _is_component(known: IniKey, section: str) -> bool:
    """Whether this is the section of one component, `[Debug-StUsers]`, and the key may stand there."""
    return known.name in COMPONENT_KEYS and section.startswith("debug_")


def _cure(entry: Entry, known: IniKey) -> str:
    if entry.place.file == FILE:
        return f"of {FILE}"
    return f"(STI__{known.sections[0]}__{known.name})"


def _unknown(entry: Entry, section: str, findings: Diagnostics) -> None:
    if entry.place.file == FILE and (variable := parse_variable(entry.key)) is not None:
        of, key = variable
        findings.warning(
            entry.place,
            entry.written,
            f"is the name of a variable, which has no effect in this file; write {key} below [{of}]",
        )
        return
    if section in _FOREIGN or section.startswith("debug") or entry.key.casefold().startswith(_OTHER_SCOPES):
        return
    findings.unknown(entry.place, entry.written, entry.key, _NAMES)
