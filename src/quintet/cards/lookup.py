"""How a person is looked for at a server of the business cards (reference 4.3)."""

import uuid
from dataclasses import dataclass

from quintet.config import CardServer, CardStorage, Scope
from quintet.ldap.dn import DN, type_key
from quintet.ldap.errors import DNSyntaxError, FilterSyntaxError
from quintet.ldap.filters import And, Equality, Filter, Or

_PERSON = "person"


@dataclass(frozen=True, slots=True)
class Question:
    """A search that finds the person, and nobody else."""

    base: str
    scope: Scope
    filter: Filter | bytes


def by_user(server: CardServer, user: str) -> Question | None:
    """The search for a user as clients name people: by DN, by ID, else by name.

    None when it can find nobody.
    """
    octets = _octets(user)
    if not octets.strip():
        return None
    question = by_id(server, user)
    if question is not None:
        return question
    try:
        return _at(server, server.filter.encode(octets))
    except FilterSyntaxError:
        return None


def by_id(server: CardServer, ident: str) -> Question | None:
    """The search for a Sametime ID: the entry of that DN, else who has it in `UserIdAttribute`.

    A DN is read only where a search would find it, too: under the base, and no deeper than `Scope` goes.
    Other text in the form of a DN is none of this server: "Equal=Pay Officer" is a name.
    """
    octets = _octets(ident)
    if not octets.strip():
        return None
    dn = _name(ident)
    if dn is not None and _reaches(server, dn):
        return Question(str(dn), Scope.BASE, _of_class(server.person_class or _PERSON))
    if server.user_id_attribute is None:
        return None
    value = _id_octets(server.user_id_attribute, ident) or octets
    return _at(server, _with_class(server, Equality(server.user_id_attribute, value)))


def by_common_field(storage: CardStorage, server: CardServer, ident: str, value: str) -> Question | None:
    """The search for who has `value` in the field that links the repositories."""
    attributes = next((detail.attributes for detail in storage.details if detail.id == ident), ())
    if not attributes or not value.strip():
        return None
    equal = tuple(Equality(attribute, _octets(value)) for attribute in attributes)
    return _at(server, _with_class(server, equal[0] if len(equal) == 1 else Or(equal)))


def _at(server: CardServer, wanted: Filter | bytes) -> Question:
    return Question(str(server.base), server.scope, wanted)


def _reaches(server: CardServer, dn: DN) -> bool:
    match server.scope:
        case Scope.BASE:
            return dn == server.base
        case Scope.ONE:
            return dn.parent == server.base
        case Scope.SUBTREE:
            return dn.is_under(server.base)


def _name(user: str) -> DN | None:
    try:
        return DN.parse(user) or None
    except DNSyntaxError:
        return None


def _with_class(server: CardServer, wanted: Filter) -> Filter:
    return And((wanted, _of_class(server.person_class))) if server.person_class else wanted


def _of_class(name: str) -> Filter:
    return Equality("objectClass", name.encode())


def _id_octets(attribute: str, user: str) -> bytes | None:
    """Active Directory's `objectGUID` is 16 octets, which people write in the usual form of a UUID."""
    if type_key(attribute) != "objectguid":
        return None
    try:
        return uuid.UUID(user).bytes_le
    except ValueError:
        return None


def _octets(text: str) -> bytes:
    """UTF-8. Half a surrogate pair is no character, and no name has one."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return b""
