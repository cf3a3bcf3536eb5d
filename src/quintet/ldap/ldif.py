"""LDIF (RFC 2849): entries and changes as text, read and written one record at a time.

::

    with open("export.ldif", "wb") as file:
        async for entry in ldap.paged_search("o=example", Scope.SUBTREE):
            file.writelines(ldif.write([entry]))

    with open("changes.ldif", "rb") as file:
        for record in ldif.read(file):
            await ldap.apply(record)

A record is an `Entry`, or a `Change` where the LDIF says `changetype:`. Reading is bounded: a file is never
held in memory as a whole, and a record that is too large is refused before it is read.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final, assert_never, final

from quintet.ldap.dn import DN
from quintet.ldap.errors import DNSyntaxError, LdifError
from quintet.ldap.messages import AddRequest, DeleteRequest, ModifyDNRequest, ModifyRequest
from quintet.ldap.modifications import Add, Delete, Increment, Modification, Replace
from quintet.ldap.results import Control, Entry

LARGEST_RECORD: Final = 16 * 1024 * 1024
"""In bytes, unless `read` is given another value."""

ChangeRequest = AddRequest | DeleteRequest | ModifyRequest | ModifyDNRequest


@final
@dataclass(frozen=True, slots=True)
class Change:
    """A change to a directory: what LDIF writes with `changetype:`, and what `apply` sends.

    Attributes:
        request: What to do, as a message: `AddRequest`, `DeleteRequest`, `ModifyRequest` or
            `ModifyDNRequest`.
        controls: Controls of the request.
    """

    request: ChangeRequest
    controls: tuple[Control, ...] = ()

    @property
    def dn(self) -> str:
        """The entry that is changed."""
        return self.request.dn


Record = Entry | Change
Resolve = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line, with its continuations: `name: value`, or `-`, which has the name `-`."""

    number: int
    name: str
    value: bytes = b""


def read(
    source: bytes | str | BinaryIO, *, largest_record: int = LARGEST_RECORD, resolve: Resolve | None = None
) -> Iterator[Record]:
    """Read LDIF, one record at a time.

    Args:
        source: The text, or a file that is open for reading bytes.
        largest_record: The most bytes that one record may have.
        resolve: Called with the URL where a value is given as `name:< URL`, gives the value. None to refuse
            those: LDIF from elsewhere must not choose which files are read.

    Yields:
        An `Entry` for each entry, a `Change` for each change.

    Raises:
        LdifError: The text is not LDIF; `line` says where. The records before have been given.
        TypeError: `source` is a file open for text.
    """
    for _, record in _records(source, largest_record, resolve):
        yield record


def read_entries(
    source: bytes | str | BinaryIO, *, largest_record: int = LARGEST_RECORD, resolve: Resolve | None = None
) -> Iterator[Entry]:
    """Read LDIF that has entries only.

    Args:
        source: As for `read`.
        largest_record: As for `read`.
        resolve: As for `read`.

    Yields:
        The entries.

    Raises:
        LdifError: The text is not LDIF, or has a change.
        TypeError: `source` is a file open for text.
    """
    for number, record in _records(source, largest_record, resolve):
        if isinstance(record, Change):
            raise LdifError("a change where an entry is expected", number)
        yield record


def write(records: Iterable[Record]) -> Iterator[bytes]:
    """Write LDIF, one record at a time.

    There is no `version:` line, which some servers refuse; records can be appended to a file later.

    Args:
        records: Entries, and changes.

    Yields:
        Each record, in lines of at most 76 characters and with an empty line at the end.

    Raises:
        ValueError: The name of an attribute has no place in LDIF.
    """
    for record in records:
        lines = _folded("dn", _utf8(record.dn))
        if isinstance(record, Change):
            lines += (line for control in record.controls for line in _control_lines(control))
            lines += _change_lines(record.request)
        else:
            lines += _attribute_lines(record.attributes)
        yield b"".join(line + b"\n" for line in (*lines, b""))


# Reading.


def _records(
    source: bytes | str | BinaryIO, largest: int, resolve: Resolve | None
) -> Iterator[tuple[int, Record]]:
    """Each record with the number of its first line."""
    if isinstance(source, str):
        source = source.encode("utf-8", "surrogateescape")
    file = BytesIO(source) if isinstance(source, bytes) else source
    record: list[_Line] = []
    first = True
    for number, line in _logical_lines(file, largest):
        if not line:
            if record:
                yield record[0].number, _record(record)
                record = []
            continue
        parsed = _line(line, number, resolve)
        if first and parsed.name.lower() == "version":
            if parsed.value != b"1":
                raise LdifError("only version 1 is supported", number)
        else:
            record.append(parsed)
        first = False
    if record:
        yield record[0].number, _record(record)


def _logical_lines(file: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their continuations joined, without comments, each with the number where it begins."""
    begun, parts, size = 0, list[bytes](), 0
    for number, line in _lines(file, most):
        size = size + len(line) + 1 if line else 0
        if size > most:
            raise LdifError(f"a record of more than {most} bytes", number)
        if line.startswith(b" "):
            if not parts:
                raise LdifError("a continuation of nothing", number)
            parts.append(line[1:])
            continue
        if parts and not parts[0].startswith(b"#"):
            yield begun, b"".join(parts)
        begun, parts = number, [line] if line else []
        if not line:
            yield number, b""
    if parts and not parts[0].startswith(b"#"):
        yield begun, b"".join(parts)


def _lines(file: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(most + 2):
        if not isinstance(line, bytes):
            raise TypeError("LDIF is read from a file that is open for bytes, not for text")
        number += 1
        yield number, line.removesuffix(b"\n").removesuffix(b"\r")


# attrval-spec = AttributeDescription value-spec SEP
_ATTRIBUTE = re.compile(rb"([A-Za-z0-9][A-Za-z0-9.;_-]*)(::|:<|:) *")
# control = "control:" FILL ldap-oid 0*1(1*SPACE ("true" / "false")) 0*1(value-spec) SEP
_CONTROL = re.compile(
    rb"([0-9]+(?:\.[0-9]+)*)(?: +(true|false))? *(?:(::|:<|:) *(.*))?", re.IGNORECASE | re.DOTALL
)


def _line(line: bytes, number: int, resolve: Resolve | None) -> _Line:
    if line.rstrip(b" ") == b"-":
        return _Line(number, "-")
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise LdifError("expected an attribute, a colon and a value", number)
    name = found[1].decode()
    return _Line(number, name, _value(name, found[2], line[found.end() :], number, resolve))


def _value(name: str, kind: bytes, value: bytes, number: int, resolve: Resolve | None) -> bytes:
    if kind == b":<":
        if resolve is None:
            raise LdifError(f"the value of {name} is a URL, and those are not read", number)
        return resolve(value.decode("utf-8", "surrogateescape"))
    if kind == b"::":
        try:
            return base64.b64decode(value.rstrip(b" "), validate=True)
        except binascii.Error:
            raise LdifError(f"the value of {name} is not base64", number) from None
    return value


def _record(lines: list[_Line]) -> Record:
    first, *rest = lines
    if first.name.lower() != "dn":
        raise LdifError("expected 'dn:' at the beginning of a record", first.number)
    dn = _text(first)
    try:
        DN.parse(dn)
    except DNSyntaxError as error:
        raise LdifError(f"not a valid DN: {error}", first.number) from None
    controls = []
    while rest and rest[0].name.lower() == "control":
        controls.append(_control(rest.pop(0)))
    if rest and rest[0].name.lower() == "changetype":
        kind = _text(rest[0]).strip().lower()
        if kind not in _CHANGES:
            raise LdifError("expected add, delete, modify, modrdn or moddn", rest[0].number)
        return Change(_CHANGES[kind](dn, rest[0].number, rest[1:]), tuple(controls))
    if controls:
        raise LdifError("expected 'changetype:' after 'control:'", first.number)
    return Entry(dn, _attributes(rest))


def _text(line: _Line) -> str:
    return line.value.decode("utf-8", "surrogateescape")


def _control(line: _Line) -> Control:
    found = _CONTROL.fullmatch(line.value)
    if found is None:
        raise LdifError("expected an OID, true or false, and a value", line.number)
    value = None if found[3] is None else _value("control", found[3], found[4], line.number, None)
    return Control(found[1].decode(), (found[2] or b"").lower() == b"true", value)


_RESERVED = ("changetype", "control", "dn", "-")


def _attributes(lines: list[_Line]) -> dict[str, list[bytes]]:
    spellings: dict[str, str] = {}
    attributes: dict[str, list[bytes]] = {}
    for line in lines:
        folded = line.name.lower()
        if folded in _RESERVED:
            raise LdifError(f"'{line.name}:' cannot be an attribute", line.number)
        attributes.setdefault(spellings.setdefault(folded, line.name), []).append(line.value)
    return attributes


def _read_add(dn: str, number: int, lines: list[_Line]) -> AddRequest:
    attributes = _attributes(lines)
    if not attributes:
        raise LdifError("the new entry has no attributes", number)
    return AddRequest(dn, attributes)


def _read_delete(dn: str, number: int, lines: list[_Line]) -> DeleteRequest:
    if lines:
        raise LdifError("nothing can follow 'changetype: delete'", lines[0].number)
    if not dn:
        raise LdifError("the root is not an entry that can be deleted", number)
    return DeleteRequest(dn)


def _read_modify_dn(dn: str, number: int, lines: list[_Line]) -> ModifyDNRequest:
    names = [line.name.lower() for line in lines]
    if names[:2] != ["newrdn", "deleteoldrdn"] or names[2:] not in ([], ["newsuperior"]):
        raise LdifError("expected newrdn, deleteoldrdn, and perhaps newsuperior", number)
    delete_old = lines[1].value.strip()
    if delete_old not in (b"0", b"1"):
        raise LdifError("expected 0 or 1", lines[1].number)
    superior = _text(lines[2]) if len(lines) > 2 else None
    return ModifyDNRequest(dn, _text(lines[0]), delete_old == b"1", superior)


def _read_modify(dn: str, number: int, lines: list[_Line]) -> ModifyRequest:
    changes = []
    block: list[_Line] = []
    for line in (*lines, _Line(number, "-")):
        if line.name != "-":
            block.append(line)
        elif block:
            changes.append(_modification(block))
            block = []
    if not changes:
        raise LdifError("expected at least one modification", number)
    return ModifyRequest(dn, tuple(changes))


def _modification(block: list[_Line]) -> Modification:
    """`("add:" / "delete:" / "replace:") AttributeDescription SEP *attrval-spec` (`increment:`: RFC 4525)."""
    first, *rest = block
    name = _text(first).strip()
    if name.lower() in _RESERVED:
        raise LdifError(f"'{name}:' cannot be an attribute", first.number)
    for line in rest:
        if line.name.lower() != name.lower():
            raise LdifError(f"expected a value of {name}, or '-'", line.number)
    values = [line.value for line in rest]
    try:
        match first.name.lower():
            case "add":
                return Add(name, values)
            case "delete":
                return Delete(name, values or None)
            case "replace":
                return Replace(name, values)
            case "increment":
                (by,) = values
                return Increment(name, int(by))
    except ValueError as error:
        raise LdifError(f"not a valid modification: {error}", first.number) from None
    raise LdifError("expected add, delete, replace or increment", first.number)


_CHANGES: dict[str, Callable[[str, int, list[_Line]], ChangeRequest]] = {
    "add": _read_add,
    "delete": _read_delete,
    "modify": _read_modify,
    "modrdn": _read_modify_dn,
    "moddn": _read_modify_dn,
}


# Writing.


def _change_lines(request: ChangeRequest) -> Iterator[bytes]:
    match request:
        case AddRequest():
            yield b"changetype: add"
            yield from _attribute_lines(request.attributes)
        case DeleteRequest():
            yield b"changetype: delete"
        case ModifyRequest():
            yield b"changetype: modify"
            for change in request.changes:
                yield from _folded(type(change).__name__.lower(), change.name.encode())
                yield from _attribute_lines({change.name: change.values})
                yield b"-"
        case ModifyDNRequest():
            yield b"changetype: moddn"
            yield from _folded("newrdn", _utf8(request.new_rdn))
            yield b"deleteoldrdn: %d" % request.delete_old_rdn
            if request.new_superior is not None:
                yield from _folded("newsuperior", _utf8(request.new_superior))
        case _:
            assert_never(request)


def _control_lines(control: Control) -> list[bytes]:
    value = b"" if control.value is None else b":: " + base64.b64encode(control.value)
    critical = b" true" if control.critical else b""
    return _broken(b"control: " + control.oid.encode() + critical + value)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.;_-]*")


def _attribute_lines(attributes: Mapping[str, Iterable[bytes]]) -> Iterator[bytes]:
    for name, values in attributes.items():
        if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
            raise ValueError(f"{name!r} cannot be the name of an attribute in LDIF")
        for value in values:
            yield from _folded(name, value)


# SAFE-STRING = [SAFE-INIT-CHAR *SAFE-CHAR], and no blank at the end (RFC 2849, note 8)
_SAFE = re.compile(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")


def _folded(name: str, value: bytes) -> list[bytes]:
    if not value:
        return [b"%s:" % name.encode()]
    if _SAFE.fullmatch(value):
        return _broken(b"%s: %s" % (name.encode(), value))
    return _broken(b"%s:: %s" % (name.encode(), base64.b64encode(value)))


def _broken(line: bytes) -> list[bytes]:
    return [line[:76], *(b" " + line[at : at + 75] for at in range(76, len(line), 75))]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
