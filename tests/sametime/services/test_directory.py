"""DIRECTORY: the vectors, and what exists only in some messages."""

import pytest

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.services.directory import (
    AddressBook,
    BookList,
    DirectoryMember,
    ListBooks,
    MemberType,
    OpenBook,
    PageMode,
    ReadPage,
    decode_request,
    decode_response,
)
from quintet.sametime.wire.messages import ChannelSend, decode
from support import sametime_vectors as vectors


def sent(vector: vectors.Vector) -> ChannelSend:
    message = decode(vector.content)
    assert isinstance(message, ChannelSend)
    return message


def test_v33_asks_for_the_books() -> None:
    message = sent(vectors.V33)
    assert decode_request(message.type, message.data) == ListBooks(1)
    assert ListBooks(1).encode() == message.data


def test_v34_lists_a_book() -> None:
    message = sent(vectors.V34)
    books = BookList(1, (AddressBook(1, "Company Directory"),))
    assert decode_response(message.type, message.data) == books
    assert books.encode() == message.data


def test_v35_opens_it() -> None:
    message = sent(vectors.V35)
    opening = OpenBook(2, 1, "Company Directory")
    assert decode_request(message.type, message.data) == opening
    assert opening.encode() == message.data


def test_a_list_that_clients_drop_is_malformed() -> None:
    data = bytearray(BookList(1).encode())
    data[12] = 1
    with pytest.raises(MalformedMessageError):
        decode_response(0, bytes(data))


@pytest.mark.parametrize("mode", [PageMode.NEXT, PageMode.PREVIOUS])
def test_a_page_has_a_text_only_where_one_is_sought(mode: PageMode) -> None:
    assert ReadPage(1, 2, 0x61, mode).encode() == ReadPage(1, 2, 0x61, mode, "ignored").encode()
    sought = ReadPage(1, 2, 0x61, PageMode.STARTS_WITH, "b")
    assert decode_request(3, sought.encode()) == sought


def test_a_group_has_no_long_name() -> None:
    assert DirectoryMember(MemberType.GROUP, "cn=devs", "Developers").encode() == (
        b"\x00\x01\x00\x07cn=devs\x00\x0aDevelopers\x00\x00"
    )
