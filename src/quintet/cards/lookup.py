"""How a person is looked for at a server of the business cards (reference 4.3)."""

import uuid
from dataclasses import dataclass

from quintet.config import CardServer, CardStorage, Scope
from quintet.directory import of_person_class
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


def by_user(server: CardServer, user: str) -> tuple[Question, ...]:
    """The searches for a user as clients name people, to be made until one finds somebody.

    A DN below the base is read, and nothing else: it is not a name. Any other text is looked for as an ID, if
    the server has IDs, and then as a name by the search filter: under `UserIdAttribute="distinguishedName"`
    a login name is no ID, and still finds its owner.
    """
    octets = _octets(user)
    if not octets.strip():
        return ()
    as_id = by_id(server, user)
    if as_id is not None and as_id.scope is Scope.BASE:
        return (as_id,)
    try:
        as_name = _at(server, server.filter.encode(octets))
    except FilterSyntaxError:
        as_name = None
    return tuple(question for question in (as_id, as_name) if question is not None)


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
        return Question(str(dn), Scope.BASE, _of_person(server, server.person_class or _PERSON))
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
    return And((wanted, _of_person(server, server.person_class))) if server.person_class else wanted


def _of_person(server: CardServer, name: str) -> Filter:
    return of_person_class(name, server.filter.text, server.user_id_attribute or "", disabled=True)


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
