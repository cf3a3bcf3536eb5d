"""What a connection reports to a trace function. None of it can hold a password or a value."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """A request was handed to the connection; `operation` is its verb."""

    id: int
    operation: str


@dataclass(frozen=True, slots=True)
class Received:
    """An answer to the request `id`. `code` is the result code of a final answer, else None."""

    id: int
    operation: str
    code: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The request `id` ended without an answer: "timed out", "abandoned"."""

    id: int
    operation: str
    why: str


@dataclass(frozen=True, slots=True)
class Encrypted:
    """TLS was established."""

    version: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; `reason` is None when we closed it."""

    reason: str | None


TraceEvent = Sent | Received | Ended | Encrypted | Closed
Trace = Callable[[TraceEvent], None]
