"""FILE TRANSFER: a file from one user to another, relayed (P100)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from quintet.sametime.wire.codec import WireReader, read_as, string, u16, u32


@dataclass(frozen=True, slots=True)
class FileOffer:
    """Comes with the create. `size` is in bytes."""

    name: str
    text: str = field(repr=False)
    size: int

    def encode(self) -> bytes:
        return u32(0) + string(self.name) + string(self.text) + u32(self.size) + u32(0) + u16(0)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedMessageError."""
        reader = WireReader(data)
        reader.skip(4)
        return cls(reader.string(), reader.string(), reader.u32())


@dataclass(frozen=True, slots=True)
class FileChunk:
    """The next bytes of the file."""

    data: bytes = field(repr=False)

    TYPE: ClassVar = 0x0001

    def encode(self) -> bytes:
        return self.data

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.rest())


@dataclass(frozen=True, slots=True)
class FileChunkTaken:
    """The receiver has the chunk, and waits for the next."""

    TYPE: ClassVar = 0x0002

    def encode(self) -> bytes:
        return b""

    @classmethod
    def read(cls, _reader: WireReader) -> Self:
        return cls()


FileMessage = FileChunk | FileChunkTaken

_MESSAGES: Final[dict[int, Callable[[WireReader], FileMessage]]] = {
    each.TYPE: each.read for each in (FileChunk, FileChunkTaken)
}


def decode_message(message_type: int, data: bytes) -> FileMessage:
    """What either side says. Raises UnknownMessageTypeError."""
    return read_as(_MESSAGES, "FILE_TRANSFER", message_type, data)
