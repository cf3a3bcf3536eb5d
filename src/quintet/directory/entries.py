"""From LDAP entries to people, groups and names. Above this module there are no entries."""

import uuid
from collections.abc import Iterable

from quintet.config import CardServer, ServerSettings
from quintet.directory.kinds import PRIMARY_GROUP_TOKEN, listed
from quintet.directory.records import Group, Person
from quintet.ldap.dn import DN, fold, type_key
from quintet.ldap.errors import DNSyntaxError
from quintet.ldap.filters import Equality, Filter, Present
from quintet.ldap.messages import SearchResultEntry

ANY_ENTRY = Present("objectClass").encode()
"""The filter that every entry matches."""

_GUID = "objectguid"
_DISTINGUISHED_NAME = "distinguishedname"


def values(entry: SearchResultEntry, attribute: str) -> list[bytes]:
    """The values of an attribute, in whatever case or spelling the server names it. Options are ignored."""
    wanted = type_key(attribute)
    for name, found in entry.attributes.items():
        if type_key(name.partition(";")[0]) == wanted:
            return found
    return []


def texts(entry: SearchResultEntry, attribute: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in values(entry, attribute)]


def first(entry: SearchResultEntry, attribute: str) -> str | None:
    """The first value that is not empty."""
    return next((text for text in texts(entry, attribute) if text.strip()), None)


def person_attributes(server: ServerSettings) -> tuple[str, ...]:
    """What must be asked for so that `person` can be made."""
    asked = [server.name_attribute, server.mail_attribute]
    if server.user_id_attribute:
        asked.append(server.user_id_attribute)
    return tuple(dict.fromkeys(asked))


def group_attributes(server: ServerSettings) -> tuple[str, ...]:
    """What must be asked for so that `group` can be made."""
    return (server.group_name_attribute,)


def opened_group_attributes(server: ServerSettings) -> tuple[str, ...]:
    """What must be asked for of a group that is opened."""
    members = (*listed(server.group_member_attribute), PRIMARY_GROUP_TOKEN)
    return ("objectClass", *members, *group_attributes(server))


def of_class(name: str) -> Filter:
    return Equality("objectClass", name.encode())


def person(entry: SearchResultEntry, server: ServerSettings) -> Person:
    return Person(
        id=sametime_id(entry, server),
        dn=entry.dn,
        name=first(entry, server.name_attribute) or rdn_value(entry.dn),
        mail=first(entry, server.mail_attribute),
        server=server.label,
    )


def group(entry: SearchResultEntry, server: ServerSettings) -> Group:
    name = first(entry, server.group_name_attribute) or rdn_value(entry.dn)
    return Group(id=entry.dn, dn=entry.dn, name=name, server=server.label)


def sametime_id(entry: SearchResultEntry, server: ServerSettings | CardServer) -> str:
    """The ID of a person (reference 3.7): the value of `UserIdAttribute`; the DN where there is none.

    `objectGUID` is 16 octets and becomes the usual text form; other octets that are no text become
    hexadecimal.
    """
    attribute = server.user_id_attribute
    if not attribute:
        return entry.dn
    found = values(entry, attribute)
    if not found or not found[0]:
        return entry.dn
    value = found[0]
    key = type_key(attribute)
    if key == _DISTINGUISHED_NAME:
        return value.decode("utf-8", "replace")
    if key == _GUID and len(value) == 16:
        return str(uuid.UUID(bytes_le=value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def rdn_value(dn: str) -> str:
    """What an entry is called when it has no name attribute: the first value of its own RDN."""
    name = parsed(dn)
    if not name:
        return dn
    value = name.rdns[0][0][1]
    return value if isinstance(value, str) else dn


def parsed(text: str) -> DN | None:
    """The name, or None when the text is none: also where it has half a pair of surrogates."""
    try:
        text.encode("utf-8", "surrogateescape")
        return DN.parse(text)
    except (DNSyntaxError, UnicodeEncodeError):
        return None


def same(one: str, other: str) -> bool:
    """Whether a directory would call these values equal: case and spacing do not matter."""
    return fold(one) == fold(other)


def identity(dn: str) -> DN | str:
    """What tells entries apart: the DN by its meaning (reference 3.7)."""
    name = parsed(dn)
    return dn if name is None else name


def lies_under(dn: DN, bases: Iterable[DN]) -> bool:
    return any(dn.is_under(base) for base in bases)
