"""AWARE: who is watched, and the presence of those (P70 to P79)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import ClassVar, Final, Self

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.wire.blocks import AwareId, UserStatus
from quintet.sametime.wire.codec import WireReader, boolean, opaque, read_as, string, u16, u32

_SMALLEST_ENTRY: Final = 13


@unique
class UserAttribute(IntEnum):
    """What a client says that its user can do (P78). The values are flags."""

    AV_PREFERENCES = 1
    MICROPHONE = 2
    SPEAKERS = 3
    CAMERA = 4
    FILE_TRANSFER = 6


def flag_value(value: bool) -> bytes:
    """The value of an attribute that is true or false (P78)."""
    return u16(int(value))


def read_flag_value(data: bytes) -> bool:
    """Raises MalformedMessageError unless `data` has 1, 2 or 4 bytes."""
    if len(data) not in (1, 2, 4):
        raise MalformedMessageError(f"a flag of {len(data)} bytes")
    return any(data)


number_value = u32
"""The value of an attribute that is a number (P78)."""

text_value = string
"""The value of an attribute that is a text (P78)."""


@dataclass(frozen=True, slots=True)
class AddToWatchList:
    """The client wants the presence of these; perhaps none (P70)."""

    ids: tuple[AwareId, ...]

    TYPE: ClassVar = 0x0068

    def encode(self) -> bytes:
        return _encode_ids(self.ids)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(_read_ids(reader))


@dataclass(frozen=True, slots=True)
class RemoveFromWatchList:
    """The client does not want the presence of these any more (P70)."""

    ids: tuple[AwareId, ...]

    TYPE: ClassVar = 0x0069

    def encode(self) -> bytes:
        return _encode_ids(self.ids)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(_read_ids(reader))


@dataclass(frozen=True, slots=True)
class SetOwnAttribute:
    """An attribute of the client's user (P76)."""

    key: int
    value: bytes

    TYPE: ClassVar = 0x00C9

    def encode(self) -> bytes:
        return u32(0) + u32(len(self.value)) + u32(0) + u32(self.key) + opaque(self.value)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(12)
        return cls(reader.u32(), reader.opaque())


@dataclass(frozen=True, slots=True)
class UnsetOwnAttribute:
    """P76."""

    key: int

    TYPE: ClassVar = 0x00CA

    def encode(self) -> bytes:
        return u32(0) + u32(self.key)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class WatchAttributes:
    """The attributes that the client wants of all whom it watches, instead of those before (P76)."""

    keys: tuple[int, ...]

    TYPE: ClassVar = 0x00CB

    def encode(self) -> bytes:
        return u32(0) + u32(len(self.keys)) + b"".join(map(u32, self.keys))

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        return cls(tuple([reader.u32() for _ in range(reader.count(4))]))


@dataclass(frozen=True, slots=True)
class PresenceEntry:
    """The presence of one id (P71 to P73). `status` is None while it is offline; the rest is empty then.

    `id` is what the client added, byte for byte. `group` is the id of the watched group as a member of which
    it is shown, or empty.
    """

    id: AwareId
    status: UserStatus | None = None
    name: str = ""
    alternate_id: str = ""
    group: str = ""

    def encode(self, offset: int) -> bytes:
        """The entry as it is `offset` bytes after the beginning of the data."""
        entry = self.id.encode() + string(self.group) + boolean(self.status is not None)
        if self.status is not None:
            entry += string(self.alternate_id) + self.status.encode() + string(self.name)
        return u32(offset + 4 + len(entry)) + entry

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        end = reader.u32()
        aware_id = AwareId.read(reader)
        group = reader.string()
        entry = cls(aware_id, group=group)
        if reader.boolean():
            alternate_id = reader.string()
            status = UserStatus.read(reader)
            entry = cls(aware_id, status, reader.string(), alternate_id, group)
        if end > reader.at:
            reader.skip(end - reader.at)
        return entry


@dataclass(frozen=True, slots=True)
class PresenceSnapshot:
    """The presence of ids that were added (P71)."""

    entries: tuple[PresenceEntry, ...]

    TYPE: ClassVar = 0x01F4

    def encode(self) -> bytes:
        parts = [u32(len(self.entries))]
        size = 4
        for entry in self.entries:
            part = entry.encode(size)
            size += len(part)
            parts.append(part)
        return b"".join(parts)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        count = reader.count(_SMALLEST_ENTRY)
        return cls(tuple([PresenceEntry.read(reader) for _ in range(count)]))


@dataclass(frozen=True, slots=True)
class PresenceUpdate:
    """The presence of one id has changed (P71)."""

    entry: PresenceEntry

    TYPE: ClassVar = 0x01F5

    def encode(self) -> bytes:
        return self.entry.encode(0)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(PresenceEntry.read(reader))


@dataclass(frozen=True, slots=True)
class GroupAdded:
    """A group is watched now; its members come in a snapshot (P74, P75)."""

    id: AwareId

    TYPE: ClassVar = 0x01F6

    def encode(self) -> bytes:
        return self.id.encode()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(AwareId.read(reader))


@dataclass(frozen=True, slots=True)
class AttributeSet:
    """A watched id has this attribute (P77). An empty value is the same as the attribute alone."""

    id: AwareId
    key: int
    value: bytes = field(default=b"")

    TYPE: ClassVar = 0x0259

    def encode(self) -> bytes:
        brief = u32(0) + self.id.encode() + u32(0) + u32(len(self.value)) + u32(0) + u32(self.key)
        return brief + opaque(self.value) if self.value else brief

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        aware_id = AwareId.read(reader)
        reader.skip(4)
        size = reader.u32()
        reader.skip(4)
        return cls(aware_id, reader.u32(), reader.opaque() if size else b"")


@dataclass(frozen=True, slots=True)
class AttributeUnset:
    """A watched id does not have this attribute any more (P77)."""

    id: AwareId
    key: int

    TYPE: ClassVar = 0x025A

    def encode(self) -> bytes:
        return u32(0) + self.id.encode() + u32(self.key)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        return cls(AwareId.read(reader), reader.u32())


AwareRequest = AddToWatchList | RemoveFromWatchList | SetOwnAttribute | UnsetOwnAttribute | WatchAttributes
AwareNotice = PresenceSnapshot | PresenceUpdate | GroupAdded | AttributeSet | AttributeUnset

_REQUESTS: Final[dict[int, Callable[[WireReader], AwareRequest]]] = {
    each.TYPE: each.read
    for each in (AddToWatchList, RemoveFromWatchList, SetOwnAttribute, UnsetOwnAttribute, WatchAttributes)
}
_NOTICES: Final[dict[int, Callable[[WireReader], AwareNotice]]] = {
    each.TYPE: each.read
    for each in (PresenceSnapshot, PresenceUpdate, GroupAdded, AttributeSet, AttributeUnset)
}


def decode_request(message_type: int, data: bytes) -> AwareRequest:
    """What a client says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_REQUESTS, "AWARE", message_type, data)


def decode_notice(message_type: int, data: bytes) -> AwareNotice:
    """What a server says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_NOTICES, "AWARE", message_type, data)


def _encode_ids(ids: tuple[AwareId, ...]) -> bytes:
    return u32(len(ids)) + b"".join([each.encode() for each in ids])


def _read_ids(reader: WireReader) -> tuple[AwareId, ...]:
    count = reader.count(AwareId.SMALLEST)
    return tuple([AwareId.read(reader) for _ in range(count)])
