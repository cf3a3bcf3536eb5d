"""A server that takes every bind and answers each search with what a test makes up: for hostile ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain, repeat

from quintet.ldap import PagedResults
from quintet.ldap.ber import BerError, header
from quintet.ldap.messages import (
    BindRequest,
    BindResponse,
    Control,
    Message,
    Operation,
    Result,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    decode,
    encode,
)

DONE = SearchResultDone(Result())
Script = Callable[[SearchRequest], Iterable[Operation | tuple[Operation, Control] | bytes]]
"""What a search is answered: operations, operations with a control, or bytes as they stand."""


class _Scripted(asyncio.Protocol):
    def __init__(self, script: Script, asked: list[SearchRequest]) -> None:
        self.script, self.asked = script, asked
        self.kept = b""
        self.room = asyncio.Event()
        self.room.set()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.kept += data
        while True:
            try:
                _, _, stop = header(self.kept, 0, len(self.kept))
            except BerError:
                return
            message, self.kept = decode(self.kept[:stop]), self.kept[stop:]
            if isinstance(message.op, BindRequest):
                self.transport.write(encode(Message(message.id, BindResponse(Result(), None))))
            elif isinstance(message.op, SearchRequest):
                self.asked.append(message.op)
                self.tasks.add(asyncio.get_running_loop().create_task(self.answer(message.id, message.op)))

    async def answer(self, number: int, request: SearchRequest) -> None:
        for part in self.script(request):
            await self.room.wait()
            if self.transport.is_closing():
                return
            match part:
                case bytes():
                    self.transport.write(part)
                case (op, control):
                    self.transport.write(encode(Message(number, op, (control,))))
                case op:
                    self.transport.write(encode(Message(number, op)))

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.room.set()
        for task in self.tasks:
            task.cancel()


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[tuple[int, list[SearchRequest]]]:
    """The port, and the searches that came."""
    asked: list[SearchRequest] = []
    server = await asyncio.get_running_loop().create_server(lambda: _Scripted(script, asked), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        await server.wait_closed()


def entry(dn: str, **attributes: list[bytes]) -> SearchResultEntry:
    return SearchResultEntry(dn, {name.replace("__", ";"): values for name, values in attributes.items()})


def endless(op: Operation) -> Iterable[Operation]:
    return repeat(op)


def then_done(*ops: Operation) -> Iterable[Operation]:
    return chain(ops, (DONE,))


def page_end(cookie: bytes) -> tuple[Operation, Control]:
    """The end of a page that says that there are more."""
    return DONE, PagedResults(0, cookie)
