"""Business cards, over the sixth connection: found in one repository or more, and put together."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self, final

from quintet.cards.card import Card, make_card
from quintet.cards.endpoint import line_of
from quintet.cards.repository import Repository
from quintet.cards.sets import AUTHENTICATED, ids_to_show
from quintet.config.settings import CardServer, CardSettings, CardStorage
from quintet.directory.endpoint import Line
from quintet.directory.errors import DirectoryError
from quintet.directory.opening import Opening, Route
from quintet.directory.pool import Pool
from quintet.directory.records import ConnectionStatus
from quintet.directory.securing import Contexts
from quintet.directory.trace import Trace

__all__ = ["Card", "Cards"]

_DRAIN = 30.0


@final
class _Generation:
    """The repositories of each storage in one set of settings, and how many requests are using them."""

    def __init__(self, settings: CardSettings, storages: tuple[tuple[Repository, ...], ...]) -> None:
        self.settings = settings
        self.storages = storages
        self.users = 0
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def repositories(self) -> tuple[Repository, ...]:
        return tuple(each for storage in self.storages for each in storage)


@final
class Cards:
    """The business cards of a community; an async context manager. Connections open when they are needed.

    `route` dials elsewhere, as for `Directory`; `trace` is told what the connections do.
    """

    def __init__(
        self, settings: CardSettings, *, route: Route | None = None, trace: Trace | None = None
    ) -> None:
        self._contexts = Contexts()
        self._opening = Opening(self._contexts, route=route, trace=trace)
        self._trace = trace
        self._current = self._generation(settings, {})

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
        for repository in self._current.repositories:
            await repository.pool.close()

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._current.idle.wait()
        await self.close()

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
        `authenticated` nothing that is not in set 0. Raises UnknownName; AmbiguousName when several people
        are found; Unreachable, Untrusted or ClearBindRefused when nobody could be asked who might know.
        """
        async with self._using() as generation:
            settings = generation.settings
            ids = ids_to_show(settings, set_id=set_id, only=only, authenticated=authenticated)
            return await make_card(settings, generation.storages, user, ids)

    async def connect_all(self) -> tuple[ConnectionStatus, ...]:
        """Open every connection and tell what became of each."""
        for repository in self._current.repositories:
            try:
                await repository.pool.connect()
            except DirectoryError:
                continue  # the status tells it
        return self.status()

    def status(self) -> tuple[ConnectionStatus, ...]:
        return tuple(row for each in self._current.repositories for row in each.pool.status())

    async def reload(self, settings: CardSettings) -> None:
        """Take new settings. Connections that they do not touch stay, and requests under way are answered."""
        old = self._current
        kept = {each.pool.line: each.pool for each in old.repositories}
        self._current = self._generation(settings, kept)
        try:
            async with asyncio.timeout(_DRAIN):
                await old.idle.wait()
        except TimeoutError:
            pass  # a request that hangs so long is ended with its connection
        used = {id(each.pool) for each in self._current.repositories}
        for repository in old.repositories:
            if id(repository.pool) not in used:
                await repository.pool.close()
        endpoints = (each.pool.line.endpoints for each in self._current.repositories)
        self._contexts.keep_only(endpoint for line in endpoints for endpoint in line)

    def _generation(self, settings: CardSettings, kept: dict[Line, Pool]) -> _Generation:
        def repository(storage: CardStorage, server: CardServer) -> Repository:
            line = line_of(settings, storage, server)
            pool = kept.pop(line, None) or Pool(line, self._opening, trace=self._trace)
            return Repository(storage, server, pool)

        return _Generation(
            settings,
            tuple(
                tuple(repository(storage, server) for server in storage.servers)
                for storage in settings.storages
            ),
        )

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[_Generation]:
        generation = self._current
        generation.users += 1
        generation.idle.clear()
        try:
            yield generation
        finally:
            generation.users -= 1
            if not generation.users:
                generation.idle.set()
