"""The database from the server's side: opened when it answers, watched while it does not.

Theory of operation
-------------------
`store` is None until the database answered once. `available` turns false with the first failure of any kind
that may pass, and true again when a check succeeds; checks are made every few seconds only while it is false.
Each change is reported, and `on_available` is called for each change to true but the first start's.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final, final

from quintet.sametime.storage import (
    DatabaseAddress,
    Saved,
    StorageError,
    StorageLimits,
    StorageUnavailableError,
    ValueStore,
    VersionedValue,
    VersionOrigin,
)
from quintet.sametime.trace import SametimeTrace, StorageChanged

_CHECK_EVERY: Final = 2.0


@final
class StoreKeeper:
    """The values of users, whether the database is there or not."""

    def __init__(
        self,
        address: DatabaseAddress,
        limits: StorageLimits,
        tell: SametimeTrace,
        on_available: Callable[[], None],
    ) -> None:
        self._address = address
        self._limits = limits
        self._tell = tell
        self._on_available = on_available
        self._store: ValueStore | None = None
        self._checking: asyncio.Task[None] | None = None
        self._back = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether the last that was heard of the database is good."""
        return self._back.is_set()

    async def start(self) -> None:
        """Open the database; one that does not answer is tried again beside everything else."""
        try:
            self._store = await ValueStore.open(self._address, self._limits)
        except StorageError as error:
            self._failed(error)
        else:
            self._back.set()

    async def close(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        if self._store is not None:
            await self._store.close()

    async def load(self, user_id: str, keys: Collection[int]) -> Mapping[int, VersionedValue]:
        """The values of these keys. Raises StorageUnavailableError."""
        store = self._there()
        try:
            return await store.load(user_id, keys)
        except StorageUnavailableError as error:
            self._failed(error)
            raise

    async def save(self, user_id: str, key: int, value: bytes, *, base: int | None = None) -> Saved:
        """Store a value. Raises StorageError."""
        store = self._there()
        try:
            return await store.save(user_id, key, value, base=base, origin=VersionOrigin.CLIENT)
        except StorageUnavailableError as error:
            self._failed(error)
            raise

    async def wait(self, seconds: float) -> bool:
        """Wait until the database answers, so long at most; whether it does."""
        try:
            async with asyncio.timeout(seconds):
                await self._back.wait()
        except TimeoutError:
            return False
        return True

    def _there(self) -> ValueStore:
        if self._store is None or not self.available:
            raise StorageUnavailableError(f"the database {self._address.shown} does not answer")
        return self._store

    def _failed(self, error: StorageError) -> None:
        if self._checking is None:
            self._back.clear()
            self._tell(StorageChanged(available=False, detail=error.code))
            self._checking = asyncio.create_task(self._check())

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_EVERY)
            try:
                if self._store is None:
                    self._store = await ValueStore.open(self._address, self._limits)
                else:
                    await self._store.check()
            except StorageError:
                continue
            break
        self._checking = None
        self._back.set()
        self._tell(StorageChanged(available=True))
        self._on_available()
