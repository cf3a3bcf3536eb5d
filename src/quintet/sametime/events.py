"""What a session tells of a client: one value for each thing that happened."""

from dataclasses import dataclass, field
from enum import Enum, auto

from quintet.sametime.credentials import LoginCredentials
from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.blocks import PrivacyInfo, UserStatus
from quintet.sametime.wire.messages import Announce, ChannelAccept, ChannelCreate, Handshake


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """To be answered by `accept_handshake`, or `end`."""

    handshake: Handshake


@dataclass(frozen=True, slots=True)
class LoginRequested:
    """To be answered by `accept_login`, `redirect`, or `end`."""

    name: str
    client_type: int
    credentials: LoginCredentials


@dataclass(frozen=True, slots=True)
class LoginContinued:
    """After `redirect` the client wants to stay: to be answered as the LoginRequested before."""


@dataclass(frozen=True, slots=True)
class ChannelRequested:
    """The client opens a channel of an offered service. `create` never has a creator (P32).

    To be answered, if the service is relayed, by `Channels.accept_relayed`, otherwise by `Channels.accept`,
    or by `Channels.close`.
    """

    channel: int
    create: ChannelCreate


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """The client accepted a channel that the server had opened. `accept` never has an acceptor (P32)."""

    channel: int
    accept: ChannelAccept


@dataclass(frozen=True, slots=True)
class ChannelData:
    """Data on an open channel. `encrypted` only on relayed channels: it is to be relayed so (P54)."""

    channel: int
    type: int
    data: bytes = field(repr=False)
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """A channel that was requested, offered or open is gone.

    Either the client closed it, with a `reason` that is mostly a `ReasonCode`; or it broke the protocol on
    it, and the session closed it.
    """

    channel: int
    reason: int
    data: bytes = field(default=b"", repr=False)
    by_client: bool = True


@dataclass(frozen=True, slots=True)
class ChannelRefused:
    """A channel was refused, and never existed. To be counted by service, reason and client type."""

    create: ChannelCreate
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The client set its status; the text is cut to the limit."""

    status: UserStatus


@dataclass(frozen=True, slots=True)
class PrivacyChanged:
    """The client set its privacy list."""

    privacy: PrivacyInfo


@dataclass(frozen=True, slots=True)
class SenseRequested:
    """The client wants to know once when an offered service is available: by `announce_service` (P68)."""

    service: int


@dataclass(frozen=True, slots=True)
class AnnouncementRequested:
    """The client wants to tell many something. `announce` never has a sender (P32)."""

    announce: Announce


class IgnoreCause(Enum):
    """Why a message was ignored."""

    UNKNOWN_TYPE = auto()
    """Nothing is known of its body."""
    NOT_EXPECTED = auto()
    """Clients do not send it, or not any more after sign-in."""
    MALFORMED = auto()
    """Its body is not what is known of its type."""
    LIMIT = auto()
    """It goes beyond a limit of the session."""
    NOT_OFFERED = auto()
    """It asks for a service that is not offered."""


@dataclass(frozen=True, slots=True)
class MessageIgnored:
    """A message after sign-in that had no effect. To be counted."""

    type: int
    cause: IgnoreCause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SessionLeft:
    """The client ended the session: the connection is to be closed. The last event."""

    reason: int


class ViolationKind(Enum):
    """How a client broke the protocol so that the session ended."""

    MALFORMED = auto()
    """What came is no message."""
    TOO_LARGE = auto()
    """A message is larger than the limit."""
    TOO_MUCH_BEFORE_SIGN_IN = auto()
    """More bytes came before sign-in than the limit."""
    OUT_OF_ORDER = auto()
    """The message is not allowed in this state."""
    NEWER_PROTOCOL = auto()
    """The client speaks the newer family of messages (P10)."""
    SERVER_APPLICATION = auto()
    """The client is a server application or a mux, which belong on another port (P37)."""
    BAD_CHANNEL = auto()
    """The client opens channel 0 (P50)."""


@dataclass(frozen=True, slots=True)
class ProtocolViolation:
    """The session ended; a CHANNEL_DESTROY with `reason` is among the data to send. The last event.

    `detail` names types, sizes and positions, and nothing that the client wrote.
    """

    kind: ViolationKind
    reason: ReasonCode
    detail: str


SessionEvent = (
    HandshakeReceived
    | LoginRequested
    | LoginContinued
    | ChannelRequested
    | ChannelOpened
    | ChannelData
    | ChannelClosed
    | ChannelRefused
    | StatusChanged
    | PrivacyChanged
    | SenseRequested
    | AnnouncementRequested
    | MessageIgnored
    | SessionLeft
    | ProtocolViolation
)
