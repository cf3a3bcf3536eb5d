"""The connections that serve one task at one server.

`_assign` decides everything: who gets which connection, whether another one is opened, who is told that
there is none. `run` uses a connection and repeats what is safe to repeat. `keep` looks after the idle ones.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TypeVar, final

from quintet.directory.backoff import Host
from quintet.directory.endpoint import Endpoint, Line
from quintet.directory.errors import DirectoryError, Unreachable, Why
from quintet.directory.link import Link
from quintet.directory.opening import ANYTHING, Opener, unreachable
from quintet.directory.records import ConnectionStatus, State
from quintet.directory.trace import Gone, Opened, OpenFailed, Operated, Retried, Trace
from quintet.ldap.errors import (
    Busy,
    ConnectionLost,
    LdapError,
    LimitReached,
    PeerViolation,
    ResultError,
    TimedOut,
    Unavailable,
)
from quintet.ldap.messages import BASE_OBJECT

T = TypeVar("T")

ATTEMPTS = 2
MOST_CALLERS = 10_000
BUSY_PAUSE = (0.05, 0.15)
KEEP_EVERY = 15.0
RETURN_AFTER = 60.0
NEVER = float("inf")

Operation = Callable[[Link], Awaitable[T]]


@final
class Pool:
    """Connections are opened when they are needed, or by `connect`. Close it with `close` or `drain`."""

    def __init__(self, line: Line, opener: Opener, *, trace: Trace | None = None) -> None:
        self.line = line
        self._opener = opener
        self._trace = trace
        self._hosts = tuple(Host(endpoint) for endpoint in line.endpoints)
        self._links: list[Link] = []
        self._waiting: deque[asyncio.Future[Link]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._callers = 0
        self._opened = 0
        self._return_at = NEVER
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed = False

    # Using.

    async def run(self, operation: Operation[T], name: str = "search") -> T:
        """Give the operation a connection, and once more another one when the first was no good.

        So it must be safe to repeat: a search, a compare, a bind. Results that the server gave
        (`ResultError`) go to the caller, apart from "busy" and "unavailable". Raises Unreachable, Untrusted,
        ClearBindRefused.
        """
        if self._callers >= MOST_CALLERS:
            raise self._error(Why.OVERLOADED)
        self._callers += 1
        self._idle.clear()
        started = self._now() if self._trace else 0.0
        outcome = "ok"
        try:
            return await self._attempts(operation, name)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self._callers -= 1
            if not self._callers:
                self._idle.set()
            if self._trace:
                seconds = self._now() - started
                self._trace(Operated(self.line.label, self.line.server, name, outcome, seconds))

    async def _attempts(self, operation: Operation[T], name: str) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            link = await self._acquire()
            began, keep = self._now(), False
            try:
                result = await operation(link)
            except (ConnectionLost, PeerViolation, Busy, Unavailable) as error:
                keep = isinstance(error, ResultError)
                if attempt == ATTEMPTS:
                    raise unreachable(error, link.endpoint) from error
                await self._give_up(link, error, began)
                why = type(error).__name__
                self._tell(Retried(self.line.label, self.line.server, name, why))
            except TimedOut as error:
                self._doubt(link)
                raise unreachable(error, link.endpoint) from error
            except (ResultError, LimitReached):
                keep = True
                raise
            else:
                keep = True
                return result
            finally:
                if self.line.exclusive and not keep:
                    self._retire(link, "lost")
                self._release(link)
        raise AssertionError("the last attempt returns or raises")

    async def _acquire(self) -> Link:
        if self.closed:
            raise self._error(Why.CLOSED)
        if not self._waiting and (link := self._free()) is not None:
            link.users += 1
            if not self.line.exclusive and link.users > 1 and self.line.connections > 1:
                self._assign()
            return link
        waiter: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._assign()
        try:
            async with asyncio.timeout(self.line.operation_timeout):
                await asyncio.sleep(0)
                return await waiter
        except TimeoutError as error:
            self._drop(waiter)
            raise self._error(Why.TIMED_OUT, "no connection came free") from error
        except asyncio.CancelledError:
            self._drop(waiter)
            raise

    def _drop(self, waiter: asyncio.Future[Link]) -> None:
        """Nobody waits any more; what had been given goes back."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self._release(waiter.result())
            return
        waiter.cancel()
        with suppress(ValueError):
            self._waiting.remove(waiter)

    def _release(self, link: Link) -> None:
        link.users -= 1
        link.used_at = self._now()
        if link.retired and not link.users:
            self._shut(link)
        if self._waiting:
            self._assign()

    # Deciding.

    def _assign(self) -> None:
        """Hand out what is free, open what is wanted, and tell those for whom there is nothing."""
        while self._waiting and (link := self._free()) is not None:
            waiter = self._waiting.popleft()
            if not waiter.done():
                link.users += 1
                waiter.set_result(link)
        now = self._now()
        if any(host.retry_at <= now for host in self._hosts) and not self.closed:
            for _ in range(self._wanted()):
                self._start_opening()
        if self._waiting and not self._opening and not self._links:
            self._send_away()

    def _send_away(self) -> None:
        """Tell those who wait why there is no connection, and when one is tried again."""
        failed = next((host for host in self._hosts if host.error), None)
        for waiter in self._waiting:
            if not waiter.done():
                told = failed.refusal(self._now()) if failed else self._error(Why.CLOSED)
                waiter.set_exception(told)
        self._waiting.clear()

    def _free(self) -> Link | None:
        """The connection for the next operation: an idle one where it must be, else the least busy."""
        best: Link | None = None
        now = self._now()
        for link in tuple(self._links):
            if link.connection.closed:
                self._retire(link, "lost")
            elif now >= link.expires:
                self._retire(link, "old")
            elif (not self.line.exclusive or not link.users) and (best is None or link.users < best.users):
                best = link
        return best

    def _wanted(self) -> int:
        """How many more connections to open now."""
        have = len(self._links) + len(self._opening)
        waiting = len(self._waiting)
        if not self.line.exclusive:
            if not have:
                return 1 if waiting else 0
            crowded = all(link.users > 1 for link in self._links) and not self._opening
            return 1 if crowded and have < self.line.connections else 0
        most = self.line.connections if waiting <= have else self.line.most
        return max(0, min(waiting - len(self._opening), most - have))

    def _start_opening(self) -> None:
        task = asyncio.get_running_loop().create_task(self._open())
        self._opening.add(task)
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep_on())

    async def _open(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await self._open_first_that_works()
        except DirectoryError:
            if len(self._opening) == 1 and not self._links:
                self._send_away()
        finally:
            self._opening.discard(task)
            self._assign()

    async def _open_first_that_works(self, hosts: tuple[Host, ...] | None = None) -> Link:
        """Try the hosts in order, but not those that failed a moment ago. Raises the first one's error."""
        failure: DirectoryError | None = None
        for host in hosts or self._hosts:
            now = self._now()
            if host.retry_at > now:
                failure = failure or host.refusal(now)
                continue
            try:
                link = await self._open_host(host)
            except DirectoryError as error:
                pause = host.failed(error, self._now())
                endpoint = host.endpoint
                place = endpoint.label, endpoint.server, str(endpoint.address)
                self._tell(OpenFailed(*place, str(error), pause))
                failure = failure or error
            else:
                host.worked()
                return link
        assert failure is not None
        raise failure

    async def _open_host(self, host: Host) -> Link:
        started = self._now()
        ready = await self._opener(host.endpoint, self.line)
        now = self._now()
        lifetime = self.line.lifetime
        expires = now + lifetime * random.uniform(0.8, 1.0) if lifetime else NEVER  # noqa: S311
        link = Link(ready, host.endpoint, now, expires)
        if self.closed:
            await ready.connection.close()
            raise self._error(Why.CLOSED)
        self._links.append(link)
        self._opened += 1
        if host is not self._hosts[0]:
            self._return_at = now + RETURN_AFTER * random.uniform(0.8, 1.2)  # noqa: S311
        endpoint = host.endpoint
        place = endpoint.label, endpoint.server, str(endpoint.address)
        self._tell(Opened(*place, ready.connection.encrypted, ready.way, now - started))
        return link

    # Ending.

    async def _give_up(self, link: Link, error: LdapError, began: float) -> None:
        """A connection broke, or its server is out of service: what is as old as the operation goes with it.

        The siblings may be just as dead, and the repetition must not find that out once more. A server that
        is merely busy keeps its connections, unless there is another host to ask.
        """
        if isinstance(error, Busy) and len(self._hosts) == 1:
            await asyncio.sleep(random.uniform(*BUSY_PAUSE))  # noqa: S311
            return
        if isinstance(error, ResultError) and len(self._hosts) > 1:
            host = next(host for host in self._hosts if host.endpoint == link.endpoint)
            host.failed(unreachable(error, link.endpoint), self._now())
        for each in tuple(self._links):
            if each.endpoint == link.endpoint and each.opened_at <= began:
                self._retire(each, "busy" if isinstance(error, ResultError) else "lost")

    def _doubt(self, link: Link) -> None:
        """Find out whether the connection is alive: an operation got no answer in time."""
        if link.usable and not link.doubted and not self.closed:
            link.doubted = True
            self._background(self._probe(link))

    async def _probe(self, link: Link) -> None:
        """Ask for the root DSE. Any answer means life; without one the connection goes."""
        try:
            await link.connection.search(
                "", BASE_OBJECT, ANYTHING, ("1.1",), timeout=self.line.connect_timeout
            )
        except ResultError:
            link.doubted = False
        except LdapError:
            self._retire(link, "doubtful")
            await link.connection.close()
        else:
            link.doubted = False

    def _retire(self, link: Link, reason: str) -> None:
        if link.retired:
            return
        link.retired = True
        self._links.remove(link)
        endpoint = link.endpoint
        self._tell(Gone(endpoint.label, endpoint.server, str(endpoint.address), reason))
        if not link.users:
            self._shut(link)

    def _shut(self, link: Link) -> None:
        self._background(link.connection.close())

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # Keeping.

    async def _keep_on(self) -> None:
        while not self.closed:
            await asyncio.sleep(KEEP_EVERY * random.uniform(0.8, 1.2))  # noqa: S311
            await self.keep()

    async def keep(self) -> None:
        """One round of upkeep: dead and old ones go, idle ones are probed, the first host is tried again."""
        self._free()
        now = self._now()
        idle = [link for link in self._links if not link.users]
        spare = len(self._links) - self.line.connections
        for link in idle:
            quiet = now - max(link.used_at, link.connection.last_used)
            if quiet < self.line.idle_probe:
                continue
            if spare > 0:
                spare -= 1
                self._retire(link, "idle")
            elif self.line.exclusive:
                await self._probe_alone(link)
            else:
                await self._probe(link)
        if now >= self._return_at:
            await self._return_to_first()

    async def _probe_alone(self, link: Link) -> None:
        if link.users or link.retired:
            return
        link.users += 1
        try:
            await self._probe(link)
        finally:
            self._release(link)

    async def _return_to_first(self) -> None:
        first = self._hosts[0]
        self._return_at = self._now() + RETURN_AFTER * random.uniform(0.8, 1.2)  # noqa: S311
        with suppress(DirectoryError):
            await self._open_first_that_works((first,))
            self._return_at = NEVER
            for link in tuple(self._links):
                if link.endpoint != first.endpoint:
                    self._retire(link, "moved")

    # From outside.

    async def connect(self) -> None:
        """Open a connection now, even while the hosts are left alone. Raises what `run` raises."""
        self._free()
        for host in self._hosts:
            host.retry_at = 0.0
        if not self._links:
            self._start_opening()
            await asyncio.gather(*self._opening)
        if not self._links:
            failed = next((host for host in self._hosts if host.error), None)
            raise failed.refusal(self._now()) if failed else self._error(Why.CLOSED)

    def status(self) -> tuple[ConnectionStatus, ...]:
        """One row for each connection; one row all the same when there is none."""
        error = next((str(host.error) for host in self._hosts if host.error), None)
        again = max(0, self._opened - max(1, len(self._links)))
        live = [link for link in self._links if link.usable]
        if live:
            failing = None if live[0].endpoint == self._hosts[0].endpoint else error
            return tuple(link.status(again, failing) for link in live)
        return (self._without(self._hosts[0].endpoint, again, error),)

    def _without(self, endpoint: Endpoint, again: int, error: str | None) -> ConnectionStatus:
        if self.closed:
            state = State.CLOSED
        elif self._opening:
            state = State.CONNECTING
        else:
            state = State.WAITING if error else State.IDLE
        return ConnectionStatus(
            task=endpoint.label,
            server=endpoint.server,
            address=str(endpoint.address),
            encrypted=endpoint.encrypted,
            tls_version=None,
            cipher=None,
            certificate=None,
            bound_as=None,
            state=state,
            operations=0,
            in_flight=0,
            reconnects=again,
            error=error,
        )

    async def drain(self, seconds: float) -> None:
        """Wait until nobody uses the pool, `seconds` at most, and close it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """Close every connection. What is under way ends with an error."""
        self.closed = True
        tasks = [*self._opening, *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in tuple(self._links):
            self._retire(link, "closed")
            if link.users:
                self._shut(link)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(self._error(Why.CLOSED))
        self._waiting.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)

    # Inside.

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tell(self, event: Opened | OpenFailed | Gone | Retried) -> None:
        if self._trace:
            self._trace(event)

    def _error(self, why: Why, detail: str = "") -> Unreachable:
        first = self._hosts[0].endpoint
        return Unreachable.because(
            why, detail, task=first.label, server=first.server, address=str(first.address)
        )
