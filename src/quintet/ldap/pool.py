"""Several connections to one directory: shared, looked after, replaced when they break, moved to other hosts.

A directory may have several hosts, in order of preference; all of them are taken to hold the same entries.

Theory of operation
-------------------
The mutable state is in three objects. `Members` (module `_pool_members`) has the hosts and the connections:
it opens, judges, retires and closes them. `Queue` (module `_pool_queue`) has the operations that wait for a
connection, and the one timer for them. `Pool` brings both together and counts the operations. State changes
only in methods that do not await, so every change is complete before anything else runs. `Members` does not
know who waits: it calls `changed` (here: `_assign`) when a connection became free or an attempt to open one
has ended.

A *host* is good; or suspect, when a connection to it broke: it is tried after the others; or left alone until
`retry_at`, when it failed again before it answered anything. Only an answer makes it good: a server that
accepts connections may still be unable to serve. What began before the last failure proves nothing new, so
operations that fail together count as one failure.

A *member* (a connection) is live, that is in `Members.live`, or retired: then it gets no operation any more
and is closed when its last operation ends. `users` counts its operations; only `_take`, `start`, `_release`
and a health check change it. `Members.open` is the only way into `live`, `Members.retire` the only way out.

An *operation* takes the best live member at once, or waits. `_assign` hands out members, has more of them
opened, or refuses all who wait. These always hold when no method of these modules is running:

1. In an exclusive pool, no member has more than one user.
2. Operations wait only while every live member is in use or one is being opened.
3. The queue is in the order of deadlines, and while operations wait, the timer is set for the first or
   before.
4. Whatever took a member gives it back exactly once, also when it is cancelled or the pool is closed.

An operation is repeated if it may be, `attempts` times in all, after a pause if the server is busy; and on a
member opened after the failure, because all connections to a host usually break together.

Binds on an exclusive pool do not go through tasks. `Bind` (module `_pool_queue`) is both the operation in
flight and the place in the queue, and the answer to one bind sends the next one on the same connection.
Prepared searches share one future. Both ways have the limits, time-outs, repetitions and events of all other
operations.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, Self, TypeVar, cast, final

from quintet.ldap._pool_members import REPEATABLE, Connect, Member, Members, Prepare
from quintet.ldap._pool_operations import PoolOperations
from quintet.ldap._pool_queue import Bind, Lease, Queue
from quintet.ldap.connection import Connection, resolve
from quintet.ldap.connection import connect as open_connection
from quintet.ldap.errors import (
    Busy,
    ClientLimitError,
    ConnectionLostError,
    LdapError,
    LocalProtocolError,
    PoolOverloadedError,
    PoolTimeoutError,
    ResultError,
)
from quintet.ldap.limits import Address
from quintet.ldap.operations import BatchedSearch, SearchBatch
from quintet.ldap.pool_config import (
    GoneReason,
    OperationEnded,
    OperationRepeated,
    PoolConfig,
    PoolEvent,
    PoolStatus,
)
from quintet.ldap.prepared import Query
from quintet.ldap.results import Control, SearchResult
from quintet.ldap.url import LdapUrl

T = TypeVar("T")

Operation = Callable[[Connection], Awaitable[T]]
BoundOperation = Callable[[Connection, tuple[Control, ...]], Awaitable[T]]
Trace = Callable[[PoolEvent], None]

_BUSY_PAUSE = (0.05, 0.15)


@final
class Pool(PoolOperations):
    """Connections to a directory, opened when they are needed. Use it as an async context manager.

    It has the operations of `LdapOperations`; `find`, `bind` and the others below are its own. Those that
    change nothing in the directory are repeated, once by default, when a connection breaks or the server is
    busy. Besides their own errors all raise `PoolError` when there is no connection for them.

    Args:
        hosts: A URL, an `LdapUrl` or an `Address`, as `connect` takes them; or several, in order of
            preference, which are taken to hold the same entries.
        size: How many connections are kept; for everything else, `config`.
        tls: As for `connect`.
        prepare: Awaited with each new connection before that is used, for example to bind. What it returns is
            shown by `status`.
        config: How the pool works; its `size` counts, then.
        connect: Makes the connection to an address, in place of `quintet.ldap.connect`.
        trace: Called with every `PoolEvent`.

    Raises:
        UrlSyntaxError: A host is not an LDAP URL.
        ValueError: There is no host; or a URL and the TLS that is asked for do not fit, as in `connect`.
    """

    def __init__(
        self,
        hosts: str | LdapUrl | Address | Sequence[str | LdapUrl | Address],
        *,
        size: int = 1,
        tls: ssl.SSLContext | None = None,
        prepare: Prepare | None = None,
        config: PoolConfig | None = None,
        connect: Connect | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.config = config = config or PoolConfig(size=size)
        given = [hosts] if isinstance(hosts, str | LdapUrl | Address) else hosts
        self._targets: dict[Address, tuple[str | LdapUrl | Address, bool]] = {}
        for each in given:
            address, encrypt = resolve(each, tls, start_tls=config.start_tls)
            self._targets[address] = each, encrypt
        if not self._targets:
            raise ValueError("a pool needs at least one host")
        self.addresses = tuple(self._targets)
        self._tls = tls
        self._trace = trace
        self._members = Members(
            self.addresses, config, connect or self._open, prepare, tell=self._tell, changed=self._assign
        )
        self._waiting = Queue(self.config.limits.timeout, self._late)
        self._callers = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Operations.

    async def run(self, operation: Operation[T], *, name: str = "run", repeatable: bool = True) -> T:
        """Await `operation` with a connection; in an exclusive pool nothing else uses that meanwhile.

        It is awaited once more, with another connection, when the first one broke or the server was busy,
        unless it is not `repeatable`. `name` is for events. In an exclusive pool, the connection is closed
        unless the operation ended with a result or an answer of the server.
        """
        with self._counted(name):
            tries = 1
            while True:
                try:
                    async with self._lent() as connection:
                        return await operation(connection)
                except REPEATABLE as error:
                    if not repeatable or tries >= self.config.attempts:
                        raise
                    pause = self._repeat(name, error)
                    tries += 1
                if pause:
                    await asyncio.sleep(pause)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection, None]:
        """A connection for several operations; in an exclusive pool nothing else uses it meanwhile."""
        with self._counted("connection"):
            async with self._lent() as connection:
                yield connection

    async def find(self, query: Query) -> SearchResult:
        """The result of one prepared search. Raises as `search` does."""
        (outcome,) = await self.find_all((query,))
        if isinstance(outcome, LdapError):
            raise outcome
        return outcome

    async def find_all(self, queries: Sequence[Query]) -> list[SearchResult | LdapError]:
        """The outcome of each of these prepared searches, in their order. They are sent together.

        Limits, time-outs and repetitions are those of single searches. Raises PoolError when there is no
        connection.
        """
        began = self._enter(len(queries))
        outcomes: list[Any] = [None] * len(queries)
        asked: Sequence[int] = range(len(queries))
        tries = 0
        try:
            while asked:
                tries += 1
                now = self.loop.time()
                member = self._take(now)
                if member is None:
                    member = await self._acquire()
                    now = self.loop.time()
                batch = SearchBatch(self.loop.create_future(), outcomes, len(asked))
                in_flight = self._begin(member, batch, queries, asked, now)
                try:
                    await batch.future
                except asyncio.CancelledError:
                    for operation in in_flight:
                        member.protocol.give_up(operation)
                    raise
                finally:
                    self._release(member, now)
                if not batch.failed:
                    member.host.worked()
                    break
                asked, pause = self._failed(member, batch, now, tries)
                if pause:
                    await asyncio.sleep(pause)
        finally:
            self._leave("search", outcomes, began)
        return outcomes

    def _begin(
        self, member: Member, batch: SearchBatch, queries: Sequence[Query], asked: Iterable[int], now: float
    ) -> list[BatchedSearch]:
        """Send those of the queries that are asked."""
        protocol, limits = member.protocol, self.config.limits
        server, deadline, collected = protocol.server, now + limits.timeout, limits.collected
        protocol.last_used = now
        begun: list[BatchedSearch] = []
        for nth in asked:
            frame, part, dn, most = queries[nth]
            entries = limits.entries if most is None else most
            operation = BatchedSearch(batch, nth, server, dn, deadline, frame, part, entries, collected)
            begun.append(operation)
            try:
                protocol.begin(operation)
            except LdapError as error:
                operation.fail(error)
        return begun

    def _failed(
        self, member: Member, batch: SearchBatch, since: float, tries: int
    ) -> tuple[Sequence[int], float]:
        """Which searches to send again, after how many seconds."""
        again: list[int] = []
        pause = 0.0
        for nth in batch.failed:
            error = batch.outcomes[nth]
            assert isinstance(error, LdapError)
            self._members.judge(member, error, since)
            if isinstance(error, REPEATABLE) and tries < self.config.attempts:
                batch.outcomes[nth] = None
                again.append(nth)
                pause = max(pause, self._repeat("search", error))
        return again, pause

    async def bind(
        self, dn: str, password: str | bytes, *, controls: Sequence[Control] = ()
    ) -> tuple[Control, ...]:
        """Check a password by a simple bind, on a connection that nothing else uses meanwhile.

        Only in exclusive pools, where the next user binds anew. Raises ResultError when the server refuses,
        LocalProtocolError for an empty name or password, and UnencryptedPasswordError unless the connection
        is encrypted or `PoolConfig.unencrypted_passwords` is set; in both cases nothing is sent. `controls`
        go with the request; those of the answer are returned.
        """
        return cast("tuple[Control, ...]", await self._bind(dn, password, controls, None))

    async def bind_and_run(
        self,
        dn: str,
        password: str | bytes,
        operation: BoundOperation[T],
        *,
        controls: Sequence[Control] = (),
    ) -> T:
        """Bind as `bind` does, then await `operation` with the same connection, which nothing else uses.

        `operation` is given the controls of the answer as well.
        """
        return cast("T", await self._bind(dn, password, controls, operation))

    async def _bind(
        self,
        dn: str,
        password: str | bytes,
        controls: Sequence[Control],
        operation: BoundOperation[Any] | None,
    ) -> Any:
        if not self.config.exclusive:
            raise LocalProtocolError("binds need an exclusive pool", operation="bind")
        began = self._enter(1)
        outcome: BaseException | None = None
        try:
            job = Bind(self, dn, password, controls, keep=operation is not None)
            while True:
                self._submit(job)
                try:
                    answered = await job.future
                    return answered if operation is None else await self._run_bound(job, operation, answered)
                except asyncio.CancelledError:
                    self._give_up(job)
                    raise
                except REPEATABLE as error:
                    if job.tries >= self.config.attempts:
                        raise
                    pause = self._repeat("bind", error)
                if pause:
                    await asyncio.sleep(pause)
                job.future = self.loop.create_future()
        except BaseException as error:
            outcome = error
            raise
        finally:
            self._leave("bind", (outcome,), began)

    async def _run_bound(
        self, job: Bind, operation: BoundOperation[Any], answered: tuple[Control, ...]
    ) -> Any:
        """Await the operation with the connection that the bind kept."""
        member, job.member = job.member, None
        assert member is not None
        async with self._lent(member) as connection:
            return await operation(connection, answered)

    # Operations come and go.

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the pool is used in."""
        return asyncio.get_running_loop()

    def _enter(self, operations: int) -> float:
        """Let so many operations in; the time. Raises PoolClosedError, PoolOverloadedError."""
        if self._members.closed:
            raise self._members.closed_error()
        if self._callers + operations > self.config.max_callers:
            told = f"{self._callers} operations use the pool already"
            raise PoolOverloadedError(told, server=str(self.addresses[0]))
        self._callers += operations
        return self.loop.time() if self._trace is not None else 0.0

    def _leave(self, name: str, outcomes: Sequence[object], began: float) -> None:
        """Let the operations out; each outcome that is an exception is the failure of one."""
        self._callers -= len(outcomes)
        if self._trace is not None:
            seconds = self.loop.time() - began
            for outcome in outcomes:
                told = type(outcome).__name__ if isinstance(outcome, BaseException) else "ok"
                self._trace(OperationEnded(name, told, seconds))

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        began = self._enter(1)
        outcome: BaseException | None = None
        try:
            yield
        except BaseException as error:
            outcome = error
            raise
        finally:
            self._leave(name, (outcome,), began)

    def _repeat(self, name: str, error: LdapError) -> float:
        """Tell that an operation is repeated; the pause before that, in seconds."""
        self._tell(OperationRepeated(name, type(error).__name__))
        alone = isinstance(error, Busy) and len(self.addresses) == 1
        return random.uniform(*_BUSY_PAUSE) if alone else 0.0  # noqa: S311 (spreads load, hides nothing)

    @asynccontextmanager
    async def _lent(self, member: Member | None = None) -> AsyncGenerator[Connection, None]:
        """A connection, by default the best; it is judged by how its use ends."""
        member = member or await self._acquire()
        began = self.loop.time()
        try:
            yield member.connection
            member.host.worked()
        except BaseException as error:
            if self.config.exclusive and not isinstance(error, ResultError | ClientLimitError):
                self._members.retire(member, GoneReason.LOST)
            if isinstance(error, LdapError):
                self._members.judge(member, error, began)
            raise
        finally:
            self._release(member, self.loop.time())

    # Who gets which connection.

    def _take(self, now: float) -> Member | None:
        """The best connection, if nothing waits and one is free."""
        if self._waiting.jobs or (member := self._members.choose(now)) is None:
            return None
        member.users += 1
        if member.users > 1 and len(self._members.live) < self.config.size:
            self._members.grow(0)
        return member

    async def _acquire(self) -> Member:
        """A connection, as soon as there is one. It is given back with `_release`."""
        if self._members.closed:
            raise self._members.closed_error()
        if (member := self._take(self.loop.time())) is not None:
            return member
        lease = Lease(self.loop.create_future())
        self._waiting.append(lease)
        self._assign()
        try:
            return await lease.future
        except asyncio.CancelledError:
            self._waiting.remove(lease)
            if lease.future.done() and not lease.future.cancelled() and lease.future.exception() is None:
                self._release(lease.future.result(), self.loop.time())
            raise

    def _submit(self, job: Bind) -> None:
        """Send the bind now, or as soon as a connection is free."""
        if not self._waiting.jobs and (member := self._members.choose(self.loop.time())) is not None:
            job.start(member)
        else:
            self._waiting.append(job)
        if self._waiting.jobs:
            self._assign()

    def _release(self, member: Member, now: float) -> None:
        """An operation on this connection is over: the next one may have it."""
        self._members.release(member, now)
        if not self._waiting.jobs:
            return
        if self.config.exclusive and not (member.retired or member.protocol.over or now >= member.expires):
            self._waiting.start_next(member)  # the quick way: by invariant 2, no other connection is free
            if member.users:
                return
        self._assign()

    def _assign(self) -> None:
        """Hand out what is free, open what is wanted, and refuse those for which there is nothing."""
        now = self.loop.time()
        while self._waiting.jobs and (member := self._members.choose(now)) is not None:
            self._waiting.start_next(member)
        self._members.grow(len(self._waiting.jobs))
        if self._waiting.jobs and self._members.hopeless:
            self._waiting.refuse(self._members.refusal)

    def _late(self) -> LdapError:
        return PoolTimeoutError("no connection became free in time", server=str(self.addresses[0]))

    # Binds.

    def bind_not_sent(self, job: Bind, error: LdapError) -> None:
        """The connection did not take the bind. The caller goes on handing out connections."""
        member, job.member = job.member, None
        assert member is not None
        lost = isinstance(error, ConnectionLostError)
        if lost:
            self._members.retire(member, GoneReason.LOST)
        self._members.release(member, job.began)
        if lost and job.tries < self.config.attempts:
            self._waiting.prepend(job)
        else:
            job.future.set_exception(error)

    def bind_ended(self, job: Bind, error: LdapError | None, controls: tuple[Control, ...]) -> None:
        """A bind in flight was answered, or failed. The next one is sent from here."""
        member, job.member = job.member, None
        if member is None:
            return  # given up
        if error is None:
            member.host.worked()
            if not job.future.done():
                job.future.set_result(controls)
                if job.keep:
                    job.member = member
                    return
        else:
            if not isinstance(error, ResultError):
                self._members.retire(member, GoneReason.LOST)
            self._members.judge(member, error, job.began)
            if not job.future.done():
                self._bind_again_or_fail(job, error)
        self._release(member, job.began)

    def _bind_again_or_fail(self, job: Bind, error: LdapError) -> None:
        if not isinstance(error, REPEATABLE) or job.tries >= self.config.attempts:
            job.future.set_exception(error)
        elif pause := self._repeat("bind", error):
            self.loop.call_later(pause, self._bind_after_pause, job)
        else:
            self._waiting.prepend(job)

    def _bind_after_pause(self, job: Bind) -> None:
        if not job.future.done():
            self._waiting.prepend(job)
            self._assign()

    def _give_up(self, job: Bind) -> None:
        """Nothing waits for it any more. It cannot be abandoned, and a mute server must not delay others."""
        self._waiting.remove(job)
        member, job.member = job.member, None
        if member is not None:
            self._members.retire(member, GoneReason.LOST)
            self._release(member, job.began)

    # From outside.

    async def _open(self, address: Address) -> Connection:
        """A new connection, unless the caller makes them."""
        target, encrypt = self._targets[address]
        if encrypt and self._tls is None:  # once, in a thread, since it reads some hundred certificates
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return await open_connection(
            target,
            tls=self._tls if encrypt else None,
            start_tls=self.config.start_tls,
            timeout=self.config.connect_timeout,
            limits=self.config.limits,
        )

    async def connect(self) -> None:
        """Open a connection now if there is none, even while the hosts are left alone. Raises as `run` does.

        A connection that is being opened already is waited for, and is opened also when this is cancelled.
        """
        await self._members.connect()
        if not self._members.live:
            raise self._members.refusal()

    async def keep(self) -> None:
        """Look after the connections, as the pool does from time to time by itself."""
        await self._members.keep()

    def status(self) -> tuple[PoolStatus, ...]:
        """One row for each connection; one row all the same when there is none."""
        return self._members.status()

    @property
    def failure(self) -> Exception | None:
        """What a host failed with that has not been reached again since; None when all is well."""
        return self._members.failure

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._members.closed

    async def close(self) -> None:
        """Close every connection. Operations in flight and waiting ones end with an error."""
        self._members.closed = True
        await self._members.close()
        self._waiting.refuse(self._members.closed_error)
        self._waiting.close()

    def _tell(self, event: PoolEvent) -> None:
        if self._trace is not None:
            self._trace(event)
