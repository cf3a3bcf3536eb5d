"""What the directory side tells to logs and metrics. No event holds a password, a name or a value."""

from collections.abc import Callable
from dataclasses import dataclass

from quintet.directory.services import Service
from quintet.ldap import PoolEvent


@dataclass(frozen=True, slots=True)
class ConnectionEvent:
    """What happened on the connections of a service to a server.

    Of a `ConnectionOpened`, `prepared` is a `BoundConnection`; of a `ConnectionFailed`, `error` is a
    `DirectoryError`.
    """

    service: Service
    server: str
    event: PoolEvent


@dataclass(frozen=True, slots=True)
class Warned:
    """The administrator should know this."""

    service: Service
    server: str
    message: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """How an authentication ended: "ok", "refused", "unreachable". `reason` is not shown to the user."""

    outcome: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SignInsBlocked:
    """After too many failures sign-ins are refused for some seconds.

    `scope` is "name at network", "network" or "name"; `network` is empty where the name counts from anywhere.
    """

    scope: str
    network: str
    seconds: float


Event = ConnectionEvent | Warned | SignedIn | SignInsBlocked
Trace = Callable[[Event], None]
