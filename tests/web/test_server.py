"""The listener over real sockets: what is too large, too slow or no HTTP, and how it ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from quintet.config.web_settings import WebSettings
from quintet.web import PortError, server
from quintet.web.problem import problem
from quintet.web.security import LARGEST_BODY, Guard

HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, then answers with its size as a problem's detail."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await problem(418, str(size))(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a password stands here")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with server.listening(Guard(echo, WebSettings), "127.0.0.1", 0, "QUINTET_HTTP_PORT") as port:
        yield port


async def exchange(port: int, *sent: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for each in sent:
            writer.write(each)
            await writer.drain()
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_a_request_is_answered_with_the_headers_of_every_answer(port: int) -> None:
    answer = await exchange(port, HEAD + b"connection: close\r\n\r\n")
    assert status(answer) == 418
    for header in (
        b"x-content-type-options: nosniff",
        b"referrer-policy: no-referrer",
        b"cache-control: no-store",
    ):
        assert header in answer
    assert b"server:" not in answer


async def test_a_head_without_an_end_is_refused_by_its_size(port: int) -> None:
    answer = await exchange(port, HEAD, *(b"a: " + b"b" * 8192 + b"\r\n" for _ in range(5)))
    assert status(answer) in (400, 431)


async def test_a_whole_head_that_is_too_large_is_refused(port: int) -> None:
    answer = await exchange(port, HEAD + b"a: " + b"b" * server.LARGEST_HEAD + b"\r\n\r\n")
    assert status(answer) in (400, 431)


async def test_a_head_that_takes_too_long_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN", 0.05)
    assert status(await exchange(port, HEAD)) == 408
    assert await exchange(port) == b""


async def test_a_body_that_takes_too_long_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet.web.security.BODY_WITHIN", 0.05)
    answer = await exchange(port, HEAD + b"connection: close\r\ncontent-length: 10\r\n\r\nabc")
    assert status(answer) == 408


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: %d\r\n\r\n" % (LARGEST_BODY + 1),
        b"transfer-encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n" + b"x" * 0x8001,
    ],
)
async def test_a_body_that_is_too_large_is_refused(port: int, body: bytes) -> None:
    assert status(await exchange(port, HEAD + b"connection: close\r\n" + body)) == 413


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\0: a\r\n\r\n"]
)
async def test_what_is_no_http_is_refused(port: int, sent: bytes) -> None:
    assert status(await exchange(port, sent)) == 400


@pytest.mark.parametrize("hosts", [b"", b"host: evil.example\r\n", b"host: localhost\r\nhost: localhost\r\n"])
async def test_another_host_is_refused(port: int, hosts: bytes) -> None:
    assert status(await exchange(port, b"GET / HTTP/1.1\r\nconnection: close\r\n" + hosts + b"\r\n")) == 421


async def test_a_fault_is_answered_without_its_text() -> None:
    async with server.listening(Guard(broken, WebSettings), "127.0.0.1", 0, "X") as port:
        answer = await exchange(port, HEAD + b"connection: close\r\n\r\n")
    assert status(answer) == 500
    assert b"password" not in answer


async def test_a_port_that_is_in_use_is_named_with_its_setting(port: int) -> None:
    with pytest.raises(PortError) as raised:
        async with server.listening(echo, "127.0.0.1", port, "QUINTET_HTTP_PORT"):
            pass
    assert (raised.value.port, raised.value.key) == (port, "QUINTET_HTTP_PORT")


async def test_a_slow_client_does_not_keep_others_waiting(port: int) -> None:
    _, waiting = await asyncio.open_connection("127.0.0.1", port)
    waiting.write(HEAD + b"content-length: 10\r\n\r\na")
    assert status(await exchange(port, HEAD + b"connection: close\r\n\r\n")) == 418
    waiting.close()
