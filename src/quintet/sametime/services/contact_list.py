"""The text in which clients keep their contacts at the server (P99).

The format has no way to write some characters: what cannot be written is replaced by spaces.
"""

from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from quintet.sametime.errors import MalformedMessageError, UnencodableValueError

_VERSION: Final = "3.1.3"
_MOST_LINES: Final = 20_000


@unique
class ContactType(StrEnum):
    """What a contact is."""

    NORMAL = "1"
    EXTERNAL = "2"


@unique
class ContactGroupType(StrEnum):
    """Whose group it is: one of the user's own, or a public one of the directory."""

    PRIVATE = "2"
    PUBLIC = "3"


@dataclass(frozen=True, slots=True)
class Contact:
    """`type` is mostly a `ContactType`."""

    id: str
    name: str
    alias: str = ""
    type: str = ContactType.NORMAL


@dataclass(frozen=True, slots=True)
class ContactGroup:
    """`type` is mostly a `ContactGroupType`. A public group has no contacts of its own."""

    id: str
    title: str
    contacts: tuple[Contact, ...] = ()
    type: str = ContactGroupType.PRIVATE
    open: bool = True


@dataclass(frozen=True, slots=True)
class ContactList:
    groups: tuple[ContactGroup, ...] = ()
    version: str = _VERSION


def render_contact_list(contacts: ContactList) -> str:
    """The text.

    Raises UnencodableValueError for a group or contact without an id, and for the id of a contact in which
    the format's own `::` would be found.
    """
    lines = [f"Version={contacts.version}"]
    for group in contacts.groups:
        state = "O" if group.open else "C"
        lines.append(f"G {_packed_id(group.id)}{group.type} {_packed(group.title or group.id)} {state}")
        for each in group.contacts:
            alias = _packed(each.alias.replace(",", " "))
            user = f"{_packed_id(each.id)}{each.type}"
            if f"{user}::".index("::") < len(user):
                raise UnencodableValueError("the id of a contact with two colons")
            lines.append(f"U {user}:: {_packed(each.name)},{alias}")
    return "".join([f"{line}\r\n" for line in lines])


def parse_contact_list(text: str) -> ContactList:
    """The contacts in the text. Lines that are of no known kind are skipped, as clients do.

    Raises MalformedMessageError with the number of a line of a known kind that is not written as it must be.
    """
    version = ""
    groups: list[ContactGroup] = []
    contacts: list[Contact] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", _MOST_LINES)
    if len(lines) > _MOST_LINES:
        raise MalformedMessageError(f"a contact list of more than {_MOST_LINES} lines")
    for number, line in enumerate(map(str.strip, lines), 1):
        if line.startswith("Version="):
            version = line.removeprefix("Version=")
        elif line.startswith("G "):
            _finish(groups, contacts)
            groups.append(_parse_group(line[2:], number))
        elif line.startswith("U "):
            contacts.append(_parse_contact(line[2:], number))
            if not groups:
                raise MalformedMessageError(f"line {number}: a contact before the first group")
    _finish(groups, contacts)
    return ContactList(tuple(groups), version)


def _finish(groups: list[ContactGroup], contacts: list[Contact]) -> None:
    if contacts:
        groups[-1] = replace(groups[-1], contacts=tuple(contacts))
        contacts.clear()


def _parse_group(text: str, number: int) -> ContactGroup:
    fields = text.split()
    if len(fields) < 3 or len(fields[0]) < 2:
        raise MalformedMessageError(f"line {number}: a group has an id with a type, a title and a state")
    return ContactGroup(
        _unpacked(fields[0][:-1]),
        _unpacked(fields[1]),
        type=fields[0][-1],
        open=fields[2] == "O",
    )


def _parse_contact(text: str, number: int) -> Contact:
    user, colons, names = text.partition("::")
    user = user.strip()
    if not colons or len(user) < 2:
        raise MalformedMessageError(f"line {number}: a contact has an id with a type, and '::' behind it")
    name, comma, alias = names.strip().rpartition(",")
    if not comma:
        name, alias = alias, ""
    return Contact(_unpacked(user[:-1]), _unpacked(name), _unpacked(alias), user[-1])


def _packed(text: str) -> str:
    return "".join([";" if each.isspace() or each == "\0" else each for each in text])


def _packed_id(text: str) -> str:
    packed = _packed(text)
    if not _unpacked(packed).strip():
        raise UnencodableValueError("a contact or group without an id")
    return packed


def _unpacked(text: str) -> str:
    return text.replace(";", " ")
