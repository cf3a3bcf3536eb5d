"""The five tasks, over five connections to each server, protected as chosen.

Each task is a module of its own; here they meet the pools, which a reload replaces.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, final

from quintet.config.settings import Settings
from quintet.directory import authenticate, resolve, user_groups
from quintet.directory import group_members as group_content
from quintet.directory.anonymous import search_refusals
from quintet.directory.browse import Browsing
from quintet.directory.connector import Connector, ConnectOverride
from quintet.directory.constant_time import ConstantTimeRefusal
from quintet.directory.endpoint import Binding, PoolConfig, pool_configs, weakest
from quintet.directory.errors import (
    DirectoryError,
    DirectoryUnavailableError,
    UnencryptedBindError,
    UnreachableReason,
)
from quintet.directory.events import Trace
from quintet.directory.generations import Generations
from quintet.directory.pool import Pool
from quintet.directory.records import ConnectionStatus, Group, Membership, Page, Person, Resolution
from quintet.directory.services import Protection, Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.directory.ssl_contexts import SslContextCache

__all__ = ["ConnectOverride", "Directory"]

_PATIENCE = 60.0
"""Seconds that requests under way have when new settings come."""


@final
class Directory:
    """Open it with `async with`, or with `open` and `close`.

    `route` dials elsewhere while names are checked against the configured hosts; `trace` is told what
    happens. All tasks raise `DirectoryError`s: DirectoryUnavailableError, UntrustedServerError and UnencryptedBindError when a server
    could not be asked, and what each names.
    """

    def __init__(
        self, settings: Settings, *, route: ConnectOverride | None = None, trace: Trace | None = None
    ) -> None:
        self._contexts = SslContextCache()
        self._opening = Connector(self._contexts, route=route, trace=trace)
        self._trace = trace
        self._browsing = Browsing()
        self._pace = ConstantTimeRefusal()
        self._settings = settings
        self._generations = Generations[Snapshot](_PATIENCE)
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self, *, check: bool = True) -> None:
        """Make ready. Connections are opened when they are needed, or by `connect_all`.

        Where an account meets clear connections, one of these is opened at once: raises UnencryptedBindError
        when the account's password would have to be shown. A server that is down does not hinder. Without
        `check` nothing is opened yet, and `refused` tells it afterwards; no password is shown then, either.
        """
        view = self._view(self._settings, {})
        self._generations.begin(view, _pools(view))
        if not check:
            return
        try:
            await self._check_clear_binds(view)
        except UnencryptedBindError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every connection. What is under way ends with DirectoryUnavailableError."""
        await self._generations.close()

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close."""
        await self._generations.drain(seconds)

    # The tasks.

    async def authenticate(self, name: str, password: str) -> Person:
        """The person, if the password is theirs. Raises Refused, in the same words whatever was wrong."""
        async with self._asking() as view:
            return await authenticate.authenticate(view, self._pace, name, password)

    async def resolve_login(self, name: str) -> Person:
        """The one person with this login name. Raises UnknownNameError, AmbiguousNameError."""
        async with self._asking() as view:
            return await authenticate.resolve_login(view, name)

    async def resolve(self, name: str, *, people: bool = True, groups: bool = True) -> Resolution:
        """People and groups for a name as typed."""
        async with self._asking() as view:
            return await resolve.resolve(view, name, people=people, groups=groups)

    async def browse(self, dn: str | None = None, *, page_size: int = 100, token: str | None = None) -> Page:
        """One page of the level below `dn`, or of the top.

        Raises BrowsingDisabledError, OutOfScopeError, UnknownNameError, InvalidPageTokenError.
        """
        async with self._asking() as view:
            return await self._browsing.browse(view, dn, page_size=page_size, token=token)

    async def members(self, group: str, *, limit: int | None = None) -> Membership:
        """The content of a public group, by name or DN. Raises UnknownGroupError, AmbiguousNameError."""
        async with self._asking() as view:
            return await group_content.members(view, group, limit=limit)

    async def groups_of(self, person: Person, *, depth: int = user_groups.DEPTH) -> tuple[Group, ...]:
        """The groups that a person belongs to, `depth` levels of them; those with the person as a member are level 1."""
        async with self._asking() as view:
            return await user_groups.groups_of(view, person, depth=depth)

    async def group_levels(
        self, person: Person, *, depth: int = user_groups.DEPTH
    ) -> tuple[user_groups.GroupLevel, ...]:
        """The same groups, each with its level."""
        async with self._asking() as view:
            return await user_groups.group_levels(view, person, depth=depth)

    async def bind_nobody(self, password: str) -> None:
        """A bind that is refused at nobody's expense: the entry does not exist."""
        async with self._asking() as view:
            await authenticate.bind_nobody(view.servers[0], password)

    # Looking after it.

    @property
    def protection(self) -> Protection:
        """The level of the server that encrypts least."""
        return weakest(self._settings)

    def status(self) -> tuple[ConnectionStatus, ...]:
        """Every connection, by task and server."""
        view = self._generations.current
        servers = view.servers if view else ()
        return tuple(row for task in Service for server in servers for row in server.pools[task].status())

    @property
    def refused(self) -> UnencryptedBindError | None:
        """Why a connection is missing whose account would have had to be shown; None when there is none."""
        view = self._generations.current
        failures = [pool.failure for pool in _pools(view)] if view else []
        return next((each for each in failures if isinstance(each, UnencryptedBindError)), None)

    async def connect_all(self) -> tuple[ConnectionStatus, ...]:
        """Open the connections of every task at every server; what failed is told in the rows."""
        async with self._generations.use() as view:
            await asyncio.gather(*(pool.connect() for pool in _pools(view)), return_exceptions=True)
        return self.status()

    async def search_refusals(self) -> tuple[DirectoryUnavailableError, ...]:
        """Why servers without an account can't be searched, where they refuse anonymous clients."""
        async with self._asking() as view:
            return await search_refusals(view)

    async def reload(self, settings: Settings) -> None:
        """Work with these settings from now on. Pools that a change does not touch go on as they are.

        Requests under way end on the connections that they have. Raises UnencryptedBindError, and then the old
        settings stay; DirectoryUnavailableError when it is not open, or is closed meanwhile.
        """
        async with self._changing:
            old = self._generations.current
            kept = {pool.line: pool for pool in _pools(old)} if old else {}
            view = self._view(settings, kept)
            try:
                await self._check_clear_binds(view)
                self._generations.follow(old, view, _pools(view))
            except BaseException:
                await asyncio.gather(*(pool.close() for pool in _pools(view) if pool not in kept.values()))
                raise
            self._settings = settings
            self._contexts.keep_only(each for pool in _pools(view) for each in pool.line.endpoints)

    # Inside.

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Snapshot]:
        async with self._generations.use() as view:
            if not view.servers:
                raise DirectoryUnavailableError.because(
                    UnreachableReason.NO_SERVER,
                    fix="Add a Connection with a HostName to StCommunityConfig.xml",
                )
            yield view

    def _view(self, settings: Settings, kept: Mapping[PoolConfig, Pool]) -> Snapshot:
        pools = {
            key: kept.get(line) or Pool(line, self._opening, trace=self._trace)
            for key, line in pool_configs(settings).items()
        }
        servers = tuple(
            Server(server, {task: pools[task, nth] for task in Service}, self._trace)
            for nth, server in enumerate(settings.servers)
        )
        return Snapshot(settings, servers, self._trace)

    async def _check_clear_binds(self, view: Snapshot) -> None:
        """Raises UnencryptedBindError when an account cannot bind on a clear connection without being shown."""
        pools = [
            server.pools[Service.RESOLVE_LOGIN]
            for server in view.servers
            if server.pools[Service.RESOLVE_LOGIN].line.endpoints[0].binding is Binding.HIDDEN
        ]
        for outcome in await asyncio.gather(*(pool.connect() for pool in pools), return_exceptions=True):
            if isinstance(outcome, UnencryptedBindError):
                raise outcome
            if isinstance(outcome, BaseException) and not isinstance(outcome, DirectoryError):
                raise outcome


def _pools(view: Snapshot) -> list[Pool]:
    return [pool for server in view.servers for pool in server.pools.values()]
