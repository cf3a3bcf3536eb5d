"""Whether the names of a certificate match a host (RFC 2818 3.1), or a list of hosts (config 2.8)."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

_HOST = re.compile(r"(?:[\w*-]+\.)*[\w*-]+\.?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a certificate bears: dNSName and iPAddress entries, and the subject's common name."""

    dns: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    common: str | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that are compared with a host: the common name only when there is no dNSName."""
        return self.dns or ((self.common,) if self.common else ())

    def __str__(self) -> str:
        return ", ".join((*self.hosts, *map(str, self.addresses))) or "no name"


def is_for_host(names: Names, host: str) -> bool:
    """Whether a name matches `host`. An IP address matches only an iPAddress; a name may have a wildcard."""
    address = as_address(host)
    if address is not None:
        return address in names.addresses
    return any(_covers(name, host) for name in names.hosts)


def is_listed(names: Names, listed: Iterable[str]) -> bool:
    """Whether any name of the certificate matches any listed one (C35), which may have `*` anywhere (C36)."""
    sound = [name for name in names.hosts if is_sound_name(name)]
    return any(is_for_host(names, each) or any(_matches(each, name) for name in sound) for each in listed)


def is_host(listed: str) -> bool:
    """Whether it can be listed: a host name, with or without `*`, or an address, with or without brackets."""
    return as_address(listed) is not None or _HOST.fullmatch(listed) is not None


def as_address(host: str) -> Address | None:
    """The IP address that `host` is, if it is one."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_sound_name(name: str) -> bool:
    """Whether a name in a certificate counts: `*` only in its first component, with two more after it."""
    first, *rest = _components(name)
    return "*" not in "".join(rest) and ("*" not in first or len(rest) >= 2)


def _covers(pattern: str, host: str) -> bool:
    """Whether a name in a certificate matches `host`."""
    return is_sound_name(pattern) and "*" not in host and _matches(pattern, host)


def _matches(pattern: str, name: str) -> bool:
    """Compares by component; `*` is one component or a part of one, so their number must be equal."""
    mine, theirs = _components(pattern), _components(name)
    return len(mine) == len(theirs) and all(map(_component_matches, mine, theirs))


def _component_matches(pattern: str, component: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star or pattern == component:
        return bool(component) and pattern == component
    if "*" in after or (pattern != "*" and component.startswith("xn--")):
        return False
    return (
        len(component) >= max(len(before) + len(after), 1)
        and component.startswith(before)
        and component.endswith(after)
    )


def _components(name: str) -> list[str]:
    return [_ascii(part) for part in name.lower().rstrip(".").split(".")]


def _ascii(component: str) -> str:
    """A component as it stands in DNS; one that has no such form matches only itself."""
    if component.isascii():
        return component
    try:
        return component.encode("idna").decode("ascii")
    except UnicodeError:
        return component
