"""Uvicorn inside our own event loop, with bounds on what a client may send and how long it may take.

Signals belong to the process: a server here ends when its context does, after the requests in flight.

Connections are accepted here and not by uvicorn: before TLS and HTTP, a trusted proxy may say with a PROXY
protocol header whose connection it passes on. Its first byte tells: neither TLS nor HTTP begins with it. The
header is read to its last byte and no further, so what follows is as it would be without a proxy.
"""

import asyncio
import errno
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from typing import Any, cast, final
from urllib.parse import unquote

import httptools
import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from quintet.proxy_protocol import (
    FIXED_SIZE,
    SIGNATURE,
    ProxyHeaderError,
    proxy_header_size,
    read_proxy_header,
)
from quintet.web.content import Answer, Content, Head, header_line
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

_BACKLOG = 2048
_PAUSE = 1.0
_HEAD_TOO_LARGE = "the head is too large"
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_Address = tuple[str, int]
_Coming = Coroutine[None, None, Answer]
Direct = Callable[[Scope], _Coming | None]
"""Begins with the whole answer to a request whose body is not wanted; None for what ASGI is needed for."""


def _last_answer(status: int) -> bytes:
    """A problem document as bytes, after which the connection is closed."""
    answer = problem(status, headers={"connection": "close", "x-content-type-options": "nosniff"})
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += (name + b": " + value for name, value in answer.raw_headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body)


_INVALID, _TOO_SLOW, _TOO_LARGE = _last_answer(400), _last_answer(408), _last_answer(431)


@final
class _EndOfTurn:
    """Where transports wait for the end of a turn of the event loop, when what they hold is written.

    A processor does one kind of work after another faster than both in turns.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_JoinedWrites] = []

    def wait(self, writes: "_JoinedWrites") -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(writes)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.flush()


@final
class _JoinedWrites(asyncio.Transport):
    """A transport that holds the first piece of an answer, its head, for the next one or the end of the turn.

    Uvicorn writes head and body apart; together they are one system call and one TLS record. No more than one
    piece is held, so that flow control works as without it. A whole answer is held as well.
    """

    def __init__(self, transport: asyncio.Transport, end_of_turn: _EndOfTurn) -> None:
        super().__init__()
        self._transport = transport
        self._end_of_turn = end_of_turn
        self._held = b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def write(self, data: Any) -> None:
        if self._held:
            self._held, held = b"", self._held
            self._transport.write(held + data)
        else:
            self._held = data
            self._end_of_turn.wait(self)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        if self._held:
            self._held, held = b"", self._held
            self._transport.write(held)


_BY_UVICORN = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"proxy-connection"))
"""With one of these headers a request has a body, or wants what uvicorn alone does."""


@final
class _DirectCycle(RequestResponseCycle):
    """What uvicorn's protocol knows of a request that is answered directly."""

    disconnected = False
    keep_alive = True
    response_complete = False
    message_event = asyncio.Event()
    """Nothing waits for it."""

    def __init__(self, coming: _Coming, *, head_only: bool) -> None:
        self.coming = coming
        self.head_only = head_only


@final
class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a bound on the size of a head and on the time that it takes.

    `_head` counts what was received since the last complete head, `_fields` what was parsed of this one and
    of what may follow the body: a head that comes in one piece, or with others, is bounded, too. The timer
    runs from the first byte of a head (or the start of the connection) to its end.
    """

    _head = 0
    _fields = 0
    _plain_head: Head | None = None
    """Of the last request that had no body."""
    _answering: asyncio.Task[None]
    _asked: asyncio.Future[_DirectCycle | None] | None = None
    """What the task waits for while it has nothing to answer."""
    _reading_head = True
    _timer: asyncio.TimerHandle | None = None
    _ending: asyncio.TimerHandle | None = None
    _idle: asyncio.TimerHandle | None = None
    _idle_since: float | None = None
    direct: Direct | None = None
    end_of_turn: _EndOfTurn
    client_behind_proxy: _Address | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_JoinedWrites(transport, self.end_of_turn))
        self.client = self.client_behind_proxy or self.client
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        for each in (self._ending, self._idle):
            if each is not None:
                each.cancel()
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        if self._reading_head:
            self._head += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.send_400_response(str(error))
        except httptools.HttpParserUpgrade:
            pass  # the request was answered as any other
        if self._reading_head and self._head:
            if self._head > LARGEST_HEAD:
                self._refuse(_TOO_LARGE)
            elif self._timer is None and not self.transport.is_closing():
                self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading_head, self._fields = True, 0

    def on_url(self, url: bytes) -> None:
        self._fields += len(url)
        if self._fields > LARGEST_HEAD:
            raise ValueError(_HEAD_TOO_LARGE)  # the parser's caller answers with 400
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value)
        if self._fields > LARGEST_HEAD:
            raise ValueError(_HEAD_TOO_LARGE)
        if self._reading_head:  # what follows the body is no header (RFC 9110 6.5.1)
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._timer is not None:
            self._stop_timer()
        self._head, self._reading_head = 0, False
        if not self._answers_directly():
            expected = [value.lower() for name, value in self.headers if name == b"expect"]
            self.expect_100_continue = b"100-continue" in expected
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._reading_head = True
        if type(self.cycle) is not _DirectCycle:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.transport.is_closing():
            self._go_on()

    def _go_on(self) -> None:
        """Begin with the next request, if it is there. One timer serves for many pauses between requests."""
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = time.monotonic()
            if self._idle is None:
                self._idle = self.loop.call_later(IDLE_AFTER, self._close_if_idle)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the library's signature
        self._stop_timer()
        self.transport.write(_INVALID)
        self.transport.close()

    def shutdown(self) -> None:
        """Close the connection when the request in flight is answered, and in DRAIN seconds in any case."""
        super().shutdown()
        if self._ending is None and not self.transport.is_closing():
            self._ending = self.loop.call_later(DRAIN, self.transport.close)

    # Answers without ASGI's messages.

    def _answers_directly(self) -> bool:
        """Begin with the answer, if nothing is in flight and the application has it as a whole."""
        direct, running, head, scope = self.direct, self.cycle, self._plain_head, cast("Scope", self.scope)
        if (
            direct is None
            or (running is not None and not running.response_complete)
            or not self.parser.should_keep_alive()
            or len(self.connections) >= MOST_CONNECTIONS
            or len(self.tasks) >= MOST_CONNECTIONS
        ):
            return False
        if head is None or not head.is_that_of(self.headers):
            head = Head(self.headers)
            if not _BY_UVICORN.isdisjoint(head.headers):
                return False
            self._plain_head = head
        if b"connection" in head.headers and self.parser.get_http_version() != "1.1":
            return False
        head.put(scope)
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"], scope["query_string"] = url.path, url.query or b""
        answer = direct(scope)
        if answer is None:
            return False
        cycle = self.cycle = _DirectCycle(answer, head_only=scope["method"] == "HEAD")
        if self._asked is None:
            self._answering = self.loop.create_task(self._answer_all(cycle))
        else:
            self._asked.set_result(cycle)
        self.tasks.add(self._answering)
        return True

    async def _answer_all(self, cycle: _DirectCycle | None) -> None:
        """Answer one request after another, since a task for each would cost time."""
        while cycle is not None:
            try:
                answer = await cycle.coming
                lines = (
                    answer.lines()
                    if isinstance(answer, Content)
                    else b"".join(map(header_line, answer.raw_headers))
                )
                if self.flow.write_paused:
                    await self.flow.drain()
            except BaseException:
                self.transport.close()
                raise
            finally:
                self.tasks.discard(self._answering)
            if not self._send(cycle, answer, lines):
                break
            self._asked = self.loop.create_future()
            cycle = await self._asked

    def _send(self, cycle: _DirectCycle, answer: Answer, lines: bytes) -> bool:
        """Write an answer. Returns whether others may follow."""
        cycle.response_complete = True
        if self.transport.is_closing():
            return False
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        body = b"" if cycle.head_only else answer.body
        self.transport.write(b"".join((STATUS_LINE[answer.status_code], lines, end, body)))
        if cycle.keep_alive:
            self._go_on()
        else:
            self.transport.close()
        return cycle.keep_alive

    def _close_if_idle(self) -> None:
        self._idle = None
        if self._idle_since is not None:
            left = self._idle_since + IDLE_AFTER - time.monotonic()
            if left <= 0:
                self.transport.close()
            else:
                self._idle = self.loop.call_later(left, self._close_if_idle)

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


@final
class Listener:
    """An open port. `trusted` says of an address whether a PROXY header from there counts."""

    def __init__(
        self,
        server: uvicorn.Server,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        trusted: Callable[[str], bool],
        direct: Direct | None,
    ) -> None:
        self.port: int = sock.getsockname()[1]
        self._server = server
        self._socket = sock
        self._tls = tls
        self._trusted = trusted
        self._direct = direct
        self._loop = asyncio.get_running_loop()
        self._end_of_turn = _EndOfTurn()
        self._beginning: set[asyncio.Task[None]] = set()
        self._accepting = self._loop.create_task(self._accept())

    async def drain(self, seconds: Callable[[int], float]) -> None:
        """Accept no more connections, and close those that are open in random order.

        `seconds` says over how long, by their number. A request in flight has DRAIN seconds more.
        """
        await self.close()
        connections = list(self._server.server_state.connections)
        random.shuffle(connections)
        pause = seconds(len(connections)) / max(1, len(connections))
        for each in connections:
            each.shutdown()
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Accept no more connections."""
        tasks = (self._accepting, *self._beginning)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, peer = await self._loop.sock_accept(self._socket)
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    await asyncio.sleep(_PAUSE)
                continue
            task = self._loop.create_task(self._begin(connection, peer[0]))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket, peer: str) -> None:
        """Serve a connection. One that does not begin as it should is closed without an answer."""
        try:
            client = None
            if self._trusted(peer):
                async with asyncio.timeout(HEAD_WITHIN):
                    client = await self._read_proxy_header(connection)
        except (OSError, TimeoutError, ProxyHeaderError):
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        with suppress(OSError):  # the handshake of TLS failed
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(client),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=HEAD_WITHIN if self._tls else None,
            )

    def _protocol(self, client: _Address | None) -> _Protocol:
        protocol = _Protocol(self._server.config, self._server.server_state, {}, self._loop)
        protocol.client_behind_proxy = client
        protocol.direct = self._direct
        protocol.end_of_turn = self._end_of_turn
        return protocol

    async def _read_proxy_header(self, connection: socket.socket) -> _Address | None:
        """The address that a proxy names; None without a header, and for a check by the proxy itself."""
        await self._until_readable(connection)
        if connection.recv(1, socket.MSG_PEEK) != SIGNATURE[:1]:
            return None
        data = await self._read(connection, FIXED_SIZE)
        data += await self._read(connection, (proxy_header_size(data) or FIXED_SIZE) - FIXED_SIZE)
        header = read_proxy_header(data)
        return (header.address, header.port) if header and header.address else None

    async def _read(self, connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(connection, size - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data

    async def _until_readable(self, connection: socket.socket) -> None:
        readable = asyncio.Event()
        self._loop.add_reader(connection, readable.set)
        try:
            await readable.wait()
        finally:
            self._loop.remove_reader(connection)


@asynccontextmanager
async def listening(
    app: ASGIApp,
    address: str,
    port: int,
    key: str,
    tls: ssl.SSLContext | None = None,
    trusted: Callable[[str], bool] = lambda _: False,
    direct: Direct | None = None,
) -> AsyncIterator[Listener]:
    """Serve `app` while the context is open, at a free port for 0.

    `key` is the setting of the port. `tls` is a server's context. A PROXY header is believed of the
    addresses that are `trusted`. `direct` answers some requests instead of `app`. Raises PortError.
    """
    sock = _bound(address, port, key)
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
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[]))
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn sets no event
            await asyncio.sleep(0.005)
        if serving.done():
            await serving
        listener = Listener(server, sock, tls, trusted, direct)
        try:
            yield listener
        finally:
            await listener.close()
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        sock.close()


def _bound(address: str, port: int, key: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise PortError(address, port, key, error) from error
    return listener
