"""Settings come and go while requests run: each request ends with the pools with which it began."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar, final

from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.directory.pool import Pool

T = TypeVar("T")


@final
class _Generation(Generic[T]):
    """What requests work with, and how many do."""

    def __init__(self, value: T, pools: Iterable[Pool]) -> None:
        self.value = value
        self.pools = frozenset(pools)
        self.users = 0
        self.unused = asyncio.Event()
        self.unused.set()


@final
class Generations(Generic[T]):
    """One value at a time is current; a former one lives until its last user leaves.

    A pool may belong to several. It is closed when none of those that live has it, or when requests of a
    former one have kept it for longer than `patience` seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._current: _Generation[T] | None = None
        self._living: list[_Generation[T]] = []
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> T | None:
        """None before the first and after `close`."""
        return self._current.value if self._current else None

    def begin(self, value: T, pools: Iterable[Pool]) -> None:
        """The first one."""
        self._current = _Generation(value, pools)
        self._living.append(self._current)

    def follow(self, former: T | None, value: T, pools: Iterable[Pool]) -> None:
        """From now on, requests get this one, made from `former`, whose pools are closed by and by.

        Raises DirectoryUnavailableError when the former one is not current any more: it was closed meanwhile.
        """
        leaving = self._current
        if leaving is None or leaving.value is not former:
            raise _not_open()
        self.begin(value, pools)
        task = asyncio.get_running_loop().create_task(self._see_off(leaving))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[T]:
        """The current one, for one request. Raises DirectoryUnavailableError when there is none."""
        generation = self._current
        if generation is None:
            raise _not_open()
        generation.users += 1
        generation.unused.clear()
        try:
            yield generation.value
        finally:
            generation.users -= 1
            if not generation.users:
                generation.unused.set()

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for generation in tuple(self._living):
                    await generation.unused.wait()
        await self.close()

    async def close(self) -> None:
        """Close every pool. What is under way ends with DirectoryUnavailableError."""
        self._current = None
        living, self._living = self._living, []
        await asyncio.gather(*(pool.close() for pool in {pool for each in living for pool in each.pools}))
        for each in living:
            each.unused.set()
        await asyncio.gather(*self._leaving)

    async def _see_off(self, former: _Generation[T]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await former.unused.wait()
        if former in self._living:
            self._living.remove(former)
            kept = {pool for each in self._living for pool in each.pools}
            await asyncio.gather(*(pool.close() for pool in former.pools - kept))


def _not_open() -> DirectoryUnavailableError:
    return DirectoryUnavailableError.because(UnreachableReason.CLOSED, "open it first")
