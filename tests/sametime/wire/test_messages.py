"""Messages: round trips, every vector, every truncation, every lie about a length."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.blocks import IdBlock, LoginInfo, PrivacyInfo, StatusCode, UserItem, UserStatus
from quintet.sametime.wire.encryption import EncryptionChoice, EncryptionMode, EncryptionOffer, EncryptItem
from quintet.sametime.wire.header import MessageType, is_ng, message_name
from quintet.sametime.wire.messages import (
    Admin,
    Announce,
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    Handshake,
    HandshakeAck,
    Login,
    LoginAck,
    LoginContinue,
    LoginRedirect,
    SametimeMessage,
    SenseService,
    SetPrivacyList,
    SetUserStatus,
    UnknownMessage,
    decode,
    encode,
)
from support import sametime_vectors as vectors
from support.sametime_values import MESSAGES, datas

ALICE = LoginInfo(
    "7F000001AB12", 0x1002, "uid=alice,ou=people,dc=example,dc=org", "Alice Example", address=0x7F000001
)


@pytest.mark.parametrize("name", MESSAGES)
@given(st.data())
def test_a_message_is_read_as_it_was_written(name: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[name])
    frame = encode(message)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert decode(frame[4:]) == message


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_message_cut_anywhere_is_malformed_unless_only_ignored_bytes_are_cut(
    name: str, data: st.DataObject
) -> None:
    message = data.draw(MESSAGES[name])
    content = encode(message)[4:]
    for size in range(len(content)):
        try:
            read = decode(content[:size])
        except MalformedMessageError:
            continue
        assert read == message


@pytest.mark.parametrize("name", MESSAGES)
@given(st.data(), datas)
def test_what_follows_the_known_fields_is_ignored(name: str, data: st.DataObject, more: bytes) -> None:
    message = data.draw(MESSAGES[name])
    assert decode(encode(message)[4:] + more) == message


@pytest.mark.parametrize("name", MESSAGES)
@given(st.data(), datas)
def test_attributes_are_skipped(name: str, data: st.DataObject, attributes: bytes) -> None:
    message = data.draw(MESSAGES[name])
    content = encode(message)[4:]
    options = int.from_bytes(content[2:4], "big") | 0x8000
    header = content[:2] + options.to_bytes(2, "big") + content[4:8]
    assert decode(header + len(attributes).to_bytes(4, "big") + attributes + content[8:]) == message


@pytest.mark.parametrize("vector", vectors.VECTORS.values(), ids=vectors.VECTORS.keys())
def test_a_vector_is_read_and_written_to_the_byte(vector: vectors.Vector) -> None:
    message = decode(vector.content)
    assert not isinstance(message, UnknownMessage)
    assert encode(message) == vector.frame


@pytest.mark.parametrize("vector", vectors.VECTORS.values(), ids=vectors.VECTORS.keys())
def test_no_lie_about_a_length_in_a_vector_has_another_effect_than_a_malformed_message(
    vector: vectors.Vector,
) -> None:
    content = vector.content
    for at in range(len(content)):
        for lie in (b"\xff", b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"):
            with contextlib.suppress(MalformedMessageError):
                read = decode(content[:at] + lie + content[at + len(lie) :])
                assert at < _TYPE_BYTES or type(read) is type(decode(content))


@given(st.sampled_from(list(MessageType)), datas)
def test_any_body_gives_a_message_or_is_malformed(message_type: MessageType, body: bytes) -> None:
    with contextlib.suppress(MalformedMessageError):
        read = decode(message_type.to_bytes(2, "big") + bytes(6) + body)
        assert message_type == (read.type if isinstance(read, UnknownMessage) else read.TYPE)


@given(st.binary(max_size=7))
def test_less_than_a_header_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        decode(content)


_TYPE_BYTES = 2

SAYS: dict[str, tuple[vectors.Vector, SametimeMessage]] = {
    "V1": (vectors.V1, Handshake(0x1700, local_address=0x7F000001, local_host="pc1")),
    "V3": (vectors.V3, HandshakeAck(0x7F000001, minor=0x18)),
    "V4": (vectors.V4, Login(0x1002, "alice", b"\x00\x06secret", 0)),
    "V7": (vectors.V7, LoginAck(ALICE, PrivacyInfo(deny=False), UserStatus(StatusCode.ACTIVE))),
    "V8": (vectors.V8, ChannelDestroy(0, ReasonCode.INCORRECT_LOGIN)),
    "V9": (vectors.V9, LoginRedirect("im2.example.org")),
    "V10": (vectors.V10, LoginContinue()),
    "V11": (vectors.V11, ChannelCreate(1, 0x15, 0x15, 0)),
    "V12": (vectors.V12, ChannelAccept(1, 0x15, 0x15, 0)),
    "V23": (vectors.V23, SetUserStatus(UserStatus(StatusCode.AWAY, 0, "at lunch"))),
    "V24": (vectors.V24, SetPrivacyList(PrivacyInfo(True, (UserItem("uid=eve", "", None),)))),
    "V25": (vectors.V25, SenseService(0x18)),
    "V26": (vectors.V26, Admin("Restart at 18:00")),
    "V27": (
        vectors.V27,
        Announce(
            "hello",
            ("@U alice",),
            True,
            LoginInfo("7F000001AB13", 0x1700, "uid=bob", "Bob", address=0x7F000002),
        ),
    ),
    "V28": (
        vectors.V28,
        ChannelCreate(
            0x80000001,
            0x1000,
            0x1000,
            3,
            IdBlock("uid=bob"),
            additional=b"\x00\x00\x00\x01\x00\x03\x34\x53",
            creator=LoginInfo("7F000001AB12", 0x1700, "uid=alice", "Alice", address=0x7F000001),
            encryption=EncryptionOffer.of(EncryptionMode.WHATEVER, [EncryptItem(0)]),
        ),
    ),
    "V31": (
        vectors.V31,
        ChannelSend(1, 0x64, bytes.fromhex("80c0a9944f3659ac06f3644423050dcf"), encrypted=True),
    ),
}


@pytest.mark.parametrize(("vector", "message"), SAYS.values(), ids=SAYS.keys())
def test_a_vector_says_what_it_is_known_to_say(vector: vectors.Vector, message: SametimeMessage) -> None:
    assert decode(vector.content) == message


@pytest.mark.parametrize(
    ("handshake", "expected"),
    [
        (Handshake(0x1700, local_address=1, local_host="pc1"), True),
        (Handshake(0x1002, minor=0x196F), True),
        (Handshake(0x1002, local_address=1), False),
        (Handshake(0x1002, local_host="pc1"), False),
    ],
)
def test_libmeanwhile_is_recognized_also_when_it_hides(handshake: Handshake, expected: bool) -> None:
    assert handshake.looks_like_libmeanwhile is expected


def test_the_handshake_ack_of_a_server_has_a_key_of_64_bytes() -> None:
    ack = decode(vectors.V2.content)
    assert isinstance(ack, HandshakeAck)
    assert (ack.magic, len(ack.public_key), ack.major, ack.minor) == (vectors.MAGIC, 64, 0x1E, 0x1D)


def test_the_accept_of_a_conversation_names_the_cipher_and_the_acceptors_status() -> None:
    accept = decode(vectors.V29.content)
    assert isinstance(accept, ChannelAccept)
    assert accept.acceptor is not None
    assert accept.acceptor.login_id == "7F000001AB13"
    assert accept.encryption == EncryptionChoice(EncryptionMode.RC2_40, accept.encryption.block)
    assert accept.encryption.item() == EncryptItem(0)


def test_a_create_that_offers_nothing_ends_as_clients_write_it() -> None:
    assert encode(ChannelCreate(1, 2, 3, 4)).endswith(bytes.fromhex("000000000000000000000007"))


def test_a_create_that_ends_after_the_encryption_mode_and_an_empty_block_is_read() -> None:
    content = encode(ChannelCreate(1, 2, 3, 4))[4:-6]
    assert decode(content) == ChannelCreate(1, 2, 3, 4)


@pytest.mark.parametrize("number", [0x0027, 0x0028, 0x002F, 0x0031, 0x8027, 0x8028])
def test_the_newer_family_is_recognized(number: int) -> None:
    assert is_ng(number)
    assert decode(number.to_bytes(2, "big") + bytes(20)) == UnknownMessage(number, 0)


@pytest.mark.parametrize("number", [0x0000, 0x0026, 0x0032, 0x8000, 0x8001])
def test_the_older_family_is_not_taken_for_the_newer(number: int) -> None:
    assert not is_ng(number)


def test_message_types_are_named_for_logs() -> None:
    assert message_name(0x27) == "HANDSHAKE_NG (0x0027)"
    assert message_name(0x7777) == "0x7777"


def test_nothing_secret_or_personal_shows_in_a_repr() -> None:
    said = [
        Login(0x1700, "alice", b"hunter2", 0),
        ChannelSend(1, 2, b"hunter2"),
        ChannelCreate(1, 2, 3, 4, additional=b"hunter2"),
        ChannelAccept(1, 2, 3, 4, additional=b"hunter2"),
        ChannelDestroy(1, 2, b"hunter2"),
        Announce("hunter2", ()),
    ]
    assert "hunter2" not in repr(said)
