"""Data flow 4: the content of a public group. Nested groups are opened once, circles broken, limits named.

Members are looked up at the group's own server only, and below its bases (row C42).
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import final

from quintet.directory.entries import (
    LONGEST_DN,
    first,
    group,
    identity,
    is_below,
    of_class,
    opened_group_attributes,
    parsed,
    person,
    person_attributes,
)
from quintet.directory.errors import AmbiguousNameError, UnknownGroupError
from quintet.directory.kinds import (
    PRIMARY_GROUP_ID,
    PRIMARY_GROUP_TOKEN,
    is_computer,
    listed,
    of_group_class,
    people_of,
)
from quintet.directory.queries import Pauses, answered_badly, is_name, name_filter, query_servers
from quintet.directory.ranges import all_values
from quintet.directory.records import Group, Membership, Person
from quintet.directory.services import Service
from quintet.directory.snapshot import FoundEntries, Server, Snapshot
from quintet.ldap import And, Entry, Equality, InvalidDNSyntax, LdapError
from quintet.ldap.dn import type_key
from quintet.ldap.messages import decode_filter

DEEPEST = 50
"""Groups within groups within groups. Deeper ones are not opened, and the answer is called truncated."""

_AT_ONCE, _BYTES_AT_ONCE = 50, 32 * 1024
_LOOKS_PER_MEMBER = 4
_REPETITIONS_PER_MEMBER = 100
_SHOWN = 300
_SERVICE = Service.GROUP_CONTENT
_UID_FORM = "memberuid"
_BIT_STRING = re.compile(r"#'[01]*'B\Z")


def _batches(members: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Those to look up together: not many, and not much to read before others have their turn."""
    begin = size = 0
    for nth, value in enumerate(members):
        if nth - begin >= _AT_ONCE or (size and size + len(value) > _BYTES_AT_ONCE):
            yield members[begin:nth]
            begin, size = nth, 0
        size += len(value)
    yield members[begin:]


async def members(snapshot: Snapshot, name: str, *, limit: int | None = None) -> Membership:
    """The members of the group with this name or DN; at most `limit` people (the settings' by default).

    Raises UnknownGroupError, AmbiguousNameError, DirectoryUnavailableError and its kin.
    """
    most = snapshot.directory.max_members if limit is None else limit
    if most < 1:
        raise ValueError("the limit must be at least 1")
    name = name.strip()
    if not is_name(name):
        raise UnknownGroupError("no public group has this name", service=_SERVICE)
    server, entry = await _find_group(snapshot, name)
    try:
        return await _OpenGroup(server, most).content(entry)
    except LdapError as error:
        raise answered_badly(error, server, _SERVICE) from error


async def _find_group(snapshot: Snapshot, name: str) -> tuple[Server, Entry]:
    typed = parsed(name) if "=" in name else None
    inside = [s for s in snapshot.servers if typed and typed.is_under(s.settings.group_base)]

    async def question(server: Server) -> FoundEntries:
        """By the DN; a name may look like one and be none: `a=b`."""
        entry = await by_dn(server) if inside else None
        return FoundEntries((entry,)) if entry else await by_name(server)

    async def by_dn(server: Server) -> Entry | None:
        try:
            return await server.read(
                _SERVICE,
                name,
                of_group_class(server.settings.group_class),
                opened_group_attributes(server.settings),
            )
        except InvalidDNSyntax:
            return None

    async def by_name(server: Server) -> FoundEntries:
        settings = server.settings
        filled = name_filter(settings.group_filter.encode, name)
        if filled is None:
            return FoundEntries(())
        exact = And(
            (
                decode_filter(filled),
                Equality(settings.group_name_attribute, name.encode("utf-8", "surrogateescape")),
            )
        )
        return await server.search(
            _SERVICE,
            settings.group_base,
            settings.group_scope,
            exact,
            opened_group_attributes(server.settings),
            limit=2,
        )

    answers = await query_servers(inside or snapshot.servers, question)
    once = {
        identity(entry.dn): (server, entry)
        for server, found in reversed(answers.given)
        for entry in found.entries
    }
    if len(once) > 1:
        raise AmbiguousNameError(
            "several groups have this name", service=_SERVICE, fix="Give the group's distinguished name"
        )
    if once:
        return next(iter(once.values()))
    if answers.failures:
        raise answers.failures[0][1]
    missing = [found.missing_base for _, found in answers.given if found.missing_base]
    fix = f"Check {' and '.join(missing)}: the base is not there" if missing else None
    raise UnknownGroupError("no public group has this name", service=_SERVICE, fix=fix)


@final
@dataclass(slots=True)
class _OpenGroup:
    """One group being opened: breadth first, in the order in which the directory names the members."""

    server: Server
    most: int
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    truncated: bool = False
    _seen: set[str] = field(default_factory=set)
    _again: int = 0
    _queue: deque[tuple[Entry, int]] = field(default_factory=deque)

    async def content(self, entry: Entry) -> Membership:
        settings = self.server.settings
        self._seen.add(identity(entry.dn))
        self._queue.append((entry, 1))
        while self._queue and not self.truncated:
            await self._open_one(*self._queue.popleft())
        return Membership(
            group=group(entry, settings),
            members=tuple(islice(self.people.values(), self.most)),
            groups=tuple(self.groups.values()),
            missing=tuple(self.missing.values()),
            truncated=self.truncated,
            limit=self.most,
        )

    async def _open_one(self, entry: Entry, depth: int) -> None:
        for attribute in listed(self.server.settings.group_member_attribute):
            look_up = self._by_uid if type_key(attribute) == _UID_FORM else self._by_dn
            async for part in all_values(self.server, _SERVICE, entry, attribute):
                for some in _batches(part):
                    names = self._new(some)
                    if names:
                        self._take(names, await look_up(names), depth)
                    else:
                        await asyncio.sleep(0)  # a group may name one member a million times
                    if self.truncated:
                        return
        if not self.truncated:
            await self._take_primary_members(entry)

    async def _take_primary_members(self, entry: Entry) -> None:
        """Active Directory: who has this group as the primary one is not in `member` (row S55)."""
        token = first(entry, PRIMARY_GROUP_TOKEN)
        if token is None or not token.isdecimal():
            return
        settings = self.server.settings
        mine = Equality(PRIMARY_GROUP_ID, token.encode())
        found = await self.server.search(
            _SERVICE,
            settings.person_base,
            settings.person_scope,
            And((people_of(settings, disabled=True), mine)),
            person_attributes(settings),
            limit=self.most + 1,
        )
        pauses = Pauses()
        for each in found.entries:
            await pauses.after(len(each.dn))
            self.people.setdefault(identity(each.dn), person(each, settings))
        self.truncated = found.cut or len(self.people) > self.most

    def _new(self, members: Sequence[bytes]) -> dict[str, str]:
        """The names of those that were not looked up yet, by identity; no more than a group may have."""
        names: dict[str, str] = {}
        seen = self._seen
        for value in members:
            if len(value) > LONGEST_DN:  # it has no entry
                name = f"{value[:_SHOWN].decode('utf-8', 'replace')}…"
                key = f"\0{name}"
            else:
                name = without_bits(value.decode("utf-8", "surrogateescape").strip())
                key = identity(name)
            if not name or key in seen:
                self._again += 1
                if self._again > _REPETITIONS_PER_MEMBER * self.most:
                    self.truncated = True
                    break
                continue
            if len(seen) > _LOOKS_PER_MEMBER * self.most + DEEPEST:
                self.truncated = True
                break
            seen.add(key)
            names[key] = name
        return names

    def _take(self, names: dict[str, str], found: Sequence[Entry | None], depth: int) -> None:
        server = self.server
        for (key, name), entry in zip(names.items(), found, strict=True):
            if entry is None:
                self.missing[key] = name
                continue
            if is_computer(entry):
                continue
            own = key if entry.dn == name else identity(entry.dn)
            if not server.is_group_entry(entry):
                self.people.setdefault(own, person(entry, server.settings))
                if len(self.people) > self.most:
                    self.truncated = True
                    return
            elif own not in self.groups:
                self._seen.add(own)
                self.groups[own] = group(entry, server.settings)
                if depth < DEEPEST:
                    self._queue.append((entry, depth + 1))
                else:
                    self.truncated = True

    async def _by_dn(self, names: dict[str, str]) -> Sequence[Entry | None]:
        """The entries of these members; None for those that are not there, or not ours to look at."""
        server, bases = self.server, self.server.base_keys
        inside = [name for key, name in names.items() if is_below(key, bases)]
        entries = await server.read_each(_SERVICE, server.member_read, inside)
        return _placed(names, dict(zip(inside, entries, strict=True)))

    async def _by_uid(self, names: dict[str, str]) -> Sequence[Entry | None]:
        """RFC 2307: posixGroup names its members by their `uid`."""
        is_person = of_class(self.server.settings.person_class)
        asked = {
            uid: (self.server.uid_search, And((is_person, Equality("uid", _utf8(uid)))).encode())
            for uid in names.values()
            if is_name(uid)
        }
        found = await self.server.find_each(_SERVICE, tuple(asked.values()))
        entries = (each.entries[0] if each and len(each.entries) == 1 else None for each in found)
        return _placed(names, dict(zip(asked, entries, strict=True)))


def _placed(names: dict[str, str], found: dict[str, Entry | None]) -> list[Entry | None]:
    """What was found, in the order of the names."""
    return [found.get(name) for name in names.values()]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def without_bits(name: str) -> str:
    """`uniqueMember` may end with a bit string that tells apart who had the name before (RFC 4517 3.3.21)."""
    return _BIT_STRING.sub("", name) if name.endswith("B") else name
