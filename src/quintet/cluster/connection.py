"""The real `Valkey`: three connections to one server, made again whenever one of them is lost.

Theory of operation
-------------------
There is a link for scripts, one for subscriptions, and one that reads a stream. They are up or down together:
`_run` opens all three, tells `connected`, and when one fails, closes all, answers what was under way, tells
`disconnected`, waits (longer each time, by chance within bounds) and begins anew. While they are down
`_links` is None, the queues are empty, and calls are answered with `AWAY`.

**Scripts.** `call` puts a call in `_queue`, `call_lazily` in `_lazy`. In the next turn of the loop `_flush`
sends both as one write; `_sent` holds what was sent in the order of the answers. A script is loaded on each
connection before its first call. When Valkey has lost it all the same (SCRIPT FLUSH), nothing new is sent
until all answers have come; then what was not carried out is sent again, before what was asked since.

**Life.** Every 2 seconds the links for scripts and for subscriptions are asked for a sign of life: the first
for its role, so that a master that has become a replica is left. A link that owes an answer for ANSWER
seconds is lost. It is looked at twice, so that a pause of this process is not taken for one of Valkey.

**Bounds.** A value that is larger than `largest` is not kept in memory: of a stream or channel it is dropped
and counted, in the answer to a script it makes the call fail. Calls beyond `_MOST_WAITING` are answered with
`AWAY`. Answers that wait are handled for `_TURN` seconds, then the loop has its turn.
"""

import asyncio
import hashlib
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, final

import structlog
from redis.exceptions import NoScriptError, RedisError

from quintet.cluster.events import (
    CallRefused,
    ClusterCounts,
    ClusterEvent,
    ClusterTrace,
    Ignored,
    ValkeyDown,
    ValkeyUp,
    ValuesIgnored,
)
from quintet.cluster.link import (
    OVERSIZE,
    Link,
    LinkEndedError,
    LinkOpener,
    Oversize,
    ServerInfo,
    UnsuitableValkeyError,
    explained,
)
from quintet.cluster.valkey import (
    Answer,
    Argument,
    CallFailure,
    ClusterUnavailableError,
    Reply,
    Script,
    ValkeyEvents,
    ask,
)
from quintet.config import ValkeyAddress
from quintet.tls import CrlError, StoreError, TlsSettings, TlsSettingsError

TICK: Final = 2.0
"""Seconds between two ticks, and between two signs of life."""
ANSWER: Final = 3.0
"""Seconds that an answer may take."""
LAZY: Final = 0.05
"""Seconds that a lazy call waits for others."""
LARGEST: Final = 2 * 1024 * 1024
"""Bytes of the largest value that is read, by default."""
_LOOK: Final = 0.5
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0
_MOST_WAITING: Final = 20_000
_MOST_AT_ONCE: Final = 1000
_MOST_UNSENT: Final = 64 * 1024 * 1024
_TURN: Final = 0.01
_AT_ONCE: Final = 32
_BLOCK: Final = 1.0
_TELL_EVERY: Final = 60.0
_CLOSE_WITHIN: Final = 1.0

_P = ParamSpec("_P")
_NOTHING: Final = Script("nothing", "return 1")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Call:
    script: Script
    keys: Sequence[str]
    args: Sequence[Argument]
    answer: Answer | None


@dataclass(slots=True)
class _Sent:
    """What an answer is awaited for: a call, or a question of our own (`call` is None)."""

    at: float
    call: _Call | None = None
    role: bool = False


@dataclass(frozen=True, slots=True)
class _Links:
    scripts: Link
    channels: Link
    stream: Link

    def __iter__(self) -> Any:
        return iter((self.scripts, self.channels, self.stream))


@final
class ValkeyConnection:
    """Implements `Valkey`. Open while the context is; entering does not wait for Valkey.

    `listeners` hear what comes, in their order. `tls` counts where the address is encrypted.
    """

    def __init__(
        self,
        address: ValkeyAddress,
        tls: TlsSettings | None = None,
        *,
        trace: ClusterTrace | None = None,
        largest: int = LARGEST,
    ) -> None:
        self.address = address
        self.listeners: list[ValkeyEvents] = []
        self.counts = ClusterCounts()
        self.server = ServerInfo()
        self._tls = tls or TlsSettings()
        self._trace = trace
        self._opener = LinkOpener(address, self._tls, largest=largest)
        self._links: _Links | None = None
        self._queue: list[_Call] = []
        self._lazy: list[_Call] = []
        self._again: list[_Call] = []
        self._sent: deque[_Sent] = deque()
        self._loaded: set[str] = set()
        self._wanted: list[tuple[str, str]] = []
        self._ponged = 0.0
        self._scheduled = False
        self._stream: tuple[str, bytes | str] | None = None
        self._stream_chosen = asyncio.Event()
        self._stream_asked: float | None = None
        self._decided = asyncio.Event()
        self._failure: Exception | None = None
        self._told: dict[str, float] = {}
        self._reason = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._tick())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was asked before is still sent, if Valkey answers quickly."""
        with suppress(TimeoutError, ClusterUnavailableError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await ask(self, _NOTHING, (), ())  # answers come in the order of the calls
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    @property
    def up(self) -> bool:
        """Whether the connections are up."""
        return self._links is not None

    @property
    def reason(self) -> str:
        """Why the connections are down, empty while they are up. It holds no secret."""
        return "" if self.up else self._reason

    async def first_attempt(self, within: float) -> bool:
        """Whether the connections came up, or are found to be down, within this time; for the start.

        Raises UnsuitableValkeyError when the server can't be used and will not change.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._decided.wait()
        if isinstance(self._failure, UnsuitableValkeyError) and not self._failure.passing:
            raise self._failure
        return self.up

    # Valkey.

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        self.counts.calls += 1
        call = _Call(script, keys, args, answer)
        waiting = len(self._queue) + len(self._sent) + len(self._again)
        if self._links is None or waiting >= _MOST_WAITING or self._links.scripts.unsent > _MOST_UNSENT:
            asyncio.get_running_loop().call_soon(self._answer, call, CallFailure.AWAY)
            return
        self._queue.append(call)
        self._schedule()

    def call_lazily(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        """As `call`, with what is asked next, at the latest after LAZY seconds."""
        if self._links is None:
            self.call(script, keys, args, answer)
            return
        self.counts.calls += 1
        if not self._lazy:
            asyncio.get_running_loop().call_later(LAZY, self._schedule)
        self._lazy.append(_Call(script, keys, args, answer))

    def subscribe(self, channel: str) -> None:
        self._want("SUBSCRIBE", channel)

    def unsubscribe(self, channel: str) -> None:
        self._want("UNSUBSCRIBE", channel)

    def read_stream(self, key: str) -> None:
        if self._links is not None:
            self._stream = (key, "0")
            self._stream_chosen.set()

    def _want(self, command: str, channel: str) -> None:
        if self._links is not None:
            self._wanted.append((command, channel))
            self._schedule()

    # What is sent.

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send what was asked in this turn."""
        self._scheduled = False
        if self._links is None:
            return
        if self._wanted:
            self._links.channels.write(_grouped(self._wanted))
            self._wanted = []
        if self._lazy:
            self._queue, self._lazy = [*self._lazy, *self._queue], []
        if self._queue and not self._again:
            calls, self._queue = self._queue[:_MOST_AT_ONCE], self._queue[_MOST_AT_ONCE:]
            self._send(self._links.scripts, calls)
            if self._queue:
                self._schedule()

    def _send(self, link: Link, calls: Sequence[_Call]) -> None:
        now = asyncio.get_running_loop().time()
        commands: list[Sequence[Argument]] = []
        for call in calls:
            digest = _digest(call.script.lua)
            if digest not in self._loaded:
                self._loaded.add(digest)
                commands.append(("SCRIPT", "LOAD", call.script.lua))
                self._sent.append(_Sent(now))
            commands.append(("EVALSHA", digest, len(call.keys), *call.keys, *call.args))
            self._sent.append(_Sent(now, call))
        link.write(commands)
        self.counts.round_trips += 1

    # The connections, up and down.

    async def _run(self) -> None:
        failures = 0
        while True:
            links: _Links | None = None
            try:
                self.server, opened = await self._opener.open(3)
                links = _Links(*opened)
                began = asyncio.get_running_loop().time()
                try:
                    self._came_up(links)
                    await self._read(links)
                finally:
                    self._went_down()
                    if asyncio.get_running_loop().time() - began > _LONGEST_WAIT:
                        failures = 0
            except (UnsuitableValkeyError, LinkEndedError, RedisError, OSError, EOFError) as error:
                self._failed(error)
            except (StoreError, TlsSettingsError, CrlError, ValueError) as error:
                self._failed(error)
            finally:
                for link in links or ():
                    link.shut()
            longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(failures, 10))
            failures += 1
            await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311  # to spread load

    def _came_up(self, links: _Links) -> None:
        now = asyncio.get_running_loop().time()
        self._links, self._ponged, self._failure, self._reason = links, now, None, ""
        self._loaded.clear()
        self._stream_chosen.clear()
        self._stream = self._stream_asked = None
        self.counts.up = True
        self.counts.connects += 1
        self._tell(ValkeyUp(str(self.address), f"{self.server.product} {self.server.version}".strip()))
        self._decided.set()
        for each in tuple(self.listeners):
            self._safely(each.connected, self.server.id, now)

    def _went_down(self) -> None:
        self._links = None
        self.counts.up = False
        self.counts.losses += 1
        unknown = [each.call for each in self._sent if each.call is not None]
        away = [*self._again, *self._lazy, *self._queue]
        self._sent.clear()
        self._again, self._lazy, self._queue, self._wanted = [], [], [], []
        for call in unknown:
            self._answer(call, CallFailure.UNKNOWN)
        for call in away:
            self._answer(call, CallFailure.AWAY)
        for each in tuple(self.listeners):
            self._safely(each.disconnected, asyncio.get_running_loop().time())

    def _failed(self, error: Exception) -> None:
        self._failure = error
        self._decided.set()
        reason, fix = explained(error, self.address, self._tls)
        if reason != self._reason:
            self._reason = reason
            self._tell(ValkeyDown(str(self.address), reason, fix))

    # What comes.

    async def _read(self, links: _Links) -> None:
        """Until something fails. Raises what did."""
        readers = (
            self._read_answers(links.scripts),
            self._read_channels(links.channels),
            self._read_entries(links.stream),
            self._watch(links),
        )
        tasks = [asyncio.ensure_future(each) for each in readers]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # the first one counts

    async def _read_answers(self, link: Link) -> None:
        turn = _Turn()
        while True:
            reply = await link.answer()
            sent = self._sent.popleft() if self._sent else None
            if sent is None:
                raise LinkEndedError("Valkey sent an answer to no question")
            if sent.role:
                _check_role(reply)
            elif sent.call is not None and isinstance(reply, NoScriptError):
                self._loaded.clear()
                self._again.append(sent.call)
            elif sent.call is not None:
                self._take(sent.call, reply)
            if self._again and not any(each.call for each in self._sent):
                again, self._again = [*self._again, *self._queue], []
                self._queue = []
                self._send(link, again)
            await turn.pause()

    def _take(self, call: _Call, reply: Any) -> None:
        if isinstance(reply, RedisError):
            self._refused(call.script.name, str(reply))
            self._answer(call, CallFailure.REFUSED)
        elif _is_oversize(reply):
            self.ignore(Ignored.OVERSIZE)
            self._answer(call, CallFailure.REFUSED)
        else:
            self._answer(call, reply)

    async def _read_channels(self, link: Link) -> None:
        turn = _Turn()
        while True:
            message = await link.answer()
            now = asyncio.get_running_loop().time()
            match message:
                case [b"message", bytes() as channel, bytes() as data]:
                    for each in tuple(self.listeners):
                        self._safely(each.published, channel.decode("utf-8", "replace"), data, now)
                case [b"subscribe", bytes() as channel, _]:
                    for each in tuple(self.listeners):
                        self._safely(each.confirmed, channel.decode("utf-8", "replace"), now)
                case [b"pong", *_] | b"PONG":
                    self._ponged = now
                case [b"message", _, Oversize()]:
                    self.ignore(Ignored.OVERSIZE)
                case [b"unsubscribe", *_]:
                    pass
                case RedisError():
                    self._refused("subscribe", str(message))
                case _:
                    self.ignore(Ignored.MALFORMED)
            await turn.pause()

    async def _read_entries(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        turn = _Turn()
        while True:
            await self._stream_chosen.wait()
            assert self._stream is not None, "it is chosen"
            key, last = chosen = self._stream
            block = int(_BLOCK * 1000)
            link.write([("XREAD", "COUNT", _AT_ONCE, "BLOCK", block, "STREAMS", key, last)])
            self._stream_asked = loop.time()
            reply = await link.answer()
            self._stream_asked = None
            if isinstance(reply, RedisError):
                self._refused("stream", str(reply))
                await asyncio.sleep(_BLOCK)
                continue
            for entry_id, data in _entries(reply):
                if self._stream is not chosen:
                    break
                self._stream = chosen = (key, entry_id)
                if isinstance(data, bytes):
                    for each in tuple(self.listeners):
                        self._safely(each.entry, key, entry_id.decode("ascii", "replace"), data, loop.time())
                else:
                    self.ignore(Ignored.OVERSIZE if data is OVERSIZE else Ignored.MALFORMED)
                await turn.pause()

    async def _watch(self, links: _Links) -> None:
        """Ends with an error when a link owes an answer for too long."""
        loop = asyncio.get_running_loop()
        late_before, asked = False, loop.time()
        pinged: float | None = None
        while True:
            await asyncio.sleep(_LOOK)
            now = loop.time()
            if pinged is not None and self._ponged >= pinged:
                pinged = None
            debts = (
                self._sent[0].at if self._sent else None,
                pinged,
                None if self._stream_asked is None else self._stream_asked + _BLOCK,
            )
            late = any(since is not None and now - since > ANSWER for since in debts)
            if late and late_before:
                raise LinkEndedError("Valkey does not answer")
            late_before = late
            if now - asked >= TICK:
                asked = now
                links.scripts.write([("ROLE",)])
                self._sent.append(_Sent(now, role=True))
                if pinged is None:
                    links.channels.write([("PING",)])
                    pinged = now

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for each in tuple(self.listeners):
                self._safely(each.tick, asyncio.get_running_loop().time())

    # To others.

    def ignore(self, reason: Ignored) -> None:
        """Count something that is not used, and tell it from time to time."""
        self.counts.ignored[reason] += 1
        if self._is_due(f"ignored {reason.value}"):
            self._tell(ValuesIgnored(reason, self.counts.ignored[reason]))

    def _refused(self, name: str, error: str) -> None:
        if self._is_due(f"refused {name}"):
            self._tell(CallRefused(name, error[:200]))

    def _is_due(self, what: str) -> bool:
        now = asyncio.get_running_loop().time()
        due = now - self._told.get(what, -_TELL_EVERY) >= _TELL_EVERY
        if due:
            self._told[what] = now
        return due

    def _answer(self, call: _Call, reply: Reply | CallFailure) -> None:
        if isinstance(reply, CallFailure):
            self.counts.failures[reply] += 1
        if call.answer is not None:
            self._safely(call.answer, reply)

    def _tell(self, event: ClusterEvent) -> None:
        if self._trace is not None:
            self._trace(event)

    @staticmethod
    def _safely(work: Callable[_P, object], *args: _P.args, **named: _P.kwargs) -> None:
        """A fault of one listener must not end the connection of all."""
        try:
            work(*args, **named)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is logged
            _log.exception("the cluster failed to handle an event", kind=type(error).__name__)


class _Turn:
    """Gives the loop its turn when what has come takes long to handle."""

    __slots__ = ("_began", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    async def pause(self) -> None:
        if self._loop.time() - self._began > _TURN:
            await asyncio.sleep(0)
            self._began = self._loop.time()


@cache
def _digest(lua: str) -> str:
    """The name that Valkey gives a script; scripts are constants of the code."""
    return hashlib.sha1(lua.encode(), usedforsecurity=False).hexdigest()


def _grouped(wanted: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Commands with many channels each, in the order in which they were asked."""
    commands: list[list[str]] = []
    for command, channel in wanted:
        if not commands or commands[-1][0] != command:
            commands.append([command])
        commands[-1].append(channel)
    return commands


def _check_role(reply: Any) -> None:
    """Leaves a master that has become a replica. A server that hides its role is believed."""
    match reply:
        case [bytes() as role, *_] if role != b"master":
            raise LinkEndedError("the master has become a replica")


def _is_oversize(reply: Any) -> bool:
    return reply is OVERSIZE or (isinstance(reply, list) and any(_is_oversize(each) for each in reply))


def _entries(reply: Any) -> list[tuple[bytes, Any]]:
    """The IDs of the entries in an answer of XREAD, and the value of the last field of each."""
    found: list[tuple[bytes, Any]] = []
    for part in reply or ():
        for entry_id, fields in part[1]:
            found.append((entry_id, fields[-1] if fields else None))
    return found
