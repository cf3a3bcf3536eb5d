"""The values of sametime.ini that are in effect, each with its origin, and misspellings of their names.

Variables win over the file. A key counts only in its own section. An empty value is no value.
"""

from collections.abc import Iterable

from quintet.config.environment import parse_variable
from quintet.config.ini import IniEntry, same_section
from quintet.config.parsers import SettingsReader, Value, check_characters
from quintet.config.schema import (
    APPLICATION,
    COMPONENT_KEYS,
    FOREIGN_PREFIXES,
    FOREIGN_SECTIONS,
    INI,
    INI_KEYS,
    KNOWN_INI,
    LDAP_PREFIXES,
    OTHER_PREFIXES,
    STORE_NAMES,
    without_scope,
)
from quintet.config.setting import Setting, security_names
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Place, Severity
from quintet.tls import Origin

_FOREIGN = frozenset(same_section(name) for name in FOREIGN_SECTIONS)
_OTHER_SCOPES = tuple(p.casefold() for p in (*OTHER_PREFIXES, *FOREIGN_PREFIXES))
_OF_APPLICATION = same_section(APPLICATION.removesuffix("NAME"))
_BY_NAME = {key.name: key for key in INI_KEYS}
_MAY_BE_MEANT = [key.name for key in INI_KEYS if not key.quiet]
_SECURITY = security_names(INI_KEYS)


class IniValues:
    """What the file and the variables say together."""

    def __init__(self, file: Iterable[IniEntry], variables: Iterable[IniEntry]) -> None:
        self._effective: dict[tuple[str, str], IniEntry] = {}
        self._all = (*file, *variables)
        for entry in self._all:
            if entry.value:
                self._effective[_name(entry)] = entry

    def get(self, name: str) -> Value | None:
        """The value of a known key in effect, from the first of its sections that has it."""
        return self._value(KNOWN_INI[name.casefold()])

    def reader(self, findings: Diagnostics) -> SettingsReader:
        """Reads the keys by their kinds."""
        return SettingsReader(_BY_NAME, self._value, findings)

    def _value(self, key: Setting) -> Value | None:
        for section in key.sections:
            entry = self._effective.get((same_section(section), key.name.casefold()))
            if entry is not None:
                return Value(entry.value, entry.written, entry.place)
        return None

    def applications(self) -> dict[str, Place]:
        """The names of the sections `[Application-NAME]`, each with the place of its first key."""
        found: dict[str, Place] = {}
        for entry in self._all:
            section = same_section(entry.section or "")
            if section.startswith(_OF_APPLICATION):
                found.setdefault(application_name(section.removeprefix(_OF_APPLICATION)), entry.place)
        return found

    def application_reader(self, name: str, findings: Diagnostics) -> SettingsReader:
        """Reads the keys of one application."""

        def value(key: Setting) -> Value | None:
            entry = self._effective.get((_OF_APPLICATION + same_section(name), key.name.casefold()))
            return None if entry is None else Value(entry.value, entry.written, entry.place)

        return SettingsReader(_BY_NAME, value, findings)

    def scoped(self, name: str, prefixes: tuple[str, ...] = LDAP_PREFIXES) -> tuple[str, Origin] | None:
        """The value of a TLS key with its origin, from the first of these scopes that has it (config 2.4).

        `name` is without its prefix: "TLS_TRUST_STORE_FILE".
        """
        for prefix in prefixes:
            value = self.get(prefix + name)
            if value is not None:
                return value.text, Origin(value.key, value.place)
        return None

    def check_names(self, findings: Diagnostics) -> None:
        """Reports every key that is unknown, in the wrong section or not written as documented."""
        for entry in self._all:
            _check_name(entry, findings)


def application_name(text: str) -> str:
    """The name of an application as it is compared. Variables can't have hyphens, so both are one."""
    return text.casefold().replace("_", "-")


def is_variable(origin: Origin) -> bool:
    """Whether the value comes from a variable, and not from sametime.ini."""
    return parse_variable(origin.key) is not None or origin.key.upper().startswith("STI_")


def _name(entry: IniEntry) -> tuple[str, str]:
    return same_section(entry.section or ""), entry.key.casefold()


def _check_name(entry: IniEntry, findings: Diagnostics) -> None:
    section = same_section(entry.section or "")
    known = KNOWN_INI.get(entry.key.casefold())
    if known is None:
        _unknown(entry, section, findings)
        return
    homes = {same_section(s) for s in known.sections}
    at_home = section in homes or _is_component(known, section) or _is_application(known, section)
    if not at_home:
        _misplaced(entry, known, findings)
        return
    if entry.key != known.name:
        message = f"{entry.written} is documented as {known.name}; it is read anyway"
        findings.add(Finding.Q56, entry.place, entry.written, message, f"write {known.name}")
    if entry.value and known.unused and not known.quiet:
        message = f"{entry.written} is accepted and ignored: {known.unused}"
        findings.add(Finding.Q57, entry.place, entry.written, message)
    if len(entry.value) > 1 and entry.value[0] == entry.value[-1] == '"':
        message = f"{entry.written} is in quotes, which are part of its value"
        findings.add(Pitfall.D34, entry.place, entry.written, message, "remove the quotes")
    value = Value(entry.value, entry.written, entry.place)
    check_characters(value, secret=known.kind.is_secret, findings=findings)


def _misplaced(entry: IniEntry, known: Setting, findings: Diagnostics) -> None:
    where = f"[{entry.section}]" if entry.section is not None else "no section"
    home = known.sections[0]
    code = Pitfall.D5 if without_scope(known.name) in STORE_NAMES else Finding.Q55
    message = f"{known.name} is in {where}, where it has no effect; it belongs in [{home}]"
    fix = f"write STI__{home}__{known.name}" if entry.variable else f"move it to [{home}] of {INI}"
    findings.add(code, entry.place, entry.written, message, fix, severity=Severity.WARNING)


def _is_component(known: Setting, section: str) -> bool:
    """Whether this is the section of one component, `[Debug-StUsers]`, and the key may be in it."""
    return known.name in COMPONENT_KEYS and section.startswith("debug_")


def _is_application(known: Setting, section: str) -> bool:
    return APPLICATION in known.sections and section.startswith(_OF_APPLICATION)


def _unknown(entry: IniEntry, section: str, findings: Diagnostics) -> None:
    if not entry.variable and (variable := parse_variable(entry.key)) is not None:
        message = f"{entry.written} is the name of a variable, which has no effect in this file"
        fix = f"write {variable[1]} below [{variable[0]}]"
        findings.add(Finding.Q54, entry.place, entry.written, message, fix)
    elif not (
        section in _FOREIGN or section.startswith("debug") or entry.key.casefold().startswith(_OTHER_SCOPES)
    ):
        findings.unknown_name(entry.place, entry.key, _MAY_BE_MEANT, _SECURITY)
