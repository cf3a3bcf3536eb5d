"""A recording relay on loopback: what crosses between Quintet and a server, both ways, byte for byte.

It passes on what it gets and opens nothing: TLS stays end to end.
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

_Key = tuple[Service, str, int]

MOST_RECORDED = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Direction(Enum):
    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they passed. `at` is seconds since the epoch."""

    at: float
    direction: Direction
    data: bytes


@dataclass(slots=True)
class Recording:
    """One connection that passed the relay: for which service, between whom, and everything that was said."""

    service: Service
    client: tuple[str, int]
    server: tuple[str, int]
    chunks: list[Chunk] = field(default_factory=list)
    cut: bool = False

    def sent(self, direction: Direction) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks if chunk.direction is direction)


class Relay:
    """One listener on loopback for each service, host and port that Quintet dials.

    `route` is a `ConnectOverride`: it gives the address to dial instead. Recording stops, and
    `Recording.cut` says so, when `MOST_RECORDED` bytes are kept; traffic goes on.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.recordings: list[Recording] = []
        self._clock = clock
        self._kept = 0
        self._doors: dict[_Key, asyncio.Server] = {}
        self._visits: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for door in self._doors.values():
            door.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def open_door(self, service: Service, host: str, port: int) -> None:
        """Listen for the connections of `service` to `host`:`port`. Comes before `route` asks for it."""
        key = (service, host, port)
        if key in self._doors:
            return

        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            me = asyncio.current_task()
            if me is not None:
                self._visits.add(me)
                me.add_done_callback(self._visits.discard)
            with suppress(asyncio.CancelledError):  # the relay closes; streams would log it as an error
                await self._pass_on(key, reader, writer)

        self._doors[key] = await asyncio.start_server(visit, "127.0.0.1", 0, limit=_CHUNK)

    def route(self, service: Service, host: str, port: int) -> tuple[str, int]:
        address: tuple[str, int] = self._doors[service, host, port].sockets[0].getsockname()[:2]
        return address

    async def _pass_on(self, key: _Key, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        service, host, port = key
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port, limit=_CHUNK)
        except OSError:
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
