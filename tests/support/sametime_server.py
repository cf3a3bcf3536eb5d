"""A Sametime server of one's own: on a free loopback port, in this event loop or in a thread beside it."""

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest.mock import Mock

from quintet.config import ServerLimits
from quintet.proxy_protocol import SIGNATURE
from quintet.sametime.neighbours import Order, OrderResult, StoredChange
from quintet.sametime.people import CommunityDirectory
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.settings import SametimeSettings
from quintet.sametime.storage import DatabaseAddress
from quintet.sametime.wire.messages import ChannelAccept, ChannelSend
from support.certs import Issued
from support.sametime_client import SametimeClient

T = TypeVar("T")
Closing = Callable[[], Coroutine[Any, Any, None]]

LIMITS = ServerLimits(shutdown_seconds=0, reconnect_seconds=0.1)
SETTINGS = SametimeSettings(address="127.0.0.1", port=0, server_name="server.example.org", limits=LIMITS)


def server_context(folder: Path, certificate: Issued) -> ssl.SSLContext:
    """The context of a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.write(folder, "port")
    context.load_cert_chain(folder / "port.pem", folder / "port.key")
    return context


def with_limits(settings: SametimeSettings = SETTINGS, **limits: Any) -> SametimeSettings:
    return replace(settings, limits=replace(settings.limits, **limits))


@dataclass
class LiveClient:
    """`SametimeClient` on a socket. `said` has every message that the server said."""

    client: SametimeClient
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    said: list[Any] = field(default_factory=list)
    closed: bool = False

    @classmethod
    async def connect(
        cls,
        port: int,
        client: SametimeClient,
        context: ssl.SSLContext | None = None,
        prefix: bytes = b"",
        *,
        address: str = "127.0.0.1",
    ) -> Self:
        """Connect and begin to sign in; `prefix` is sent before everything else."""
        name = "localhost" if context else None
        reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
        made = cls(client, reader, writer)
        client.start()
        writer.write(prefix)
        await made.flush()
        return made

    async def flush(self) -> None:
        self.writer.write(self.client.data_to_send())
        await self.writer.drain()

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Pass bytes in both directions until it is true. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                await self.flush()
                if condition():
                    return
                if self.closed:
                    raise ConnectionError("the server closed the connection")
                await self._read()

    async def until_closed(self, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not self.closed:
                with suppress(ConnectionError):
                    await self.flush()
                await self._read()

    async def _read(self) -> None:
        try:
            data = await self.reader.read(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
        self.said += self.client.receive(data)

    async def sign_in(self) -> Self:
        await self.until(lambda: self.client.login is not None or self.client.ended is not None)
        assert self.client.login is not None, self.client.ended
        return self

    async def open(self, service: int, *arguments: Any) -> int:
        """Open a channel to the server and wait until it is accepted."""
        channel = self.client.create(service, *arguments)
        await self.answered(channel)
        answer = self.channel_messages(channel)[0]
        assert isinstance(answer, ChannelAccept), answer
        return channel

    async def ask(self, channel: int, request: Any, count: int = 1) -> list[ChannelSend]:
        """Say something on a channel, and wait for `count` more messages on it."""
        before = len(self.sent(channel))
        self.client.send(channel, request.TYPE, request.encode())
        await self.until(lambda: len(self.sent(channel)) >= before + count)
        return self.sent(channel)[before:]

    async def answered(self, channel: int) -> None:
        """Wait until something was said on a channel, or about it."""
        await self.until(lambda: self.channel_messages(channel))

    async def sent_to(self, channel: int, count: int) -> None:
        """Wait until so much was sent on a channel."""
        await self.until(lambda: len(self.sent(channel)) == count)

    async def got(self, kind: type[object], count: int = 1) -> None:
        """Wait for messages of a kind."""
        await self.until(lambda: len(self.messages(kind)) >= count)

    def channel_messages(self, channel: int) -> list[Any]:
        return [each for each in self.said if getattr(each, "channel", 0) == channel]

    def sent(self, channel: int) -> list[ChannelSend]:
        """What was sent on a channel."""
        return [each for each in self.messages(ChannelSend) if each.channel == channel]

    async def settle(self) -> None:
        """Wait until the server has worked on everything that was sent: it answers in order."""
        channel = self.client.create(ServiceId.RESOLVE)
        await self.until(lambda: self.channel_messages(channel))

    def messages(self, kind: type[T]) -> list[T]:
        return [each for each in self.said if isinstance(each, kind)]

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


@asynccontextmanager
async def running(
    directory: CommunityDirectory,
    folder: Path,
    settings: SametimeSettings = SETTINGS,
    *,
    database: DatabaseAddress | None = None,
    **options: Any,
) -> AsyncIterator[SametimeServer]:
    """A server in this event loop, with SQLite in `folder` unless `database` says otherwise."""
    address = database or DatabaseAddress.parse("", folder)
    server = SametimeServer(settings, directory, address, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


class ServerThread:
    """The same in a thread of its own, for clients that block. `make` makes the server in that thread."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, tuple[SametimeServer, Closing]]]) -> None:
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._close: Closing | None = None
        self.server: SametimeServer

    def __enter__(self) -> Self:
        self._thread.start()
        self.server, self._close = self.run(self._make())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._close is not None:
                self.run(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @property
    def port(self) -> int:
        return self.server.port

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, function: Callable[[], T]) -> T:
        """Call this in the server's event loop."""

        async def wrapped() -> T:
            return function()

        return self.run(wrapped())


def proxy_header(address: str, port: int, options: bytes = b"") -> bytes:
    """A PROXY protocol header, version 2, for a client at this address."""
    packed = ipaddress.ip_address(address).packed
    family = 0x11 if len(packed) == 4 else 0x21
    body = packed + packed + port.to_bytes(2, "big") + (1533).to_bytes(2, "big") + options
    return SIGNATURE + bytes((0x21, family)) + len(body).to_bytes(2, "big") + body


async def signed_in(server: SametimeServer, name: str, **options: Any) -> LiveClient:
    """A client that is signed in, as `SametimeClient` does it by default."""
    return await (await LiveClient.connect(server.port, SametimeClient(name, **options))).sign_in()


async def refused(server: SametimeServer, name: str, **options: Any) -> ReasonCode | None:
    """The reason by which a sign-in is refused."""
    live = await LiveClient.connect(server.port, SametimeClient(name, **options))
    await live.until_closed()
    await live.close()
    return live.client.ended


def let_hear_of_saves(server: SametimeServer, heard: Callable[[StoredChange], None]) -> None:
    """Give the server a neighbour that is told what its sessions store."""
    alone = server._context.neighbours

    def order(order: Order, then: Callable[[OrderResult], None]) -> None:
        if isinstance(order, StoredChange):
            heard(order)
        then(OrderResult())

    neighbours = Mock(wraps=alone)
    neighbours.order = order
    server._context.neighbours = neighbours


def no_answer(_: int) -> None:
    """It makes no difference with how many sessions an order was carried out."""
