"""Uvicorn inside our own event loop, with bounds on what a client may send and how long it may take.

Signals belong to the process: a server here ends when its context does, after the requests in flight.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quintet.web.errors import PortError
from quintet.web.problem import problem

HEAD_WITHIN = 10.0
"""Seconds in which the head of a request must arrive."""
LARGEST_HEAD = 32 * 1024
"""Bytes of the request line and all headers."""
IDLE_AFTER = 30
"""Seconds after which an unused connection is closed."""
DRAIN = 5
"""Seconds that requests in flight have at the end."""
MOST_CONNECTIONS = 2000


def _last_answer(status: int) -> bytes:
    """A problem document as bytes, after which the connection is closed."""
    answer = problem(status, headers={"connection": "close", "x-content-type-options": "nosniff"})
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += (name + b": " + value for name, value in answer.raw_headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body)


_INVALID, _TOO_SLOW, _TOO_LARGE = _last_answer(400), _last_answer(408), _last_answer(431)


@final
class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a bound on the size of a head and on the time that it takes.

    `_head` counts what was received since the last complete head, `_fields` what was parsed of this one: a
    head that comes in one piece, or with others, is bounded, too. The timer runs from the first byte of a
    head (or the start of the connection) to its end.
    """

    _head = 0
    _fields = 0
    _reading_head = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._reading_head:
            self._head += len(data)
            if self._timer is None:
                self._start_timer()
        super().data_received(data)
        if self._reading_head and self._head > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading_head, self._fields = True, 0

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._head, self._reading_head = 0, False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._reading_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the library's signature
        self._stop_timer()
        self.transport.write(_INVALID)
        self.transport.close()

    def _count(self, *parts: bytes) -> None:
        self._fields += sum(map(len, parts))
        if self._fields > LARGEST_HEAD:
            raise ValueError("the head is too large")  # the parser's caller answers with 400

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_WITHIN, self._refuse, _TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, answer: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            if self._head:
                self.transport.write(answer)
            self.transport.close()


@final
class _Server(uvicorn.Server):
    """A server that leaves the signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: ASGIApp, address: str, port: int, key: str, ssl: Any = None) -> AsyncIterator[int]:
    """Serve `app` while the context is open, and yield the port: a free one for port 0.

    `key` is the setting of the port. `ssl` is a server's `SSLContext`. Raises PortError.
    """
    listener = _listener(address, port, key)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_AFTER,
        timeout_graceful_shutdown=DRAIN,
    )
    config.load()
    config.ssl = ssl
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn sets no event
            await asyncio.sleep(0.005)
        if serving.done():
            await serving
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        listener.close()


def _listener(address: str, port: int, key: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise PortError(address, port, key, error) from error
    return listener
