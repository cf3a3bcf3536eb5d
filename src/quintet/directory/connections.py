"""The connections of all six services: opened, replaced when settings change, reported, closed."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from types import TracebackType
from typing import Self, final

from quintet.config import Settings
from quintet.directory.connector import Connector, ConnectOverride
from quintet.directory.endpoint import Binding, Endpoint, endpoints_of, weakest
from quintet.directory.errors import (
    DirectoryError,
    DirectoryUnavailableError,
    UnencryptedBindError,
    UnreachableReason,
)
from quintet.directory.events import Trace
from quintet.directory.records import ConnectionStatus
from quintet.directory.service_pool import ServicePool
from quintet.directory.services import TASKS, Protection, Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.directory.ssl_contexts import SslContextCache

_PATIENCE = 60.0
"""Seconds that requests in flight have when new settings are taken."""


@final
class Connections:
    """The pools of all services for one community, which `Directory` and `Cards` can share.

    Use it as an async context manager.

    `route` connects elsewhere while names are checked against the configured hosts; `trace` is told what
    happens.

    At any time one `Snapshot` is current: a request enters it, works with its pools and leaves it. A reload
    makes another one current, which shares the pools that the change does not touch. A pool is closed when no
    snapshot that is current or in use has it, or `_PATIENCE` seconds after the last one that had it was
    replaced.
    """

    def __init__(
        self, settings: Settings, *, route: ConnectOverride | None = None, trace: Trace | None = None
    ) -> None:
        self._contexts = SslContextCache()
        self._connector = Connector(self._contexts, route=route, trace=trace)
        self._trace = trace
        self._settings = settings
        self._current: Snapshot | None = None
        self._in_use: list[Snapshot] = []
        self._leaving: set[asyncio.Task[None]] = set()
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

        Where a service account meets unencrypted connections, one of these is opened at once: raises
        UnencryptedBindError when its password would have to be sent unencrypted. A server that is down does
        not prevent opening. Without `check` no connection is opened yet, and `refused` tells it afterwards;
        the password is not sent then, either.
        """
        snapshot = self._snapshot(self._settings, ())
        self._begin(snapshot)
        if check:
            try:
                await _check_unencrypted_binds(snapshot)
            except UnencryptedBindError:
                await self.close()
                raise

    async def close(self) -> None:
        """Close every connection. Requests in flight end with DirectoryUnavailableError."""
        self._current = None
        in_use, self._in_use = self._in_use, []
        await asyncio.gather(*(pool.close() for pool in {pool for each in in_use for pool in each.pools}))
        for snapshot in in_use:
            snapshot.abandon()
        await asyncio.gather(*self._leaving)

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for snapshot in tuple(self._in_use):
                    await snapshot.unused()
        await self.close()

    async def reload(self, settings: Settings) -> None:
        """Work with these settings from now on. Pools that a change does not touch go on as they are.

        Requests in flight end on the connections that they have. Raises UnencryptedBindError, and then the
        old settings stay; DirectoryUnavailableError when it is not open, or is closed meanwhile.
        """
        async with self._changing:
            former = self._current
            kept = former.pools if former else ()
            snapshot = self._snapshot(settings, kept)
            try:
                await _check_unencrypted_binds(snapshot)
                self._replace(former, snapshot)
            except BaseException:
                await asyncio.gather(*(pool.close() for pool in snapshot.pools if pool not in kept))
                raise
            self._settings = settings
            self._contexts.keep_only(pool.endpoint for pool in snapshot.pools)

    def enter(self) -> Snapshot:
        """The current snapshot, for one request, which then calls its `leave`.

        Raises DirectoryUnavailableError when there is none.
        """
        if self._current is None:
            raise _not_open()
        self._current.enter()
        return self._current

    @property
    def settings(self) -> Settings:
        """Those that hold now."""
        return self._settings

    @property
    def protection(self) -> Protection:
        """The level of the server that encrypts least."""
        return weakest(self._settings)

    def status(self, services: Collection[Service] = tuple(Service)) -> tuple[ConnectionStatus, ...]:
        """Every connection of these services, by service and server."""
        return tuple(row for pool in self._pools(services) for row in pool.status())

    def refused(self, services: Collection[Service] = tuple(Service)) -> UnencryptedBindError | None:
        """Why a connection is missing that would need the account's password sent unencrypted, if one is."""
        return next((pool.refused for pool in self._pools(services) if pool.refused), None)

    async def connect_all(
        self, services: Collection[Service] = tuple(Service)
    ) -> tuple[ConnectionStatus, ...]:
        """Open the connections of these services at every server; the rows say what failed."""
        snapshot = self.enter()
        try:
            await asyncio.gather(*(pool.connect() for pool in self._pools(services)), return_exceptions=True)
        finally:
            snapshot.leave()
        return self.status(services)

    def _pools(self, services: Collection[Service]) -> list[ServicePool]:
        """The current ones, in the order of the services, then of the servers."""
        pools = self._current.pools if self._current else ()
        return [
            pool for each in Service if each in services for pool in pools if pool.endpoint.service is each
        ]

    def _snapshot(self, settings: Settings, kept: Collection[ServicePool]) -> Snapshot:
        """Pools for these settings; those that are kept are used again where the endpoint is the same."""
        unused = list(kept)

        def pool_for(endpoint: Endpoint) -> ServicePool:
            for pool in unused:
                if pool.endpoint == endpoint:
                    unused.remove(pool)
                    return pool
            return ServicePool(endpoint, self._connector)

        pools = {key: pool_for(endpoint) for key, endpoint in endpoints_of(settings).items()}
        servers = tuple(
            Server(
                server,
                {service: pools[service, nth] for service in TASKS},
                max_results=settings.directory.max_results,
                trace=self._trace,
            )
            for nth, server in enumerate(settings.servers)
        )
        cards = tuple(pool for (service, _), pool in pools.items() if service is Service.BUSINESS_CARD)
        return Snapshot(settings, servers, cards, self._trace)

    def _begin(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._in_use.append(snapshot)

    def _replace(self, former: Snapshot | None, snapshot: Snapshot) -> None:
        """Make another snapshot current. Raises DirectoryUnavailableError if `former` is not any more."""
        if former is None or self._current is not former:
            raise _not_open()
        self._begin(snapshot)
        task = asyncio.get_running_loop().create_task(self._see_off(former))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _see_off(self, former: Snapshot) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await former.unused()
        if former in self._in_use:
            self._in_use.remove(former)
            kept = {pool for each in self._in_use for pool in each.pools}
            await asyncio.gather(*(pool.close() for pool in former.pools if pool not in kept))


async def _check_unencrypted_binds(snapshot: Snapshot) -> None:
    """Raises UnencryptedBindError when an account can bind unencrypted only by its password."""
    pools = [
        server.pools[Service.RESOLVE_LOGIN]
        for server in snapshot.servers
        if server.pools[Service.RESOLVE_LOGIN].endpoint.binding is Binding.HIDDEN
    ]
    for outcome in await asyncio.gather(*(pool.connect() for pool in pools), return_exceptions=True):
        if isinstance(outcome, UnencryptedBindError):
            raise outcome
        if isinstance(outcome, BaseException) and not isinstance(outcome, DirectoryError):
            raise outcome


def _not_open() -> DirectoryUnavailableError:
    return DirectoryUnavailableError.because(UnreachableReason.CLOSED, "open it first")
