"""What the parts of the server share: community, clients, directory, and a way to do things beside."""

import asyncio
import time
import traceback
from collections.abc import Callable, Collection, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from quintet.config import ServerLimits
from quintet.sametime.client import Client
from quintet.sametime.community import Community
from quintet.sametime.community.effects import Effect
from quintet.sametime.neighbours import Alone, Neighbours
from quintet.sametime.people import CommunityDirectory
from quintet.sametime.port import Hold
from quintet.sametime.settings import SametimeSettings
from quintet.sametime.trace import SametimeTrace, TaskFailed

if TYPE_CHECKING:
    from quintet.sametime.services.aware import AwareNotice

TURN_SECONDS: Final = 0.004
"""How long one turn of the event loop is used for work that has time."""

_VIEW_SECONDS: Final = 1.0
"""How long a client waits at most for other nodes to say who is online."""


@final
class ServerContext:
    """One for each server. `deliver` carries out effects; the server puts it in place.

    `viewers` has what is called with the notices for each viewer of presence, by its id. `neighbours` are the
    other nodes, if there are any.

    `messages` counts what was passed on from client to client.
    """

    def __init__(
        self,
        settings: SametimeSettings,
        directory: CommunityDirectory,
        community: Community,
        tell: SametimeTrace,
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.community = community
        self.tell = tell
        self.clients: dict[str, Client] = {}
        self.viewers: dict[str, Callable[[AwareNotice], None]] = {}
        self.messages = 0
        self.neighbours: Neighbours = Alone()
        self.deliver: Callable[[list[Effect], Client | None], None] = _nothing_to_deliver
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def limits(self) -> ServerLimits:
        return self.settings.limits

    @staticmethod
    def now() -> float:
        """Seconds since 1970, for records."""
        return time.time()

    def when_in_view(self, users: Collection[str], then: Callable[[bool], None]) -> None:
        """Go on when it is known which of these users, by ID, are online at other nodes.

        `then` is called once, perhaps before this returns. It gets False if no answer came in time.
        """
        waiting = True

        def go_on(*, in_time: bool) -> None:
            nonlocal waiting
            if waiting:
                waiting = False
                then(in_time)

        self.neighbours.bring_into_view(users, partial(go_on, in_time=True))
        if waiting:
            asyncio.get_running_loop().call_later(_VIEW_SECONDS, partial(go_on, in_time=False))

    def spawn(self, what: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside everything else. A failure is reported, and ends nothing."""
        task = asyncio.get_running_loop().create_task(self._guarded(what, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def request(self, client: Client, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Work on a client's request. With too many of them nothing more of the client is worked on."""
        self.begin(client)
        self.spawn(what, self._counted(client, work))

    def begin(self, client: Client) -> None:
        """A request is worked on, until `done`."""
        client.in_flight += 1
        if client.in_flight >= self.limits.requests_in_flight:
            client.connection.hold(Hold.BUSY)

    def done(self, client: Client) -> None:
        client.in_flight -= 1
        client.connection.release(Hold.BUSY)
        client.connection.wake()

    async def close(self) -> None:
        """End everything that is done beside."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _counted(self, client: Client, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self.done(client)

    async def _guarded(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # one request must not end the server
            self.tell(task_failed(what, error))


async def sliced(steps: Iterator[None]) -> None:
    """Take all steps, and let others have their turn again and again."""
    loop = asyncio.get_running_loop()
    end = loop.time() + TURN_SECONDS
    for _ in steps:
        if loop.time() >= end:
            await asyncio.sleep(0)
            end = loop.time() + TURN_SECONDS


def task_failed(what: str, error: Exception) -> TaskFailed:
    """What is reported of a fault: its kind and its place, but not its text, which may hold anything."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return TaskFailed(what, type(error).__name__, f"{Path(frame.filename).name}:{frame.lineno}")


def _nothing_to_deliver(effects: list[Effect], _source: Client | None) -> None:
    assert not effects, "the server is not complete"
