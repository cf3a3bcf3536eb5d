"""The connections of a pool, and the hosts that they lead to: opened, judged, looked after, closed.

The theory of operation is in `pool`, the only user of this module.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import final

from quintet.ldap.connection import Connection
from quintet.ldap.errors import (
    Busy,
    ClientLimitError,
    ConnectionLostError,
    LdapError,
    NoHostReachableError,
    OperationTimeoutError,
    PoolClosedError,
    RemoteProtocolError,
    ResultError,
    Unavailable,
)
from quintet.ldap.filter_tree import Present
from quintet.ldap.limits import Address
from quintet.ldap.messages import BASE_OBJECT
from quintet.ldap.pool_config import (
    ConnectionFailed,
    ConnectionGone,
    ConnectionOpened,
    ConnectionState,
    GoneReason,
    PoolConfig,
    PoolEvent,
    PoolStatus,
    UpkeepFailed,
)

FIRST_PAUSE = 0.25
"""Seconds that a host is left alone after its first failure. The pause doubles with each further failure."""

LONGEST_PAUSE = 15.0
_JITTER = 0.3
_NEVER = float("inf")
_IN_ONE_WRITE = 16
"""As many more operations may be in flight on one connection as on another, if they leave together."""
_ANY_ENTRY = Present("objectClass").encode()
_ROOT_DSE, _NO_ATTRIBUTES = "", ("1.1",)
_BROKEN = (GoneReason.LOST, GoneReason.BUSY, GoneReason.DOUBTFUL)

REPEATABLE = (ConnectionLostError, RemoteProtocolError, Busy, Unavailable)
"""After these, another connection or another moment may help."""

Connect = Callable[[Address], Awaitable[Connection]]
Prepare = Callable[[Connection], Awaitable[object]]


@final
class Host:
    """What the pool knows of one of its hosts. Times are the loop's."""

    __slots__ = ("_noted_at", "_troubled", "address", "error", "failures", "retry_at", "suspect")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.failures = 0
        self.suspect = False
        self.retry_at = 0.0
        self.error: Exception | None = None
        self._troubled = False
        self._noted_at = -_NEVER

    def failed(self, error: Exception, *, since: float, now: float) -> float:
        """Note a failure of what began at `since`; how long the host is left alone, in seconds."""
        if since >= self._noted_at:
            self.failures += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failures - 1, 10))
            pause *= 1 + _JITTER * (2 * random.random() - 1)  # noqa: S311 (spreads load, hides nothing)
            self.retry_at = now + pause
            self._note(error, now)
        return max(0.0, self.retry_at - now)

    def lost(self, error: Exception, *, since: float, now: float) -> None:
        """Note a connection that broke. Once may be a restart; again, without an answer between, is not."""
        if self.suspect:
            self.failed(error, since=since, now=now)
        else:
            self.suspect = True
            self._note(error, now)

    def opened(self) -> None:
        """It took a connection, which proves little."""
        self.retry_at = 0.0
        self.error = None

    def worked(self) -> None:
        """It answered an operation."""
        if self._troubled:
            self.opened()
            self.failures = 0
            self.suspect = self._troubled = False
            self._noted_at = -_NEVER

    def _note(self, error: Exception, now: float) -> None:
        self.error = error
        self._troubled = True
        self._noted_at = now


@final
class Member:
    """One connection. Times are the loop's; `users` counts the operations on it."""

    __slots__ = (
        "connection",
        "expires",
        "host",
        "opened_at",
        "prepared",
        "probing",
        "protocol",
        "retired",
        "used_at",
        "users",
    )

    def __init__(
        self, connection: Connection, prepared: object, host: Host, opened_at: float, expires: float
    ) -> None:
        self.connection = connection
        self.protocol = connection.protocol
        self.prepared = prepared
        self.host = host
        self.opened_at = opened_at
        self.used_at = opened_at
        self.expires = expires
        self.users = 0
        self.retired = False
        self.probing = False


@final
class Members:
    """All connections of a pool. `changed` is called when one becomes free, or none may be hoped for."""

    def __init__(
        self,
        addresses: Iterable[Address],
        config: PoolConfig,
        connect: Connect,
        prepare: Prepare | None,
        *,
        tell: Callable[[PoolEvent], None],
        changed: Callable[[], None],
    ) -> None:
        self.hosts = tuple(Host(address) for address in addresses)
        self.live: list[Member] = []
        self.closed = False
        self._config = config
        self._connect = connect
        self._prepare = prepare
        self._tell = tell
        self._changed = changed
        self._opening: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._upkeep: asyncio.Task[None] | None = None
        self._to_replace = 0
        self._reconnects = 0

    # Using.

    def choose(self, now: float) -> Member | None:
        """The connection for the next operation: an unused one where it must be, else the least used.

        One that is about to write counts as less used, so that requests of one turn share a write.
        """
        best: Member | None = None
        least = 0
        unfit, exclusive = False, self._config.exclusive
        for member in self.live:
            if member.protocol.over or now >= member.expires:
                unfit = True
            elif not (exclusive and member.users):
                used = member.users - _IN_ONE_WRITE if member.protocol.flushing else member.users
                if best is None or used < least:
                    best, least = member, used
        if unfit:
            self.drop_unfit(now)
        return best

    def drop_unfit(self, now: float) -> None:
        """Retire the connections that are closed or too old."""
        for member in tuple(self.live):
            if member.protocol.over:
                self.retire(member, GoneReason.LOST)
            elif now >= member.expires:
                self.retire(member, GoneReason.OLD)

    def release(self, member: Member, now: float) -> None:
        """An operation on this connection is over."""
        member.users -= 1
        member.used_at = now
        if member.retired and not member.users:
            self._shut(member)

    # Judging.

    def judge(self, member: Member, error: LdapError, since: float) -> None:
        """Note what the error of an operation that began at `since` says of the connection and its host."""
        if isinstance(error, Busy) and len(self.hosts) == 1:
            return  # it keeps its connections: there is no other host to ask
        if isinstance(error, REPEATABLE):
            self._broke(member, error, since)
        elif isinstance(error, OperationTimeoutError):
            self._doubt(member, error)
        elif isinstance(error, ResultError | ClientLimitError):
            member.host.worked()

    def _broke(self, member: Member, error: LdapError, since: float) -> None:
        """A connection broke, or its server is out of service: those opened before `since` go with it.

        The others may be just as dead, and the next attempt must not find that out once more.
        """
        self._blame(member, error)
        reason = GoneReason.BUSY if isinstance(error, ResultError) else GoneReason.LOST
        for each in tuple(self.live):
            if each.host is member.host and each.opened_at <= since:
                self.retire(each, reason)

    def _blame(self, member: Member, error: LdapError) -> None:
        """Count against the host that a connection did not serve.

        A server that says itself that it cannot serve is passed over at once, if there is another to ask.
        """
        told_so = isinstance(error, ResultError) and len(self.hosts) > 1
        note = member.host.failed if told_so else member.host.lost
        note(error, since=member.opened_at, now=_now())

    def _doubt(self, member: Member, error: LdapError) -> None:
        """An operation got no answer in time: find out whether connections to its host are alive.

        After a bind there is nothing to ask on this one: it was closed, and the unused ones are checked.
        """
        if not member.retired and not member.protocol.over:
            doubted = [member]
        else:
            self._blame(member, error)
            doubted = [each for each in self.live if each.host is member.host and not each.users]
        for each in doubted:
            if not each.probing and not self.closed:
                each.probing = True
                self._in_background(self._probe(each))

    # Opening.

    @property
    def hopeless(self) -> bool:
        """Whether there is no connection, and none is being opened."""
        return not self.live and not self._opening

    def grow(self, waiting: int) -> None:
        """Open as many connections as so many waiting operations need, unless all hosts are left alone."""
        wanted = self._wanted(waiting)
        if wanted > 0 and not self.closed:
            now = _now()
            if any(host.retry_at <= now for host in self.hosts):
                for _ in range(wanted):
                    self._start_opening()

    def _wanted(self, waiting: int) -> int:
        config, opening = self._config, len(self._opening)
        have = len(self.live) + opening
        if config.exclusive:
            most = config.size if waiting <= have else config.max_size or config.size
            return min(waiting - opening, most - have)
        if not have:
            return 1 if waiting else 0
        crowded = not opening and all(member.users > 1 for member in self.live)
        return 1 if crowded and have < config.size else 0

    async def connect(self) -> None:
        """Open a connection if there is none, even while the hosts are left alone, and wait for it."""
        self.drop_unfit(_now())
        if self.live or self.closed:
            return
        for host in self.hosts:
            host.retry_at = 0.0
        if not self._opening:
            self._start_opening()
        await asyncio.wait(self._opening)

    def _start_opening(self) -> None:
        loop = asyncio.get_running_loop()
        self._opening.add(loop.create_task(self._open_one()))
        if self._upkeep is None:
            self._upkeep = loop.create_task(self._keep_on())

    async def _open_one(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            with suppress(Exception):  # noted at the host, and told to those who wait
                await self.open(self.hosts)
        finally:
            self._opening.discard(task)
            self._changed()

    async def open(self, hosts: Iterable[Host]) -> None:
        """Open a connection to the first host that takes one: suspect ones last, none that is left alone.

        Raises the first one's error.
        """
        failure: Exception | None = None
        for host in sorted(hosts, key=lambda host: host.suspect):
            started = _now()
            if host.retry_at > started:
                failure = failure or host.error
                continue
            try:
                await self._open_at(host, started)
            except Exception as error:  # whatever it is, it must not be met again without a pause
                if self.closed:
                    raise
                pause = host.failed(error, since=started, now=_now())
                self._tell(ConnectionFailed(host.address, error, pause))
                failure = failure or error
            else:
                return
        assert failure is not None
        raise failure

    async def _open_at(self, host: Host, started: float) -> None:
        connection = await self._connect(host.address)
        prepared = None
        try:
            if self._prepare is not None:
                async with asyncio.timeout(self._config.connect_timeout):
                    prepared = await self._prepare(connection)
        except TimeoutError as error:
            await connection.close()
            told = "the server accepts connections, but does not answer"
            raise OperationTimeoutError(told, server=str(host.address)) from error
        except BaseException:
            await connection.close()
            raise
        if self.closed:
            await connection.close()
            raise self.closed_error()
        now, lifetime = _now(), self._config.lifetime
        expires = now + lifetime * random.uniform(0.8, 1.0) if lifetime else _NEVER  # noqa: S311 (as above)
        self.live.append(Member(connection, prepared, host, now, expires))
        host.opened()
        reconnect = self._to_replace > 0
        self._to_replace -= reconnect
        self._reconnects += reconnect
        self._tell(ConnectionOpened(host.address, connection.encrypted, prepared, now - started, reconnect))

    # Ending.

    def retire(self, member: Member, reason: GoneReason) -> None:
        """No operation gets this connection any more. It is closed when nothing uses it."""
        if member.retired:
            return
        member.retired = True
        self.live.remove(member)
        self._to_replace += reason in _BROKEN
        self._tell(ConnectionGone(member.host.address, reason))
        if not member.users:
            self._shut(member)

    async def close(self) -> None:
        """Close every connection, in use or not. `closed` was set before."""
        tasks = [*self._opening, *([self._upkeep] if self._upkeep else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for member in tuple(self.live):
            self.retire(member, GoneReason.CLOSED)
            if member.users:
                self._shut(member)
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    def _shut(self, member: Member) -> None:
        self._in_background(member.connection.close())

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Upkeep.

    async def _keep_on(self) -> None:
        """Look after the connections for ever. Whatever goes wrong in one round, the next one comes."""
        while True:
            pause = self._config.upkeep_interval * random.uniform(0.8, 1.2)  # noqa: S311 (as above)
            await asyncio.sleep(pause)
            try:
                await self.keep()
            except Exception as error:  # noqa: BLE001  # without upkeep, dead connections would stay for ever
                self._tell(UpkeepFailed(type(error).__name__))

    async def keep(self) -> None:
        """One round: dead and old connections go, idle ones are checked, the first host is tried again."""
        now = _now()
        self.drop_unfit(now)
        spare = len(self.live) - self._config.size
        for member in [member for member in self.live if not member.users]:
            if now - max(member.used_at, member.connection.last_used) < self._config.idle_probe:
                continue
            if spare > 0:
                spare -= 1
                self.retire(member, GoneReason.IDLE)
            else:
                await self._probe(member)
        await self._return_to_first()

    async def _probe(self, member: Member) -> None:
        """Read the root DSE. Any answer means life; without one the connection goes."""
        alone = self._config.exclusive
        if member.retired or (alone and member.users):
            member.probing = False
            return
        member.users += alone
        try:
            with suppress(ResultError):
                await member.connection.search(
                    _ROOT_DSE, BASE_OBJECT, _ANY_ENTRY, _NO_ATTRIBUTES, timeout=self._config.connect_timeout
                )
        except LdapError as error:
            self._blame(member, error)
            self.retire(member, GoneReason.DOUBTFUL)
            await member.connection.close()
        else:
            member.host.worked()
        finally:
            member.probing = False
            if alone:
                self.release(member, _now())
                self._changed()

    async def _return_to_first(self) -> None:
        """Connections that had to go to another host come back after a while."""
        first = self.hosts[0]
        away = [member for member in self.live if member.host is not first]
        if not away or _now() - min(member.opened_at for member in away) < self._config.return_after:
            return
        if len(away) == len(self.live):
            with suppress(Exception):  # noted at the host; the next round tries again
                await self.open((first,))
        if len(away) < len(self.live):
            for member in away:
                self.retire(member, GoneReason.MOVED)

    # What can be seen.

    def status(self) -> tuple[PoolStatus, ...]:
        """One row for each connection; one row all the same when there is none."""
        rows = tuple(
            PoolStatus(
                member.host.address,
                ConnectionState.CONNECTED,
                member.connection,
                member.prepared,
                self._reconnects,
                _error_of(self.hosts[: self.hosts.index(member.host)]),
            )
            for member in self.live
            if not member.protocol.over
        )
        return rows or (self._without_connection(),)

    def _without_connection(self) -> PoolStatus:
        error = _error_of(self.hosts)
        if self.closed:
            state = ConnectionState.CLOSED
        elif self._opening:
            state = ConnectionState.CONNECTING
        else:
            state = ConnectionState.RETRYING if error else ConnectionState.IDLE
        return PoolStatus(self.hosts[0].address, state, None, None, self._reconnects, error)

    @property
    def failure(self) -> Exception | None:
        """What a host failed with that has not been reached again since."""
        return _error_of(self.hosts)

    def refusal(self) -> LdapError:
        """Why there is no connection, and when one is tried again: a new error each time."""
        failed = next((host for host in self.hosts if host.error), None)
        if self.closed or failed is None or failed.error is None:
            return self.closed_error()
        cause = failed.error
        error = NoHostReachableError(
            cause.message if isinstance(cause, LdapError) else type(cause).__name__,
            server=str(failed.address),
        )
        error.retry_in = max(0.0, failed.retry_at - _now())
        error.__cause__ = cause
        return error

    def closed_error(self) -> PoolClosedError:
        return PoolClosedError("the pool is closed", server=str(self.hosts[0].address))


def _error_of(hosts: Iterable[Host]) -> Exception | None:
    return next((host.error for host in hosts if host.error), None)


def _now() -> float:
    return asyncio.get_running_loop().time()
