"""From the text of a setting to its value. What cannot be read is told, and the caller's default is used."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from quintet.diagnostics import Diagnostics, Place, shown
from quintet.ldap.dn import DN
from quintet.ldap.errors import DNSyntaxError, FilterSyntaxError
from quintet.ldap.filters import And, Filter, Not, Or, Substrings, Template, parse

# Quotes that word processors make, of all languages, and the primes that look like quotes.
TYPOGRAPHIC = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2032\u2033"

_T = TypeVar("_T")

_FLAGS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_ATTRIBUTE = re.compile(r"([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*")
_HOOK = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)+\s*\(.*\)", re.DOTALL)
_HOST = re.compile(r"[^\s/@:\[\]\"'<>,;=]+")
_WITH_PORT = re.compile(r"(.+):([0-9]+)")


@dataclass(frozen=True, slots=True)
class Value:
    """A setting as it is written: its text, its name there, and its place."""

    text: str = field(repr=False)
    key: str
    place: Place


def flag(value: Value | None, default: bool, findings: Diagnostics) -> bool:
    if value is None or not value.text.strip():
        return default
    found = _FLAGS.get(value.text.strip().casefold())
    if found is None:
        _unreadable(value, "0 or 1 (or true, false, yes, no)", findings)
        return default
    return found


def number(value: Value | None, default: int, findings: Diagnostics, *, least: int, most: int = 10**9) -> int:
    if value is None or not value.text.strip():
        return default
    text = value.text.strip()
    if _NUMBER.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    upper = f"to {most}" if most < 10**9 else "or more"
    _unreadable(value, f"a whole number, {least} {upper}", findings)
    return default


def port(value: Value | None, default: int, findings: Diagnostics) -> int:
    return number(value, default, findings, least=1, most=65535)


def seconds(value: Value | None, default: float, findings: Diagnostics) -> float:
    """A time limit: more than nothing, a day at most."""
    if value is None or not value.text.strip():
        return default
    text = value.text.strip()
    if _DECIMAL.fullmatch(text) and 0 < float(text) <= 86400:
        return float(text)
    _unreadable(value, "seconds, more than 0 and up to 86400", findings)
    return default


def words(value: Value | None) -> tuple[str, ...]:
    """The parts of a comma-separated list, without blanks and empty parts."""
    return tuple(part for each in value.text.split(",") if (part := each.strip())) if value else ()


def choice(value: Value | None, choices: Mapping[str, _T], default: _T, findings: Diagnostics) -> _T:
    if value is None or not value.text.strip():
        return default
    text = value.text.strip()
    by_fold = {name.casefold(): each for name, each in choices.items()}
    if text.casefold() in by_fold:
        return by_fold[text.casefold()]
    _unreadable(value, " or ".join(choices), findings, findings.meant(text, choices))
    return default


def attribute(value: Value | None, default: str, findings: Diagnostics) -> str:
    """An attribute or object class name (RFC 4512 2.5)."""
    if value is None or not value.text.strip():
        return default
    text = value.text.strip()
    if is_hook(text):
        _refuse_hook(value, findings)
        return default
    if not _ATTRIBUTE.fullmatch(text):
        _unreadable(value, "one LDAP name, of letters, digits and hyphens", findings)
        return default
    return text


def name(value: Value | None, findings: Diagnostics) -> DN:
    """A base. Blank is the whole directory."""
    if value is None or not value.text.strip():
        return DN()
    text = value.text.strip()
    if "%S" in text:
        findings.error(
            value.place,
            value.key,
            f"{shown(text)} has %S, a base for each organisation, which is not supported",
        )
        return DN()
    try:
        return DN.parse(text)
    except DNSyntaxError as error:
        _unreadable(value, "a distinguished name such as ou=people,o=example", findings, _why(error, text))
        return DN()


def template(value: Value | None, default: str, findings: Diagnostics) -> Template:
    """A filter with `%s`. A pair of double quotes around it is taken off (reference 3.1)."""
    if value is None:
        return Template(default)
    text = unquoted(value.text)
    if not text:
        return Template(default)
    if is_hook(text):
        _refuse_hook(value, findings)
        return Template(default)
    try:
        found = Template(text)
    except FilterSyntaxError as error:
        _unreadable(
            value, "an LDAP filter such as (&(objectclass=person)(cn=%s))", findings, _why(error, text)
        )
        return Template(default)
    if not found.holes:
        findings.warning(
            value.place, value.key, f"{shown(text)} has no %s, so every name finds the same entries"
        )
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
    """Whether this names a Java method, `StLdapCustomized.peopleResolveFilter()` (reference 3.6)."""
    return _HOOK.fullmatch(text.strip()) is not None


def hosts(value: Value | None, place: Place, findings: Diagnostics) -> tuple[str, ...]:
    """The host names of one directory, in order of preference."""
    parts = words(value)
    if value is None or not parts:
        findings.error(
            value.place if value else place,
            "HostName",
            'is missing; name the server: HostName="ldap.example.com"',
        )
        return ()
    return tuple(host for part in parts if (host := _host(part, value, findings)) is not None)


def _host(text: str, value: Value, findings: Diagnostics) -> str | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_ip_address(bare) or _HOST.fullmatch(text):
        return bare
    if "://" in text:
        fix = "; write the bare host name, and the port into its own setting"
    elif found := _WITH_PORT.fullmatch(text):
        fix = f"; write {found[1]} here, and {found[2]} into the setting for the port"
    else:
        fix = ""
    _unreadable(value, "a host name or an IP address", findings, fix, text=text)
    return None


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_ports(
    clear: Value | None, encrypted: Value | None, *, enabled: bool, switch: str, findings: Diagnostics
) -> None:
    """Warns when the port in use is usually the other one (reference, D8). `switch` is what turns TLS on."""
    value, odd, usual = (encrypted, "389", "clear") if enabled else (clear, "636", "TLS")
    if value is not None and value.text.strip() == odd:
        state = "on" if enabled else "off"
        findings.warning(
            value.place, value.key, f"{odd} is usually the {usual} port of LDAP, and {switch} is {state} here"
        )


def check_quotes(value: Value, text: str, what: str, findings: Diagnostics) -> None:
    """Warns of typographic quotes around `text`, which come from copying (reference, D10 and D34)."""
    marked = next((c for c in text[:1] + text[-1:] if c in TYPOGRAPHIC), None)
    if marked is not None:
        findings.warning(
            value.place,
            value.key,
            f"{what} begins or ends with a typographic quote (U+{ord(marked):04X}), which counts as a part"
            " of it; remove it",
        )


def _refuse_hook(value: Value, findings: Diagnostics) -> None:
    findings.error(
        value.place,
        value.key,
        f"{shown(value.text.strip())} names a Java class, which Quintet cannot run; write what it does as a"
        " filter or an attribute name, or remove the setting to use the default",
    )


def _unreadable(
    value: Value, allowed: str, findings: Diagnostics, more: str = "", *, text: str | None = None
) -> None:
    found = shown((value.text if text is None else text).strip())
    findings.error(value.place, value.key, f"{found} cannot be read; it must be {allowed}{more}")


def _why(error: FilterSyntaxError | DNSyntaxError, text: str) -> str:
    rest = text[error.position : error.position + 20]
    where = f"before {shown(rest)}" if rest else "at the end"
    return f"; character {error.position + 1}, {where}: {error.message}"
