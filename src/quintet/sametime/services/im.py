"""IM: one conversation of two users, relayed between them (P89 to P91)."""

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import ClassVar, Final, Self

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.wire.blocks import UserStatus
from quintet.sametime.wire.codec import WireReader, opaque, read_as, string, u32

MESSAGE: Final = 0x0064
"""The type of all data on such a channel."""

_TEXT: Final = 1
_DATA: Final = 2
_FLAVOUR: Final = 1
_STATUS: Final = 2


@unique
class ImFlavour(IntEnum):
    """What a client can show (P89). Others exist."""

    PLAIN = 0x00000001
    INVITATION = 0x00000019
    RICH = 0x00033453


@unique
class ImDataType(IntEnum):
    """What `ImData` is (P91). Others exist."""

    TYPING = 0x00000001
    SUBJECT = 0x00000003
    HTML = 0x00000004
    MIME = 0x00000005
    TIMESTAMP = 0x00000006
    PLACE_INVITATION = 0x0000000A
    SEGMENTS_BEGIN = 0x00001388
    SEGMENTS_END = 0x00001389


@dataclass(frozen=True, slots=True)
class ImOpening:
    """Comes with the create (P89)."""

    flavour: int = ImFlavour.PLAIN

    def encode(self) -> bytes:
        return u32(_FLAVOUR) + u32(self.flavour)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedMessageError."""
        return cls(_read_flavour(WireReader(data)))


@dataclass(frozen=True, slots=True)
class ImAcceptance:
    """Comes with the accept (P89)."""

    flavour: int
    status: UserStatus

    def encode(self) -> bytes:
        return u32(_FLAVOUR) + u32(self.flavour) + u32(_STATUS) + self.status.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedMessageError."""
        reader = WireReader(data)
        flavour = _read_flavour(reader)
        if (kind := reader.u32()) != _STATUS:
            raise MalformedMessageError(f"{kind} where the status in an accept is due")
        return cls(flavour, UserStatus.read(reader))


@dataclass(frozen=True, slots=True)
class ImText:
    """Plain text (P91). It never shows in a repr."""

    text: str = field(repr=False)

    TYPE: ClassVar = MESSAGE

    def encode(self) -> bytes:
        return u32(_TEXT) + string(self.text)


@dataclass(frozen=True, slots=True)
class ImData:
    """Anything else (P91). The payload never shows in a repr."""

    data_type: int
    subtype: int = 0
    payload: bytes = field(default=b"", repr=False)

    TYPE: ClassVar = MESSAGE

    def encode(self) -> bytes:
        return u32(_DATA) + u32(self.data_type) + u32(self.subtype) + opaque(self.payload)


def typing(is_typing: bool) -> ImData:
    """The user types, or stopped typing."""
    return ImData(ImDataType.TYPING, 0 if is_typing else 1)


def is_typing(message: ImData) -> bool | None:
    """Whether the user types, or None if the message is about something else."""
    return message.subtype == 0 if message.data_type == ImDataType.TYPING else None


def subject(text: str) -> ImData:
    """The subject of the conversation."""
    return ImData(ImDataType.SUBJECT, payload=text.encode())


def html(text: str) -> ImData:
    """A message in HTML. Clients cut one of more than 2048 bytes into segments."""
    return ImData(ImDataType.HTML, payload=text.encode())


ImMessage = ImText | ImData


def decode_message(message_type: int, data: bytes) -> ImMessage:
    """What either side says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as({MESSAGE: _read}, "IM", message_type, data)


def _read(reader: WireReader) -> ImMessage:
    match reader.u32():
        case 1:
            return ImText(reader.string())
        case 2:
            return ImData(reader.u32(), reader.u32(), reader.opaque())
        case kind:
            raise MalformedMessageError(f"an instant message of kind {kind}")


def _read_flavour(reader: WireReader) -> int:
    if (kind := reader.u32()) != _FLAVOUR:
        raise MalformedMessageError(f"{kind} where the flavour of a conversation is due")
    return reader.u32()
