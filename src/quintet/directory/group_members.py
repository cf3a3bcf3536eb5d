"""Data flow 4: the content of a public group. Nested groups are opened once, circles broken, limits told.

Members are looked up at the group's own server only, and below its bases (row C42).
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import final

from quintet.directory.entries import (
    first,
    group,
    identity,
    lies_under,
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
    is_group,
    listed,
    of_group_class,
    people_of,
)
from quintet.directory.queries import answered_badly, gather_or_cancel, name_filter, query_servers
from quintet.directory.ranges import all_values
from quintet.directory.records import Group, Membership, Person
from quintet.directory.services import Service
from quintet.directory.snapshot import Found, Server, Snapshot
from quintet.ldap.dn import DN, type_key
from quintet.ldap.errors import InvalidDNSyntax, LdapError
from quintet.ldap.filters import And, Equality
from quintet.ldap.filters import decode as decode_filter
from quintet.ldap.messages import SearchResultEntry

DEEPEST = 50
"""Groups within groups within groups. Deeper ones are not opened, and the answer is called truncated."""

_AT_ONCE = 50
_LOOKS_PER_MEMBER = 4
_REPETITIONS_PER_MEMBER = 100
_SERVICE = Service.GROUP_CONTENT
_UID_FORM = "memberuid"
_BIT_STRING = re.compile(r"#'[01]*'B\Z")


async def members(snapshot: Snapshot, name: str, *, limit: int | None = None) -> Membership:
    """The members of the group with this name or DN; at most `limit` people (the settings' by default).

    Raises UnknownGroupError, AmbiguousNameError, DirectoryUnavailableError and its kin.
    """
    most = snapshot.directory.max_members if limit is None else limit
    if most < 1:
        raise ValueError("the limit must be at least 1")
    server, entry = await _find_group(snapshot, name.strip())
    try:
        return await _OpenGroup(server, most).content(entry)
    except LdapError as error:
        raise answered_badly(error, server, _SERVICE) from error


async def _find_group(snapshot: Snapshot, name: str) -> tuple[Server, SearchResultEntry]:
    typed = parsed(name) if "=" in name else None
    inside = [s for s in snapshot.servers if typed and typed.is_under(s.settings.group_base)]

    async def question(server: Server) -> Found:
        """By the DN; a name may look like one and be none: `a=b`."""
        entry = await by_dn(server) if inside else None
        return Found((entry,)) if entry else await by_name(server)

    async def by_dn(server: Server) -> SearchResultEntry | None:
        try:
            return await server.read(
                _SERVICE,
                name,
                of_group_class(server.settings.group_class),
                opened_group_attributes(server.settings),
            )
        except InvalidDNSyntax:
            return None

    async def by_name(server: Server) -> Found:
        settings = server.settings
        filled = name_filter(settings.group_filter.encode, name)
        if filled is None:
            return Found(())
        exact = And(
            (
                decode_filter(filled),
                Equality(settings.group_name_attribute, name.encode("utf-8", "surrogateescape")),
            )
        )
        return await server.search(
            _SERVICE,
            settings.group_base,
            settings.group_scope.value,
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
    people: dict[DN | str, Person] = field(default_factory=dict)
    groups: dict[DN | str, Group] = field(default_factory=dict)
    missing: dict[DN | str, str] = field(default_factory=dict)
    truncated: bool = False
    _seen: set[DN | str] = field(default_factory=set)
    _again: int = 0
    _queue: deque[tuple[SearchResultEntry, int]] = field(default_factory=deque)

    async def content(self, entry: SearchResultEntry) -> Membership:
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

    async def _open_one(self, entry: SearchResultEntry, depth: int) -> None:
        for attribute in listed(self.server.settings.group_member_attribute):
            batch: list[str] = []
            by_uid = type_key(attribute) == _UID_FORM
            async for value in all_values(self.server, _SERVICE, entry, attribute):
                name = without_bits(value.decode("utf-8", "surrogateescape").strip())
                key = f"uid {name}" if by_uid else identity(name)
                if not name or key in self._seen:
                    self._again += 1
                    if self._again > _REPETITIONS_PER_MEMBER * self.most:
                        self.truncated = True
                        break
                    continue
                if len(self._seen) > _LOOKS_PER_MEMBER * self.most + DEEPEST:
                    self.truncated = True
                    break
                self._seen.add(key)
                batch.append(name)
                if len(batch) >= _AT_ONCE:
                    await self._take(batch, depth, by_uid=by_uid)
                    batch = []
                if self.truncated:
                    return
            if batch:
                await self._take(batch, depth, by_uid=by_uid)
        if not self.truncated:
            await self._take_primary_members(entry)

    async def _take_primary_members(self, entry: SearchResultEntry) -> None:
        """Active Directory: who has this group as the primary one is not in `member` (row S55)."""
        token = first(entry, PRIMARY_GROUP_TOKEN)
        if token is None or not token.isdecimal():
            return
        settings = self.server.settings
        mine = Equality(PRIMARY_GROUP_ID, token.encode())
        found = await self.server.search(
            _SERVICE,
            settings.person_base,
            settings.person_scope.value,
            And((people_of(settings, disabled=True), mine)),
            person_attributes(settings),
            limit=self.most + 1,
        )
        for each in found.entries:
            self.people.setdefault(identity(each.dn), person(each, settings))
        self.truncated = found.cut or len(self.people) > self.most

    async def _take(self, names: Sequence[str], depth: int, *, by_uid: bool) -> None:
        settings = self.server.settings
        found = await self._look_up(names, by_uid=by_uid)
        for name, entry in zip(names, found, strict=True):
            if entry is None:
                self.missing[identity(name)] = name
                continue
            if is_computer(entry):
                continue
            key = identity(entry.dn)
            if not is_group(entry, settings.group_class, settings.group_member_attribute):
                self.people.setdefault(key, person(entry, settings))
                if len(self.people) > self.most:
                    self.truncated = True
                    return
            elif key not in self.groups:
                self._seen.add(key)
                self.groups[key] = group(entry, settings)
                if depth < DEEPEST:
                    self._queue.append((entry, depth + 1))
                else:
                    self.truncated = True

    async def _look_up(self, names: Sequence[str], *, by_uid: bool) -> Sequence[SearchResultEntry | None]:
        """The entries of these members; None for those that are not there, or not ours to look at."""
        if by_uid:
            return await gather_or_cancel(self._by_uid(name) for name in names)
        bases = self.server.bases
        inside = [name for name in names if (dn := parsed(name)) and lies_under(dn, bases)]
        entries = await self.server.read_each(_SERVICE, self.server.member_read, inside)
        by_name = dict(zip(inside, entries, strict=True))
        return [by_name.get(name) for name in names]

    async def _by_uid(self, uid: str) -> SearchResultEntry | None:
        """RFC 2307: posixGroup names its members by their `uid`."""
        settings = self.server.settings
        found = await self.server.search(
            _SERVICE,
            settings.person_base,
            settings.person_scope.value,
            And((of_class(settings.person_class), Equality("uid", uid.encode("utf-8", "surrogateescape")))),
            ("objectClass", *person_attributes(settings)),
            limit=2,
        )
        return found.entries[0] if len(found.entries) == 1 else None


def without_bits(name: str) -> str:
    """`uniqueMember` may end with a bit string that tells apart who had the name before (RFC 4517 3.3.21)."""
    return _BIT_STRING.sub("", name)
