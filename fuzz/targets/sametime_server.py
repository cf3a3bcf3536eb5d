"""A whole Sametime server without sockets and database, attacked by a user who is signed in."""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from fuzz.target import Target, nothing_more
from quintet.sametime.port import ClientConnection
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import SERVICES, ServiceId
from quintet.sametime.services.conference import ConferenceOpening
from quintet.sametime.services.im import ImOpening
from quintet.sametime.services.resolve import ResolveFlag, ResolveRequest, decode_response
from quintet.sametime.settings import SametimeSettings
from quintet.sametime.storage import DatabaseAddress
from quintet.sametime.trace import TaskFailed
from quintet.sametime.wire.messages import ChannelSend, decode, encode
from support.community_directory import FakeDirectory, user_id
from support.sametime_client import SametimeClient
from support.sametime_vectors import VECTORS

_SETTINGS: Final = SametimeSettings(server_name="server.example.org", admin_group="team", browse_pages=True)
_HOSTED: Final = (ServiceId.AWARE, ServiceId.RESOLVE, ServiceId.DIRECTORY)
_TURNS: Final = 200
"""Turns of the event loop in which everything that can be answered is answered."""


class _Transport(asyncio.Transport):
    """Keeps what is written, and tells the connection when it is closed."""

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000)})
        self.written = bytearray()
        self._connection = connection
        self._closing = False
        self._reading = True

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self.written += data

    def write_eof(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class _User:
    """A client and its connection, and what passes between them."""

    def __init__(self, server: SametimeServer, name: str) -> None:
        self.client = SametimeClient(name)
        self.said: list[Any] = []
        self.connection = ClientConnection(server, asyncio.get_running_loop())
        self.transport = _Transport(self.connection)
        self.connection.connection_made(self.transport)
        self.client.start()

    def exchange(self) -> None:
        data = self.client.data_to_send()
        if data and not self.transport.is_closing():
            self.connection.data_received(data)
        written, self.transport.written = bytes(self.transport.written), bytearray()
        self.said += self.client.receive(written)

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(_TURNS):
            self.exchange()
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("the server does not answer")

    async def signed_in(self) -> "_User":
        await self.until(lambda: self.client.login is not None)
        return self

    async def resolves(self) -> None:
        """The server still answers this user."""
        channel = self.client.create(ServiceId.RESOLVE)
        await self.until(lambda: self._on(channel))
        request = ResolveRequest(1, ("bo",), ResolveFlag.USERS)
        self.client.send(channel, request.TYPE, request.encode())
        await self.until(lambda: [each for each in self._on(channel) if isinstance(each, ChannelSend)])
        answer = self._on(channel)[-1]
        assert decode_response(answer.type, answer.data).results[0].matches
        self.client.destroy(channel)

    def _on(self, channel: int) -> list[Any]:
        return [each for each in self.said if getattr(each, "channel", 0) == channel]


async def _attack(size: int, said: bytes) -> None:
    people = FakeDirectory.of("alice", "bob", team=("alice", "bob"))
    server = SametimeServer(_SETTINGS, people, DatabaseAddress.parse("", Path("/nonexistent")))
    bob, alice = await _User(server, "bob").signed_in(), await _User(server, "alice").signed_in()
    for service in _HOSTED:
        alice.client.create(service)
    alice.client.create(ServiceId.CONFERENCE, "", ConferenceOpening("name", "title").encode())
    alice.client.create(ServiceId.IM, user_id("bob"), ImOpening().encode())
    alice.exchange()
    for at in range(0, len(said), size):
        if alice.transport.is_reading():
            alice.connection.data_received(said[at : at + size])
        await asyncio.sleep(0)
    await bob.resolves()
    alice.transport.close()
    await bob.resolves()
    await server.close()
    assert server.counter.count(TaskFailed) == 0, server.counter.counts


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _read(data: bytes) -> None:
    """A byte for how the input is cut, then what the user's client sends."""
    if data:
        _loop().run_until_complete(_attack(data[0] + 1, data[1:]))


def _attacks() -> Iterator[bytes]:
    yield from (b"\xff" + each.frame for each in VECTORS.values())
    for content in (each.content for each in VECTORS.values()):
        message = decode(content)
        if isinstance(message, ChannelSend):
            for channel in range(1, len(SERVICES)):
                yield b"\x7f" + encode(ChannelSend(channel, message.type, message.data))


TARGETS: Final = (
    Target(
        "sametime-server", "a signed-in Sametime client, at a whole server", _read, (), nothing_more, _attacks
    ),
)
