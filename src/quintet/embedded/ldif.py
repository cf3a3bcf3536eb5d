"""LDIF (RFC 2849): entries from text and back. Only content: changes and references to files are refused."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from quintet.ldap.dn import DN
from quintet.ldap.errors import DNSyntaxError


class LdifError(ValueError):
    """The text is no LDIF of entries. `line` counts from 1."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what}")
        self.message = what
        self.line = line


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and its attributes, in the spelling and order in which they were given."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]


def parse(text: str | bytes) -> list[Entry]:
    """The entries of `text`. Raises LdifError."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    entries = []
    record: list[tuple[int, str, bytes]] = []
    first = True
    for number, line in _logical_lines(data):
        if not line:
            if record:
                entries.append(_entry(record))
                record = []
            continue
        name, value = _attribute(line, number)
        if first and name.lower() == "version":
            if value != b"1":
                raise LdifError("only version 1 is known", number)
        else:
            record.append((number, name, value))
        first = False
    if record:
        entries.append(_entry(record))
    return entries


def write(entries: Iterable[Entry]) -> bytes:
    """The entries as LDIF, in lines of at most 76 characters; without a version, which `slapadd` refuses."""
    lines: list[bytes] = []
    for entry in entries:
        if lines:
            lines.append(b"")
        lines += _folded("dn", entry.dn.encode("utf-8", "surrogateescape"))
        for name, values in entry.attributes.items():
            for value in values:
                lines += _folded(name, value)
    return b"".join(line + b"\n" for line in lines)


def _logical_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines with their continuations joined, without comments, each with the number where it begins."""
    begun, parts = 0, list[bytes]()
    for number, ended in enumerate(data.split(b"\n"), 1):
        line = ended.removesuffix(b"\r")
        if line.startswith(b" "):
            if not parts or not parts[0]:
                raise LdifError("this continues nothing", number)
            parts.append(line[1:])
            continue
        if parts and not parts[0].startswith(b"#"):
            yield begun, b"".join(parts)
        begun, parts = number, [line]
    if not parts[0].startswith(b"#"):
        yield begun, b"".join(parts)


# attrval-spec = AttributeDescription value-spec SEP
_ATTRIBUTE = re.compile(rb"([A-Za-z0-9][A-Za-z0-9.;_-]*)(::|:<|:) *")


def _attribute(line: bytes, number: int) -> tuple[str, bytes]:
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise LdifError("here must stand an attribute, a colon and a value", number)
    name, kind = found[1].decode(), found[2]
    value = line[found.end() :]
    if kind == b":<":
        raise LdifError(f"the value of {name} is a reference to a file, and those are not followed", number)
    if kind == b"::":
        try:
            value = base64.b64decode(value.rstrip(b" "), validate=True)
        except binascii.Error:
            raise LdifError(f"the value of {name} is not base64", number) from None
    return name, value


def _entry(record: list[tuple[int, str, bytes]]) -> Entry:
    (number, name, value), *pairs = record
    if name.lower() != "dn":
        raise LdifError("an entry begins with 'dn:'", number)
    try:
        dn = value.decode("utf-8", "surrogateescape")
        DN.parse(dn)
    except DNSyntaxError as error:
        raise LdifError(f"this is no distinguished name: {error}", number) from None
    if not pairs:
        raise LdifError("the entry has no attributes", number)
    spellings: dict[str, str] = {}
    attributes: dict[str, list[bytes]] = {}
    for line, each, content in pairs:
        folded = each.lower()
        if folded in ("changetype", "control", "dn"):
            raise LdifError(f"'{each}:' has no place in an entry", line)
        attributes.setdefault(spellings.setdefault(folded, each), []).append(content)
    return Entry(dn, {each: tuple(values) for each, values in attributes.items()})


# SAFE-STRING = [SAFE-INIT-CHAR *SAFE-CHAR], and no blank at the end (RFC 2849, note 8)
_SAFE = re.compile(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")


def _folded(name: str, value: bytes) -> list[bytes]:
    if not value:
        return [b"%s:" % name.encode()]
    if _SAFE.fullmatch(value):
        line = b"%s: %s" % (name.encode(), value)
    else:
        line = b"%s:: %s" % (name.encode(), base64.b64encode(value))
    return [line[:76], *(b" " + line[at : at + 75] for at in range(76, len(line), 75))]
