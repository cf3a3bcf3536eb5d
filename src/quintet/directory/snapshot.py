"""What one request works with: settings and the pools that they ask for. A reload replaces it as a whole."""

import asyncio
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from quintet.config import DirectorySettings, ServerSettings, Settings
from quintet.directory.entries import (
    canonical,
    group_attributes,
    member_attributes,
    of_class,
    opened_group_attributes,
    person_attributes,
    values,
)
from quintet.directory.events import Trace, Warned
from quintet.directory.kinds import listed, of_group_class
from quintet.directory.service_pool import ServicePool
from quintet.directory.services import Service
from quintet.directory.steps import tell_search
from quintet.ldap import (
    DN,
    AdminLimitExceeded,
    ClientLimitError,
    ConfidentialityRequired,
    Entry,
    Filter,
    LdapError,
    NoSuchObject,
    OperationsError,
    Or,
    ResultError,
    Scope,
    SearchResult,
    SizeLimitExceeded,
    StrongerAuthRequired,
    TimeLimitExceeded,
)
from quintet.ldap.prepared import PreparedRead, PreparedSearch, Query

LIMITS = (SizeLimitExceeded, TimeLimitExceeded, AdminLimitExceeded)

# Not about one entry: a limit; or the server wants a bind first (Active Directory says so with 1), or TLS.
_ABOUT_ALL = (*LIMITS, OperationsError, StrongerAuthRequired, ConfidentialityRequired)


@dataclass(frozen=True, slots=True)
class FoundEntries:
    """The entries of a search; `cut` when there were more than the limit, ours or the server's.

    `missing_base` says which base was not there to be searched.
    """

    entries: Sequence[Entry]
    cut: bool = False
    missing_base: str | None = None


class Searcher(Protocol):
    """What searches are sent through: a pool, or one connection."""

    async def find_all(self, queries: Sequence[Query]) -> list[SearchResult | LdapError]: ...


@final
class Server:
    """One directory, as the tasks see it: its settings, a pool for each task, and what is asked often.

    Methods raise LdapError for answers that are errors, and DirectoryError when there is no answer.
    """

    def __init__(
        self,
        settings: ServerSettings,
        pools: dict[Service, ServicePool],
        *,
        max_results: int,
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self.pools = pools
        self._searchers: Mapping[Service, Searcher] = pools
        self.label = settings.label
        self.bases = tuple(dict.fromkeys((settings.person_base, settings.group_base)))
        """The bases for people and groups, once each."""
        self.base_keys = tuple(map(canonical, self.bases))
        self.person_base_key = canonical(settings.person_base)
        self._trace = trace
        self._told: set[str] = set()
        self._over: Service | None = None
        self._group_classes = frozenset(name.lower().encode() for name in listed(settings.group_class))
        person_base, group_base = str(settings.person_base), str(settings.group_base)
        person_scope, group_scope = settings.person_scope, settings.group_scope
        people, groups = person_attributes(settings), group_attributes(settings)
        self.login_attributes = people
        self.login_search = PreparedSearch(person_base, person_scope, people, limit=2)
        self.people_search = PreparedSearch(person_base, person_scope, people, limit=max_results)
        self.groups_search = PreparedSearch(group_base, group_scope, groups, limit=max_results)
        self.member_read = PreparedRead(
            Or((of_class(settings.person_class), of_group_class(settings.group_class))),
            tuple(dict.fromkeys((*opened_group_attributes(settings), *people))),
        )
        self.uid_search = PreparedSearch(person_base, person_scope, ("objectClass", *people), limit=2)

    async def find_all(
        self, service: Service, asked: Sequence[tuple[PreparedSearch, bytes]], *, in_part: bool = False
    ) -> list[FoundEntries]:
        """What these searches with these filters find, over the connections of the service.

        Limits also hold for servers that do not observe them. With `in_part`, what came before the server's
        time limit or administrative limit was reached is accepted. A base that does not exist has no entries.
        """
        outcomes = await self._searchers[service].find_all([search.query(tree) for search, tree in asked])
        for (search, tree), outcome in zip(asked, outcomes, strict=True):
            tell_search(service, self.label, search.base, search.scope, tree, outcome, self._over)
        return [
            FoundEntries(outcome.entries)
            if type(outcome) is SearchResult
            else self._cut_or_raise(service, search, outcome, in_part=in_part)
            for (search, _), outcome in zip(asked, outcomes, strict=True)
        ]

    async def find_each(
        self, service: Service, asked: Sequence[tuple[PreparedSearch, bytes]]
    ) -> list[FoundEntries | None]:
        """As `find_all`, with None where the server refuses one of the searches."""
        outcomes = await self._searchers[service].find_all([search.query(tree) for search, tree in asked])
        return [
            None if _is_refusal(outcome) else self._cut_or_raise(service, search, outcome, in_part=False)
            for (search, _), outcome in zip(asked, outcomes, strict=True)
        ]

    async def search(
        self,
        service: Service,
        base: DN | str,
        scope: int,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str],
        *,
        limit: int = 0,
    ) -> FoundEntries:
        """One search, as in `find_all`."""
        tree = filter if isinstance(filter, bytes) else filter.encode()
        search = PreparedSearch(str(base), scope, attributes, limit=limit)
        (found,) = await self.find_all(service, ((search, tree),))
        return found

    async def read(
        self,
        service: Service,
        dn: DN | str,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str],
    ) -> Entry | None:
        """One entry by its name; None when it does not exist, or the filter does not match it."""
        (outcome,) = await self._searchers[service].find_all(
            (PreparedRead(filter, attributes).query(str(dn)),)
        )
        tree = filter if isinstance(filter, bytes) else filter.encode()
        tell_search(service, self.label, str(dn), Scope.BASE, tree, outcome, self._over)
        return _entry_or_raise(outcome)

    async def read_each(self, service: Service, read: PreparedRead, dns: Sequence[str]) -> list[Entry | None]:
        """The entries of these names, in order; None also where the server refuses to give one of them."""
        outcomes = await self._searchers[service].find_all([read.query(dn) for dn in dns])
        return [None if _is_refusal(outcome) else _entry_or_raise(outcome) for outcome in outcomes]

    def over(self, service: Service, searcher: Searcher, connection: Service) -> "Server":
        """This server, with the searches of the service sent over a connection of another service."""
        other = copy.copy(self)
        other._searchers = {service: searcher}  # noqa: SLF001  # a copy of our own
        other._over = connection  # noqa: SLF001
        return other

    def is_group_entry(self, entry: Entry) -> bool:
        """Whether this is a group: by its class, or because it has members."""
        if any(name.lower() in self._group_classes for name in values(entry, "objectClass")):
            return True
        return any(values(entry, attribute) for attribute in member_attributes(self.settings))

    def missing_base(self, service: Service, base: DN) -> str:
        """Which configured base is not there, in words. One warning is logged."""
        settings = self.settings
        keys = [
            key
            for key, each in (
                ("PersonResolveBase", settings.person_base),
                ("GroupResolveBase", settings.group_base),
            )
            if each == base
        ]
        named = f"{' and '.join(keys)} {str(base)!r}{'' if base else ' (the whole directory)'}"
        self.warn_once(service, f"{named} is not there, or hidden from the account")
        return f"{named} at {self.label}"

    def warn_once(self, service: Service, message: str) -> None:
        """Tell the administrator what will not change."""
        if message not in self._told:
            self._told.add(message)
            self.warn(service, message)

    def warn(self, service: Service, message: str) -> None:
        """Tell the administrator."""
        if self._trace:
            self._trace(Warned(service, self.label, message))

    def _cut_or_raise(
        self, service: Service, search: PreparedSearch, error: SearchResult | LdapError, *, in_part: bool
    ) -> FoundEntries:
        match error:
            case SizeLimitExceeded() | ClientLimitError():
                return FoundEntries(error.partial.entries if error.partial else (), cut=True)
            case TimeLimitExceeded() | AdminLimitExceeded() if (
                in_part and error.partial and error.partial.entries
            ):
                return FoundEntries(error.partial.entries, cut=True)
            case NoSuchObject():
                at_base = search.scope == Scope.BASE
                missing = None if at_base else self.missing_base(service, DN.parse(search.base))
                return FoundEntries((), missing_base=missing)
            case LdapError():
                raise error
        return FoundEntries(error.entries)


def _is_refusal(outcome: SearchResult | LdapError) -> bool:
    """Whether the server refuses to answer about one entry among many."""
    return isinstance(outcome, ResultError) and not isinstance(outcome, _ABOUT_ALL)


def _entry_or_raise(outcome: SearchResult | LdapError) -> Entry | None:
    if type(outcome) is SearchResult:
        return outcome.entries[0] if outcome.entries else None
    match outcome:
        case SizeLimitExceeded() | ClientLimitError():
            entries = outcome.partial.entries if outcome.partial else []
            return entries[0] if entries else None
        case NoSuchObject():
            return None
    assert isinstance(outcome, LdapError)
    raise outcome


@final
class Snapshot:
    """The servers in `SearchOrder`, the pools of the cards' servers, and the settings that hold for all.

    `enter` and `leave` enclose each request: the pools are closed when no request uses them any more.
    """

    def __init__(
        self,
        settings: Settings,
        servers: tuple[Server, ...],
        card_pools: tuple[ServicePool, ...],
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self.servers = servers
        self.card_pools = card_pools
        self.trace = trace
        self._requests = 0
        self._over: asyncio.Future[None] | None = None

    @property
    def directory(self) -> DirectorySettings:
        return self.settings.directory

    @property
    def pools(self) -> tuple[ServicePool, ...]:
        """Those of all services."""
        of_servers = (pool for server in self.servers for pool in server.pools.values())
        return (*of_servers, *self.card_pools)

    def enter(self) -> None:
        self._requests += 1

    def leave(self) -> None:
        self._requests -= 1
        if not self._requests:
            self.abandon()

    async def unused(self) -> None:
        """Until no request works with it, or it is abandoned."""
        if self._requests:
            self._over = self._over or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._over)

    def abandon(self) -> None:
        """End every `unused`."""
        over, self._over = self._over, None
        if over is not None and not over.done():
            over.set_result(None)
