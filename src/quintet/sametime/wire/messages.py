"""The messages of the protocol as values, and both ways between them and bytes (P19 to P31).

`encode` gives a whole frame, `decode` takes what a frame holds. The messages of clients and of servers are
here, so that it serves both sides. Attributes in a header are skipped and not kept (P8).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Final, Self

from quintet.sametime.client_types import ClientType
from quintet.sametime.wire.blocks import IdBlock, LoginInfo, PrivacyInfo, UserStatus
from quintet.sametime.wire.codec import WireReader, boolean, opaque, string, u16, u32
from quintet.sametime.wire.encryption import EncryptionChoice, EncryptionOffer
from quintet.sametime.wire.header import (
    HAS_ATTRIBUTES,
    HEADER_SIZE,
    IS_ENCRYPTED,
    Header,
    MessageType,
    read_header,
)

MAJOR: Final = 0x001E
MINOR: Final = 0x001D
"""The version that the server speaks, and the first with a host name in HANDSHAKE (P19)."""

_LAST_MINOR_WITHOUT_KEY: Final = 0x0018

_FRAME = Struct(">IHHI")


@dataclass(frozen=True, slots=True)
class Handshake:
    """The client's first message (P19). `local_host` exists from version 1e.1d on."""

    client_type: int
    major: int = MAJOR
    minor: int = MINOR
    local_address: int = 0
    local_host: str = ""

    TYPE: ClassVar = MessageType.HANDSHAKE

    @property
    def looks_like_libmeanwhile(self) -> bool:
        """Whether the client seems to be libmeanwhile, even under another name: it has no TLS (P104)."""
        return self.client_type == ClientType.LIBMEANWHILE or not (self.local_address or self.local_host)

    @property
    def _has_host(self) -> bool:
        return self.major >= MAJOR and self.minor >= MINOR

    def body(self) -> bytes:
        brief = (
            u16(self.major)
            + u16(self.minor)
            + u32(0)
            + u32(0)
            + u16(self.client_type)
            + u32(self.local_address)
        )
        return brief + u16(0x0100) + u32(0) + string(self.local_host) if self._has_host else brief

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        major, minor = reader.u16(), reader.u16()
        reader.skip(8)
        brief = cls(reader.u16(), major, minor, reader.u32())
        if not brief._has_host:
            return brief
        reader.skip(6)
        return cls(brief.client_type, major, minor, brief.local_address, reader.string())


@dataclass(frozen=True, slots=True)
class HandshakeAck:
    """The server's answer (P20). `magic` and `public_key` exist in versions above 1e.18."""

    client_address: int = 0
    magic: int = 0
    public_key: bytes = b""
    major: int = MAJOR
    minor: int = MINOR

    TYPE: ClassVar = MessageType.HANDSHAKE_ACK

    @property
    def _has_key(self) -> bool:
        return self.major >= MAJOR and self.minor > _LAST_MINOR_WITHOUT_KEY

    def body(self) -> bytes:
        brief = u16(self.major) + u16(self.minor) + u32(self.client_address)
        return brief + u32(self.magic) + opaque(self.public_key) if self._has_key else brief

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        major, minor = reader.u16(), reader.u16()
        brief = cls(reader.u32(), major=major, minor=minor)
        if not brief._has_key:
            return brief
        return cls(brief.client_address, reader.u32(), reader.opaque(), major, minor)


@dataclass(frozen=True, slots=True)
class Login:
    """Name and protected password (P21). `auth_data` never shows in a repr."""

    client_type: int
    name: str
    auth_data: bytes = field(repr=False)
    auth_type: int

    TYPE: ClassVar = MessageType.LOGIN

    def body(self) -> bytes:
        return (
            u16(self.client_type) + string(self.name) + opaque(self.auth_data) + u16(self.auth_type) + u16(0)
        )

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16(), reader.string(), reader.opaque(), reader.u16())


@dataclass(frozen=True, slots=True)
class LoginAck:
    """The user is signed in (P22)."""

    login: LoginInfo
    privacy: PrivacyInfo
    status: UserStatus

    TYPE: ClassVar = MessageType.LOGIN_ACK

    def body(self) -> bytes:
        return self.login.encode() + u16(0) + self.privacy.encode() + self.status.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        login = LoginInfo.read(reader)
        reader.skip(2)
        return cls(login, PrivacyInfo.read(reader), UserStatus.read(reader))


@dataclass(frozen=True, slots=True)
class LoginRedirect:
    """The client is asked to sign in at another server (P23)."""

    host: str
    server_id: str = ""

    TYPE: ClassVar = MessageType.LOGIN_REDIRECT

    def body(self) -> bytes:
        return string(self.host) + string(self.server_id)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.string(), reader.string())


@dataclass(frozen=True, slots=True)
class LoginContinue:
    """The client stays here all the same (P23)."""

    TYPE: ClassVar = MessageType.LOGIN_CONTINUE

    def body(self) -> bytes:
        return b""

    @classmethod
    def read(cls, _reader: WireReader) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class ChannelCreate:
    """A channel is to be opened (P24). An empty target is the server."""

    new_channel: int
    service: int
    protocol: int
    version: int
    target: IdBlock = IdBlock()  # noqa: RUF009 # it is frozen
    options: int = 0
    additional: bytes = field(default=b"", repr=False)
    creator: LoginInfo | None = None
    encryption: EncryptionOffer = EncryptionOffer()  # noqa: RUF009 # it is frozen

    TYPE: ClassVar = MessageType.CHANNEL_CREATE

    def body(self) -> bytes:
        return (
            u32(0)
            + u32(self.new_channel)
            + self.target.encode()
            + u32(self.service)
            + u32(self.protocol)
            + u32(self.version)
            + u32(self.options)
            + opaque(self.additional)
            + _encode_login(self.creator)
            + self.encryption.encode()
        )

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        new_channel = reader.u32()
        target = IdBlock.read(reader)
        return cls(
            new_channel,
            reader.u32(),
            reader.u32(),
            reader.u32(),
            target,
            reader.u32(),
            reader.opaque(),
            _read_login(reader),
            EncryptionOffer.read(reader),
        )


@dataclass(frozen=True, slots=True)
class ChannelAccept:
    """The channel is open (P25)."""

    channel: int
    service: int
    protocol: int
    version: int
    additional: bytes = field(default=b"", repr=False)
    acceptor: LoginInfo | None = None
    encryption: EncryptionChoice = EncryptionChoice()  # noqa: RUF009 # it is frozen

    TYPE: ClassVar = MessageType.CHANNEL_ACCEPT

    def body(self) -> bytes:
        return (
            u32(self.service)
            + u32(self.protocol)
            + u32(self.version)
            + opaque(self.additional)
            + _encode_login(self.acceptor)
            + self.encryption.encode()
        )

    @classmethod
    def read(cls, reader: WireReader, header: Header) -> Self:
        return cls(
            header.channel,
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.opaque(),
            _read_login(reader),
            EncryptionChoice.read(reader),
        )


@dataclass(frozen=True, slots=True)
class ChannelSend:
    """Data on a channel (P26). What `type` and `data` mean depends on the channel's service."""

    channel: int
    type: int
    data: bytes = field(repr=False)
    encrypted: bool = False

    TYPE: ClassVar = MessageType.CHANNEL_SEND

    def body(self) -> bytes:
        return u16(self.type) + opaque(self.data)

    @classmethod
    def read(cls, reader: WireReader, header: Header) -> Self:
        return cls(header.channel, reader.u16(), reader.opaque(), bool(header.options & IS_ENCRYPTED))


@dataclass(frozen=True, slots=True)
class ChannelDestroy:
    """The channel, or with channel 0 the session, ends (P27). `reason` is mostly a `ReasonCode`."""

    channel: int
    reason: int
    data: bytes = field(default=b"", repr=False)

    TYPE: ClassVar = MessageType.CHANNEL_DESTROY

    def body(self) -> bytes:
        return u32(self.reason) + opaque(self.data)

    @classmethod
    def read(cls, reader: WireReader, header: Header) -> Self:
        return cls(header.channel, reader.u32(), reader.opaque())


@dataclass(frozen=True, slots=True)
class SetUserStatus:
    """From a client: its status. From the server: another login of the user changed it (P28)."""

    status: UserStatus

    TYPE: ClassVar = MessageType.SET_USER_STATUS

    def body(self) -> bytes:
        return self.status.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(UserStatus.read(reader))


@dataclass(frozen=True, slots=True)
class SetPrivacyList:
    """From a client: its privacy list. From the server: the list that is in force (P28)."""

    privacy: PrivacyInfo

    TYPE: ClassVar = MessageType.SET_PRIVACY_LIST

    def body(self) -> bytes:
        return self.privacy.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(PrivacyInfo.read(reader))


@dataclass(frozen=True, slots=True)
class SetPrivacyDenied:
    """The privacy list was not taken (P29)."""

    reason: int

    TYPE: ClassVar = MessageType.SET_PRIVACY_DENIED

    def body(self) -> bytes:
        return u32(self.reason)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class SenseService:
    """From a client: tell me once when the service is available. From the server: it is (P68)."""

    service: int

    TYPE: ClassVar = MessageType.SENSE_SERVICE

    def body(self) -> bytes:
        return u32(self.service)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class Admin:
    """A text by the administrator (P28)."""

    text: str

    TYPE: ClassVar = MessageType.ADMIN

    def body(self) -> bytes:
        return string(self.text)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.string())


@dataclass(frozen=True, slots=True)
class Announce:
    """A text to many (P30). Recipients are `@U <user id>` and `@G <group id>`."""

    text: str = field(repr=False)
    recipients: tuple[str, ...]
    may_reply: bool = False
    sender: LoginInfo | None = None

    TYPE: ClassVar = MessageType.ANNOUNCE

    def body(self) -> bytes:
        return (
            _encode_login(self.sender)
            + u16(0)
            + opaque(boolean(self.may_reply) + string(self.text))
            + u32(len(self.recipients))
            + b"".join(map(string, self.recipients))
        )

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        sender = _read_login(reader)
        reader.skip(2)
        content = reader.within_opaque()
        may_reply, text = content.boolean(), content.string()
        recipients = tuple([reader.string() for _ in range(reader.count(2))])
        return cls(text, recipients, may_reply, sender)


@dataclass(frozen=True, slots=True)
class OneTime:
    """A message of a service without a channel; the layout is uncertain (P31)."""

    id: int
    target: IdBlock
    service: int
    protocol: int
    version: int
    type: int
    data: bytes = field(repr=False)
    sender: LoginInfo | None = None

    TYPE: ClassVar = MessageType.ONE_TIME

    def body(self) -> bytes:
        return (
            u32(self.id)
            + self.target.encode()
            + u32(self.service)
            + u32(self.protocol)
            + u32(self.version)
            + u16(self.type)
            + opaque(self.data)
            + _encode_login(self.sender)
        )

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(
            reader.u32(),
            IdBlock.read(reader),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u16(),
            reader.opaque(),
            _read_login(reader),
        )


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A message with an unknown body. `type` may still have a name in `MessageType`."""

    type: int
    channel: int


SametimeMessage = (
    Handshake
    | HandshakeAck
    | Login
    | LoginAck
    | LoginRedirect
    | LoginContinue
    | ChannelCreate
    | ChannelAccept
    | ChannelSend
    | ChannelDestroy
    | SetUserStatus
    | SetPrivacyList
    | SetPrivacyDenied
    | SenseService
    | Admin
    | Announce
    | OneTime
)

_READ: Final[dict[int, Callable[[WireReader], SametimeMessage]]] = {
    each.TYPE: each.read
    for each in (
        Handshake,
        HandshakeAck,
        Login,
        LoginAck,
        LoginRedirect,
        LoginContinue,
        ChannelCreate,
        SetUserStatus,
        SetPrivacyList,
        SetPrivacyDenied,
        SenseService,
        Admin,
        Announce,
        OneTime,
    )
}

_READ_ON_CHANNEL: Final[dict[int, Callable[[WireReader, Header], SametimeMessage]]] = {
    each.TYPE: each.read for each in (ChannelAccept, ChannelSend, ChannelDestroy)
}


def encode(message: SametimeMessage) -> bytes:
    """The frame of the message. Raises UnencodableValueError."""
    body = message.body()
    options = channel = 0
    if isinstance(message, ChannelSend):
        channel = message.channel
        options = IS_ENCRYPTED if message.encrypted else 0
    elif isinstance(message, ChannelAccept | ChannelDestroy):
        channel = message.channel
    return _FRAME.pack(HEADER_SIZE + len(body), message.TYPE, options, channel) + body


def decode_body(frame: bytes, header: Header) -> SametimeMessage | UnknownMessage:
    """The message in a frame whose header was read. Raises MalformedMessageError."""
    reader = WireReader(frame, HEADER_SIZE)
    if header.options & HAS_ATTRIBUTES:
        reader.skip(reader.u32())
    if (read_on_channel := _READ_ON_CHANNEL.get(header.type)) is not None:
        return read_on_channel(reader, header)
    if (read := _READ.get(header.type)) is not None:
        return read(reader)
    return UnknownMessage(header.type, header.channel)


def decode(frame: bytes) -> SametimeMessage | UnknownMessage:
    """The message in a frame without its length. Raises MalformedMessageError."""
    return decode_body(frame, read_header(frame))


def _encode_login(login: LoginInfo | None) -> bytes:
    return boolean(False) if login is None else boolean(True) + login.encode()


def _read_login(reader: WireReader) -> LoginInfo | None:
    return LoginInfo.read(reader) if reader.boolean() else None
