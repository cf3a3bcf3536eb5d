"""From the text of a setting to its value, by what the schema says of it.

What cannot be read is reported, and the default of the schema is used.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, final

from quintet.config.schema import LONGEST_SECONDS
from quintet.config.setting import Kind, Setting
from quintet.diagnostics import Code, Diagnostics, Finding, Pitfall, Place, did_you_mean, shown
from quintet.ldap import (
    DN,
    And,
    DNSyntaxError,
    Filter,
    FilterSyntaxError,
    Not,
    Or,
    Substrings,
    Template,
    parse,
)

# Quotes that word processors make, of all languages, and the primes that look like quotes.
TYPOGRAPHIC = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2032\u2033"

_T = TypeVar("_T")

ON, OFF = ("1", "true", "yes"), ("0", "false", "no")
"""The words for a flag, in small letters (row C43)."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_ATTRIBUTE = re.compile(r"([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*")
_HOOK = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)+\s*\(.*\)", re.DOTALL)
_HOST = re.compile(r"[^\s/@:\[\]\"'<>,;=]+")
_WITH_PORT = re.compile(r"(.+):([0-9]+)")
_BLANKS = " \t\r\n"
# Invisible characters that some scripts need inside a word: joiners, and the space of East Asian names.
_NEEDED = "\u200c\u200d\u3000"


@dataclass(frozen=True, slots=True)
class Value:
    """A setting as it is written: its text, its name there, and its place."""

    text: str = field(repr=False)
    key: str
    place: Place

    @property
    def blank(self) -> bool:
        return not self.text.strip()


@final
class SettingsReader:
    """Reads the settings of one table, each by its name in the schema.

    `get` finds a setting as it is written, None where it is not.
    """

    def __init__(
        self, table: Mapping[str, Setting], get: Callable[[Setting], Value | None], findings: Diagnostics
    ) -> None:
        self._table = table
        self._get = get
        self._findings = findings
        self.places: dict[str, Place] = {}
        """Where the settings that were read are written."""

    def value(self, name: str) -> Value | None:
        """The setting as it is written; None when it is absent or blank, so that its default applies.

        A password may consist of blanks.
        """
        setting = self._table[name]
        value = self._get(setting)
        secret = setting.kind.is_secret
        if value is None or (not value.text if secret else value.blank):
            return None
        self.places[name] = value.place
        if setting.kind is not Kind.ENCODED:
            check_characters(value, secret=secret, findings=self._findings)
        return value

    def raw(self, name: str) -> str:
        """The text as it is written, blanks included."""
        setting = self._table[name]
        value = self._get(setting)
        return setting.default if value is None else value.text

    def text(self, name: str) -> str:
        value = self.value(name)
        return self._table[name].default if value is None else value.text.strip()

    def words(self, name: str) -> tuple[str, ...]:
        """The parts of a comma-separated list, without blanks and empty parts."""
        return words(self.value(name))

    def flag(self, name: str) -> bool:
        default = self._table[name].default in ON
        value = self.value(name)
        if value is None:
            return default
        text = value.text.strip().casefold()
        if text not in (*ON, *OFF):
            invalid(value, "0 or 1 (or true, false, yes, no)", self._findings)
            return default
        return text in ON

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number within the bounds. `default` is for settings whose default is not a constant."""
        setting = self._table[name]
        usual = int(setting.default) if default is None else default
        value = self.value(name)
        if value is None:
            return usual
        text = value.text.strip()
        least, most = setting.bounds
        if _NUMBER.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        upper = f"from {least} to {most}" if most < 10**9 else f"of {least} or more"
        invalid(value, f"a whole number {upper}", self._findings)
        return usual

    def seconds(self, name: str) -> float:
        """A time limit: more than nothing, a day at most."""
        usual = float(self._table[name].default)
        value = self.value(name)
        if value is None:
            return usual
        text = value.text.strip()
        if _DECIMAL.fullmatch(text) and 0 < float(text) <= LONGEST_SECONDS:
            return float(text)
        invalid(value, f"seconds, more than 0 and up to {LONGEST_SECONDS}", self._findings)
        return usual

    def choice(self, name: str, meanings: Mapping[str, _T]) -> _T:
        """What one of the words of the schema means."""
        setting = self._table[name]
        value = self.value(name)
        text = setting.default if value is None else value.text.strip()
        chosen = next((word for word in setting.choices if word.casefold() == text.casefold()), None)
        if chosen is None and value is not None:
            near = self._findings.nearest(text, setting.choices)
            invalid(value, " or ".join(setting.choices), self._findings, did_you_mean(near))
        return meanings[chosen or setting.default]

    def attribute(self, name: str) -> str:
        """The name of an attribute or object class (RFC 4512 2.5)."""
        value = self.value(name)
        found = None if value is None else attribute(value, self._findings)
        return self._table[name].default if found is None else found

    def attributes(self, name: str) -> str:
        """As `attribute`, or a comma-separated list of such names."""
        value = self.value(name)
        if value is None or "," not in value.text:
            return self.attribute(name)
        found = [attribute(Value(each, value.key, value.place), self._findings) for each in words(value)]
        return ",".join(each for each in found if each is not None) or self._table[name].default

    def dn(self, name: str) -> DN:
        """A base. Blank is the whole directory."""
        value = self.value(name)
        return DN() if value is None else _dn(value, self._findings)

    def template(self, name: str) -> Template:
        """A filter with `%s`. A pair of double quotes around it is removed (config 3.1)."""
        value = self.value(name)
        found = _template(value, self._findings) if value is not None and unquoted(value.text) else None
        return Template(self._table[name].default) if found is None else found


def invalid(
    value: Value,
    expected: str,
    findings: Diagnostics,
    more: str = "",
    *,
    code: Code = Finding.Q61,
    fix: str | None = None,
    text: str | None = None,
) -> None:
    """Reports a value that cannot be read. `text` is the part of it at fault."""
    found = shown((value.text if text is None else text).strip())
    findings.add(
        code,
        value.place,
        value.key,
        f"{value.key} {found} is not valid: expected {expected}{more}",
        fix or f"set {value.key} to {expected}",
    )


def words(value: Value | None) -> tuple[str, ...]:
    """The parts of a comma-separated list, without blanks and empty parts."""
    return tuple(part for each in value.text.split(",") if (part := each.strip())) if value else ()


def attribute(value: Value, findings: Diagnostics) -> str | None:
    """The name of an attribute or object class; None, and reported, when it is not one."""
    text = value.text.strip()
    if is_hook(text):
        _refuse_hook(value, findings)
        return None
    if not _ATTRIBUTE.fullmatch(text):
        expected = "one LDAP name, of letters, digits and hyphens"
        invalid(value, expected, findings, code=Finding.Q64)
        return None
    return text


def _dn(value: Value, findings: Diagnostics) -> DN:
    text = value.text.strip()
    if "%S" in text:
        message = f"{value.key} {shown(text)} has %S, a base for each organisation, which is not supported"
        findings.add(Finding.Q68, value.place, value.key, message)
        return DN()
    if is_hook(text):
        _refuse_hook(value, findings)
        return DN()
    try:
        return DN.parse(text)
    except DNSyntaxError as error:
        fix = f"correct {value.key}; a DN is written like ou=people,o=example"
        invalid(value, "a DN", findings, _why(error, text), code=Finding.Q62, fix=fix)
        return DN()


def _template(value: Value, findings: Diagnostics) -> Template | None:
    text = unquoted(value.text)
    if is_hook(text):
        _refuse_hook(value, findings)
        return None
    try:
        found = Template(text)
    except FilterSyntaxError as error:
        fix = (
            f"correct {value.key}; a filter is written like (&(objectclass=person)(cn=%s)), and in its"
            " values \\"
            " is \\5c, ( is \\28 and ) is \\29"
        )
        invalid(value, "an LDAP filter", findings, _why(error, text), code=Finding.Q63, fix=fix)
        return None
    if not found.holes:
        message = f"{value.key} {shown(text)} has no %s, so every name finds the same entries"
        findings.add(Finding.Q66, value.place, value.key, message)
    return found


def has_wildcard(text: str) -> bool:
    """Whether the filter compares a part of a value, as `(cn=%s*)` does. `(objectclass=*)` does not count."""
    return any(isinstance(each, Substrings) for each in _nodes(parse(text)))


def _nodes(tree: Filter) -> Iterator[Filter]:
    yield tree
    if isinstance(tree, And | Or):
        for each in tree.filters:
            yield from _nodes(each)
    elif isinstance(tree, Not):
        yield from _nodes(tree.filter)


def unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].strip()
    return text


def is_hook(text: str) -> bool:
    """Whether this names a Java method, `StLdapCustomized.peopleResolveFilter()` (config 3.6)."""
    return _HOOK.fullmatch(text.strip()) is not None


def hosts(value: Value | None, place: Place, findings: Diagnostics) -> tuple[str, ...]:
    """The host names of one directory, in order of preference. `place` is that of the server's element."""
    parts = words(value)
    if value is None or not parts:
        findings.add(Finding.Q71, value.place if value else place, "HostName", "HostName is missing")
        return ()
    return tuple(host for part in parts if (host := _host(part, value, findings)) is not None)


def _host(text: str, value: Value, findings: Diagnostics) -> str | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_ip_address(bare) or _HOST.fullmatch(text):
        return bare
    fix = "write a host name or an IP address"
    if "://" in text:
        fix = "write the host name alone, and the port in its own setting"
    elif found := _WITH_PORT.fullmatch(text):
        fix = f"write {found[1]} here, and {found[2]} in the setting for the port"
    invalid(value, "a host name or an IP address", findings, code=Finding.Q65, fix=fix, text=text)
    return None


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_characters(value: Value, *, secret: bool, findings: Diagnostics) -> None:
    """Warns of quotes and invisible characters that come from copying (rows D10 and D34). Shows no secret."""
    text = value.text.strip(_BLANKS)
    ends = text[:1] + text[-1:]
    quote = next((c for c in ends if c in TYPOGRAPHIC), None)
    if quote is not None:
        message = (
            f"{value.key} begins or ends with a typographic quote (U+{ord(quote):04X}), which is part of it"
        )
        findings.add(Pitfall.D34, value.place, value.key, message, f"remove the quotes from {value.key}")
    hidden = next((c for c in ends if is_invisible(c)), None)
    where = "begins or ends with"
    if hidden is None and not secret:
        hidden = next((c for c in text if is_invisible(c) and c not in _NEEDED), None)
        where = "contains"
    if hidden is not None:
        message = f"{value.key} {where} an invisible character, {character_name(hidden)}"
        findings.add(Finding.Q51, value.place, value.key, message, f"type the value of {value.key} again")


def is_invisible(char: str) -> bool:
    """Whether nothing shows that the character is there: blanks other than a space, and what has no width."""
    return not char.isprintable() and char not in _BLANKS


def character_name(char: str) -> str:
    return f"{unicodedata.name(char, 'a control character').lower()} (U+{ord(char):04X})"


def _refuse_hook(value: Value, findings: Diagnostics) -> None:
    message = f"{value.key} {shown(value.text.strip())} names a Java class, which Quintet cannot run"
    findings.add(Finding.Q67, value.place, value.key, message)


def _why(error: FilterSyntaxError | DNSyntaxError, text: str) -> str:
    rest = text[error.position : error.position + 20]
    where = f"before {shown(rest)}" if rest else "at the end"
    return f"; character {error.position + 1}, {where}: {error.message}"
