"""LDIF (RFC 2849) and names (RFC 4514) for filling real servers with whatever their values may contain."""

import base64
from collections.abc import Iterable, Mapping

Value = str | bytes
Values = Value | Iterable[Value]


def rdn(attribute: str, value: str) -> str:
    """One component of a DN, escaped as RFC 4514 section 2.4 asks."""
    escaped = "".join(f"\\{char}" if char in '"+,;<>\\=' else char for char in value).replace("\0", "\\00")
    if escaped[:1] in {" ", "#"}:
        escaped = f"\\{escaped}"
    if value[-1:] == " " and len(value) > 1:
        escaped = f"{escaped[:-1]}\\ "
    return f"{attribute}={escaped}"


def entry(dn: str, attributes: Mapping[str, Values]) -> str:
    """A record that is an entry. Attributes without values are left out."""
    return _record(dn, [_line(name, value) for name, values in attributes.items() for value in _each(values)])


def add(dn: str, attributes: Mapping[str, Values]) -> str:
    """A record that adds an entry, for programs that also change entries."""
    added = [_line(name, value) for name, values in attributes.items() for value in _each(values)]
    return _record(dn, ["changetype: add", *added])


def modify(dn: str, how: str, attributes: Mapping[str, Values]) -> str:
    """A record that changes an entry; `how` is "add", "replace" or "delete" for each of the attributes."""
    lines = ["changetype: modify"]
    for name, values in attributes.items():
        lines += [f"{how}: {name}", *(_line(name, value) for value in _each(values)), "-"]
    return _record(dn, lines)


def delete(dn: str) -> str:
    """A record that deletes an entry."""
    return _record(dn, ["changetype: delete"])


def _record(dn: str, lines: Iterable[str]) -> str:
    return "\n".join([_line("dn", dn), *lines]) + "\n\n"


def _each(values: Values) -> Iterable[Value]:
    return (values,) if isinstance(values, str | bytes) else values


def _line(name: str, value: Value) -> str:
    content = value.encode() if isinstance(value, str) else value
    safe = content.isascii() and all(byte >= 0x20 for byte in content) and b"\x7f" not in content
    if safe and content[:1] not in {b" ", b":", b"<"} and content[-1:] != b" ":
        return f"{name}: {content.decode()}"
    return f"{name}:: {base64.b64encode(content).decode()}"
