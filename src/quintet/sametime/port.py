"""One connection of a client on a real socket: TLS or not, through a proxy or not, fast or slow.

Theory of operation
-------------------
Bytes pass through these stages, each of which may keep some:

    socket -> PROXY header -> (first byte decides) -> TLS -> inbox -> session -> events -> server

**The first byte** tells TLS (`16`) from the protocol without it (`00`, or a byte between frames); anything
else is dropped. A trusted proxy, and no other client, must send a PROXY header before it.

**Turns.** What came is worked on in turns of the event loop: some KiB at a time, and a few milliseconds at
most. What is left waits for the next turn, and the socket is not read meanwhile. Nothing is worked on while
there is a reason to hold: the client is above its rate (`RATE`), too many of its requests are in work
(`BUSY`), or a large request is worked on in pieces (`PIECES`). So a client that floods waits, and others do
not notice.

**Writing.** What the session has to send is written once at the end of a turn, whatever caused it (`wake`). A
client that does not read is cut off when too much waits for it, or for too long.

**The end.** A session that the server ended gets its last message, then the end of the stream; the connection
is closed when the client has closed its side, or after some seconds. Closing at once could destroy the last
message before the client has read it. `lost` is called once, whatever happened.

Before a LOGIN came the connection has a deadline and a place among a bounded number (the server's affair).
"""

import asyncio
import ipaddress
import socket
import ssl
from collections import deque
from contextlib import suppress
from enum import Enum, Flag, auto
from typing import Any, Final, Protocol, final

from quintet.proxy_protocol import ProxyHeaderError, read_proxy_header
from quintet.sametime.admission import TokenBucket
from quintet.sametime.events import SessionEvent
from quintet.sametime.session import SametimeSession, SessionState
from quintet.sametime.settings import SametimeSettings
from quintet.sametime.tls_engine import TlsEngine
from quintet.sametime.trace import SametimeTraceEvent, SlowReader, TurnedAway

_CHUNK: Final = 16 * 1024
_TURN_SECONDS: Final = 0.004
_LINGER_SECONDS: Final = 3.0
_HIGH_WATER: Final = 64 * 1024
_TLS_HANDSHAKE: Final = 0x16
_LOWEST_IDLE_BYTE: Final = 0x80


class Hold(Flag):
    """Why nothing of a client is worked on."""

    RATE = auto()
    BUSY = auto()
    PIECES = auto()


class Stage(Enum):
    """How far a connection is."""

    PROXY = auto()
    """The PROXY header of a trusted proxy is due."""
    FIRST_BYTE = auto()
    TLS = auto()
    UNENCRYPTED = auto()
    FINISHED = auto()
    """Nothing that comes is looked at."""


class PortServer(Protocol):
    """What a connection needs of its server."""

    settings: SametimeSettings
    tls_context: ssl.SSLContext | None

    def new_session(self) -> SametimeSession:
        """The session of a new connection."""

    def opened(self, connection: "ClientConnection") -> None:
        """The address of the client is known."""

    def handle(self, connection: "ClientConnection", event: SessionEvent) -> None:
        """The session told this."""

    def turned_away(self, connection: "ClientConnection", cause: TurnedAway, detail: str) -> None:
        """The connection ends before a user has signed in."""

    def lost(self, connection: "ClientConnection") -> None:
        """The connection is gone. Called once."""

    def send_soon(self, connection: "ClientConnection") -> None:
        """Call `flush` of the connection at the end of this turn of the event loop, or soon after."""

    def failed(self, connection: "ClientConnection", error: Exception) -> None:
        """Something is wrong in the server: the connection cannot go on."""

    def tell(self, event: SametimeTraceEvent) -> None:
        """For logs and metrics."""


@final
class ClientConnection(asyncio.Protocol):
    """One connection. `client` belongs to the server, which sets it when a user has signed in."""

    __slots__ = (
        "__weakref__",
        "_bucket",
        "_deadline",
        "_events",
        "_finishing",
        "_head",
        "_holds",
        "_inbox",
        "_is_waking",
        "_loop",
        "_received",
        "_release_at",
        "_server",
        "_stage",
        "_stalled",
        "_tls",
        "_transport",
        "_work_at",
        "address",
        "client",
        "client_type",
        "is_loopback",
        "last_sent",
        "session",
        "via_proxy",
    )

    def __init__(self, server: PortServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._stage = Stage.FIRST_BYTE
        self._tls: TlsEngine | None = None
        self._head = b""
        self._inbox = bytearray()
        self._events: deque[SessionEvent] = deque()
        self._holds = Hold(0)
        self._received = 0
        self._bucket: TokenBucket | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._release_at: asyncio.TimerHandle | None = None
        self._finishing: asyncio.TimerHandle | None = None
        self._work_at: asyncio.Handle | None = None
        self._is_waking = False
        self.session = server.new_session()
        self.address = ""
        self.is_loopback = False
        self.via_proxy = False
        self.client_type = ""
        self.client: Any = None
        self.last_sent = loop.time()

    # What the server asks for

    @property
    def tls_version(self) -> str | None:
        """Like "TLSv1.3"; None without TLS."""
        return self._tls.version if self._tls else None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and self._stage is not Stage.FINISHED

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client to read."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def wake(self) -> None:
        """Send what the session has to send, at the end of this turn."""
        if not self._is_waking and self._transport is not None:
            self._is_waking = True
            self._server.send_soon(self)

    def login_came(self) -> None:
        """The deadline before sign-in does not count any more."""
        self._cancel_deadline()

    def signed_in(self, client: Any) -> None:
        """From now on the client may send at its rate."""
        limits = self._server.settings.limits
        self.client = client
        self._bucket = TokenBucket(limits.bytes_per_second, limits.burst, self._loop.time())

    def charge(self, size: int) -> None:
        """What the client did made others get so many bytes: it counts against its own rate."""
        if self._bucket is not None:
            self._hold_for(self._bucket.take(size, self._loop.time()))

    def hold(self, why: Hold) -> None:
        """Work on nothing of this client until `release`."""
        self._holds |= why
        self._pause()

    def release(self, why: Hold) -> None:
        """Go on, unless there is another reason to hold."""
        self._holds &= ~why
        if not self._holds and self._work_at is None and self._transport is not None:
            self._work_at = self._loop.call_soon(self._work)

    def turn_away(self, cause: TurnedAway, detail: str = "") -> None:
        """End a connection on which no user signed in, without a word beyond what the session has to say."""
        if self._stage is not Stage.FINISHED:
            self._server.turned_away(self, cause, detail)
            self.session.close()
            self._close()

    def close(self) -> None:
        """Close the connection without giving the client a reason: it comes back by itself."""
        self.flush()
        self._close()

    def abort(self) -> None:
        """Drop the connection and all that waits to be sent."""
        self._stage = Stage.FINISHED
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        if not peer:
            self.abort()
            return
        _set_options(transport.get_extra_info("socket"), self._server.settings.limits.stalled_seconds)
        seconds = self._server.settings.limits.sign_in_seconds
        self._deadline = self._loop.call_later(seconds, self.turn_away, TurnedAway.LATE)
        address = _plain(ipaddress.ip_address(peer[0].partition("%")[0]))
        if any(address in network for network in self._server.settings.trusted_proxies):
            self._stage = Stage.PROXY
            self.via_proxy = True
            self.address = f"{address}:{peer[1]}"
        else:
            self.address = str(address)
            self.is_loopback = address.is_loopback
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._stage is Stage.FINISHED:
            return
        if self._bucket is not None:
            self._hold_for(self._bucket.take(len(data), self._loop.time()))
        else:
            self._received += len(data)
            most = 2 * self._server.settings.limits.bytes_before_sign_in  # what TLS adds included
            if self._received > most:
                self.turn_away(TurnedAway.PROTOCOL, f"more than {most} bytes before sign-in")
                return
        self._feed(data)

    def eof_received(self) -> bool:
        """The client sends nothing more; what waits for it is still written before the socket closes."""
        return False

    def pause_writing(self) -> None:
        if self._stalled is None:
            seconds = self._server.settings.limits.stalled_seconds
            self._stalled = self._loop.call_later(seconds, self._cut_off)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, _error: Exception | None) -> None:
        self._stage = Stage.FINISHED
        self._transport = None
        self._cancel_deadline()
        timers = (self._stalled, self._release_at, self._finishing, self._work_at)
        for each in timers:
            if each is not None:
                each.cancel()
        self._inbox.clear()
        self._events.clear()
        self.session.close()
        self._server.lost(self)

    # From bytes to events

    def _feed(self, data: bytes) -> None:
        if self._stage is Stage.PROXY:
            data = self._read_proxy_header(data)
        if self._stage is Stage.FIRST_BYTE and data:
            self._decide(data[0])
        if self._stage is Stage.TLS:
            data = self._decrypt(data)
        if self._stage in (Stage.TLS, Stage.UNENCRYPTED):
            self._inbox += data
            if self._work_at is None:
                self._work()
            if self._tls is not None and self._tls.closed:
                self._close()

    def _read_proxy_header(self, data: bytes) -> bytes:
        """What comes behind the header; nothing while it is incomplete."""
        self._head += data
        try:
            header = read_proxy_header(self._head)
        except ProxyHeaderError as error:
            self.turn_away(TurnedAway.NO_PROXY_HEADER, str(error))
            return b""
        if header is None:
            return b""
        rest, self._head = self._head[header.size :], b""
        self._stage = Stage.FIRST_BYTE
        if header.address is not None:
            self.address = header.address
            self._server.opened(self)
        return rest

    def _decide(self, first: int) -> None:
        if first == _TLS_HANDSHAKE:
            context = self._server.tls_context
            if context is None:
                self.turn_away(TurnedAway.NO_TLS_HERE)
                return
            self._tls = TlsEngine(context)
            self._stage = Stage.TLS
        elif first == 0 or first >= _LOWEST_IDLE_BYTE:
            self._stage = Stage.UNENCRYPTED
        else:
            self.turn_away(TurnedAway.NOT_THE_PROTOCOL, f"first byte {first:#04x}")

    def _decrypt(self, data: bytes) -> bytes:
        assert self._tls is not None
        try:
            plain = self._tls.receive(data)
        except ssl.SSLError as error:
            self._write(self._tls.outgoing())
            if self.client is None:
                self.turn_away(TurnedAway.TLS_FAILED, error.reason or type(error).__name__)
            else:
                self._close()
            return b""
        self._write(self._tls.outgoing())
        return plain

    def _work(self) -> None:
        """Work on what came, for a few milliseconds."""
        self._work_at = None
        try:
            self._work_until(self._loop.time() + _TURN_SECONDS)
            self.flush()
        except Exception as error:  # noqa: BLE001  # asyncio would leave the connection as it is
            self._server.failed(self, error)
            return
        if self._work_at is None and not self._holds:
            self._resume()
        else:
            self._pause()

    def _work_until(self, end: float) -> None:
        while not self._holds and self._stage is not Stage.FINISHED:
            if self._events:
                self._server.handle(self, self._events.popleft())
            elif self._inbox:
                chunk = bytes(self._inbox[:_CHUNK])
                del self._inbox[:_CHUNK]
                self._events.extend(self.session.receive(chunk))
            else:
                return
            if self._loop.time() > end:
                if self._events or self._inbox:
                    self._work_at = self._loop.call_soon(self._work)
                return

    def _pause(self) -> None:
        if self._transport is not None and self._transport.is_reading() and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()

    def _hold_for(self, seconds: float) -> None:
        """Hold because of the rate; what is in debt already goes deeper into it."""
        if seconds <= 0:
            return
        self.hold(Hold.RATE)
        if self._release_at is not None:
            self._release_at.cancel()
        self._release_at = self._loop.call_later(seconds, self.release, Hold.RATE)

    # From the session to bytes

    def flush(self) -> None:
        """Write what the session has to send, and end the connection if the session is over."""
        self._is_waking = False
        if self._stage is Stage.FINISHED or self._transport is None:
            return
        data = self.session.data_to_send()
        if data:
            self._write(self._tls.send(data) if self._tls else data)
            self.last_sent = self._loop.time()
        if self.session.state is SessionState.CLOSED:
            self._finish()
        elif self.unsent > self._server.settings.limits.unsent:
            self._cut_off()

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # How it ends

    def _finish(self) -> None:
        """The session is over: end the stream, and give the client time to read its last message."""
        self._stage = Stage.FINISHED
        self._cancel_deadline()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        with suppress(OSError, ssl.SSLError):
            if self._tls is not None:
                self._write(self._tls.close())
            transport.write_eof()
        self._resume()
        self._finishing = self._loop.call_later(_LINGER_SECONDS, transport.abort)

    def _close(self) -> None:
        """Close the socket when what waits is written, or after some seconds."""
        self._stage = Stage.FINISHED
        self._cancel_deadline()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._tls is not None:
            with suppress(ssl.SSLError):
                self._write(self._tls.close())
        transport.close()
        self._finishing = self._loop.call_later(_LINGER_SECONDS, transport.abort)

    def _cut_off(self) -> None:
        self._server.tell(SlowReader(self.client_type, self.unsent))
        self.abort()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address that came in the form of IPv6 is an IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _set_options(connection: socket.socket | None, stalled_seconds: float) -> None:
    """Let the kernel find out about clients that are gone without a word."""
    if connection is None:
        return
    unanswered = stalled_seconds + 30  # longer than the server's own patience with one that is there
    options = (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 0), 60),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", 0), 20),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", 0), 3),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 0), int(unanswered * 1000)),
    )
    for level, name, value in options:
        if name:
            with suppress(OSError):
                connection.setsockopt(level, name, value)
