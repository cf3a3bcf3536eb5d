"""The groups of a person, for policies (reference 3.5): by a filter, or by an attribute like `memberOf`."""

import asyncio
from collections.abc import Sequence

from quintet.directory.entries import (
    ANY_ENTRY,
    LONGEST_DN,
    canonical,
    group,
    group_attributes,
    identity,
    is_below,
    lies_under,
    parsed,
)
from quintet.directory.queries import answered_badly, gather_or_cancel
from quintet.directory.ranges import all_values
from quintet.directory.records import Group, Person
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.ldap.errors import FilterSyntaxError, LdapError
from quintet.ldap.messages import SearchResultEntry
from quintet.ldap.prepared import PreparedRead

DEEPEST = 10
MOST_GROUPS = 1000
_SERVICE = Service.GROUP_CONTENT
_AT_ONCE = 50


async def groups_of(snapshot: Snapshot, person: Person, *, depth: int = 4) -> tuple[Group, ...]:
    """The person's groups, the nearest first; at most MOST_GROUPS.

    `depth` levels of groups around these are followed: 4 by default, 10 at most, -1 (or 0) none. Raises
    DirectoryUnavailableError and its kin.
    """
    if not -1 <= depth <= DEEPEST:
        raise ValueError(f"depth is -1 to {DEEPEST}")
    name = parsed(person.dn)
    held = [each for each in snapshot.servers if each.label == person.server]
    server = next((each for each in held if name and lies_under(name, (each.settings.person_base,))), None)
    if server is None:
        return ()
    found: dict[str, SearchResultEntry] = {}
    level: list[str] = [person.dn]
    try:
        for _ in range(1 + max(0, depth)):
            above: list[str] = []
            for begin in range(0, len(level), _AT_ONCE):
                names = level[begin : begin + _AT_ONCE]
                for entries in await gather_or_cancel(_directly(server, name) for name in names):
                    for entry in entries:
                        key = identity(entry.dn)
                        if key not in found and len(found) < MOST_GROUPS:
                            found[key] = entry
                            above.append(entry.dn)
            level = above
    except LdapError as error:
        raise answered_badly(error, server, _SERVICE) from error
    return tuple(group(entry, server.settings) for entry in found.values())


async def _directly(server: Server, dn: str) -> Sequence[SearchResultEntry]:
    settings = server.settings
    if settings.member_of:
        return await _by_attribute(server, dn, settings.member_of)
    if settings.group_membership is None:
        return ()
    try:
        filled = settings.group_membership.encode(dn)
    except FilterSyntaxError:
        return ()
    found = await server.search(
        _SERVICE,
        settings.group_base,
        settings.group_scope.value,
        filled,
        group_attributes(settings),
        limit=MOST_GROUPS,
    )
    return found.entries


async def _by_attribute(server: Server, dn: str, attribute: str) -> Sequence[SearchResultEntry]:
    settings = server.settings
    holder = await server.read(_SERVICE, dn, ANY_ENTRY, (attribute,))
    if holder is None:
        return ()
    names: dict[str, str] = {}
    bases = (canonical(settings.group_base),)
    async for part in all_values(server, _SERVICE, holder, attribute):
        for begin in range(0, len(part), _AT_ONCE):
            for value in part[begin : begin + _AT_ONCE]:
                text = value.decode("utf-8", "surrogateescape") if len(value) <= LONGEST_DN else ""
                key = identity(text)
                if len(names) < MOST_GROUPS and text and is_below(key, bases):
                    names.setdefault(key, text)
            await asyncio.sleep(0)
    entries: list[SearchResultEntry] = []
    read = PreparedRead(ANY_ENTRY, group_attributes(settings))
    asked = list(names.values())
    for begin in range(0, len(asked), _AT_ONCE):
        found = await server.read_each(_SERVICE, read, asked[begin : begin + _AT_ONCE])
        entries += (entry for entry in found if entry)
    return entries
