"""What answers at a port is told in words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.service_kind import ProbeAnswer, Speaks, _kind, _readable, probe
from support.slapd import Slapd

Visit = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def service(says: bytes | None, *, at_once: bool = False) -> AsyncIterator[int]:
    """A service on loopback that answers `says`; None keeps silent until the other side goes."""

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not at_once:
            await reader.read(100)
        if says is None:
            await reader.read()
        else:
            writer.write(says)
        writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("says", "speaks", "sample"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", Speaks.HTTP, "HTTP/1.1 400 Bad Request"),
        (b"\x15\x03\x03\x00\x02\x02\x28", Speaks.TLS, ""),
        (b"220 mail.example.com ESMTP\r\n", Speaks.OTHER, "220 mail.example.com ESMTP"),
        (b"\x00\xff\xfe garbage", Speaks.OTHER, ""),
        (b"", Speaks.CLOSES, ""),
    ],
)
async def test_an_answer_is_recognised(says: bytes, speaks: Speaks, sample: str) -> None:
    async with service(says) as port:
        assert await probe("127.0.0.1", port) == ProbeAnswer(speaks, sample)


async def test_a_greeting_is_recognised() -> None:
    async with service(b"SSH-2.0-x\r\n", at_once=True) as port:
        assert (await probe("127.0.0.1", port)).sample == "SSH-2.0-x"


async def test_silence_is_told_after_the_time_is_up() -> None:
    async with service(None) as port:
        assert (await probe("127.0.0.1", port, patience=0.05)).speaks is Speaks.SILENT


async def test_a_web_server_that_waits_for_a_line_is_found_by_the_second_question() -> None:
    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(100)).startswith(b"GET "):
            writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        else:
            await reader.read()
        writer.close()

    async with await asyncio.start_server(visit, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await probe("127.0.0.1", port, patience=0.1)).speaks is Speaks.HTTP


async def test_a_port_that_nobody_listens_on_is_told() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert (await probe("127.0.0.1", closed.getsockname()[1])).speaks is Speaks.NOTHING


@pytest.mark.real
async def test_a_real_server_is_recognised_on_its_clear_port(small_slapd: Slapd) -> None:
    assert (await probe("127.0.0.1", small_slapd.port)).speaks is Speaks.LDAP


@pytest.mark.real
async def test_a_real_server_is_not_taken_for_a_clear_one_on_its_tls_port(small_slapd: Slapd) -> None:
    assert (await probe("127.0.0.1", small_slapd.tls_port)).speaks in (Speaks.TLS, Speaks.CLOSES)


@given(st.binary(max_size=40))
def test_any_answer_is_judged(data: bytes) -> None:
    assert _kind(data) in Speaks
    assert _readable(data).isprintable()
