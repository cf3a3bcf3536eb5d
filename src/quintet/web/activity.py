"""The connections to the directory as administrators watch them: one line for each service and server.

Rates and latency are those of the last WINDOW whole seconds, so that a page shows them without having been
open before.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import final

from quintet.config import Settings
from quintet.directory import (
    Certificate,
    ConnectionEvent,
    ConnectionState,
    ConnectionStatus,
    Event,
    Protection,
    Service,
    endpoints_of,
)
from quintet.ldap import ConnectionGone, ConnectionOpened, GoneReason, OperationEnded

WINDOW = 10
"""Seconds."""
RECENT = 60
"""Seconds for which each second's operations are kept."""

_REFUSED = "InvalidCredentials"
"""The server's answer to a wrong password is no error."""

READABLE = {
    Service.AUTHENTICATE: "names and passwords of users who sign in",
    Service.RESOLVE_LOGIN: "login names, and the entries that they stand for",
    Service.RESOLVE_NAMES: "whom users search for, and the people and groups found",
    Service.BROWSE: "the tree of the directory, as users browse it",
    Service.GROUP_CONTENT: "groups and their members",
    Service.BUSINESS_CARD: "business cards, photos included",
}
"""What is readable on the network where the connections of a service are not encrypted."""

MEANING = {
    Protection.ALL: "The connections of all five tasks are encrypted.",
    Protection.PASSWORDS: "Passwords are sent over encrypted connections; the rest is not encrypted.",
    Protection.NONE: "No connection of the five tasks is encrypted.",
}


@final
class _Second:
    """What ended in one second."""

    __slots__ = ("count", "number", "seconds")

    def __init__(self) -> None:
        self.number = -1
        self.count = 0
        self.seconds = 0.0


@final
class _Counter:
    """The operations of one service at one server."""

    __slots__ = ("errors", "lost", "reconnects", "ring")

    def __init__(self) -> None:
        self.errors = 0
        self.reconnects = 0
        self.lost = False
        self.ring = [_Second() for _ in range(RECENT + 1)]


@dataclass(frozen=True, slots=True)
class Rate:
    """`operations` a second; `latency` is the mean in seconds, None without any.

    `recent` are the operations of each of the last RECENT seconds, the oldest first. Since the start:
    `errors`, and `reconnects`, the connections that took the place of broken ones. `lost`: a connection was
    lost, and none was opened since.
    """

    operations: float = 0.0
    latency: float | None = None
    errors: int = 0
    reconnects: int = 0
    lost: bool = False
    recent: tuple[int, ...] = (0,) * RECENT


@final
class Activity:
    """A `Trace` that counts LDAP operations and reconnects. `clock` tells seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counters: dict[tuple[Service, str], _Counter] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case ConnectionEvent(service, server, OperationEnded() as ended):
                self._ended(self._counter(service, server), ended)
            case ConnectionEvent(service, server, ConnectionOpened(reconnect=reconnect)):
                counter = self._counter(service, server)
                counter.reconnects += reconnect
                counter.lost = False
            case ConnectionEvent(service, server, ConnectionGone(reason=GoneReason.LOST)):
                self._counter(service, server).lost = True
            case _:
                pass

    def _counter(self, service: Service, server: str) -> _Counter:
        counter = self._counters.get((service, server))
        if counter is None:
            counter = self._counters[service, server] = _Counter()
        return counter

    def _ended(self, counter: _Counter, ended: OperationEnded) -> None:
        number = int(self._clock())
        second = counter.ring[number % (RECENT + 1)]
        if second.number != number:
            second.number, second.count, second.seconds = number, 0, 0.0
        second.count += 1
        second.seconds += ended.seconds
        if ended.outcome not in ("ok", _REFUSED):
            counter.errors += 1

    def rate(self, service: Service, server: str) -> Rate:
        """What happened in the last WINDOW seconds, the current one left out."""
        counter = self._counters.get((service, server))
        if counter is None:
            return Rate()
        now = int(self._clock())
        by_number = {each.number: each for each in counter.ring}
        kept = [by_number.get(each) for each in range(now - RECENT, now)]
        last = [each for each in kept[-WINDOW:] if each]
        count = sum(each.count for each in last)
        latency = sum(each.seconds for each in last) / count if count else None
        recent = tuple([each.count if each else 0 for each in kept])
        return Rate(count / WINDOW, latency, counter.errors, counter.reconnects, counter.lost, recent)


@dataclass(frozen=True, slots=True)
class Line:
    """The connections of one service to one server.

    `connected` is how many are open; `encrypted` says how they are, and without one how they would be. Texts
    that several connections share are there once.
    """

    service: Service
    server: str
    encrypted: bool
    connected: int
    addresses: tuple[str, ...]
    tls_versions: tuple[str, ...]
    ciphers: tuple[str, ...]
    certificates: tuple[Certificate, ...]
    bound_as: tuple[str, ...]
    in_flight: int
    errors: tuple[str, ...]
    causes: tuple[str, ...]
    notes: tuple[str, ...]
    rate: Rate

    @property
    def readable(self) -> str | None:
        """What a listener on the network reads; None where nothing is."""
        return None if self.encrypted else READABLE[self.service]


def lines(rows: Iterable[ConnectionStatus], activity: Activity) -> tuple[Line, ...]:
    """The connections by service and server, in their order."""
    found: dict[tuple[Service, str], list[ConnectionStatus]] = {}
    for row in rows:
        found.setdefault((row.service, row.server), []).append(row)
    return tuple(_line(service, server, each, activity) for (service, server), each in found.items())


def _line(service: Service, server: str, rows: list[ConnectionStatus], activity: Activity) -> Line:
    open_ = [row for row in rows if row.state is ConnectionState.CONNECTED]
    return Line(
        service=service,
        server=server,
        encrypted=all(row.encrypted for row in open_ or rows),
        connected=len(open_),
        addresses=_once(row.address for row in open_ or rows),
        tls_versions=_once(row.tls_version for row in open_),
        ciphers=_once(row.cipher for row in open_),
        certificates=tuple(dict.fromkeys(row.certificate for row in open_ if row.certificate)),
        bound_as=_once(row.bound_as for row in open_),
        in_flight=sum(row.in_flight for row in rows),
        errors=_once(row.error for row in rows),
        causes=_once(row.cause for row in rows),
        notes=_once(row.note for row in rows),
        rate=activity.rate(service, server),
    )


def _once(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def days_left(certificate: Certificate) -> int:
    """Whole days until a certificate expires; negative afterwards."""
    moment = datetime.fromisoformat(certificate.expires)
    return (moment - datetime.now(UTC)).days


def account_is_readable(settings: Settings) -> bool:
    """Whether the password of a service account is sent over an unencrypted connection."""
    endpoints = endpoints_of(settings).values()
    return any(each.account is not None and each.account_unencrypted for each in endpoints)
