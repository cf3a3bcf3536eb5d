"""How a person is looked for at a server of the business cards (config 4.3)."""

import uuid
from contextlib import suppress
from typing import NamedTuple

from quintet.config import CardServer, CardStorage
from quintet.directory import is_name, of_person_class, parsed
from quintet.ldap import DN, And, Equality, Filter, FilterSyntaxError, Or, Scope
from quintet.ldap.dn import type_key

_PERSON = "person"


class Question(NamedTuple):
    """A search that finds the person, and no one else. `reads` when it reads the entry `base` itself."""

    base: str
    scope: Scope
    filter: Filter | bytes
    reads: bool = False


def by_user(server: CardServer, user: str) -> list[Question]:
    """The searches for a user as clients name people: each is for where those before it find nothing.

    A DN is read. Other text is an ID, or else a name.
    """
    if not is_name(user):
        return []
    question = _by_id(server, user)
    if question is not None and question.reads:
        return [question]
    found = [] if question is None else [question]
    with suppress(FilterSyntaxError):
        found.append(_at(server, server.filter.encode(user)))
    return found


def by_id(server: CardServer, ident: str) -> Question | None:
    """The search for a Sametime ID: the entry of that DN, else who has it in `UserIdAttribute`.

    A DN is read only where a search would find it, too: under the base, and no deeper than `Scope` goes.
    Other text in the form of a DN is none of this server: "Equal=Pay Officer" is a name.
    """
    return _by_id(server, ident) if is_name(ident) else None


def _by_id(server: CardServer, ident: str) -> Question | None:
    dn = parsed(ident) if "=" in ident else None
    if dn and _reaches(server, dn):
        return Question(str(dn), Scope.BASE, person_filter(server), reads=True)
    if server.user_id_attribute is None:
        return None
    value = _id_bytes(server.user_id_attribute, ident)
    return _at(server, _with_class(server, Equality(server.user_id_attribute, value)))


def by_common_field(storage: CardStorage, server: CardServer, ident: str, value: str) -> Question | None:
    """The search for who has `value` in the field that links the repositories."""
    attributes = next((detail.attributes for detail in storage.details if detail.id == ident), ())
    if not attributes or not is_name(value):
        return None
    equal = tuple(Equality(attribute, _bytes(value)) for attribute in attributes)
    return _at(server, _with_class(server, equal[0] if len(equal) == 1 else Or(equal)))


def person_filter(server: CardServer) -> Filter:
    """The filter for an entry that is read by its DN: it must be a person."""
    return _of_person(server, server.person_class or _PERSON)


def _at(server: CardServer, wanted: Filter | bytes) -> Question:
    return Question(str(server.base), server.scope, wanted)


def _reaches(server: CardServer, dn: DN) -> bool:
    match server.scope:
        case Scope.BASE:
            return dn == server.base
        case Scope.ONE_LEVEL:
            return dn.parent == server.base
        case Scope.SUBTREE:
            return dn.is_under(server.base)


def _with_class(server: CardServer, wanted: Filter) -> Filter:
    return And((wanted, _of_person(server, server.person_class))) if server.person_class else wanted


def _of_person(server: CardServer, name: str) -> Filter:
    return of_person_class(name, server.filter.text, server.user_id_attribute or "", disabled=True)


def _id_bytes(attribute: str, ident: str) -> bytes:
    """Active Directory's `objectGUID` is 16 bytes, which people write in the usual form of a UUID."""
    if type_key(attribute) == "objectguid":
        try:
            return uuid.UUID(ident).bytes_le
        except ValueError:
            pass
    return _bytes(ident)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
