"""People and groups by their Sametime ID: what was told once is found again, whatever the name filters find.

Clients resolve the IDs in their contact lists at each sign-in. A DN is read as such; any other ID is searched
for in `UserIdAttribute`, in each form in which `entries.sametime_id` may have written the attribute's value.
"""

import uuid
from contextlib import suppress
from functools import lru_cache

from quintet.directory.entries import (
    group_attributes,
    identity,
    is_dn_attribute,
    lies_under,
    of_class,
    parsed,
    person_attributes,
)
from quintet.directory.services import Service
from quintet.directory.snapshot import Server
from quintet.ldap import (
    And,
    Approximate,
    Entry,
    Equality,
    Filter,
    FilterSyntaxError,
    InvalidDNSyntax,
    Not,
    Or,
    Present,
    Scope,
    Substrings,
    parse,
)

_SERVICE = Service.RESOLVE_NAMES
_HOLE = "%s"


async def by_dn(server: Server, name: str, *, people: bool, groups: bool) -> Entry | None:
    """The user or group of this DN, if it lies below a base where such are searched for."""
    typed = parsed(name) if "=" in name else None
    if not typed:
        return None
    settings = server.settings
    people = people and lies_under(typed, (settings.person_base,))
    groups = groups and lies_under(typed, (settings.group_base,))
    wanted = [of_class(settings.person_class)] if people else []
    wanted += [of_class(settings.group_class)] if groups else []
    if not wanted:
        return None
    attributes = dict.fromkeys(("objectClass", *person_attributes(settings), *group_attributes(settings)))
    try:
        return await server.read(_SERVICE, name, Or(tuple(wanted)), tuple(attributes))
    except InvalidDNSyntax:
        return None


def is_group(server: Server, entry: Entry) -> bool:
    """Which of the two an entry of `by_dn` is."""
    return server.is_group_entry(entry)


def id_filter(server: Server, name: str) -> bytes | None:
    """The filter for users with this ID; None where IDs are DNs, or the name can be no ID."""
    found = _id_filter(server, name)
    return None if found is None else found.encode()


def login_id_filter(server: Server, name: str) -> bytes | None:
    """As `id_filter`, for users who may log in by some name; None where the login filter finds IDs."""
    settings = server.settings
    any_name = filter_of_any_name(settings.login_filter.text)
    found = _id_filter(server, name)
    if found is None or any_name is None or _asks_for(any_name, str(settings.user_id_attribute)):
        return None
    return And((found, any_name)).encode()


async def login_by_dn(server: Server, name: str) -> tuple[Entry, bytes] | None:
    """The user of this DN, if they may log in by some name, and the filter that says so."""
    settings = server.settings
    typed = parsed(name) if "=" in name else None
    any_name = filter_of_any_name(settings.login_filter.text)
    if not typed or any_name is None or not lies_under(typed, (settings.person_base,)):
        return None
    if settings.person_scope is Scope.ONE_LEVEL and typed.parent != settings.person_base:
        return None
    tree = And((of_class(settings.person_class), any_name)).encode()
    try:
        entry = await server.read(Service.RESOLVE_LOGIN, name, tree, person_attributes(settings))
    except InvalidDNSyntax:
        return None
    # An unencrypted answer may be forged: the entry is the one that was named, or none.
    return (entry, tree) if entry is not None and identity(entry.dn) == identity(name) else None


@lru_cache(maxsize=100)
def filter_of_any_name(template: str) -> Filter | None:
    """The filter of those whom this login filter finds by some name: it asks for values where `%s` stands.

    So what else the filter demands holds for a user who is named in another way, too. None if that cannot be
    said.
    """
    try:
        return _of_any_name(parse(template))
    except FilterSyntaxError:
        return None


def _asks_for(tree: Filter, attribute: str) -> bool:
    """Whether this filter of any name has an alternative for the attribute."""
    match tree:
        case And(filters) | Or(filters):
            return any(_asks_for(each, attribute) for each in filters)
        case Present(asked):
            return asked.casefold() == attribute.casefold()
        case _:
            return False


def _of_any_name(tree: Filter) -> Filter:
    """Raises FilterSyntaxError where `%s` stands in a comparison that cannot be made without a name."""
    match tree:
        case And(filters):
            return And(tuple(_of_any_name(each) for each in filters))
        case Or(filters):
            return Or(tuple(_of_any_name(each) for each in filters))
        case Not(negated):
            return Not(_of_any_name(negated))
        case _ if _HOLE not in str(tree):
            return tree
        case Equality(attribute) | Substrings(attribute) | Approximate(attribute):
            return Present(attribute)
        case _:
            raise FilterSyntaxError("a comparison with a name")


def _id_filter(server: Server, name: str) -> Filter | None:
    attribute = server.settings.user_id_attribute
    if not attribute or is_dn_attribute(attribute):
        return None
    values = {name.encode("utf-8", "surrogateescape")}
    with suppress(ValueError):
        values.add(uuid.UUID(name).bytes_le)
    with suppress(ValueError):
        values.add(bytes.fromhex(name))
    same = [Equality(attribute, value) for value in sorted(values) if value]
    return And((of_class(server.settings.person_class), Or(tuple(same)))) if same else None
