"""A server that a test plays by hand, message by message."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.filters import Present
from quintet.ldap.messages import (
    Message,
    Operation,
    Result,
    SearchResultDone,
    SearchResultEntry,
    decode,
    encode,
)

ANY = Present("cn")
DONE = SearchResultDone(Result())


def entry(number: int, size: int = 1) -> SearchResultEntry:
    return SearchResultEntry(f"cn={number}", {"cn": [b"x" * size]})


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def get(self) -> Message:
        start = await self.reader.readexactly(2)
        length = start[1]
        if length >= 0x80:
            more = await self.reader.readexactly(length & 0x7F)
            start, length = start + more, int.from_bytes(more, "big")
        return decode(start + await self.reader.readexactly(length))

    async def expect(self, kind: type) -> Message:
        message = await self.get()
        assert isinstance(message.op, kind), message
        return message

    def put(self, message_id: int, *ops: Operation) -> None:
        self.writer.write(b"".join(encode(Message(message_id, op)) for op in ops))

    async def gone(self) -> None:
        """Until the client has closed."""
        while await self.reader.read(65536):
            pass


Play = Callable[[Peer], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(play: Play, **options: Any) -> AsyncIterator[Connection]:
    """A connection to a server that plays its part once; a failure of that part fails the test."""
    async with serving(play) as address:
        connection = await connect(address, **options)
        try:
            yield connection
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def serving(play: Play) -> AsyncIterator[Address]:
    tasks: list[asyncio.Task[None]] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())  # type: ignore[arg-type]  # a task it is
        try:
            await play(Peer(reader, writer))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield Address(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, AssertionError):
                raise outcome
        await server.wait_closed()


async def silence(peer: Peer) -> None:
    await peer.gone()
