"""A client's connection as the load generator has it: a socket, TLS by memory BIOs, and a way to wait.

It is made to be cheap: what the generator uses of the two processors is missing to the servers. Both
protocols use it, so that what it costs is the same for both.
"""

import asyncio
import ssl
from collections.abc import Callable

_CHUNK = 64 * 1024
_PATIENCE = 180.0


class Connection(asyncio.Protocol):
    """`on_data` gets what the server said, decrypted, and may be replaced at any time."""

    __slots__ = ("_incoming", "_lost", "_outgoing", "_ready", "_tls", "_transport", "_waiting", "on_data")

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._transport: asyncio.Transport | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO() if context else None
        self._outgoing = ssl.MemoryBIO() if context else None
        if context is not None and self._incoming is not None and self._outgoing is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._ready = self._tls is None
        self._lost = False
        self._waiting: asyncio.Future[None] | None = None
        self.on_data: Callable[[bytes], None] = lambda _: None

    async def connect(self, port: int) -> None:
        """Connect, and make the handshake of TLS. Raises OSError, ssl.SSLError, TimeoutError."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
        if self._tls is not None:
            self._shake()
            await self.until(lambda: self._ready)

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        if self._tls is not None:
            self._tls.write(data)
            assert self._outgoing is not None
            data = self._outgoing.read()
        self._transport.write(data)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it is true, after whatever comes. Raises ConnectionError, TimeoutError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while not condition():
            if self._lost:
                raise ConnectionResetError("the server closed the connection")
            self._waiting = loop.create_future()
            timer = loop.call_at(end, self._late)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost = True
        self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._tls is not None:
            assert self._incoming is not None
            self._incoming.write(data)
            if not self._ready:
                self._shake()
            data = self._decrypted() if self._ready else b""
        if data:
            self.on_data(data)
        self._go_on()

    def _shake(self) -> None:
        assert self._tls is not None
        assert self._transport is not None
        assert self._outgoing is not None
        try:
            self._tls.do_handshake()
            self._ready = True
        except ssl.SSLWantReadError:
            pass
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    def _decrypted(self) -> bytes:
        assert self._tls is not None
        parts: list[bytes] = []
        try:
            while part := self._tls.read(_CHUNK):
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)

    def _go_on(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _late(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(TimeoutError("no answer"))
