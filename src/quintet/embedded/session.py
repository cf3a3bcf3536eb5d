"""One client of the embedded server: bytes to requests, answers to bytes, and the faults in between."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import Final, final

from quintet.embedded.answers import Conversation, Rules, ending
from quintet.embedded.faults import (
    Action,
    AnswerWith,
    Cut,
    Delay,
    Drop,
    Endless,
    Faults,
    Garbage,
    Notice,
    Operation,
    Silence,
    Wait,
    WrongId,
)
from quintet.embedded.tree import Tree
from quintet.ldap import Entry, ExtendedResponse, Result
from quintet.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    AbandonRequest,
    AddRequest,
    BerError,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    ExtendedRequest,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    SearchRequest,
    SearchResultDone,
    UnbindRequest,
    decode,
    encode,
)

_LARGEST_REQUEST = 4 * 1024 * 1024
_MOST_IN_FLIGHT = 256
_LOOKED_AT_IN_ONE_TURN = 200

_KINDS: Final[dict[type, Operation]] = {
    BindRequest: "bind",
    SearchRequest: "search",
    CompareRequest: "compare",
    ExtendedRequest: "extended",
    AddRequest: "change",
    DeleteRequest: "change",
    ModifyRequest: "change",
    ModifyDNRequest: "change",
}


@dataclass(slots=True)
class SharedState:
    """What all clients of a server share."""

    tree: Tree
    rules: Rules
    tls: ssl.SSLContext | None
    certificate: bytes | None
    faults: Faults
    counts: Counter[str] = field(default_factory=Counter)
    sessions: "set[EmbeddedSession]" = field(default_factory=set)


@final
class EmbeddedSession(asyncio.Protocol):
    """Binds and StartTLS run alone, as RFC 4511 4.2.1 and 4.14.1 want; everything else side by side."""

    def __init__(self, service: SharedState, *, encrypted: bool) -> None:
        self._service = service
        self._answers = Conversation(
            service.tree, service.rules, service.tls is not None, service.certificate, encrypted
        )
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._tasks: dict[asyncio.Task[None], int] = {}
        self._alone = False
        self._writable = asyncio.Event()
        self.closed = asyncio.get_running_loop().create_future()

    # what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._writable.set()
        self._service.sessions.add(self)
        self._service.counts["connections"] += 1
        match self._service.faults.next("connect"):
            case Drop():
                transport.abort()
            case Silence():
                transport.pause_reading()
            case Garbage(data):
                transport.write(data)
            case Notice(code, diagnostic):
                self._disconnect(code, diagnostic)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._take_requests()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # named by asyncio
        self._transport = None
        self._writable.set()
        self._service.sessions.discard(self)
        for task in self._tasks:
            task.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def finished(self) -> None:
        """Wait until the connection and all that it does are gone."""
        await self.closed
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # requests

    def _take_requests(self) -> None:
        while self._transport is not None and not self._transport.is_closing() and not self._alone:
            try:
                size = _message_size(self._buffer)
                if size is None or size > len(self._buffer):
                    break
                message = decode(bytes(self._buffer[:size]))
                self._check(message)
            except BerError as error:
                self._buffer.clear()
                self._disconnect(2, str(error))
                return
            del self._buffer[:size]
            self._take(message)
        if self._transport is not None and not self._transport.is_closing():
            if self._alone or len(self._tasks) >= _MOST_IN_FLIGHT:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _check(self, message: Message) -> None:
        known = isinstance(message.op, UnbindRequest | AbandonRequest) or type(message.op) in _KINDS
        if not known or not message.id or message.id in self._tasks.values():
            raise BerError("this is no request, or its message id is not free")

    def _take(self, message: Message) -> None:
        match message.op:
            case UnbindRequest():
                self._service.counts["unbind"] += 1
                assert self._transport is not None
                self._transport.close()
            case AbandonRequest(number):
                self._service.counts["abandon"] += 1
                for task, its_number in self._tasks.items():
                    if its_number == number:
                        task.cancel()
            case _:
                self._alone = isinstance(message.op, BindRequest) or _is_start_tls(message)
                kind = _KINDS[type(message.op)]
                self._service.counts[kind] += 1
                fault = self._service.faults.next(kind)
                task = asyncio.get_running_loop().create_task(self._perform(message, fault))
                self._tasks[task] = message.id
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        alone = self._alone and len(self._tasks) == 1
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.abort()
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the embedded server failed", "exception": error}
            )
        if alone:
            self._alone = False
        self._take_requests()

    # answers

    async def _perform(self, message: Message, fault: Action | None) -> None:
        if self._alone:
            others = [task for task in self._tasks if task is not asyncio.current_task()]
            await asyncio.gather(*others, return_exceptions=True)
        match fault:
            case None:
                await self._send(self._answer(message))
            case Wait(event):
                await event.wait()
                await self._send(self._answer(message))
            case Delay(seconds):
                await asyncio.sleep(seconds)
                await self._send(self._answer(message))
            case Silence():
                await self._forever()
            case Drop():
                self.abort()
            case Cut(size, drop):
                answer = b"".join(encode(each) for each in self._answer(message) if each is not None)
                self._write(answer[:size])
                await (self._leave() if drop else self._forever())
            case Garbage(data):
                self._write(data)
            case WrongId(by):
                await self._send(each and replace(each, id=each.id + by) for each in self._answer(message))
            case AnswerWith(code, diagnostic, entries):
                found = (each for each in self._answer(message) if _is_entry(each))
                end = ending(message, Result(code, diagnostic=diagnostic))
                await self._send(chain(islice(found, entries), (end,)))
            case Endless(size):
                await self._send(_endless(message, size))
            case Notice(code, diagnostic):
                self._disconnect(code, diagnostic)
        if _is_start_tls(message):
            await self._start_tls()

    def _answer(self, message: Message) -> Iterator[Message | None]:
        if not _is_start_tls(message):
            return self._answers.to(message)
        if self._service.tls is None or self._answers.encrypted:
            return iter((ending(message, Result(2 if self._service.tls is None else 1)),))
        return iter((Message(message.id, ExtendedResponse(Result(), START_TLS)),))

    async def _send(self, answer: "Iterator[Message | None]") -> None:
        for looked_at, message in enumerate(answer, 1):
            if message is not None:
                self._write(encode(message))
            if not self._writable.is_set():
                await self._writable.wait()
            elif looked_at % _LOOKED_AT_IN_ONE_TURN == 0:
                await asyncio.sleep(0)
            if self._transport is None:
                return

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def _start_tls(self) -> None:
        """What came unencrypted behind the request is thrown away, as it may be forged (RFC 4513 3.1.1)."""
        context, transport = self._service.tls, self._transport
        if context is None or transport is None or self._answers.encrypted:
            return
        self._buffer.clear()
        try:
            secured = await asyncio.get_running_loop().start_tls(transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            transport.abort()
            return
        assert secured is not None
        self._transport = secured
        self._answers.encrypted = True
        self._service.counts["start_tls"] += 1

    def _disconnect(self, code: int, diagnostic: str) -> None:
        notice = ExtendedResponse(Result(code, diagnostic=diagnostic), NOTICE_OF_DISCONNECTION)
        self._write(encode(Message(0, notice)))
        if self._transport is not None:
            self._transport.close()

    async def _leave(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _forever(self) -> None:
        await asyncio.shield(self.closed)


def _is_start_tls(message: Message) -> bool:
    return isinstance(message.op, ExtendedRequest) and message.op.oid == START_TLS


def _is_entry(message: Message | None) -> bool:
    return message is not None and isinstance(message.op, Entry)


def _endless(message: Message, size: int) -> Iterator[Message]:
    for number in count():
        name = f"cn={number},o=endless"
        yield Message(message.id, Entry(name, {"description": [b"x" * size]}))
    yield Message(message.id, SearchResultDone(Result()))


def _message_size(data: bytearray) -> int | None:
    """How long the first message is, all in all; None when that is not known yet."""
    if len(data) < 2:
        return None
    if data[0] != 0x30:
        raise BerError("this is no LDAP")
    count_bytes = data[1] & 0x7F if data[1] & 0x80 else 0
    if data[1] == 0x80 or count_bytes > 4:
        raise BerError("the length of a message is malformed")
    if len(data) < 2 + count_bytes:
        return None
    size = int.from_bytes(data[2 : 2 + count_bytes], "big") if count_bytes else data[1]
    if size > _LARGEST_REQUEST:
        raise BerError("the message is too large")
    return 2 + count_bytes + size
