"""DIRECTORY: address books, and what is in them (P83 to P85).

The list of books is what real clients read. The answers to opening and paging are Quintet's own layout: no
client is known to read them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import ClassVar, Final, Self

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.reason import DirectoryCode
from quintet.sametime.wire.codec import WireReader, boolean, read_as, string, u16, u32

_SMALLEST_BOOK: Final = 6
_SMALLEST_MEMBER: Final = 8


@unique
class PageMode(IntEnum):
    """Which page is wanted (P84)."""

    NEXT = 0
    PREVIOUS = 1
    STARTS_WITH = 8


@unique
class MemberType(IntEnum):
    """What an entry of an address book is (P85)."""

    USER = 0
    GROUP = 1


@dataclass(frozen=True, slots=True)
class ListBooks:
    """P83."""

    request_id: int

    TYPE: ClassVar = 0x0000

    def encode(self) -> bytes:
        return u32(self.request_id)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class OpenBook:
    """P84."""

    request_id: int
    book_id: int
    name: str

    TYPE: ClassVar = 0x0001

    def encode(self) -> bytes:
        return u32(self.request_id) + boolean(False) + u16(0) + u32(self.book_id) + string(self.name)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id = reader.u32()
        reader.skip(3)
        return cls(request_id, reader.u32(), reader.string())


@dataclass(frozen=True, slots=True)
class CloseBook:
    """P84."""

    request_id: int
    directory_id: int

    TYPE: ClassVar = 0x0002

    def encode(self) -> bytes:
        return u32(self.request_id) + u32(self.directory_id)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32(), reader.u32())


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Up to `count` entries (P84). `text` exists in mode STARTS_WITH only."""

    request_id: int
    directory_id: int
    count: int
    mode: int = PageMode.NEXT
    text: str = ""

    TYPE: ClassVar = 0x0003

    def encode(self) -> bytes:
        brief = u32(self.request_id) + u32(self.directory_id) + u16(self.count) + u32(self.mode)
        return brief + string(self.text) if self.mode == PageMode.STARTS_WITH else brief

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id, directory_id, count, mode = reader.u32(), reader.u32(), reader.u16(), reader.u32()
        text = reader.string() if mode == PageMode.STARTS_WITH else ""
        return cls(request_id, directory_id, count, mode, text)


@dataclass(frozen=True, slots=True)
class AddressBook:
    """P83."""

    id: int
    name: str

    def encode(self) -> bytes:
        return u32(self.id) + string(self.name)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u32(), reader.string())


@dataclass(frozen=True, slots=True)
class BookList:
    """P83."""

    request_id: int
    books: tuple[AddressBook, ...] = ()
    code: int = DirectoryCode.SUCCESS

    TYPE: ClassVar = 0x0000

    def encode(self) -> bytes:
        books = b"".join([each.encode() for each in self.books])
        return u32(self.request_id) + u32(self.code) + u32(len(self.books)) + boolean(False) + u16(0) + books

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id, code, count = reader.u32(), reader.u32(), reader.count(_SMALLEST_BOOK)
        if reader.boolean() or reader.u16():
            raise MalformedMessageError("a list of address books that clients drop")
        return cls(request_id, tuple([AddressBook.read(reader) for _ in range(count)]), code)


@dataclass(frozen=True, slots=True)
class BookOpened:
    """The book is open as `directory_id`, with `total` entries (P85)."""

    request_id: int
    directory_id: int = 0
    total: int = 0
    code: int = DirectoryCode.SUCCESS

    TYPE: ClassVar = 0x0001

    def encode(self) -> bytes:
        return u32(self.request_id) + u32(self.code) + u32(self.directory_id) + u32(self.total)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id, code, directory_id, total = reader.u32(), reader.u32(), reader.u32(), reader.u32()
        return cls(request_id, directory_id, total, code)


@dataclass(frozen=True, slots=True)
class DirectoryMember:
    """An entry of an address book (P85). `long_name` exists for users only."""

    type: int
    id: str
    short_name: str
    long_name: str = ""

    def encode(self) -> bytes:
        long_name = string(self.long_name) if self.type == MemberType.USER else b""
        return u16(self.type) + string(self.id) + long_name + string(self.short_name) + u16(0)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        member_type, member_id = reader.u16(), reader.string()
        long_name = reader.string() if member_type == MemberType.USER else ""
        member = cls(member_type, member_id, reader.string(), long_name)
        reader.skip(2)
        return member


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """Entries from `offset` on (P85)."""

    request_id: int
    members: tuple[DirectoryMember, ...] = ()
    offset: int = 0
    at_start: bool = False
    at_end: bool = False
    code: int = DirectoryCode.SUCCESS

    TYPE: ClassVar = 0x0003

    def encode(self) -> bytes:
        return (
            u32(self.request_id)
            + u32(self.code)
            + u32(self.offset)
            + boolean(self.at_start)
            + boolean(self.at_end)
            + u32(len(self.members))
            + b"".join([each.encode() for each in self.members])
        )

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        request_id, code, offset = reader.u32(), reader.u32(), reader.u32()
        at_start, at_end = reader.boolean(), reader.boolean()
        count = reader.count(_SMALLEST_MEMBER)
        members = tuple([DirectoryMember.read(reader) for _ in range(count)])
        return cls(request_id, members, offset, at_start, at_end, code)


DirectoryRequest = ListBooks | OpenBook | CloseBook | ReadPage
DirectoryResponse = BookList | BookOpened | DirectoryPage

_REQUESTS: Final[dict[int, Callable[[WireReader], DirectoryRequest]]] = {
    each.TYPE: each.read for each in (ListBooks, OpenBook, CloseBook, ReadPage)
}
_RESPONSES: Final[dict[int, Callable[[WireReader], DirectoryResponse]]] = {
    each.TYPE: each.read for each in (BookList, BookOpened, DirectoryPage)
}


def decode_request(message_type: int, data: bytes) -> DirectoryRequest:
    """What a client says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_REQUESTS, "DIRECTORY", message_type, data)


def decode_response(message_type: int, data: bytes) -> DirectoryResponse:
    """What a server says. Raises MalformedMessageError or UnknownMessageTypeError."""
    return read_as(_RESPONSES, "DIRECTORY", message_type, data)
