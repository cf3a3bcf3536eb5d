"""What the Sametime port tells to logs and metrics. No event holds a password, a name or a message."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Final


class TurnedAway(Enum):
    """Why a connection ended before a user signed in on it."""

    LATE = "no LOGIN in time"
    CROWDED = "others needed its place"
    NOT_THE_PROTOCOL = "the first byte is of no known protocol"
    NO_PROXY_HEADER = "a trusted proxy sent no PROXY protocol header"
    NO_TLS_HERE = "TLS is not set up"
    TLS_FAILED = "the TLS handshake failed"
    UNENCRYPTED = "unencrypted clients are refused"
    PROTOCOL = "the client broke the protocol"
    GONE = "the client went away"


@dataclass(frozen=True, slots=True)
class ConnectionTurnedAway:
    """A connection on which no user signed in. `detail` has numbers and names of types only."""

    cause: TurnedAway
    address: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClientSignedIn:
    """A session began. `tls` is the version, or None; `seconds` from LOGIN on."""

    client_type: str
    auth_type: str
    tls: str | None
    address: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """A LOGIN was refused by `reason`. `why` says more than the client is sent."""

    reason: str
    client_type: str
    auth_type: str
    address: str
    why: str


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session ended. `reason` is the one given by the side that ended it."""

    reason: str
    client_type: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ServiceRefused:
    """A client asked for a service that it does not get."""

    service: str
    client_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClientIgnored:
    """A client said what has no effect."""

    what: str
    client_type: str
    cause: str


@dataclass(frozen=True, slots=True)
class SlowReader:
    """A session ended because its client does not read: `unsent` bytes wait."""

    client_type: str
    unsent: int


class StorageState(Enum):
    """What the database of stored values can do."""

    AVAILABLE = "values can be loaded and saved"
    READ_ONLY = "values can be loaded, but not saved"
    UNAVAILABLE = "values can't be loaded or saved"


@dataclass(frozen=True, slots=True)
class StorageChanged:
    """The database can do more or less than before. `code` and `detail` are those of the error."""

    state: StorageState
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ValueSaved:
    """A client saved a value; `outcome` is that of `storage.SaveOutcome`, or the code of an error."""

    key: int
    outcome: str


@dataclass(frozen=True, slots=True)
class PrivacyKept:
    """The list that a client sends at sign-in did not replace the stricter one that is stored."""

    client_type: str


@dataclass(frozen=True, slots=True)
class GroupRead:
    """The content of a watched group was read again, or could not be: `error`."""

    members: int
    truncated: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentalUsed:
    """A client used what is marked experimental."""

    what: str
    client_type: str


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A fault in Quintet: what was asked for is not answered. `where` is the line of the fault."""

    what: str
    error: str
    where: str


@dataclass(frozen=True, slots=True)
class FewOpenFiles:
    """The system allows fewer open files than the limit of sessions needs: `possible` sessions."""

    possible: int
    wanted: int


@dataclass(frozen=True, slots=True)
class UnencryptedClientsAllowed:
    """The settings let clients sign in without TLS: a determined listener can read their passwords."""


SametimeTraceEvent = (
    ConnectionTurnedAway
    | ClientSignedIn
    | SignInRefused
    | SessionClosed
    | ServiceRefused
    | ClientIgnored
    | SlowReader
    | StorageChanged
    | ValueSaved
    | PrivacyKept
    | GroupRead
    | ExperimentalUsed
    | TaskFailed
    | FewOpenFiles
    | UnencryptedClientsAllowed
)
SametimeTrace = Callable[[SametimeTraceEvent], None]

_COUNTED: Final = frozenset(
    {"cause", "client_type", "auth_type", "tls", "reason", "service", "what", "outcome", "state"}
)
_MOST_KINDS: Final = 10_000


class TraceCounter:
    """Counts events by their kind and by those of their fields that have few values."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def add(self, event: SametimeTraceEvent) -> None:
        labels = [
            f"{each.name}={_label(getattr(event, each.name))}"
            for each in fields(event)
            if each.name in _COUNTED
        ]
        key = (type(event).__name__, *labels)
        if key not in self.counts and len(self.counts) >= _MOST_KINDS:  # client types are up to clients
            key = (type(event).__name__,)
        self.counts[key] += 1

    def count(self, kind: type[SametimeTraceEvent], **labels: object) -> int:
        """How many events of a kind there were with these fields."""
        wanted = {f"{name}={_label(value)}" for name, value in labels.items()}
        return sum(n for key, n in self.counts.items() if key[0] == kind.__name__ and wanted <= set(key[1:]))


def _label(value: Any) -> str:
    return value.name if isinstance(value, Enum) else str(value)
