"""What the cluster asks of Valkey (or Redis), and what it hears from it, without a socket.

Theory of operation
-------------------
The modules of the cluster are synchronous: they hold a `Valkey` and never wait for it. `ValkeyConnection` is
the real one; tests have one with a clock and a network of their own. All that is asked in one turn of the
event loop goes out together, in the order in which it was asked.

A connection is up or down. Each time it comes up, `ValkeyEvents.connected` is called first, with an ID of
the server's data: another one, or a new connection, means that anything may have been lost meanwhile. While
it is down every call fails at once. A call under way when the connection is lost fails with `UNKNOWN`: it
may have been carried out. Subscriptions are gone with the connection; a listener asks again in `connected`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script: one atomic step. `name` is for logs and for tests."""

    name: str
    lua: str


class CallFailure(Enum):
    """Why a call has no answer."""

    AWAY = auto()
    """It was not sent."""
    UNKNOWN = auto()
    """The connection was lost before the answer came."""
    REFUSED = auto()
    """Valkey answered with an error: it is full, read-only, or does not allow it."""


Reply: TypeAlias = bytes | int | list["Reply"] | None
"""An answer as RESP 2 has it; a status is bytes."""

Answer = Callable[[Reply | CallFailure], None]
Argument = bytes | str | int


class Valkey(Protocol):
    """Takes what is asked. No method waits, and none raises for a Valkey that is away."""

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        """Run a script. `answer` is called once, in a later turn of the loop."""

    def subscribe(self, channel: str) -> None:
        """Ask for what is published there. `ValkeyEvents.confirmed` says from when on it comes."""

    def unsubscribe(self, channel: str) -> None:
        """It is not wanted any more; some may still come."""

    def read_stream(self, key: str) -> None:
        """Pass on the entries of this stream from its beginning on, instead of the one before."""


class ValkeyEvents(Protocol):
    """Hears what comes. `now` is in seconds of a monotonic clock."""

    def connected(self, server: str, now: float) -> None:
        """The connection is up, at the data with this ID. Nothing is subscribed, no stream is read."""

    def disconnected(self, now: float) -> None:
        """The connection is down."""

    def confirmed(self, channel: str, now: float) -> None:
        """The subscription holds: what is published from now on will come."""

    def published(self, channel: str, data: bytes, now: float) -> None:
        """Data on a channel."""

    def entry(self, stream: str, entry_id: str, data: bytes, now: float) -> None:
        """An entry of the stream that is read, in its order."""

    def tick(self, now: float) -> None:
        """Time passes: called every 2 seconds, and seldom later."""


class ClusterUnavailableError(Exception):
    """Valkey did not answer; `failure` says whether the call may have been carried out."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__("Valkey is not available")
        self.failure = failure


async def ask(valkey: Valkey, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Reply:
    """The answer of a script, for those who may wait for it. Raises ClusterUnavailableError.

    It comes within some seconds, or the connection is found to be down.
    """
    answered: asyncio.Future[Reply | CallFailure] = asyncio.get_running_loop().create_future()

    def answer(reply: Reply | CallFailure) -> None:
        if not answered.done():
            answered.set_result(reply)

    valkey.call(script, keys, args, answer)
    reply = await answered
    if isinstance(reply, CallFailure):
        raise ClusterUnavailableError(reply)
    return reply
