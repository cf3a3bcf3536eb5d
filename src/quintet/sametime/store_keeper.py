"""The database from the server's side: opened when it answers, watched while it does not.

Theory of operation
-------------------
`store` is None until the database answered once. The state gets worse with the first failure of any kind that
may pass, and better when a check succeeds; checks are made every few seconds only while it is not AVAILABLE.
A database that loads and does not save (a standby, a full disk) is READ_ONLY: lists are still shown. Each
change of the state is reported, and `on_available` is called for each change from UNAVAILABLE.

A database that does not answer at the start is waited for only so long: everything but STORAGE works without.
Each save that changed something is reported to `on_saved`, for the other sessions of the user.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final, final

from quintet.sametime.neighbours import StoredChange
from quintet.sametime.storage import (
    DatabaseAddress,
    Saved,
    SaveOutcome,
    StorageError,
    StorageLimits,
    StorageReadOnlyError,
    StorageUnavailableError,
    ValueStore,
    VersionedValue,
    VersionOrigin,
)
from quintet.sametime.trace import SametimeTrace, StorageChanged, StorageState

_CHECK_EVERY: Final = 2.0
_START_WAITS: Final = 10.0


@final
class StoreKeeper:
    """The values of users, whether the database is there or not."""

    def __init__(
        self,
        address: DatabaseAddress,
        limits: StorageLimits,
        tell: SametimeTrace,
        on_available: Callable[[], None],
        on_saved: Callable[[StoredChange], None],
    ) -> None:
        self._address = address
        self._limits = limits
        self._tell = tell
        self._on_available = on_available
        self._on_saved = on_saved
        self._store: ValueStore | None = None
        self._state: StorageState | None = None
        self._checking: asyncio.Task[None] | None = None
        self._checked = asyncio.Event()
        self._writable = asyncio.Event()

    @property
    def state(self) -> StorageState:
        """By the last that was heard of the database."""
        return self._state or StorageState.UNAVAILABLE

    @property
    def available(self) -> bool:
        """Whether values can be loaded."""
        return self.state is not StorageState.UNAVAILABLE

    async def start(self) -> None:
        """Open the database; one that does not answer is tried again beside everything else."""
        self._checking = asyncio.create_task(self._check(0.0))
        try:
            async with asyncio.timeout(_START_WAITS):
                await self._checked.wait()
        except TimeoutError:
            self._become(
                StorageState.UNAVAILABLE,
                StorageUnavailableError(f"the database {self._address.shown} is not open yet"),
            )

    async def close(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        if self._store is not None:
            await self._store.close()

    async def load(self, user_id: str, keys: Collection[int]) -> Mapping[int, VersionedValue]:
        """The values of these keys. Raises StorageUnavailableError."""
        if self._store is None or not self.available:
            raise StorageUnavailableError(f"the database {self._address.shown} does not answer")
        try:
            return await self._store.load(user_id, keys)
        except StorageUnavailableError as error:
            self._failed(StorageState.UNAVAILABLE, error)
            raise

    async def save(self, user_id: str, key: int, value: bytes, *, base: int | None = None) -> Saved:
        """Store a value. Raises StorageError."""
        if self._store is None or not self._writable.is_set():
            raise StorageUnavailableError(f"the database {self._address.shown} does not save")
        try:
            saved = await self._store.save(user_id, key, value, base=base, origin=VersionOrigin.CLIENT)
        except StorageReadOnlyError as error:
            self._failed(StorageState.READ_ONLY, error)
            raise
        except StorageUnavailableError as error:
            self._failed(StorageState.UNAVAILABLE, error)
            raise
        if saved.outcome is not SaveOutcome.UNCHANGED:
            self._on_saved(StoredChange(user_id, key, saved.current))
        return saved

    async def wait(self, seconds: float) -> bool:
        """Wait until values can be saved, so long at most; whether they can."""
        if seconds <= 0:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._writable.wait()
        except TimeoutError:
            return False
        return True

    def _failed(self, state: StorageState, error: StorageError) -> None:
        self._become(state, error)
        if self._checking is None:
            self._checking = asyncio.create_task(self._check(_CHECK_EVERY))

    async def _check(self, after: float) -> None:
        await asyncio.sleep(after)
        while not await self._probe():  # noqa: ASYNC110  # the database is elsewhere: it sets no event
            await asyncio.sleep(_CHECK_EVERY)
        self._checking = None
        self._become(StorageState.AVAILABLE)

    async def _probe(self) -> bool:
        """Whether values can be loaded and saved; what less than that is the state."""
        try:
            if self._store is None:
                self._store = await ValueStore.open(self._address, self._limits)
            await self._store.check()
        except StorageError as error:
            self._become(StorageState.UNAVAILABLE, error)
            return False
        try:
            await self._store.check_saving()
        except StorageReadOnlyError as error:
            self._become(StorageState.READ_ONLY, error)
            return False
        except StorageError as error:
            self._become(StorageState.UNAVAILABLE, error)
            return False
        return True

    def _become(self, state: StorageState, error: StorageError | None = None) -> None:
        before, self._state = self._state, state
        self._checked.set()
        if state is StorageState.AVAILABLE:
            self._writable.set()
        else:
            self._writable.clear()
        if state is before or (before is None and state is StorageState.AVAILABLE):
            return
        self._tell(StorageChanged(state, error.code if error else "", str(error) if error else ""))
        if before is StorageState.UNAVAILABLE:
            self._on_available()
