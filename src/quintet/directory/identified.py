"""People and groups by their Sametime ID: an ID of an answer is found again whatever the name filters find.

Clients resolve the IDs in their contact lists at each sign-in. A DN is read as such; any other ID is searched
for in `UserIdAttribute`, in each form in which `entries.sametime_id` may have written the attribute's value.
"""

import uuid
from contextlib import suppress

from quintet.directory.entries import (
    group_attributes,
    is_dn_attribute,
    lies_under,
    of_class,
    parsed,
    person_attributes,
)
from quintet.directory.services import Service
from quintet.directory.snapshot import Server
from quintet.ldap import And, Entry, Equality, Filter, InvalidDNSyntax, Or

_SERVICE = Service.RESOLVE_NAMES


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
    same = id_equality(server, name)
    return And((of_class(server.settings.person_class), same)).encode() if same is not None else None


def id_equality(server: Server, name: str) -> Filter | None:
    """Matches what has this ID; None where IDs are DNs, or the name can be no ID."""
    attribute = server.settings.user_id_attribute
    if not attribute or is_dn_attribute(attribute):
        return None
    values = {name.encode("utf-8", "surrogateescape")}
    with suppress(ValueError):
        values.add(uuid.UUID(name).bytes_le)
    with suppress(ValueError):
        values.add(bytes.fromhex(name))
    same = [Equality(attribute, value) for value in sorted(values) if value]
    return Or(tuple(same)) if same else None
