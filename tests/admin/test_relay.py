"""The recording relay passes everything on, and keeps it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from quintet.admin import proxy as relays
from quintet.admin.proxy import Direction, Relay
from quintet.directory import Service


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def _ask(relay: Relay, port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*relay.route(Service.BROWSE, "127.0.0.1", port))
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_both_directions_are_passed_on_and_kept(echo: int) -> None:
    async with Relay() as relay:
        await relay.open_door(Service.BROWSE, "127.0.0.1", echo)
        assert await _ask(relay, echo, b"hello" * 50_000) == b"HELLO" * 50_000
        [recording] = relay.recordings
    assert recording.service == Service.BROWSE
    assert recording.sent(Direction.TO_SERVER) == b"hello" * 50_000
    assert recording.sent(Direction.TO_CLIENT) == b"HELLO" * 50_000


async def test_what_is_kept_is_bounded_and_the_cut_is_told(
    echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "MOST_RECORDED", 10)
    async with Relay() as relay:
        await relay.open_door(Service.BROWSE, "127.0.0.1", echo)
        assert await _ask(relay, echo, b"twelve bytes") == b"TWELVE BYTES"
        [recording] = relay.recordings
    assert recording.cut
    assert recording.chunks == []


async def test_a_server_that_is_not_there_ends_the_connection() -> None:
    async with Relay() as relay:
        await relay.open_door(Service.BROWSE, "127.0.0.1", 1)
        reader, writer = await asyncio.open_connection(*relay.route(Service.BROWSE, "127.0.0.1", 1))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert relay.recordings == []
