"""What the directory side tells to logs and metrics. No event holds a password, a name or a value."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection is ready. `way` is how it was bound: "none", "anonymous", "simple", "scram"."""

    task: str
    server: str
    address: str
    encrypted: bool
    way: str
    seconds: float


@dataclass(frozen=True, slots=True)
class OpenFailed:
    """No connection came about; the host is left alone for `retry_in` seconds."""

    task: str
    server: str
    address: str
    error: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A connection is over; `reason` is "lost", "busy", "old", "idle", "moved", "doubtful" or "closed"."""

    task: str
    server: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Operated:
    """An operation ended: `outcome` is "ok", or the name of the error."""

    task: str
    server: str
    operation: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Retried:
    """An operation is made once more, because of `why`."""

    task: str
    server: str
    operation: str
    why: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The administrator should know this."""

    task: str
    server: str
    message: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """How a sign-in ended: "ok", "refused", "unreachable". `reason` tells what the person is not told."""

    outcome: str
    reason: str
    seconds: float


Event = Opened | OpenFailed | Gone | Operated | Retried | Warned | SignedIn
Trace = Callable[[Event], None]
