"""RESOLVE: from names to ids (P80 to P82)."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag, unique
from typing import ClassVar, Final, Self

from quintet.sametime.reason import ResolveCode
from quintet.sametime.wire.codec import WireReader, read_as, string, u32

_SMALLEST_RESULT: Final = 14
_SMALLEST_MATCH: Final = 10


class ResolveFlag(IntFlag):
    """What is wanted (P80). Unknown bits are kept."""

    UNIQUE = 0x01
    FIRST = 0x02
    ALL_DIRECTORIES = 0x04
    USERS = 0x08
    GROUPS = 0x10


@unique
class MatchType(IntEnum):
    """What a name was resolved to (P81)."""

    USER = 1
    GROUP = 2


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """Names to look up (P80)."""

    request_id: int
    names: tuple[str, ...]
    flags: ResolveFlag

    TYPE: ClassVar = 0x0002

    @property
    def wants_users(self) -> bool:
        return bool(self.flags & ResolveFlag.USERS) or not self.wants_groups

    @property
    def wants_groups(self) -> bool:
        return bool(self.flags & ResolveFlag.GROUPS)

    def encode(self) -> bytes:
        names = b"".join(map(string, self.names))
        return u32(0) + u32(self.request_id) + u32(len(self.names)) + names + u32(self.flags)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        request_id = reader.u32()
        names = tuple([reader.string() for _ in range(reader.count(2))])
        return cls(request_id, names, ResolveFlag(reader.u32()))


@dataclass(frozen=True, slots=True)
class ResolveMatch:
    """A user or group (P81)."""

    id: str
    name: str
    description: str = ""
    type: int = MatchType.USER

    def encode(self) -> bytes:
        return string(self.id) + string(self.name) + string(self.description) + u32(self.type)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.string(), reader.string(), reader.string(), reader.u32())


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """What was found for one name, which is repeated as it was asked (P81)."""

    name: str
    matches: tuple[ResolveMatch, ...] = ()
    code: int = ResolveCode.SUCCESS

    def encode(self) -> bytes:
        matches = b"".join([each.encode() for each in self.matches])
        return u32(0) + u32(self.code) + string(self.name) + u32(len(self.matches)) + matches

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        code = reader.u32()
        name = reader.string()
        count = reader.count(_SMALLEST_MATCH)
        return cls(name, tuple([ResolveMatch.read(reader) for _ in range(count)]), code)


@dataclass(frozen=True, slots=True)
class ResolveResponse:
    """The results in the order of the names, none if the whole request failed (P81, P82)."""

    request_id: int
    results: tuple[ResolveResult, ...] = ()
    code: int = ResolveCode.SUCCESS

    TYPE: ClassVar = 0x0002

    def encode(self) -> bytes:
        results = b"".join([each.encode() for each in self.results])
        return u32(0) + u32(self.request_id) + u32(self.code) + u32(len(self.results)) + results

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        reader.skip(4)
        request_id, code = reader.u32(), reader.u32()
        count = reader.count(_SMALLEST_RESULT)
        return cls(request_id, tuple([ResolveResult.read(reader) for _ in range(count)]), code)


def decode_request(message_type: int, data: bytes) -> ResolveRequest:
    """What a client says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as({ResolveRequest.TYPE: ResolveRequest.read}, "RESOLVE", message_type, data)


def decode_response(message_type: int, data: bytes) -> ResolveResponse:
    """What a server says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as({ResolveResponse.TYPE: ResolveResponse.read}, "RESOLVE", message_type, data)
