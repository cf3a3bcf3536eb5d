"""A recording proxy on loopback: all bytes between Quintet and a server, in both directions.

It forwards bytes as they are and does not terminate TLS.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

from quintet.directory import Service
from quintet.ldap import Address
from quintet.ldap.address import dial

_Key = tuple[Service, str, int]

MOST_RECORDED = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Direction(Enum):
    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they were forwarded. `at` is seconds since the epoch."""

    at: float
    direction: Direction
    data: bytes


@dataclass(slots=True)
class Recording:
    """One connection through the proxy: its service, both addresses, all bytes; `cut`: not all."""

    service: Service
    client: tuple[str, int]
    server: tuple[str, int]
    chunks: list[Chunk] = field(default_factory=list)
    cut: bool = False

    def sent(self, direction: Direction) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks if chunk.direction is direction)


class RecordingProxy:
    """One listener on loopback for each service, host and port that Quintet connects to.

    `route` is a `ConnectOverride` of `quintet.directory`: the address to connect to instead. When
    `MOST_RECORDED` bytes are kept, recording stops and `Recording.cut` is set; forwarding goes on.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.recordings: list[Recording] = []
        self._clock = clock
        self._kept = 0
        self._listeners: dict[tuple[Service, str, int], asyncio.Server] = {}
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listener in self._listeners.values():
            listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def listen(self, service: Service, host: str, port: int) -> None:
        """Listen for the connections of `service` to `host`:`port`. To be called before `route` for them."""
        key = (service, host, port)
        if key in self._listeners:
            return

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            this = asyncio.current_task()
            if this is not None:
                self._connections.add(this)
                this.add_done_callback(self._connections.discard)
            with suppress(asyncio.CancelledError):  # the proxy closes; streams would log it as an error
                await self._forward(key, reader, writer)

        self._listeners[key] = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_CHUNK)

    def route(self, service: Service, host: str, port: int) -> tuple[str, int]:
        address: tuple[str, int] = self._listeners[service, host, port].sockets[0].getsockname()[:2]
        return address

    async def _forward(
        self, key: tuple[Service, str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        service, host, port = key
        try:
            sock = await dial(Address(host, port))
            far_reader, far_writer = await asyncio.open_connection(sock=sock, limit=_CHUNK)
        except (OSError, UnicodeError):
            writer.transport.abort()
            return
        recording = Recording(service, writer.get_extra_info("peername")[:2], (host, port))
        self.recordings.append(recording)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(recording, Direction.TO_SERVER, reader, far_writer))
                both.create_task(self._copy(recording, Direction.TO_CLIENT, far_reader, writer))
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    async def _copy(
        self,
        recording: Recording,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                self._keep(recording, Chunk(self._clock(), direction, data))
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.transport.abort()

    def _keep(self, recording: Recording, chunk: Chunk) -> None:
        if self._kept + len(chunk.data) > MOST_RECORDED:
            recording.cut = True
            return
        self._kept += len(chunk.data)
        recording.chunks.append(chunk)
