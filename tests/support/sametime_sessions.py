"""A server's session and a client without sockets, and what passes between them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from quintet.sametime.events import ChannelRequested, HandshakeReceived, LoginRequested, SessionEvent
from quintet.sametime.limits import SessionLimits
from quintet.sametime.services.catalog import SERVICES
from quintet.sametime.session import SametimeSession, SessionState
from quintet.sametime.wire.blocks import LoginInfo
from quintet.sametime.wire.diffie_hellman import KeyPair
from quintet.sametime.wire.encryption import CipherId
from quintet.sametime.wire.messages import SametimeMessage, UnknownMessage
from support import sametime_vectors as vectors
from support.sametime_client import SametimeClient

SERVER = LoginInfo("7F000001SERV", 0x2000, "server.example.org", "Quintet", server_id="server.example.org")
KEYS = KeyPair.from_private(vectors.SERVER_PRIVATE)
MAGIC = vectors.MAGIC


def login_of(name: str) -> LoginInfo:
    """The login that the server gives to a client of this name."""
    return LoginInfo(f"7F00{name}1", 0x1700, f"uid={name}", name.capitalize(), server_id=SERVER.server_id)


@dataclass(slots=True)
class Pair:
    """One connection, both sides. `said` is all that the server said, `events` all that the session told."""

    name: str = "alice"
    offered: Collection[int] = tuple(SERVICES)
    limits: SessionLimits = field(default_factory=SessionLimits)
    client: SametimeClient = field(init=False)
    session: SametimeSession = field(init=False)
    events: list[SessionEvent] = field(default_factory=list)
    said: list[SametimeMessage | UnknownMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = SametimeClient(self.name)
        self.session = SametimeSession(SERVER, self.offered, self.limits)

    @property
    def login(self) -> LoginInfo:
        return login_of(self.name)

    def to_server(self) -> list[SessionEvent]:
        """Pass on what the client has to send; the new events."""
        events = self.session.receive(self.client.data_to_send())
        self.events += events
        return events

    def to_client(self) -> list[SametimeMessage | UnknownMessage]:
        """Pass on what the server has to send; the new messages."""
        said = self.client.receive(self.session.data_to_send())
        self.said += said
        return said

    def shaken(self) -> "Pair":
        """Until the handshake is answered: the client's LOGIN is ready to be passed on."""
        self.client.start()
        assert isinstance(self.to_server()[-1], HandshakeReceived)
        self.session.accept_handshake(KEYS, MAGIC)
        self.to_client()
        return self

    def authenticating(self) -> "Pair":
        """Until the server has to answer the LOGIN."""
        self.shaken()
        assert isinstance(self.to_server()[-1], LoginRequested)
        return self

    def online(self) -> "Pair":
        self.authenticating()
        self.session.accept_login(self.login)
        self.to_client()
        assert self.session.state is SessionState.ONLINE
        return self

    def request(
        self, service: int, target: str = "", additional: bytes = b"", ciphers: Iterable[CipherId] = ()
    ) -> ChannelRequested:
        """Let the client open a channel; what the session tells of it."""
        self.client.create(service, target, additional, ciphers)
        (event,) = self.to_server()
        assert isinstance(event, ChannelRequested)
        return event

    def hosted(self, service: int, *ciphers: CipherId) -> int:
        """Let the client open a channel to the server, and accept it."""
        channel = self.request(service, ciphers=ciphers).channel
        assert self.session.channels.accept(channel)
        self.to_client()
        return channel
