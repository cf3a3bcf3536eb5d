"""The connections that serve one task at one server, shared out.

`_assign` decides everything: who gets which connection, whether another one is opened, who is told that
there is none. `run` uses a connection and repeats what is safe to repeat.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar, final

from quintet.directory.connector import Opener, unreachable
from quintet.directory.endpoint import PoolConfig
from quintet.directory.errors import DirectoryError, UnreachableReason
from quintet.directory.events import Operated, Retried, Trace
from quintet.directory.keeping import Keeper
from quintet.directory.link import PooledConnection
from quintet.directory.links import Links
from quintet.directory.records import ConnectionStatus
from quintet.ldap.errors import (
    Busy,
    ClientLimitError,
    ConnectionLostError,
    OperationTimeoutError,
    RemoteProtocolError,
    ResultError,
    Unavailable,
)

T = TypeVar("T")

ATTEMPTS = 2
MOST_CALLERS = 10_000
BUSY_PAUSE = (0.05, 0.15)

Operation = Callable[[PooledConnection], Awaitable[T]]


@final
class Pool:
    """Connections are opened when they are needed, or by `connect`. Close it with `close`."""

    def __init__(self, line: PoolConfig, opener: Opener, *, trace: Trace | None = None) -> None:
        self.line = line
        self._trace = trace
        self._links = Links(line, opener, trace)
        self._keeper = Keeper(self._links, self._release)
        self._keeping: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[PooledConnection]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._callers = 0

    # Using.

    async def run(self, operation: Operation[T], name: str = "search") -> T:
        """Give the operation a connection, and once more another one when the first was no good.

        So it must be safe to repeat: a search, a compare, a bind. Results that the server gave
        (`ResultError`) go to the caller, apart from "busy" and "unavailable". Raises DirectoryUnavailableError, UntrustedServerError,
        UnencryptedBindError.
        """
        if self._callers >= MOST_CALLERS:
            raise self._links.error(UnreachableReason.OVERLOADED)
        self._callers += 1
        started = self._links.now() if self._trace else 0.0
        outcome = "ok"
        try:
            return await self._attempts(operation, name)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self._callers -= 1
            if self._trace:
                seconds = self._links.now() - started
                self._trace(Operated(self.line.label, self.line.server, name, outcome, seconds))

    async def _attempts(self, operation: Operation[T], name: str) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            link = await self._acquire()
            began, keep = self._links.now(), False
            try:
                result = await operation(link)
            except (ConnectionLostError, RemoteProtocolError, Busy, Unavailable) as error:
                # Who is merely busy keeps its connections, unless there is another host to ask.
                keep = isinstance(error, Busy) and len(self.line.endpoints) == 1
                if not keep:
                    self._links.broke(link, error, began)
                if attempt == ATTEMPTS:
                    raise unreachable(error, link.endpoint) from error
                if keep:
                    await asyncio.sleep(random.uniform(*BUSY_PAUSE))  # noqa: S311
                why = type(error).__name__
                self._links.tell(Retried(self.line.label, self.line.server, name, why))
            except OperationTimeoutError as error:
                self._keeper.doubt(link, error)
                raise unreachable(error, link.endpoint) from error
            except (ResultError, ClientLimitError):
                keep = True
                link.host.worked()
                raise
            else:
                keep = True
                link.host.worked()
                return result
            finally:
                if self.line.exclusive and not keep:
                    self._links.retire(link, "lost")
                self._release(link)
        raise AssertionError("the last attempt returns or raises")

    async def _acquire(self) -> PooledConnection:
        if self._links.closed:
            raise self._links.error(UnreachableReason.CLOSED)
        if not self._waiting and (link := self._links.free()) is not None:
            link.users += 1
            if not self.line.exclusive and link.users > 1 and self.line.connections > 1:
                self._assign()
            return link
        waiter: asyncio.Future[PooledConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._assign()
        try:
            async with asyncio.timeout(self.line.operation_timeout):
                await asyncio.sleep(0)
                return await waiter
        except TimeoutError as error:
            self._drop(waiter)
            raise self._links.error(UnreachableReason.TIMED_OUT, "no connection came free") from error
        except asyncio.CancelledError:
            self._drop(waiter)
            raise

    def _drop(self, waiter: asyncio.Future[PooledConnection]) -> None:
        """Nobody waits any more; what had been given goes back."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self._release(waiter.result())
            return
        waiter.cancel()
        with suppress(ValueError):
            self._waiting.remove(waiter)

    def _release(self, link: PooledConnection) -> None:
        link.users -= 1
        link.used_at = self._links.now()
        if link.retired and not link.users:
            self._links.shut(link)
        if self._waiting:
            self._assign()

    # Deciding.

    def _assign(self) -> None:
        """Hand out what is free, open what is wanted, and tell those for whom there is nothing."""
        while self._waiting and (link := self._links.free()) is not None:
            waiter = self._waiting.popleft()
            if not waiter.done():
                link.users += 1
                waiter.set_result(link)
        if self._links.may_open:
            for _ in range(self._wanted()):
                self._start_opening()
        if self._waiting and not self._opening and not self._links.live:
            self._send_away()

    def _send_away(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(self._links.refusal())
        self._waiting.clear()

    def _wanted(self) -> int:
        """How many more connections to open now."""
        live, waiting = self._links.live, len(self._waiting)
        have = len(live) + len(self._opening)
        if not self.line.exclusive:
            if not have:
                return 1 if waiting else 0
            crowded = all(link.users > 1 for link in live) and not self._opening
            return 1 if crowded and have < self.line.connections else 0
        most = self.line.connections if waiting <= have else self.line.most
        return max(0, min(waiting - len(self._opening), most - have))

    def _start_opening(self) -> None:
        loop = asyncio.get_running_loop()
        self._opening.add(loop.create_task(self._open()))
        if self._keeping is None:
            self._keeping = loop.create_task(self._keeper.keep_on())

    async def _open(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await self._links.open()
        except DirectoryError:
            if len(self._opening) == 1 and not self._links.live:
                self._send_away()
        finally:
            self._opening.discard(task)
            self._assign()

    # From outside.

    @property
    def closed(self) -> bool:
        return self._links.closed

    async def connect(self) -> None:
        """Open a connection now, even while the hosts are left alone. Raises what `run` raises.

        More come with use. Who is opening one already is waited for, and not stopped when this is cancelled.
        """
        self._links.free()
        if not self._links.live and not self._links.closed:
            for host in self._links.hosts:
                host.retry_at = 0.0
            if not self._opening:
                self._start_opening()
            await asyncio.wait(self._opening)
        if not self._links.live:
            raise self._links.refusal()

    @property
    def failure(self) -> DirectoryError | None:
        """What a host failed with that has not been reached again; None when all is well."""
        return self._links.failure

    async def keep(self) -> None:
        """One round of upkeep, as it is made by itself from time to time."""
        await self._keeper.keep()

    def status(self) -> tuple[ConnectionStatus, ...]:
        """One row for each connection; one row all the same when there is none."""
        return self._links.status(opening=bool(self._opening))

    async def close(self) -> None:
        """Close every connection. What is under way ends with an error."""
        self._links.closed = True
        tasks = [*self._opening, *([self._keeping] if self._keeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._links.close()
        self._send_away()
