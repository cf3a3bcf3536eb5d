"""The connections of one task at one server, and the hosts that they lead to: opened, judged, ended."""

import asyncio
import random
from collections.abc import Coroutine, Iterable
from typing import final

from quintet.directory.backoff import Host
from quintet.directory.connector import Opener, unreachable
from quintet.directory.endpoint import Endpoint, PoolConfig
from quintet.directory.errors import DirectoryError, DirectoryUnavailableError, UnreachableReason
from quintet.directory.events import Event, Gone, Opened, OpenFailed, Trace
from quintet.directory.link import PooledConnection
from quintet.directory.records import ConnectionStatus, State
from quintet.ldap.errors import LdapError, ResultError

_NEVER = float("inf")
_BROKEN = ("lost", "busy", "doubtful")


@final
class Links:
    """`live` are those that may be used. A retired one is closed as soon as nobody uses it any more."""

    def __init__(self, line: PoolConfig, opener: Opener, trace: Trace | None) -> None:
        self.line = line
        self.hosts = tuple(Host(endpoint) for endpoint in line.endpoints)
        self.live: list[PooledConnection] = []
        self.closed = False
        self._opener = opener
        self._trace = trace
        self._to_replace = 0
        self._reconnects = 0
        self._background: set[asyncio.Task[None]] = set()

    def free(self) -> PooledConnection | None:
        """The connection for the next operation: an idle one where it must be, else the least busy.

        Those that are closed, or too old, go.
        """
        best: PooledConnection | None = None
        now = self.now()
        for link in tuple(self.live):
            if link.connection.closed:
                self.retire(link, "lost")
            elif now >= link.expires:
                self.retire(link, "old")
            elif (not self.line.exclusive or not link.users) and (best is None or link.users < best.users):
                best = link
        return best

    # Opening.

    @property
    def may_open(self) -> bool:
        """Whether there is a host that is not left alone just now."""
        now = self.now()
        return not self.closed and any(host.retry_at <= now for host in self.hosts)

    async def open(self, hosts: Iterable[Host] | None = None) -> PooledConnection:
        """Try the hosts in order, those in doubt last, and not those that failed a moment ago.

        Raises the first one's error.
        """
        failure: DirectoryError | None = None
        for host in sorted(hosts or self.hosts, key=lambda host: host.doubted):
            started = self.now()
            if host.retry_at > started:
                failure = failure or host.refusal(started)
                continue
            try:
                return await self._open_at(host, started)
            except DirectoryError as error:
                pause = host.failed(error, since=started, now=self.now())
                self.tell(OpenFailed(*_place(host.endpoint), str(error), pause))
                failure = failure or error
        assert failure is not None
        raise failure

    async def _open_at(self, host: Host, started: float) -> PooledConnection:
        endpoint = host.endpoint
        try:
            ready = await self._opener(endpoint, self.line)
        except DirectoryError:
            raise
        except Exception as error:  # a fault of ours must not be met again and again without a pause
            raise self._unreachable(UnreachableReason.FAULT, type(error).__name__, endpoint) from error
        now = self.now()
        lifetime = self.line.lifetime
        expires = now + lifetime * random.uniform(0.8, 1.0) if lifetime else _NEVER  # noqa: S311
        link = PooledConnection(ready, host, now, expires)
        if self.closed:
            await ready.connection.close()
            raise self.error(UnreachableReason.CLOSED)
        self.live.append(link)
        host.opened()
        if self._to_replace:
            self._to_replace -= 1
            self._reconnects += 1
        self.tell(Opened(*_place(endpoint), ready.connection.encrypted, ready.way, now - started))
        return link

    # Judging.

    def blame(self, link: PooledConnection, error: LdapError) -> None:
        """Count against the host that a connection was no good.

        A server that says itself that it cannot serve is passed over at once, if there is another to ask.
        """
        told = unreachable(error, link.endpoint)
        if isinstance(error, ResultError) and len(self.hosts) > 1:
            link.host.failed(told, since=link.opened_at, now=self.now())
        else:
            link.host.lost(told, since=link.opened_at, now=self.now())

    def broke(self, link: PooledConnection, error: LdapError, since: float) -> None:
        """A connection broke, or its server is out of service: what was open at `since` goes with it.

        The siblings may be just as dead, and the repetition must not find that out once more.
        """
        self.blame(link, error)
        for each in tuple(self.live):
            if each.host is link.host and each.opened_at <= since:
                self.retire(each, "busy" if isinstance(error, ResultError) else "lost")

    # Ending.

    def retire(self, link: PooledConnection, reason: str) -> None:
        if link.retired:
            return
        link.retired = True
        self.live.remove(link)
        self._to_replace += reason in _BROKEN
        self.tell(Gone(*_place(link.endpoint), reason))
        if not link.users:
            self.shut(link)

    def shut(self, link: PooledConnection) -> None:
        self.in_background(link.connection.close())

    def in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        self.closed = True
        for link in tuple(self.live):
            self.retire(link, "closed")
            if link.users:
                self.shut(link)
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    # EventLogger.

    def status(self, *, opening: bool) -> tuple[ConnectionStatus, ...]:
        """One row for each connection; one row all the same when there is none."""
        rows = tuple(self._with(link) for link in self.live if link.usable)
        return rows or (self._without(self.hosts[0].endpoint, opening=opening),)

    def _with(self, link: PooledConnection) -> ConnectionStatus:
        preferred = self.hosts[: self.hosts.index(link.host)]
        return link.status(self._reconnects, _error_of(preferred))

    def _without(self, endpoint: Endpoint, *, opening: bool) -> ConnectionStatus:
        error = _error_of(self.hosts)
        if self.closed:
            state = State.CLOSED
        elif opening:
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
            reconnects=self._reconnects,
            error=error,
        )

    @property
    def failure(self) -> DirectoryError | None:
        return next((host.error for host in self.hosts if host.error), None)

    def refusal(self) -> DirectoryError:
        """Why there is no connection, and when one is tried again."""
        failed = next((host for host in self.hosts if host.error), None)
        return (
            failed.refusal(self.now()) if failed and not self.closed else self.error(UnreachableReason.CLOSED)
        )

    def error(self, why: UnreachableReason, detail: str = "") -> DirectoryUnavailableError:
        return self._unreachable(why, detail, self.hosts[0].endpoint)

    def _unreachable(
        self, why: UnreachableReason, detail: str, endpoint: Endpoint
    ) -> DirectoryUnavailableError:
        label, server, address = _place(endpoint)
        return DirectoryUnavailableError.because(why, detail, task=label, server=server, address=address)

    def tell(self, event: Event) -> None:
        if self._trace:
            self._trace(event)

    def now(self) -> float:
        return asyncio.get_running_loop().time()


def _place(endpoint: Endpoint) -> tuple[str, str, str]:
    return endpoint.label, endpoint.server, str(endpoint.address)


def _error_of(hosts: Iterable[Host]) -> str | None:
    return next((str(host.error) for host in hosts if host.error), None)
