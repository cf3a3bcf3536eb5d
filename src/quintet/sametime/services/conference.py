"""CONFERENCE: conversations of several users, hosted by the server (P92 to P96)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.wire.blocks import IdBlock, LoginInfo
from quintet.sametime.wire.codec import WireReader, opaque, read_as, string, u16, u32

_SMALLEST_MEMBER: Final = 13
_TEXT: Final = 1
_DATA: Final = 2
_TYPING: Final = 1


@dataclass(frozen=True, slots=True)
class ConferenceOpening:
    """Comes with the create by a client, which chooses the name (P92)."""

    name: str
    title: str

    def encode(self) -> bytes:
        return string(self.name) + string(self.title) + u32(0)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedMessageError."""
        reader = WireReader(data)
        return cls(reader.string(), reader.string())


@dataclass(frozen=True, slots=True)
class ConferenceInvitation:
    """Comes with the create by the server: the client is invited (P96)."""

    name: str
    title: str
    inviter: LoginInfo
    text: str = field(default="", repr=False)

    def encode(self) -> bytes:
        return (
            u32(0)
            + string(self.name)
            + string(self.title)
            + u32(0)
            + self.inviter.encode()
            + u32(0)
            + string(self.text)
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedMessageError."""
        reader = WireReader(data)
        reader.skip(4)
        name, title = reader.string(), reader.string()
        reader.skip(4)
        inviter = LoginInfo.read(reader)
        reader.skip(4)
        return cls(name, title, inviter, reader.string())


@dataclass(frozen=True, slots=True)
class ConferenceInvite:
    """A member invites a user (P94)."""

    user: IdBlock
    text: str = field(default="", repr=False)

    TYPE: ClassVar = 0x0001

    def encode(self) -> bytes:
        return self.user.encode() + u16(0) + u32(0) + string(self.text) + string(self.user.user)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        user = IdBlock.read(reader)
        reader.skip(6)
        return cls(user, reader.string())


@dataclass(frozen=True, slots=True)
class ConferenceJoin:
    """An invited client is there (P94)."""

    TYPE: ClassVar = 0x0002

    def encode(self) -> bytes:
        return b""

    @classmethod
    def read(cls, _reader: WireReader) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class ConferenceText:
    """What a member writes (P95). It never shows in a repr."""

    text: str = field(repr=False)

    TYPE: ClassVar = 0x0004

    def encode(self) -> bytes:
        return u32(_TEXT) + string(self.text)


@dataclass(frozen=True, slots=True)
class ConferenceTyping:
    """A member types, or stopped typing (P95)."""

    typing: bool

    TYPE: ClassVar = 0x0004

    def encode(self) -> bytes:
        return u32(_DATA) + u32(_TYPING) + u32(0 if self.typing else 1) + opaque(b"")


ConferenceMessage = ConferenceText | ConferenceTyping


@dataclass(frozen=True, slots=True)
class ConferenceMember:
    """A member, by the number that it has in this conference (P93)."""

    id: int
    login: LoginInfo

    def encode(self) -> bytes:
        return u16(self.id) + self.login.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16(), LoginInfo.read(reader))


@dataclass(frozen=True, slots=True)
class ConferenceWelcome:
    """The client is a member now, among these (P93)."""

    name: str
    title: str
    members: tuple[ConferenceMember, ...]

    TYPE: ClassVar = 0x0000

    def encode(self) -> bytes:
        return (
            string(self.name)
            + string(self.title)
            + u16(0)
            + u32(0)
            + u32(len(self.members))
            + b"".join([each.encode() for each in self.members])
        )

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        name, title = reader.string(), reader.string()
        reader.skip(6)
        count = reader.count(_SMALLEST_MEMBER)
        return cls(name, title, tuple([ConferenceMember.read(reader) for _ in range(count)]))


@dataclass(frozen=True, slots=True)
class ConferenceJoined:
    """Another member is there (P93)."""

    member: ConferenceMember

    TYPE: ClassVar = 0x0002

    def encode(self) -> bytes:
        return self.member.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(ConferenceMember.read(reader))


@dataclass(frozen=True, slots=True)
class ConferenceLeft:
    """A member has left (P93)."""

    member_id: int

    TYPE: ClassVar = 0x0003

    def encode(self) -> bytes:
        return u16(self.member_id)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16())


@dataclass(frozen=True, slots=True)
class ConferenceSaid:
    """A member wrote something, or types (P95)."""

    member_id: int
    message: ConferenceMessage

    TYPE: ClassVar = 0x0004

    def encode(self) -> bytes:
        return u16(self.member_id) + u32(0) + self.message.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        member_id = reader.u16()
        reader.skip(4)
        return cls(member_id, _read_message(reader))


ConferenceRequest = ConferenceInvite | ConferenceJoin | ConferenceText | ConferenceTyping
ConferenceNotice = ConferenceWelcome | ConferenceJoined | ConferenceLeft | ConferenceSaid


def decode_request(message_type: int, data: bytes) -> ConferenceRequest:
    """What a client says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_REQUESTS, "CONFERENCE", message_type, data)


def decode_notice(message_type: int, data: bytes) -> ConferenceNotice:
    """What a server says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_NOTICES, "CONFERENCE", message_type, data)


def _read_message(reader: WireReader) -> ConferenceMessage:
    kind = reader.u32()
    if kind == _TEXT:
        return ConferenceText(reader.string())
    if kind != _DATA or reader.u32() != _TYPING:
        raise MalformedMessageError("neither text nor typing in a conference")
    return ConferenceTyping(reader.u32() == 0)


_REQUESTS: Final[dict[int, Callable[[WireReader], ConferenceRequest]]] = {
    ConferenceInvite.TYPE: ConferenceInvite.read,
    ConferenceJoin.TYPE: ConferenceJoin.read,
    ConferenceText.TYPE: _read_message,
}
_NOTICES: Final[dict[int, Callable[[WireReader], ConferenceNotice]]] = {
    each.TYPE: each.read for each in (ConferenceWelcome, ConferenceJoined, ConferenceLeft, ConferenceSaid)
}
