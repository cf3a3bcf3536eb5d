"""Business cards, over the sixth connection: found in one repository or more, and put together."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, final

from quintet.cards.card import Card, make_card
from quintet.cards.endpoint import pool_config
from quintet.cards.repository import Repository
from quintet.cards.sets import AUTHENTICATED, ids_to_show
from quintet.config import CardServer, CardSettings, CardStorage
from quintet.directory.connector import Connector, ConnectOverride
from quintet.directory.endpoint import PoolConfig
from quintet.directory.errors import DirectoryError, UnencryptedBindError
from quintet.directory.events import Trace
from quintet.directory.generations import Generations
from quintet.directory.pool import Pool
from quintet.directory.records import ConnectionStatus
from quintet.directory.ssl_contexts import SslContextCache

__all__ = ["Card", "Cards"]

_PATIENCE = 30.0
"""Seconds that requests under way have when new settings come."""


@dataclass(frozen=True, slots=True)
class _Served:
    """The repositories of each storage in one set of settings."""

    settings: CardSettings
    storages: tuple[tuple[Repository, ...], ...]

    @property
    def pools(self) -> list[Pool]:
        return [each.pool for storage in self.storages for each in storage]


@final
class Cards:
    """The business cards of a community; an async context manager. Connections open when they are needed.

    `route` dials elsewhere, as for `Directory`; `trace` is told what the connections do.
    """

    def __init__(
        self, settings: CardSettings, *, route: ConnectOverride | None = None, trace: Trace | None = None
    ) -> None:
        self._contexts = SslContextCache()
        self._opening = Connector(self._contexts, route=route, trace=trace)
        self._trace = trace
        self._generations = Generations[_Served](_PATIENCE)
        served = self._served(settings, {})
        self._generations.begin(served, served.pools)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Nothing is opened yet: the first card does that, or `connect_all`."""

    async def close(self) -> None:
        """Close every connection. Requests under way end with an error."""
        await self._generations.close()

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close."""
        await self._generations.drain(seconds)

    async def card(
        self,
        user: str,
        *,
        set_id: int = AUTHENTICATED,
        only: Iterable[str] | None = None,
        authenticated: bool = True,
    ) -> Card:
        """The card of `user`, who is named by DN, by ID, or as the search filter finds people.

        It has the fields of the set, or those that `only` names by their Detail Ids; for an asker who is not
        `authenticated` nothing that is not in set 0. Raises UnknownNameError; AmbiguousNameError when several people
        are found; DirectoryUnavailableError, UntrustedServerError or UnencryptedBindError when nobody could be asked who might know.
        """
        async with self._generations.use() as served:
            settings = served.settings
            ids = ids_to_show(settings, set_id=set_id, only=only, authenticated=authenticated)
            return await make_card(settings, served.storages, user, ids)

    async def connect_all(self) -> tuple[ConnectionStatus, ...]:
        """Open every connection and tell what became of each."""
        async with self._generations.use() as served:
            for pool in served.pools:
                with suppress(DirectoryError):  # the status tells it
                    await pool.connect()
        return self.status()

    @property
    def refused(self) -> UnencryptedBindError | None:
        """Why a connection is missing whose account would have had to be shown; None when there is none."""
        failures = (pool.failure for pool in self._pools())
        return next((each for each in failures if isinstance(each, UnencryptedBindError)), None)

    def status(self) -> tuple[ConnectionStatus, ...]:
        return tuple(row for pool in self._pools() for row in pool.status())

    async def reload(self, settings: CardSettings) -> None:
        """Take new settings. Connections that they do not touch stay, and requests under way are answered.

        Raises DirectoryUnavailableError when the cards are closed.
        """
        served = self._served(settings, {pool.line: pool for pool in self._pools()})
        self._generations.follow(self._generations.current, served, served.pools)
        self._contexts.keep_only(endpoint for pool in served.pools for endpoint in pool.line.endpoints)

    # Inside.

    def _pools(self) -> list[Pool]:
        served = self._generations.current
        return served.pools if served else []

    def _served(self, settings: CardSettings, kept: dict[PoolConfig, Pool]) -> _Served:
        def repository(storage: CardStorage, server: CardServer) -> Repository:
            line = pool_config(settings, storage, server)
            pool = kept.pop(line, None) or Pool(line, self._opening, trace=self._trace)
            return Repository(storage, server, pool)

        return _Served(
            settings,
            tuple(
                tuple(repository(storage, server) for server in storage.servers)
                for storage in settings.storages
            ),
        )
