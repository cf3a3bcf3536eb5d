"""From LDAP entries to people, groups and names. Above this module there are no entries."""

import re
import uuid
from collections.abc import Iterable
from functools import lru_cache

from quintet.config import CardServer, ServerSettings
from quintet.directory.kinds import PRIMARY_GROUP_TOKEN, listed
from quintet.directory.records import Group, Person
from quintet.ldap import DN, DNSyntaxError, Entry, Equality, Filter, Present
from quintet.ldap.dn import fold, type_key

ANY_ENTRY = Present("objectClass").encode()
"""The filter that every entry matches."""

NO_ATTRIBUTES = ("1.1",)
"""What is asked for of an entry when it matters only whether it exists (RFC 4511 4.5.1.8)."""

LONGEST_DN = 16 * 1024
"""Bytes of a DN, or of a value that is compared. None is longer, and to understand one takes time."""

# A DN whose canonical form is itself in lower case: types by their short names, values of words, one space
# between two of them, no character that can be special.
_WORD = r"[0-9A-Za-z._@'()/&:-]+"
_VALUE = rf"{_WORD}(?: {_WORD})*"
_RDN = rf"(?:cn|uid|ou|o|dc|l|st|c|sn|mail|street|title)={_VALUE}"
_PLAIN_DN = re.compile(rf"{_RDN}(?:,{_RDN})*", re.IGNORECASE | re.ASCII)

_SEPARATOR = re.compile(r"[\\,+]|\A#")


def _escape(found: re.Match[str]) -> str:
    return f"\\{ord(found[0]):02x}"


_GUID = "objectguid"
_DISTINGUISHED_NAME = "distinguishedname"


def values(entry: Entry, attribute: str) -> list[bytes]:
    """The values of an attribute, in whatever case or spelling the server names it. Options are ignored."""
    found = entry.attributes.get(attribute)
    if found is not None:
        return found
    wanted = attribute_key(attribute)
    for name, found in entry.attributes.items():
        if attribute_key(name) == wanted:
            return found
    return []


@lru_cache(4096)
def attribute_key(description: str) -> str:
    """What stands for an attribute, however it is spelled, its options aside."""
    return type_key(description.partition(";")[0])


def texts(entry: Entry, attribute: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in values(entry, attribute)]


def first(entry: Entry, attribute: str) -> str | None:
    """The first value that is not blank."""
    for value in values(entry, attribute):
        text = value.decode("utf-8", "replace")
        if text and not text.isspace():
            return text
    return None


def person_attributes(server: ServerSettings) -> tuple[str, ...]:
    """What must be asked for so that `person` can be made."""
    asked = [server.name_attribute, server.mail_attribute]
    if server.user_id_attribute:
        asked.append(server.user_id_attribute)
    return tuple(dict.fromkeys(asked))


def group_attributes(server: ServerSettings) -> tuple[str, ...]:
    """What must be asked for so that `group` can be made."""
    return (server.group_name_attribute,)


def member_attributes(server: ServerSettings) -> tuple[str, ...]:
    """The attributes that hold the members of groups: `GroupMemberAttribute` may list several."""
    return listed(server.group_member_attribute)


def opened_group_attributes(server: ServerSettings) -> tuple[str, ...]:
    """What must be asked for of a group that is opened."""
    members = (*listed(server.group_member_attribute), PRIMARY_GROUP_TOKEN)
    return ("objectClass", *members, *group_attributes(server))


def of_class(name: str) -> Filter:
    return Equality("objectClass", name.encode())


def person(entry: Entry, server: ServerSettings) -> Person:
    return Person(
        id=sametime_id(entry, server),
        dn=entry.dn,
        name=first(entry, server.name_attribute) or rdn_value(entry.dn),
        mail=first(entry, server.mail_attribute),
        server=server.label,
    )


def group(entry: Entry, server: ServerSettings) -> Group:
    name = first(entry, server.group_name_attribute) or rdn_value(entry.dn)
    return Group(id=entry.dn, dn=entry.dn, name=name, server=server.label)


def sametime_id(entry: Entry, server: ServerSettings | CardServer) -> str:
    """The ID of a person (config 3.7): the value of `UserIdAttribute`; the DN where there is none.

    `objectGUID` is 16 bytes and becomes the usual text form; other bytes that are no text become
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
    return value if isinstance(value, str) and value.strip() else dn


def parsed(text: str) -> DN | None:
    """The name, or None when the text is not a DN, is longer than LONGEST_DN or has half a surrogate pair."""
    if len(text) > LONGEST_DN:
        return None
    try:
        if not text.isascii():
            text.encode("utf-8", "surrogateescape")
        return DN.parse(text)
    except (DNSyntaxError, UnicodeEncodeError):
        return None


def same(one: str, other: str) -> bool:
    """Whether a directory would call these values equal: case and spacing do not matter.

    What is longer than LONGEST_DN is equal to nothing.
    """
    if len(one) > LONGEST_DN or len(other) > LONGEST_DN:
        return False
    return one == other or fold(one) == fold(other)


def identity(dn: str) -> str:
    """What tells entries apart: one and the same text for equal DNs (config 3.7).

    Plain names, which nearly all are, need no parser: they are their own text, in lower case. `canonical`
    gives the same for them, so that a name has one identity however it is written. What is not a DN begins
    with a NUL.
    """
    if len(dn) <= LONGEST_DN and _PLAIN_DN.fullmatch(dn):
        return dn.lower()
    name = parsed(dn)
    return f"\0{dn}" if name is None else canonical(name)


def canonical(name: DN) -> str:
    """The identity of a DN. A comma stands in it only between two RDNs."""
    return ",".join("+".join(sorted(map(_canonical_part, rdn))) for rdn in name.key)


def _canonical_part(part: tuple[str, str | bytes]) -> str:
    kind, value = part
    if isinstance(value, bytes):
        return f"{kind}=#{value.hex()}"
    return f"{kind}={_SEPARATOR.sub(_escape, value)}"


def is_below(key: str, bases: Iterable[str]) -> bool:
    """Whether the DN with this identity is one of the bases, given by their identities, or below one."""
    if key[:1] == "\0":
        return False
    return any(not base or key == base or key.endswith(f",{base}") for base in bases)


def lies_under(dn: DN, bases: Iterable[DN]) -> bool:
    return any(dn.is_under(base) for base in bases)
