"""TLS servers in this process, to shake hands with. In threads: asyncio's own server sends no alerts."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.certs import Issued

Serve = Callable[..., AbstractContextManager[int]]
ShakeHands = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Starts TLS servers that greet accepted clients with "hello", as context managers of their port."""

    @contextmanager
    def serving(issued: Issued, **options: Any) -> Iterator[int]:
        with _listening(_greeter(_server_context(issued, tmp_path, **options))) as port:
            yield port

    return serving


@pytest.fixture
def serve_group(tmp_path: Path) -> Serve:
    """Starts `openssl s_server` with one group for the key exchange, as context managers of its port.

    Python 3.11.2 refuses `set_ecdh_curve("X25519")`, which is no curve of the kind that it knows.
    """

    @contextmanager
    def serving(issued: Issued, group: str) -> Iterator[int]:
        certificate, key = issued.write(tmp_path, "server")
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-groups", group]
        command += ["-cert", str(certificate), "-cert_chain", str(certificate), "-key", str(key)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            ready = next(line for line in server.stdout if line.startswith("ACCEPT"))
            try:
                yield int(ready.rpartition(":")[2])
            finally:
                server.terminate()

    return serving


@pytest.fixture
def answer() -> Callable[[bytes | None], AbstractContextManager[int]]:
    """Starts servers that answer with `data` and close; for None they say nothing and stay."""

    @contextmanager
    def answering(data: bytes | None) -> Iterator[int]:
        def speak(connection: socket.socket) -> None:
            connection.recv(4096)
            if data is None:
                connection.recv(4096)
            else:
                connection.sendall(data)

        with _listening(speak) as port:
            yield port

    return answering


@pytest.fixture
def shake_hands() -> ShakeHands:
    return _shake_hands


async def _shake_hands(
    context: ssl.SSLContext, port: int, host: str | None = "localhost", **options: Any
) -> tuple[str, str, ssl.SSLObject]:
    """Version, suite and the connection, when the greeting comes through; else raises what stopped it."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=host, **options
    )
    try:
        assert await reader.readexactly(5) == b"hello"
        secured = writer.get_extra_info("ssl_object")
        return secured.version(), secured.cipher()[0], secured
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


def _server_context(
    issued: Issued,
    folder: Path,
    *,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = "ALL:@SECLEVEL=0",
    clients: Issued | None = None,
    known_by_name: bool = True,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = minimum, maximum
    context.set_ciphers(ciphers)
    certificate, key = issued.write(folder, "server")
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem.decode())
    if not known_by_name:
        context.sni_callback = lambda *_: ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return context


def _greeter(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    def greet(connection: socket.socket) -> None:
        with context.wrap_socket(connection.dup(), server_side=True) as secured:
            secured.sendall(b"hello")
            secured.recv(1)

    return greet


@contextmanager
def _listening(serve_one: Callable[[socket.socket], None]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    open_now: set[socket.socket] = set()

    def handle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ssl.SSLError):
            serve_one(connection)
        open_now.discard(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(10)
                open_now.add(connection)
                worker = threading.Thread(target=handle, args=(connection,), daemon=True)
                workers.append(worker)
                worker.start()

    workers: list[threading.Thread] = []
    main = threading.Thread(target=accept, daemon=True)
    main.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        main.join(5)
        for connection in list(open_now):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join(5)
