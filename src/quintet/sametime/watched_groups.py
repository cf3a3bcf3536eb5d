"""Public groups that are watched: their content is read once however many watch, and again every so often.

The task is `GROUP_CONTENT`. A group that cannot be read is tried again, more and more rarely; those who watch
it wait, and are sent nothing meanwhile: what they were sent before stays.
"""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, final

from quintet.directory import AmbiguousNameError, DirectoryError, Group, Membership, Person, UnknownGroupError
from quintet.sametime.context import ServerContext
from quintet.sametime.ids import id_key
from quintet.sametime.name_cache import NameCache
from quintet.sametime.trace import GroupRead

_AT_ONCE: Final = 8
_FIRST_RETRY: Final = 5.0
_LONGEST_RETRY: Final = 300.0
_JITTER: Final = 0.1


class GroupContents(Protocol):
    """Where the content of groups comes from: the directory, or what another node has read of it."""

    async def members(self, group: str) -> Membership:
        """The content of a group. Raises DirectoryError."""


@dataclass(slots=True, eq=False)
class _Watched:
    id: str
    failures: int = 0
    timer: asyncio.TimerHandle | None = None


@final
class WatchedGroups:
    """The groups that sessions of this server watch."""

    def __init__(self, context: ServerContext, names: NameCache, contents: GroupContents) -> None:
        self._context = context
        self._names = names
        self._contents = contents
        self._groups: dict[str, _Watched] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def __len__(self) -> int:
        return len(self._groups)

    def watch(self, group_id: str) -> None:
        """This group is watched now."""
        watched = self._groups[id_key(group_id)] = _Watched(group_id)
        self._read(watched)

    def unwatch(self, group_id: str) -> None:
        """It is not watched any more."""
        watched = self._groups.pop(id_key(group_id), None)
        if watched is not None and watched.timer is not None:
            watched.timer.cancel()

    def close(self) -> None:
        """Read nothing more."""
        for group_id in [each.id for each in self._groups.values()]:
            self.unwatch(group_id)

    def _read(self, watched: _Watched) -> None:
        watched.timer = None
        self._context.spawn("group content", self._read_content(watched))

    async def _read_content(self, watched: _Watched) -> None:
        async with self._turns:
            if not self._is_current(watched):
                return
            try:
                content = await self._contents.members(watched.id)
            except (UnknownGroupError, AmbiguousNameError) as error:
                self._take(watched, (), error=type(error).__name__)
            except DirectoryError as error:
                watched.failures += 1
                self._context.tell(GroupRead(0, error=type(error).__name__))
                self._again(watched, min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** (watched.failures - 1)))
            else:
                self._names.add(content.group, *content.members)
                take = partial(self._take, watched, content.members, truncated=content.truncated)
                ids = [each.id for each in content.members]
                self._context.when_in_view(ids, lambda _: take())

    def _take(
        self,
        watched: _Watched,
        members: Iterable[Person | Group],
        *,
        truncated: bool = False,
        error: str = "",
    ) -> None:
        if not self._is_current(watched):
            return
        ids = [each.id for each in members]
        watched.failures = 0
        self._context.tell(GroupRead(len(ids), truncated, error))
        self._context.deliver(self._context.community.presence.group_content(watched.id, ids), None)
        self._again(watched, self._context.settings.refresh_interval)

    def _again(self, watched: _Watched, seconds: float) -> None:
        """Read it again later; never all groups at the same time."""
        if self._is_current(watched) and seconds > 0:
            delay = seconds * random.uniform(1 - _JITTER, 1)  # noqa: S311 # to spread load
            watched.timer = asyncio.get_running_loop().call_later(delay, self._read, watched)

    def _is_current(self, watched: _Watched) -> bool:
        return self._groups.get(id_key(watched.id)) is watched
