"""TLS servers in this process, to shake hands with."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.certs import Issued

Serve = Callable[..., AbstractAsyncContextManager[int]]


def server_context(
    issued: Issued,
    folder: Path,
    *,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = "ALL:@SECLEVEL=0",
    clients: Issued | None = None,
    curve: str | None = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = minimum, maximum
    context.set_ciphers(ciphers)
    if curve:
        context.set_ecdh_curve(curve)
    certificate, key = issued.write(folder, "server")
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem.decode())
    return context


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`async with serve(issued, ...) as port`: a TLS server that greets with "hello", whoever gets through."""

    @asynccontextmanager
    async def serving(issued: Issued, **options: Any) -> AsyncIterator[int]:
        context = server_context(issued, tmp_path, **options)
        async with listening(greet, context) as port:
            yield port

    return serving


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        writer.write(b"hello")
        await writer.drain()
        await reader.read()
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


@asynccontextmanager
async def listening(answer: Any, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await answer(reader, writer)

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's own view of failures
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def shake_hands(context: ssl.SSLContext, port: int, host: str | None = "localhost") -> tuple[str, str]:
    """Version and suite, when the greeting comes through; else raises what the handshake raised."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    try:
        assert await reader.readexactly(5) == b"hello"
        version, (suite, *_) = writer.get_extra_info("ssl_object").version(), writer.get_extra_info("cipher")
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    return version, suite
