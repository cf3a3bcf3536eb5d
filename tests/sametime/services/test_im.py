"""IM: the vectors, and the helpers for what clients say most."""

import pytest

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.services import im
from quintet.sametime.services.im import ImAcceptance, ImData, ImFlavour, ImOpening, ImText, decode_message
from quintet.sametime.wire.blocks import StatusCode, UserStatus
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate, ChannelSend, decode
from support import sametime_vectors as vectors


def test_v28_opens_a_rich_conversation() -> None:
    create = decode(vectors.V28.content)
    assert isinstance(create, ChannelCreate)
    assert ImOpening.decode(create.additional) == ImOpening(ImFlavour.RICH)
    assert ImOpening(ImFlavour.RICH).encode() == create.additional


def test_v29_accepts_it_with_a_status() -> None:
    accept = decode(vectors.V29.content)
    assert isinstance(accept, ChannelAccept)
    acceptance = ImAcceptance(ImFlavour.RICH, UserStatus(StatusCode.ACTIVE))
    assert ImAcceptance.decode(accept.additional) == acceptance
    assert acceptance.encode() == accept.additional


def test_v30_says_hello() -> None:
    message = decode(vectors.V30.content)
    assert isinstance(message, ChannelSend)
    assert decode_message(message.type, message.data) == ImText("hello bob")
    assert ImText("hello bob").encode() == message.data


def test_typing_is_told_from_other_data() -> None:
    assert im.is_typing(im.typing(True)) is True
    assert im.is_typing(im.typing(False)) is False
    assert im.is_typing(im.html("<b>x</b>")) is None


def test_subject_and_html_are_data_of_their_types() -> None:
    assert im.subject("ü") == ImData(3, 0, b"\xc3\xbc")
    assert im.html("<b>") == ImData(4, 0, b"<b>")


@pytest.mark.parametrize("data", [bytes(8), b"\0\0\0\2" + bytes(4)])
def test_an_opening_of_another_kind_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        ImOpening.decode(data)


def test_a_message_of_another_kind_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        decode_message(im.MESSAGE, b"\0\0\0\3\0\0")


def test_what_users_write_never_shows_in_a_repr() -> None:
    assert "hunter2" not in repr([ImText("hunter2"), im.html("hunter2")])
