"""The recording proxy forwards everything and keeps it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from quintet.admin import proxy as module
from quintet.admin.proxy import Direction, RecordingProxy
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


async def _ask(proxy: RecordingProxy, port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*proxy.route(Service.BROWSE, "127.0.0.1", port))
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_both_directions_are_forwarded_and_kept(echo: int) -> None:
    async with RecordingProxy() as proxy:
        await proxy.listen(Service.BROWSE, "127.0.0.1", echo)
        assert await _ask(proxy, echo, b"hello" * 50_000) == b"HELLO" * 50_000
        [recording] = proxy.recordings
    assert recording.service is Service.BROWSE
    assert recording.sent(Direction.TO_SERVER) == b"hello" * 50_000
    assert recording.sent(Direction.TO_CLIENT) == b"HELLO" * 50_000


async def test_what_is_kept_is_bounded_and_marked_as_cut(echo: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RECORDED", 10)
    async with RecordingProxy() as proxy:
        await proxy.listen(Service.BROWSE, "127.0.0.1", echo)
        assert await _ask(proxy, echo, b"twelve bytes") == b"TWELVE BYTES"
        [recording] = proxy.recordings
    assert recording.cut
    assert recording.chunks == []


async def test_an_unreachable_server_ends_the_connection() -> None:
    async with RecordingProxy() as proxy:
        await proxy.listen(Service.BROWSE, "127.0.0.1", 1)
        reader, writer = await asyncio.open_connection(*proxy.route(Service.BROWSE, "127.0.0.1", 1))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert proxy.recordings == []
