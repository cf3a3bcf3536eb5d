"""What happens between this node and Valkey: told as it happens, and counted for metrics."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from quintet.cluster.valkey import CallFailure


class Ignored(Enum):
    """Why something from Valkey was not used."""

    OVERSIZE = "oversize"
    """It is larger than anything that a node writes."""
    MALFORMED = "malformed"
    """It has not the form that a node writes."""
    UNSEALED = "unsealed"
    """It does not open with the keys of this node, or is of another version."""


@dataclass(frozen=True, slots=True)
class ValkeyUp:
    """The connections are up. `address` has no password; `version` is empty where it is hidden."""

    address: str
    version: str


@dataclass(frozen=True, slots=True)
class ValkeyDown:
    """The connections were lost, or could not be made; the same reason comes once. `fix` may be empty."""

    address: str
    reason: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ValuesIgnored:
    """Something from Valkey was not used; comes once a minute for each reason, with how many since then."""

    reason: Ignored
    count: int


@dataclass(frozen=True, slots=True)
class CallRefused:
    """Valkey answered a script with an error; reported once a minute for each script. `error` is Valkey's."""

    script: str
    error: str


ClusterEvent: TypeAlias = ValkeyUp | ValkeyDown | ValuesIgnored | CallRefused
ClusterTrace = Callable[[ClusterEvent], None]


@dataclass(slots=True)
class ClusterCounts:
    """What was counted since the start. `up` is the state now."""

    up: bool = False
    connects: int = 0
    losses: int = 0
    calls: int = 0
    round_trips: int = 0
    """Pipelines that were sent: all calls of one turn of the event loop are one."""
    failures: Counter[CallFailure] = field(default_factory=Counter)
    ignored: Counter[Ignored] = field(default_factory=Counter)
