"""A recording TCP relay with a hand on the tap: it stalls, drops, refuses and restores.

`Relay.route` is a `ConnectOverride`. The first dial of a service, host and port opens a listener for it,
so that every connection is known by its service. TLS passes through unopened.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from quintet.directory import Service

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True, eq=False)
class Carried:
    """One connection that came to the relay. `sent` went to the server, `received` came from it."""

    label: Service | str
    host: str
    port: int
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)
    open: bool = True
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        """All that was said, for a search of what must not be there."""
        return bytes(self.sent) + bytes(self.received)


class Relay:
    """An async context manager. `connections` holds every accepted connection, in order."""

    def __init__(self) -> None:
        self.connections: list[Carried] = []
        self.refusing = False
        self._doors: dict[tuple[Service | str, str, int], socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing: asyncio.Event | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for door in self._doors.values():
            door.close()

    def route(self, label: Service | str, host: str, port: int) -> tuple[str, int]:
        """Where to dial instead of `host`:`port`, recorded as `label`."""
        key = (label, host, port)
        if key not in self._doors:
            door = socket.create_server(("127.0.0.1", 0), backlog=128)
            door.setblocking(False)
            self._doors[key] = door
            self._spawn(self._accept(door, *key))
        name: tuple[str, int] = self._doors[key].getsockname()
        return name

    def to(self, port: int, host: str = "127.0.0.1", label: Service | str = "") -> int:
        """The loopback port that leads to `host`:`port`."""
        return self.route(label, host, port)[1]

    def of(self, label: Service | str) -> list[Carried]:
        return [each for each in self.connections if each.label == label]

    def stall(self) -> None:
        """Accept and read, but pass nothing on, until `restore`."""
        self._gate.clear()

    def drop(self) -> None:
        """Reset every connection now; new ones are welcome."""
        for each in filter(lambda carried: carried.open, self.connections):
            for writer in each.writers:
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                writer.transport.abort()

    def in_its_thread(self, do: Callable[[], None]) -> None:
        """Have one of these methods called, from another thread."""
        self._loop.call_soon_threadsafe(do)

    def refuse(self) -> None:
        """Close new connections as soon as they come, until `restore`."""
        self.refusing = True

    def restore(self) -> None:
        """Let everything flow again; what was held back by `stall` goes on."""
        self.refusing = False
        self._gate.set()

    @property
    def _gate(self) -> asyncio.Event:
        assert self._flowing is not None, "the relay is not entered"
        return self._flowing

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, door: socket.socket, label: Service | str, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(door)
            if self.refusing:
                client.close()
                continue
            carried = Carried(label, host, port)
            self.connections.append(carried)
            self._spawn(self._carry(client, carried))

    async def _carry(self, client: socket.socket, carried: Carried) -> None:
        here, back = await asyncio.open_connection(sock=client)
        carried.writers.append(back)
        try:
            there, forth = await asyncio.open_connection(carried.host, carried.port)
            carried.writers.append(forth)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(here, forth, carried.sent))
                group.create_task(self._pump(there, back, carried.received))
        except* OSError:
            pass
        finally:
            carried.open = False
            for writer in carried.writers:
                writer.transport.abort()
            await asyncio.gather(*(w.wait_closed() for w in carried.writers), return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, record: bytearray
    ) -> None:
        while data := await source.read(65536):
            await self._gate.wait()
            record += data
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


@contextlib.contextmanager
def in_thread(port: int, host: str = "127.0.0.1") -> Iterator[tuple[Relay, int]]:
    """A relay with a loop of its own, for tests that run a command, and the port that leads to `port`.

    From outside only its `connections` may be read, and `in_its_thread` be called.
    """
    ready = threading.Event()
    relay = Relay()
    doors: list[int] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with relay:
            doors.append(relay.to(port, host))
            over = asyncio.Event()
            stop.append((asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield relay, doors[0]
    finally:
        loop, over = stop[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
