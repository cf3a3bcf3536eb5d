"""TLS inside the connection's own protocol object: bytes in, bytes out, no socket.

asyncio's own TLS takes some 270 KiB a connection and loses what was read before `start_tls` on Python 3.11;
an `SSLObject` over two memory BIOs takes 28 KiB and is fed with the bytes that were read.
"""

import ssl
from contextlib import suppress
from typing import Final, final

_CHUNK: Final = 16 * 1024
"""The largest record of TLS."""


@final
class TlsEngine:
    """The server's side of one TLS connection.

    After every call, what `outgoing` gives is to be sent. Raises `ssl.SSLError` when TLS failed; an alert for
    the client may be among the outgoing bytes then.
    """

    __slots__ = ("_established", "_incoming", "_object", "_outgoing", "closed")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = False
        self.closed = False
        """Whether the client said that it sends nothing more."""

    @property
    def established(self) -> bool:
        """Whether the handshake is done."""
        return self._established

    @property
    def version(self) -> str | None:
        """Like "TLSv1.3", once the handshake is done."""
        return self._object.version()

    def receive(self, data: bytes) -> bytes:
        """What the client sent inside of TLS, as far as whole records are there."""
        self._incoming.write(data)
        if not self._established:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self._established = True
        parts: list[bytes] = []
        try:
            while part := self._object.read(_CHUNK):
                parts.append(part)
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        return b"".join(parts)

    def send(self, data: bytes) -> bytes:
        """What is to be sent so that the client gets `data`. Only once the handshake is done."""
        if data:
            self._object.write(data)
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What waits to be sent."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """What is to be sent last, so that the client knows that nothing was cut off."""
        if self._established:
            with suppress(ssl.SSLError):  # it wants to hear the same from the client, which may be gone
                self._object.unwrap()
        return self.outgoing()
