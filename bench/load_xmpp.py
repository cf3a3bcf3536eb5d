"""An XMPP client as the load generator plays it: as little of RFC 6120 as signs in, and counts what comes.

Stanzas are told apart by searching for their ends: the server here is trusted to send whole ones.
"""

import base64
import ssl
from collections.abc import Sequence

import people
from load_connection import Connection

HOST = "localhost"
_OPENING = (
    f"<stream:stream to='{HOST}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    " version='1.0'>"
).encode()


class XmppSession:
    """One user's session."""

    def __init__(self, number: int, context: ssl.SSLContext | None, port: int) -> None:
        self.number = number
        self.received = 0
        self._name = people.uid(number)
        self._connection = Connection(context)
        self._connection.on_data = self._keep
        self._port = port
        self._buffer = b""
        self._wanted = b""

    async def sign_in(self) -> None:
        """Connect, authenticate by SASL PLAIN, bind, and wait for the own presence."""
        await self.authenticate()
        await self._ask(_OPENING, b"</stream:features>")
        bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        await self._ask(bind.encode(), b"</iq>")
        await self._ask(b"<presence/>", b"</presence>", b"/>")

    async def authenticate(self, password: str = "") -> None:
        """Connect and authenticate. Raises ConnectionRefusedError with what the server said."""
        await self._connection.connect(self._port)
        await self._ask(_OPENING, b"</stream:features>")
        password = password or people.password(self._name)
        secret = base64.b64encode(f"\0{self._name}\0{password}".encode()).decode()
        auth = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
        answer = await self._ask(auth.encode(), b">")
        if not answer.startswith(b"<success"):
            raise ConnectionRefusedError(answer.decode())

    async def greet(self, watched: Sequence[int]) -> None:
        """The roster has whom the user watches; a client asks for it."""
        if watched:
            iq = b"<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
            await self._ask(iq, b"</query></iq>")

    # Messages

    async def open_talk(self, peer: "XmppSession") -> None:
        """Nothing is to be opened: a message names its recipient."""
        body = "x" * 64
        to = f"{people.uid(peer.number)}@{HOST}"
        self._message = f"<message to='{to}' type='chat'><body>{body}</body></message>".encode()
        peer.count(b"</message>")

    def say(self, count: int) -> None:
        """Send so many messages to the peer."""
        self._connection.send(self._message * count)

    # Presence

    def watch_updates(self) -> None:
        self.count(b"</presence>")

    def change_status(self, nth: int) -> None:
        show = "away" if nth % 2 else "dnd"
        self._connection.send(f"<presence><show>{show}</show></presence>".encode())

    # Counting

    def count(self, wanted: bytes) -> None:
        """From now on only count this in what comes."""
        self._wanted = wanted
        self._buffer = b""
        self.received = 0
        self._connection.on_data = self._count

    async def until_received(self, count: int) -> None:
        await self._connection.until(lambda: self.received >= count)

    def close(self) -> None:
        self._connection.abort()

    def _keep(self, data: bytes) -> None:
        self._buffer += data

    def _count(self, data: bytes) -> None:
        data = self._buffer + data
        self.received += data.count(self._wanted)
        self._buffer = data[data.rfind(b">") + 1 :]

    async def _ask(self, data: bytes, *ends: bytes) -> bytes:
        self._buffer = b""
        self._connection.send(data)
        await self._connection.until(lambda: self._buffer.endswith(ends))
        return self._buffer
