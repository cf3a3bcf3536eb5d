"""What the embedded server does wrong on demand: for tests of what a real server won't do on demand.

A `Fault` says what happens, to which operations, after how many good ones and how often. `Faults` holds them;
the first that applies decides. Without one that applies, the server answers as it should.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, final

Operation = Literal["connect", "bind", "search", "compare", "extended", "change"]
"""`connect` is before the first byte, on a TLS port after the handshake. Silence, Drop, Garbage and Notice
can happen to it. `change` is what this server refuses: add, modify, delete, modify DN."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Answers when `event` is set."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Delay:
    """Answers `seconds` late. Tests rather take `Wait`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Silence:
    """Never answers."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Resets the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Sends the first `size` bytes of the whole answer; then silence, or a reset with `drop`."""

    size: int
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Garbage:
    """Sends `data` instead of an answer."""

    data: bytes = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@dataclass(frozen=True, slots=True)
class WrongId:
    """Answers a message id that is off `by` so much."""

    by: int = 1000


@dataclass(frozen=True, slots=True)
class AnswerWith:
    """Answers with this result code, without entries: 51 busy, 52 unavailable, 4 size limit and so on."""

    code: int
    diagnostic: str = ""
    after_entries: int = 0
    """For a search: how many entries come first."""


@dataclass(frozen=True, slots=True)
class Endless:
    """Answers a search with entries that never end, each `size` bytes large."""

    size: int = 1000


@dataclass(frozen=True, slots=True)
class Notice:
    """Sends a notice of disconnection (RFC 4511 4.4.1) and closes."""

    code: int = 52
    diagnostic: str = "the server is shutting down"


Action = Wait | Delay | Silence | Drop | Cut | Garbage | WrongId | AnswerWith | Endless | Notice


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls operations of one kind, or of any: not the first `after`, then so many `times`."""

    action: Action
    operation: Operation | None = None
    after: int = 0
    times: int | None = None


@final
@dataclass(slots=True)
class Faults:
    """The script of a server. It counts what comes, over all connections."""

    faults: tuple[Fault, ...] = ()
    _seen: Counter[Fault] = field(default_factory=Counter)

    def next(self, operation: Operation) -> Action | None:
        """What is to happen to the operation that comes now."""
        chosen: Action | None = None
        for fault in self.faults:
            if fault.operation not in (None, operation) or (
                fault.operation is None and operation == "connect"
            ):
                continue
            self._seen[fault] += 1
            past = self._seen[fault] - fault.after
            if chosen is None and past > 0 and (fault.times is None or past <= fault.times):
                chosen = fault.action
        return chosen


def failing(
    action: Action, operation: Operation | None = None, *, after: int = 0, times: int | None = None
) -> Faults:
    """A script of one fault."""
    return Faults((Fault(action, operation, after, times),))
