"""One connection of a Sametime client, the server's side, without a socket: bytes in, events out.

Theory of operation
-------------------
The port reads bytes and passes them to `receive`, which gives events. It answers them by calling methods, now
or later, and writes what `data_to_send` gives. Nothing here waits, reads a clock, or makes random numbers.

**States.** `state` moves only forward, but for the way back from REDIRECTED:

    NEW -> SHAKING -> SHAKEN -> AUTHENTICATING -> ONLINE
                                  |        ^
                                  v        |
                                  REDIRECTED

In SHAKING and AUTHENTICATING it is the server's turn, in NEW, SHAKEN and REDIRECTED the client's. Before
ONLINE any message but the one that is due is a violation; the client may always leave. From every state the
session becomes CLOSED: by `end` (the server refuses or ends it), by the client leaving, by a violation, or
by `close` (the connection is gone). CLOSED is final: what still comes is not looked at (P35), nothing more
is queued, and what was queued before is still to be sent.

**After a violation** its event is the last one, and a CHANNEL_DESTROY for the master channel is queued. Once
the client is signed in, only what cannot be read past is a violation. A message that is malformed, unknown or
out of place is ignored and reported, because layouts of clients differ (P53).

**Channels** exist from ONLINE on, in a part of their own: `channels`.

**Identity.** Creators, acceptors and senders that a client names are dropped (P32). Those that go out are the
`LoginInfo` that a caller passes, and are checked for what crashes clients (P13).

**Bounds** are in `SessionLimits`: before sign-in the bytes in all, afterwards sizes and numbers. The cost of
`receive` grows with the bytes that it gets and with nothing else: see P69 for how long 64 KiB take.
"""

from collections.abc import Collection
from dataclasses import replace
from enum import Enum, auto
from typing import Final, final

from quintet.sametime.channel_table import MASTER
from quintet.sametime.channels import Channels
from quintet.sametime.client_types import client_type_name, is_server
from quintet.sametime.credentials import read_credentials
from quintet.sametime.errors import (
    MalformedMessageError,
    MessageTooLargeError,
    SessionStateError,
    UnencodableValueError,
)
from quintet.sametime.events import (
    AnnouncementRequested,
    HandshakeReceived,
    IgnoreCause,
    LoginContinued,
    LoginRequested,
    MessageIgnored,
    PrivacyChanged,
    ProtocolViolation,
    SenseRequested,
    SessionEvent,
    SessionLeft,
    StatusChanged,
    ViolationKind,
)
from quintet.sametime.limits import SessionLimits
from quintet.sametime.negotiation import CipherNegotiator
from quintet.sametime.outbox import Outbox
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import SERVICES, service_name
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, LoginInfo, PrivacyInfo, StatusCode, UserStatus
from quintet.sametime.wire.codec import clip
from quintet.sametime.wire.diffie_hellman import KeyPair
from quintet.sametime.wire.framing import KEEP_ALIVE, FrameDecoder
from quintet.sametime.wire.header import Header, MessageType, is_ng, message_name, read_header
from quintet.sametime.wire.messages import (
    Admin,
    Announce,
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    Handshake,
    HandshakeAck,
    Login,
    LoginAck,
    LoginContinue,
    LoginRedirect,
    OneTime,
    SenseService,
    SetPrivacyDenied,
    SetPrivacyList,
    SetUserStatus,
    UnknownMessage,
    decode_body,
)

_ACTIVE: Final = UserStatus(StatusCode.ACTIVE)
_LIMITS: Final = SessionLimits()

Notice = SetUserStatus | SetPrivacyList | SetPrivacyDenied | Admin | Announce
"""What the server may say to a signed-in client at any time."""


class SessionState(Enum):
    """What a session waits for."""

    NEW = auto()
    """HANDSHAKE."""
    SHAKING = auto()
    """The server: `accept_handshake`."""
    SHAKEN = auto()
    """LOGIN."""
    AUTHENTICATING = auto()
    """The server: `accept_login` or `redirect`."""
    REDIRECTED = auto()
    """LOGIN_CONTINUE, or that the client leaves."""
    ONLINE = auto()
    """Anything."""
    CLOSED = auto()
    """Nothing."""


@final
class SametimeSession:
    """The server's side of one connection.

    `server` is who the server is to clients: its login id is its RC2/40 key, its server id is what clients
    watch for server attributes (P88). `offered` are the services whose channels are handed out; channels of
    others are refused with SERVICE_NOT_SUPPORTED (P55). ValueError is raised for one whose layout is unknown.
    """

    __slots__ = (
        "_ack",
        "_channels",
        "_frames",
        "_key_pair",
        "_limits",
        "_offered",
        "_outbox",
        "_received",
        "_sensed",
        "_server",
        "state",
    )

    def __init__(self, server: LoginInfo, offered: Collection[int], limits: SessionLimits = _LIMITS) -> None:
        server.check_fit_to_send()
        if unknown := set(offered) - SERVICES.keys():
            raise ValueError(f"services of unknown layout: {', '.join(map(service_name, unknown))}")
        self.state = SessionState.NEW
        self._server = server
        self._offered = offered
        self._limits = limits
        self._frames = FrameDecoder(limits.message_before_sign_in)
        self._received = 0
        self._outbox = Outbox()
        self._sensed: set[int] = set()
        self._key_pair: KeyPair | None = None
        self._ack: HandshakeAck | None = None
        self._channels: Channels | None = None

    # What the server says

    def accept_handshake(self, key_pair: KeyPair, magic: int, client_address: int = 0) -> None:
        """Answer the handshake. `key_pair` may be shared; `magic` is random and of this session alone (P43).

        `client_address` is the client's IPv4 address as a number, or 0.
        """
        self._check_state(SessionState.SHAKING)
        self._key_pair = key_pair
        self._ack = HandshakeAck(client_address, magic, key_pair.public)
        self._outbox.put(self._ack)
        self.state = SessionState.SHAKEN

    def accept_login(
        self, login: LoginInfo, privacy: PrivacyInfo = VISIBLE_TO_ALL, status: UserStatus = _ACTIVE
    ) -> None:
        """Sign the client in as `login`, with the stored privacy list and the user's status."""
        self._check_state(SessionState.AUTHENTICATING)
        assert self._key_pair is not None
        login.check_fit_to_send()
        self._outbox.put(LoginAck(login, privacy, status))
        negotiator = CipherNegotiator(self._key_pair, self._limits.key_exchanges)
        self._channels = Channels(login, self._server, self._offered, negotiator, self._limits, self._outbox)
        self._frames.limit = self._limits.message_size
        self.state = SessionState.ONLINE

    def redirect(self, host: str) -> None:
        """Ask the client to sign in at another host. It may insist on this one (P33)."""
        self._check_state(SessionState.AUTHENTICATING)
        self._outbox.put(LoginRedirect(host))
        self.state = SessionState.REDIRECTED

    def end(self, reason: ReasonCode, data: bytes = b"") -> None:
        """Refuse the handshake or the login, or end the session. Does nothing if it is closed already.

        Raises UnencodableValueError for SUCCESS, which leaves clients in a dead state (P35).
        """
        if reason == ReasonCode.SUCCESS:
            raise UnencodableValueError("a session that ends without a reason looks alive to clients")
        self._outbox.put(ChannelDestroy(MASTER, reason, data))
        self._close()

    def close(self) -> None:
        """The connection is gone: nothing can be sent any more."""
        self._close()
        self._outbox.clear()

    def keep_alive(self) -> None:
        """Queue a byte that means nothing, to find out whether the peer is still there (P3)."""
        self._outbox.put_bytes(KEEP_ALIVE)

    def notify(self, notice: Notice) -> None:
        """Queue a message outside of channels. Does nothing if the session is closed."""
        if isinstance(notice, Announce):
            if notice.sender is None:
                raise UnencodableValueError("an announcement without a sender")
            notice.sender.check_fit_to_send()
        self._check_state(SessionState.ONLINE, SessionState.CLOSED)
        self._outbox.put(notice)

    def announce_service(self, service: int) -> bool:
        """Tell the client that a service is available, if it asked for that (P68). Whether it had."""
        if service not in self._sensed:
            return False
        self._sensed.remove(service)
        self._outbox.put(SenseService(service))
        return True

    @property
    def channels(self) -> Channels:
        """The channels of the client, also after the session has ended.

        Raises SessionStateError if it was never signed in.
        """
        if self._channels is None:
            raise SessionStateError(f"the session is {self.state.name}")
        return self._channels

    # Bytes

    @property
    def queued(self) -> int:
        """Bytes that wait for `data_to_send`."""
        return self._outbox.size

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        return self._outbox.take()

    def receive(self, data: bytes) -> list[SessionEvent]:
        """The events in the bytes that came. How they were cut into pieces makes no difference."""
        events: list[SessionEvent] = []
        if self._is(SessionState.CLOSED):
            return events
        if not self._is(SessionState.ONLINE):
            self._received += len(data)
            if self._received > (most := self._limits.bytes_before_sign_in):
                kind = ViolationKind.TOO_MUCH_BEFORE_SIGN_IN
                detail = f"more than {most} bytes before sign-in"
                self._violation(kind, ReasonCode.MESSAGE_TOO_LARGE, detail, events)
                return events
        self._frames.feed(data)
        try:
            while not self._is(SessionState.CLOSED) and (frame := self._frames.next_frame()) is not None:
                if self._channels is not None:
                    self._read(frame, self._channels, events)
                else:
                    self._read_before_sign_in(frame, events)
        except MessageTooLargeError as error:
            kind = ViolationKind.TOO_LARGE
            self._violation(kind, ReasonCode.MESSAGE_TOO_LARGE, str(error), events)
        except MalformedMessageError as error:
            self._violation(ViolationKind.MALFORMED, ReasonCode.PROTOCOL_ERROR, str(error), events)
        return events

    # What the client says before it is signed in

    def _read_before_sign_in(self, frame: bytes, events: list[SessionEvent]) -> None:
        header = read_header(frame)
        if header.type != MessageType.CHANNEL_DESTROY and header.type != _DUE.get(self.state):
            self._out_of_order(header.type, events)
            return
        match decode_body(frame, header):
            case ChannelDestroy(channel, reason):
                if channel == MASTER:
                    self._left(reason, events)
            case Handshake() as handshake:
                if not self._refuse_server(handshake.client_type, events):
                    self.state = SessionState.SHAKING
                    events.append(HandshakeReceived(handshake))
            case Login() as login:
                if not self._refuse_server(login.client_type, events):
                    self._on_login(login, events)
            case LoginContinue():
                assert self._ack is not None
                self._outbox.put(self._ack)  # the client waits for it (P33)
                self.state = SessionState.AUTHENTICATING
                events.append(LoginContinued())

    def _on_login(self, login: Login, events: list[SessionEvent]) -> None:
        assert self._key_pair is not None
        assert self._ack is not None
        credentials = read_credentials(login.auth_type, login.auth_data, self._key_pair, self._ack.magic)
        self.state = SessionState.AUTHENTICATING
        events.append(LoginRequested(login.name, login.client_type, credentials))

    def _refuse_server(self, client_type: int, events: list[SessionEvent]) -> bool:
        if not is_server(client_type):
            return False
        detail = f"client type {client_type_name(client_type)}"
        self._violation(ViolationKind.SERVER_APPLICATION, ReasonCode.USER_RESTRICTED, detail, events)
        return True

    def _out_of_order(self, message_type: int, events: list[SessionEvent]) -> None:
        kind, reason = ViolationKind.OUT_OF_ORDER, ReasonCode.PROTOCOL_ERROR
        if self.state is SessionState.NEW and is_ng(message_type):
            kind, reason = ViolationKind.NEWER_PROTOCOL, ReasonCode.VERSION_MISMATCH
        self._violation(kind, reason, f"{message_name(message_type)} in state {self.state.name}", events)

    # What the client says then

    def _read(self, frame: bytes, channels: Channels, events: list[SessionEvent]) -> None:
        header = read_header(frame)
        try:
            message = decode_body(frame, header)
        except MalformedMessageError as error:
            self._on_malformed(frame, header, channels, events, str(error))
            return
        match message:
            case ChannelSend():
                channels.on_send(message, events)
            case ChannelCreate(channel):
                if channel == MASTER:
                    kind, reason = ViolationKind.BAD_CHANNEL, ReasonCode.PROTOCOL_ERROR
                    self._violation(kind, reason, "CHANNEL_CREATE of the master channel", events)
                else:
                    channels.on_create(message, events)
            case ChannelAccept():
                channels.on_accept(message, events)
            case ChannelDestroy(channel, reason):
                if channel == MASTER:
                    self._left(reason, events)
                else:
                    channels.on_destroy(message, events)
            case SetUserStatus(status):
                text = clip(status.text, self._limits.status_text)
                events.append(StatusChanged(replace(status, text=text)))
            case SetPrivacyList(privacy):
                self._on_privacy(privacy, events)
            case SenseService(service):
                self._on_sense(service, events)
            case Announce():
                self._on_announce(message, events)
            case UnknownMessage() | OneTime():
                events.append(MessageIgnored(header.type, IgnoreCause.UNKNOWN_TYPE))
            case _:
                events.append(MessageIgnored(header.type, IgnoreCause.NOT_EXPECTED))

    def _on_privacy(self, privacy: PrivacyInfo, events: list[SessionEvent]) -> None:
        if len(privacy.users) <= self._limits.privacy_users:
            events.append(PrivacyChanged(privacy))
            return
        self._outbox.put(SetPrivacyDenied(ReasonCode.OUT_OF_RESOURCES))
        detail = f"{len(privacy.users)} users"
        events.append(MessageIgnored(MessageType.SET_PRIVACY_LIST, IgnoreCause.LIMIT, detail))

    def _on_sense(self, service: int, events: list[SessionEvent]) -> None:
        if service in self._offered:
            self._sensed.add(service)
            events.append(SenseRequested(service))
        else:
            cause = IgnoreCause.NOT_OFFERED
            events.append(MessageIgnored(MessageType.SENSE_SERVICE, cause, service_name(service)))

    def _on_announce(self, announce: Announce, events: list[SessionEvent]) -> None:
        count = len(announce.recipients)
        if count <= self._limits.announcement_recipients:
            events.append(AnnouncementRequested(replace(announce, sender=None)))
        else:
            events.append(MessageIgnored(MessageType.ANNOUNCE, IgnoreCause.LIMIT, f"{count} recipients"))

    def _on_malformed(
        self, frame: bytes, header: Header, channels: Channels, events: list[SessionEvent], detail: str
    ) -> None:
        """P53. A privacy list that is not taken must not look as if it were."""
        events.append(MessageIgnored(header.type, IgnoreCause.MALFORMED, detail))
        if header.type == MessageType.SET_PRIVACY_LIST:
            self._outbox.put(SetPrivacyDenied(ReasonCode.BAD_DATA))
        elif header.type == MessageType.CHANNEL_DESTROY and header.channel == MASTER:
            self._left(ReasonCode.BAD_DATA, events)
        else:
            channels.on_malformed(frame, header, events)

    # How it ends

    def _left(self, reason: int, events: list[SessionEvent]) -> None:
        self._close()
        events.append(SessionLeft(reason))

    def _violation(
        self, kind: ViolationKind, reason: ReasonCode, detail: str, events: list[SessionEvent]
    ) -> None:
        self.end(reason)
        events.append(ProtocolViolation(kind, reason, detail))

    def _close(self) -> None:
        self.state = SessionState.CLOSED
        self._outbox.open = False
        self._frames.clear()

    def _is(self, state: SessionState) -> bool:
        return self.state is state

    def _check_state(self, *states: SessionState) -> None:
        if self.state not in states:
            raise SessionStateError(f"the session is {self.state.name}")


_DUE: Final = {
    SessionState.NEW: MessageType.HANDSHAKE,
    SessionState.SHAKEN: MessageType.LOGIN,
    SessionState.REDIRECTED: MessageType.LOGIN_CONTINUE,
}
