"""STORAGE: values that a user keeps at the server, among them the contact list (P97, P98)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import ClassVar, Final, Self

from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.codec import WireReader, opaque, read_as, string, u32

_MOST_VALUES: Final = 1000
_SIZE_OF_FIELDS: Final = 20
_SMALLEST_VALUE: Final = 12

EMPTY_TEXT: Final = string("")
"""The value of a text that was never stored, for keys other than the contact list."""


@unique
class StorageKey(IntEnum):
    """The keys whose use is known (P98). All values are texts."""

    CONTACT_LIST = 0x00000000
    CHAT_INVITATION = 0x00000006
    MEETING_INVITATION = 0x0000000E
    AWAY_TEXTS = 0x00000050
    BUSY_TEXTS = 0x0000005A
    ACTIVE_TEXTS = 0x00000064
    CONTACT_LIST_XML = 0x00002001


def text_of(value: bytes) -> str:
    """The text in a value. Raises MalformedMessageError."""
    return WireReader(value).string()


def value_of(text: str) -> bytes:
    """The value that holds a text. Raises UnencodableValueError for more than 65,535 bytes."""
    return string(text)


@dataclass(frozen=True, slots=True)
class StoredValue:
    """P97. The value never shows in a repr."""

    key: int
    value: bytes = field(repr=False)

    def encode(self) -> bytes:
        return u32(_SIZE_OF_FIELDS + len(self.value)) + u32(self.key) + opaque(self.value)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        return cls(reader.u32(), reader.opaque())


@dataclass(frozen=True, slots=True)
class LoadValues:
    """P97."""

    request_id: int
    keys: tuple[int, ...]

    TYPE: ClassVar = 0x0004

    def encode(self) -> bytes:
        return u32(self.request_id) + u32(len(self.keys)) + b"".join(map(u32, self.keys))

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id = reader.u32()
        return cls(request_id, tuple([reader.u32() for _ in range(reader.count(4, _MOST_VALUES))]))


@dataclass(frozen=True, slots=True)
class ValuesLoaded:
    """The answer to `LoadValues`, and only to that (P97)."""

    request_id: int
    values: tuple[StoredValue, ...] = ()
    code: int = ReasonCode.SUCCESS

    TYPE: ClassVar = 0x0005

    def encode(self) -> bytes:
        return u32(self.request_id) + u32(self.code) + _encode_values(self.values)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id, code = reader.u32(), reader.u32()
        return cls(request_id, _read_values(reader), code)


@dataclass(frozen=True, slots=True)
class SaveValues:
    """P97."""

    request_id: int
    values: tuple[StoredValue, ...]

    TYPE: ClassVar = 0x0006

    def encode(self) -> bytes:
        return u32(self.request_id) + _encode_values(self.values)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32(), _read_values(reader))


@dataclass(frozen=True, slots=True)
class ValuesSaved:
    """The answer to `SaveValues`, and only to that (P97)."""

    request_id: int
    code: int = ReasonCode.SUCCESS

    TYPE: ClassVar = 0x0007

    def encode(self) -> bytes:
        return u32(self.request_id) + u32(self.code)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32(), reader.u32())


StorageRequest = LoadValues | SaveValues
StorageResponse = ValuesLoaded | ValuesSaved

_REQUESTS: Final[dict[int, Callable[[WireReader], StorageRequest]]] = {
    each.TYPE: each.read for each in (LoadValues, SaveValues)
}
_RESPONSES: Final[dict[int, Callable[[WireReader], StorageResponse]]] = {
    each.TYPE: each.read for each in (ValuesLoaded, ValuesSaved)
}


def decode_request(message_type: int, data: bytes) -> StorageRequest:
    """What a client says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_REQUESTS, "STORAGE", message_type, data)


def decode_response(message_type: int, data: bytes) -> StorageResponse:
    """What a server says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_RESPONSES, "STORAGE", message_type, data)


def _encode_values(values: tuple[StoredValue, ...]) -> bytes:
    return u32(len(values)) + b"".join([each.encode() for each in values])


def _read_values(reader: WireReader) -> tuple[StoredValue, ...]:
    count = reader.count(_SMALLEST_VALUE, _MOST_VALUES)
    return tuple([StoredValue.read(reader) for _ in range(count)])
