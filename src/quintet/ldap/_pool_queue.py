"""The operations that wait for a connection of a pool: in order, each with a deadline, one timer for all.

The theory of operation is in `pool`, the only user of this module.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, final

from quintet.ldap._pool_members import Member
from quintet.ldap.errors import NO_TEXT, LdapError, LocalProtocolError
from quintet.ldap.messages import Control, encode_controls
from quintet.ldap.operations import BindOperation
from quintet.ldap.pool_config import PoolConfig

_NEVER = float("inf")


class Job(Protocol):
    """What waits. Its future is done when it has ended, or its caller was cancelled."""

    future: asyncio.Future[Any]
    deadline: float

    def start(self, member: Member) -> None:
        """Use this connection. From here on, the job gives it back."""


@final
class Lease:
    """The job of an operation that is a coroutine: its future brings the connection."""

    __slots__ = ("deadline", "future")

    def __init__(self, future: asyncio.Future[Member]) -> None:
        self.future = future
        self.deadline = _NEVER

    def start(self, member: Member) -> None:
        member.users += 1
        self.future.set_result(member)


class BindingPool(Protocol):
    """The pool, as a bind sees it: where a bind ends, the pool decides what comes next."""

    config: PoolConfig

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def bind_not_sent(self, job: "Bind", error: LdapError) -> None: ...

    def bind_ended(self, job: "Bind", error: LdapError | None, controls: tuple[Control, ...]) -> None: ...


@final
class Bind(BindOperation):
    """A simple bind: the job, and the operation in flight.

    `member` is the connection that it is in flight on, or that it keeps after success if it is to `keep` it.
    """

    __slots__ = ("began", "future", "keep", "member", "pool", "tries")

    def __init__(
        self, pool: BindingPool, dn: str, password: str | bytes, controls: Sequence[Control], *, keep: bool
    ) -> None:
        super().__init__(
            dn,
            _utf8(dn, "surrogateescape"),
            _utf8(password),
            unencrypted=pool.config.unencrypted_passwords,
            controls=encode_controls(tuple(controls)) if controls else b"",
        )
        self.pool = pool
        self.keep = keep
        self.future: asyncio.Future[tuple[Control, ...]] = pool.loop.create_future()
        self.member: Member | None = None
        self.began = 0.0
        self.tries = 0

    def start(self, member: Member) -> None:
        self.member = member
        self.server = member.protocol.server
        self.tries += 1
        self.began = now = self.pool.loop.time()
        self.deadline = now + self.pool.config.limits.timeout
        member.users += 1
        try:
            member.protocol.bind(self)
        except LdapError as error:
            self.pool.bind_not_sent(self, error)

    def ended(self, error: LdapError | None, controls: tuple[Control, ...] = ()) -> None:
        self.pool.bind_ended(self, error, controls)


def _utf8(text: str | bytes, errors: str = "strict") -> bytes:
    """The bytes of what may be a secret: an error must not lead back to it."""
    if isinstance(text, bytes):
        return text
    with suppress(UnicodeError):
        return text.encode("utf-8", errors)
    raise LocalProtocolError(NO_TEXT, operation="bind")


@final
class Queue:
    """Jobs in the order of their deadlines. `patience` is how long one waits, in seconds.

    Those whose time is up end with an error that `late` makes.
    """

    def __init__(self, patience: float, late: Callable[[], LdapError]) -> None:
        self._patience = patience
        self._late = late
        self.jobs: OrderedDict[Job, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def append(self, job: Job) -> None:
        """Behind all others."""
        job.deadline = asyncio.get_running_loop().time() + self._patience
        self.jobs[job] = None
        self._watch()

    def prepend(self, job: Job) -> None:
        """Before all others, and no later than these: deadlines stay in order."""
        job.deadline = asyncio.get_running_loop().time() + self._patience
        if self.jobs:
            job.deadline = min(job.deadline, next(iter(self.jobs)).deadline)
        self.jobs[job] = None
        self.jobs.move_to_end(job, last=False)
        self._watch()

    def remove(self, job: Job) -> None:
        """Whether or not it waits."""
        self.jobs.pop(job, None)

    def start_next(self, member: Member) -> None:
        """Give the connection to the first job, if that is still wanted."""
        job, _ = self.jobs.popitem(last=False)
        if not job.future.done():
            job.start(member)

    def refuse(self, error: Callable[[], LdapError]) -> None:
        """End all jobs, each with an error of its own."""
        while self.jobs:
            job, _ = self.jobs.popitem(last=False)
            if not job.future.done():
                job.future.set_exception(error())

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        if self._timer is None and self.jobs:
            first = next(iter(self.jobs)).deadline
            self._timer = asyncio.get_running_loop().call_at(first, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self.jobs and (job := next(iter(self.jobs))).deadline <= now:
            del self.jobs[job]
            if not job.future.done():
                job.future.set_exception(self._late())
        self._watch()
