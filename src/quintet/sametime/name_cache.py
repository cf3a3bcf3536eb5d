"""Names resolved: by ID from a bounded cache, others from the directory, the same request once at a time.

Clients resolve every ID of their contact lists and groups at each sign-in. So what the directory has answered
of a user or group is kept under its ID for `refresh_interval`, and an ID of a recent answer costs nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, final

from quintet.directory import Group, Person, Resolution
from quintet.sametime.ids import id_key
from quintet.sametime.people import CommunityDirectory

_AT_ONCE: Final = 100
_LONGEST_NAME: Final = 4096

_Key = tuple[str, bool, bool]


@final
class NameCache:
    """`clock` gives seconds, `size` is how many IDs are kept, `seconds` for how long (0: nothing is kept)."""

    def __init__(
        self, directory: CommunityDirectory, size: int, seconds: float, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._by_id: OrderedDict[str, tuple[float, Person | Group]] = OrderedDict()
        self._asked: dict[_Key, asyncio.Task[Resolution]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, *records: Person | Group) -> None:
        """The directory has answered this."""
        if self._seconds <= 0 or self._size <= 0:
            return
        until = self._clock() + self._seconds
        for record in records:
            key = id_key(record.id)
            self._by_id[key] = (until, record)
            self._by_id.move_to_end(key)
        while len(self._by_id) > self._size:
            self._by_id.popitem(last=False)

    def find(self, identifier: str, *, users: bool, groups: bool) -> Person | Group | None:
        """The user or group with this ID, if it was in a recent answer."""
        key = id_key(identifier)
        found = self._by_id.get(key)
        if found is None:
            return None
        until, record = found
        if until <= self._clock():
            del self._by_id[key]
            return None
        wanted = users if isinstance(record, Person) else groups
        return record if wanted else None

    async def resolve(self, name: str, *, users: bool, groups: bool) -> tuple[Resolution, bool]:
        """What a name stands for, and whether the directory was asked. Raises DirectoryError."""
        if len(name) > _LONGEST_NAME:
            return Resolution((), exact=False, complete=True), False
        known = self.find(name, users=users, groups=groups)
        if known is not None:
            return Resolution((known,), exact=True, complete=True), False
        key = (name, users, groups)
        task = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(name, users=users, groups=groups))
            self._asked[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task), True

    def _answered(self, key: _Key, task: "asyncio.Task[Resolution]") -> None:
        del self._asked[key]
        if not task.cancelled():
            task.exception()  # its waiters have it; there may be none any more

    async def _ask(self, name: str, *, users: bool, groups: bool) -> Resolution:
        async with self._turns:
            found = await self._directory.resolve(name, people=users, groups=groups)
        self.add(*found.matches)
        return found

    async def close(self) -> None:
        """Give up what is asked."""
        tasks = tuple(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
