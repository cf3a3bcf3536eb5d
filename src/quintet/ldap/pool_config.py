"""What a pool is given, and what it reports: its configuration, the status of its connections, its events."""

from dataclasses import dataclass, field
from enum import Enum

from quintet.ldap.connection import Connection
from quintet.ldap.limits import Address, Limits


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """How a pool works. Times are in seconds."""

    size: int = 1
    """The connections that are kept. They are opened when there is use for them."""

    max_size: int | None = None
    """The most connections under load (None: as `size`). Those above `size` are closed when they are idle."""

    exclusive: bool = False
    """One operation at a time on a connection, as binds need it. Otherwise operations share connections."""

    limits: Limits = field(default_factory=Limits)
    """The limits of each connection. `limits.timeout` is also the longest wait for a free connection."""

    connect_timeout: float = 6.0
    """For TCP and TLS together, for `prepare`, and for a health check: each has this long."""

    lifetime: float | None = None
    """The greatest age of a connection. Each is replaced at 80 to 100 % of it, so that all do not go at
    once."""

    idle_probe: float = 60.0
    """How long a connection may be unused before it is checked, by a read of the root DSE."""

    upkeep_interval: float = 15.0
    """How often idle and old connections are looked for, and the return to the first host is tried."""

    return_after: float = 60.0
    """How long connections stay at another host before the first one is tried again."""

    attempts: int = 2
    """How often an operation is tried in all, when connections break or the server is busy."""

    max_callers: int = 10_000
    """The most operations in the pool, waiting ones included. Further ones are refused."""

    unencrypted_passwords: bool = False
    """Whether `Pool.bind` may send a password over an unencrypted connection."""

    start_tls: bool = False
    """Whether TLS begins with StartTLS."""


class ConnectionState(Enum):
    """What a connection of a pool is doing."""

    CONNECTED = "connected"
    CONNECTING = "connecting"
    IDLE = "not opened yet"
    RETRYING = "retrying"
    CLOSED = "closed"


class GoneReason(Enum):
    """Why a connection left a pool."""

    LOST = "lost"
    BUSY = "busy"
    OLD = "old"
    IDLE = "idle"
    MOVED = "moved"
    DOUBTFUL = "doubtful"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """One connection of a pool; where there is none, why.

    `prepared` is what `prepare` returned for it. `reconnects` counts the connections of the pool that took
    the place of broken ones. `error` is why there is no connection, or none to a preferred host.
    """

    address: Address
    state: ConnectionState
    connection: Connection | None
    prepared: object
    reconnects: int
    error: Exception | None


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A connection is ready. `prepared` is what `prepare` returned for it.

    `reconnect`: it took the place of a broken one.
    """

    address: Address
    encrypted: bool
    prepared: object
    seconds: float
    reconnect: bool


@dataclass(frozen=True, slots=True)
class ConnectionFailed:
    """No connection could be made; the host is left alone for `retry_in` seconds."""

    address: Address
    error: Exception
    retry_in: float


@dataclass(frozen=True, slots=True)
class ConnectionGone:
    """A connection left the pool."""

    address: Address
    reason: GoneReason


@dataclass(frozen=True, slots=True)
class OperationEnded:
    """An operation ended: `outcome` is "ok", or the name of the error's class."""

    operation: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class OperationRepeated:
    """An operation is tried again because of `error`, the name of its class."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class UpkeepFailed:
    """A round of upkeep ended with an unexpected error (the name of its class). The next round comes."""

    error: str


PoolEvent = (
    ConnectionOpened | ConnectionFailed | ConnectionGone | OperationEnded | OperationRepeated | UpkeepFailed
)
