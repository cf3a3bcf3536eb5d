"""TLS between a protocol and its socket, as bytes in and bytes out.

asyncio's own TLS is a transport and a protocol between ours: every message passes through four more calls and
is copied twice more. Here the protocol itself encrypts what it writes and decrypts what it reads.

Theory of operation. `ssl.SSLObject` reads what the peer sent from one memory and writes what the peer shall
get to another.

- Any call may leave bytes to send, reading too: an alert, the start of a renegotiation. The caller takes them
  from `outgoing` after each call, and they leave in the order in which they came to be.
- While the peer renegotiates, nothing can be encrypted. What is written meanwhile waits in `_waiting`, in
  pieces, because OpenSSL wants a refused piece again as it was. `blocked` says so, for back-pressure.
- `receive` never raises: what came before the end is still of use. `ended` tells that nothing more will come,
  and `error` why, None after a proper close_notify.
- A memory is never marked as ended. That the socket ended is for the caller to see: every message of LDAP
  says how long it is, so nothing can be cut off unnoticed.
"""

import ssl
from collections import deque
from contextlib import suppress
from typing import final


@final
class TlsLayer:
    """The client's side of TLS by `context`. Raises ValueError when the name of the host cannot be one."""

    def __init__(self, context: ssl.SSLContext, server_hostname: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(self._incoming, self.outgoing, server_hostname=server_hostname)
        self._waiting: deque[bytes] = deque()
        self.blocked = False
        self.ended = False
        self.error: ssl.SSLError | None = None

    def feed(self, data: memoryview) -> None:
        """Bytes of the handshake came."""
        self._incoming.write(data)

    def handshake(self) -> bool:
        """One step; whether it was the last. Raises ssl.SSLError, and what the context's own checks raise."""
        try:
            self.ssl_object.do_handshake()
        except _AGAIN:
            return False
        except BaseException:
            # The context's own checks come when OpenSSL is done: a server that they refuse gets no Finished
            # and no certificate of ours. Before that, what lies here is the alert that tells why.
            if self.ssl_object.version() is not None:
                self.outgoing.read()
            raise
        return True

    def receive(self, data: memoryview) -> bytes:
        """Take what the peer sent, and give what of it can be read."""
        incoming, read = self._incoming, self.ssl_object.read
        incoming.write(data)
        pieces: list[bytes] = []
        try:
            pieces.append(read(_RECORD))
            while incoming.pending and pieces[-1]:
                pieces.append(read(_RECORD))
            self.ended = not pieces[-1]
        except _AGAIN:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True  # a close_notify, after ours
        except ssl.SSLError as error:
            self.ended, self.error = True, error
        if self.blocked and not self.ended:
            self._encrypt_waiting()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, data: bytes) -> None:
        """Encrypt, or keep until it can be done."""
        if self.blocked:
            self._waiting.append(data)
            return
        try:
            self.ssl_object.write(data)
        except _AGAIN:
            self.blocked = True
            self._waiting.append(data)
        except ssl.SSLError as error:
            self.ended, self.error = True, error

    def close(self) -> None:
        """Say goodbye (close_notify), if the state of things allows it."""
        with suppress(ssl.SSLError):
            self.ssl_object.unwrap()

    def _encrypt_waiting(self) -> None:
        pieces, self._waiting, self.blocked = self._waiting, deque(), False
        for piece in pieces:
            self.send(piece)


_AGAIN = (ssl.SSLWantReadError, ssl.SSLWantWriteError)

_RECORD = 16 * 1024
"""No record holds more (RFC 8446 section 5.1), so one read empties it."""
