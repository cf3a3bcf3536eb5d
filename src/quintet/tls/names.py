"""Whether a certificate belongs to a host: RFC 2818 section 3.1, and the listed names of reference 2.8."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

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
        """The names that count for a host: the common name only when there is no dNSName."""
        return self.dns or ((self.common,) if self.common else ())

    def __str__(self) -> str:
        return ", ".join((*self.hosts, *map(str, self.addresses))) or "no name at all"


def names_of(certificate: x509.Certificate) -> Names:
    """The names in the certificate. One whose extensions cannot be read has none, not even a common name."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common[-1].value) if common else None
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names(common=name)
    except ValueError:
        return Names()
    addresses = found.get_values_for_type(x509.IPAddress)
    single = tuple(a for a in addresses if isinstance(a, ipaddress.IPv4Address | ipaddress.IPv6Address))
    return Names(tuple(found.get_values_for_type(x509.DNSName)), single, name)


def is_for_host(names: Names, host: str) -> bool:
    """Whether the certificate is the host's. An address must stand as such; a wildcard may meet a name."""
    address = as_address(host)
    if address is not None:
        return address in names.addresses
    return any(_covers(name, host) for name in names.hosts)


def is_listed(names: Names, listed: Iterable[str]) -> bool:
    """Whether any name of the certificate matches any listed one; those may have `*` in any component."""
    for each in listed:
        if is_for_host(names, each) or any(_matches(each, name) for name in names.hosts if _sound(name)):
            return True
    return False


def is_host(listed: str) -> bool:
    """Whether it is something to list: a host name, with or without `*`, or an address, also in brackets."""
    return as_address(listed) is not None or _HOST.fullmatch(listed) is not None


def as_address(host: str) -> Address | None:
    """The IP address that `host` is, if it is one."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _covers(pattern: str, host: str) -> bool:
    """Whether a name in a certificate means `host`."""
    return _sound(pattern) and "*" not in host and _matches(pattern, host)


def _sound(name: str) -> bool:
    """Whether a name in a certificate may be believed: `*` only in its first component, with two after it."""
    first, *rest = _components(name)
    return "*" not in "".join(rest) and ("*" not in first or len(rest) >= 2)


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
