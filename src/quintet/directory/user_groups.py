"""The groups of a person, for policies (config 3.5): by a filter, or by an attribute like `memberOf`."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from quintet.directory.kinds import PRIMARY_GROUP_ID, is_active_directory, of_group_class, spoken
from quintet.directory.queries import Pauses, answered_badly, gather_or_cancel
from quintet.directory.ranges import all_values
from quintet.directory.records import Group, Person
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.ldap import And, Entry, Equality, FilterSyntaxError, LdapError
from quintet.ldap.prepared import PreparedRead

DEPTH, DEEPEST = 4, 10
MOST_GROUPS = 1000
_SID, _SID_LEAST = "objectSid", 12  # MS-DTYP 2.4.2.2: 8 bytes and at least one sub-authority of 4
_SERVICE = Service.GROUP_CONTENT
_AT_ONCE = 50
_EACH = 100  # a short name takes time, too


@dataclass(frozen=True, slots=True)
class GroupLevel:
    """A group of a person. `level` is its distance: 1 for a group that has the person as a member."""

    group: Group
    level: int


async def groups_of(snapshot: Snapshot, person: Person, *, depth: int = DEPTH) -> tuple[Group, ...]:
    """The person's groups, as `group_levels` finds them, without their levels."""
    return tuple(each.group for each in await group_levels(snapshot, person, depth=depth))


async def group_levels(snapshot: Snapshot, person: Person, *, depth: int = DEPTH) -> tuple[GroupLevel, ...]:
    """The person's groups, the nearest first; at most MOST_GROUPS.

    `depth` is the number of levels (row C56): the groups that have the person as a member are level 1, so 4,
    the default, is these and three levels of groups around them; 10 at most. -1 (or 0) is level 1 alone. A
    group that is reached in several ways has the lowest of its levels. Raises DirectoryUnavailableError and
    its kin.
    """
    if not -1 <= depth <= DEEPEST:
        raise ValueError(f"depth is -1 to {DEEPEST}")
    name = parsed(person.dn)
    held = [each for each in snapshot.servers if each.label == person.server]
    server = next((each for each in held if name and lies_under(name, (each.settings.person_base,))), None)
    if server is None:
        return ()
    found: dict[str, GroupLevel] = {}
    pauses = Pauses()
    level: list[str] = [person.dn]
    try:
        for number in range(1, 1 + max(1, depth)):
            above: list[str] = []
            for begin in range(0, len(level), _AT_ONCE):
                names = level[begin : begin + _AT_ONCE]
                for entries in await gather_or_cancel(
                    _directly(server, name, primary=number == 1) for name in names
                ):
                    for entry in entries:
                        await pauses.after(len(entry.dn))
                        key = identity(entry.dn)
                        if key not in found and len(found) < MOST_GROUPS:
                            found[key] = GroupLevel(group(entry, server.settings), number)
                            above.append(entry.dn)
            level = above
    except LdapError as error:
        raise answered_badly(error, server, _SERVICE) from error
    return tuple(found.values())


async def _directly(server: Server, dn: str, *, primary: bool) -> Sequence[Entry]:
    """The groups with this entry as a member; `primary`, if it is a person, the primary group, too."""
    groups = await _by_membership(server, dn)
    if primary and is_active_directory(*spoken(server.settings)):
        return (*groups, *await _primary(server, dn))
    return groups


async def _primary(server: Server, dn: str) -> Sequence[Entry]:
    """Active Directory: the primary group does not have the person in `member` (row S55).

    It is found by its SID, which is the person's with the number in `primaryGroupID` as the last part;
    `primaryGroupToken` matches nothing in filters (row S57).
    """
    holder = await server.read(_SERVICE, dn, ANY_ENTRY, (_SID, PRIMARY_GROUP_ID))
    number = holder.text(PRIMARY_GROUP_ID) if holder else None
    sid = holder.get(_SID) if holder else []
    if not (sid and len(sid[0]) >= _SID_LEAST and number and number.isdecimal() and int(number) < 1 << 32):
        return ()
    settings = server.settings
    found = await server.search(
        _SERVICE,
        settings.group_base,
        settings.group_scope,
        And(
            (
                of_group_class(settings.group_class),
                Equality(_SID, sid[0][:-4] + int(number).to_bytes(4, "little")),
            )
        ),
        group_attributes(settings),
        limit=1,
    )
    return found.entries


async def _by_membership(server: Server, dn: str) -> Sequence[Entry]:
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
        settings.group_scope,
        filled,
        group_attributes(settings),
        limit=MOST_GROUPS,
    )
    return found.entries


async def _by_attribute(server: Server, dn: str, attribute: str) -> Sequence[Entry]:
    settings = server.settings
    holder = await server.read(_SERVICE, dn, ANY_ENTRY, (attribute,))
    if holder is None:
        return ()
    names: dict[str, str] = {}
    pauses = Pauses()
    bases = (canonical(settings.group_base),)
    async for part in all_values(server, _SERVICE, holder, attribute):
        for value in part:
            text = value.decode("utf-8", "surrogateescape") if len(value) <= LONGEST_DN else ""
            await pauses.after(_EACH + len(text))
            key = identity(text)
            if len(names) < MOST_GROUPS and text and is_below(key, bases):
                names.setdefault(key, text)
    entries: list[Entry] = []
    read = PreparedRead(ANY_ENTRY, group_attributes(settings))
    asked = list(names.values())
    for begin in range(0, len(asked), _AT_ONCE):
        found = await server.read_each(_SERVICE, read, asked[begin : begin + _AT_ONCE])
        entries += (entry for entry in found if entry)
    return entries
