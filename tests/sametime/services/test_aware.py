"""AWARE: the vectors, the offsets of entries, flags, and attributes of the server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import MalformedMessageError, UnencodableValueError
from quintet.sametime.services.aware import (
    AddToWatchList,
    AttributeSet,
    PresenceEntry,
    PresenceSnapshot,
    PresenceUpdate,
    SetOwnAttribute,
    WatchAttributes,
    decode_notice,
    decode_request,
    flag_value,
    read_flag_value,
)
from quintet.sametime.services.server_attributes import ServerAbilities, ServerAttribute
from quintet.sametime.wire.blocks import AwareId, AwareType, StatusCode, UserStatus
from quintet.sametime.wire.messages import ChannelSend, decode
from support import sametime_vectors as vectors
from support.sametime_values import presence_entries, tuples_of

BOB = AwareId(AwareType.USER, "uid=bob")


def sent(vector: vectors.Vector) -> ChannelSend:
    message = decode(vector.content)
    assert isinstance(message, ChannelSend)
    return message


def test_v16_adds_a_user_and_a_group() -> None:
    message = sent(vectors.V16)
    added = AddToWatchList((BOB, AwareId(AwareType.GROUP, "cn=devs")))
    assert decode_request(message.type, message.data) == added
    assert (AddToWatchList.TYPE, added.encode()) == (message.type, message.data)


def test_v17_tells_of_a_user_who_is_online_and_a_member_who_is_not() -> None:
    message = sent(vectors.V17)
    eve = PresenceEntry(AwareId(AwareType.USER, "uid=eve"), group="cn=devs")
    bob = PresenceEntry(
        BOB, UserStatus(StatusCode.AWAY, 0, "at lunch"), name="Bob Example", alternate_id="uid=bob"
    )
    snapshot = PresenceSnapshot((bob, eve))
    assert decode_notice(message.type, message.data) == snapshot
    assert (PresenceSnapshot.TYPE, snapshot.encode()) == (message.type, message.data)


def test_v18_tells_that_a_user_went_offline() -> None:
    message = sent(vectors.V18)
    update = PresenceUpdate(PresenceEntry(BOB))
    assert decode_notice(message.type, message.data) == update
    assert (PresenceUpdate.TYPE, update.encode()) == (message.type, message.data)


@given(tuples_of(presence_entries))
def test_each_entry_says_where_it_ends(entries: tuple[PresenceEntry, ...]) -> None:
    data = PresenceSnapshot(entries).encode()
    at = 4
    for _ in entries:
        at = int.from_bytes(data[at : at + 4], "big")
    assert at == len(data)


def test_fields_that_a_later_server_adds_to_an_entry_are_skipped() -> None:
    update = PresenceUpdate(PresenceEntry(BOB)).encode()
    longer = (len(update) + 3).to_bytes(4, "big") + update[4:] + b"new"
    assert decode_notice(PresenceUpdate.TYPE, longer) == PresenceUpdate(PresenceEntry(BOB))


@pytest.mark.parametrize("end", [0, 5])
def test_an_end_that_is_too_small_is_harmless(end: int) -> None:
    update = PresenceUpdate(PresenceEntry(BOB)).encode()
    assert decode_notice(PresenceUpdate.TYPE, end.to_bytes(4, "big") + update[4:]) == PresenceUpdate(
        PresenceEntry(BOB)
    )


def test_an_end_behind_the_data_is_malformed() -> None:
    update = PresenceUpdate(PresenceEntry(BOB)).encode()
    with pytest.raises(MalformedMessageError):
        decode_notice(PresenceUpdate.TYPE, (len(update) + 1).to_bytes(4, "big") + update[4:])


def test_an_id_is_echoed_byte_for_byte() -> None:
    odd = b"UID=Bob;  x\xff\xfe"
    added = decode_request(0x68, b"\0\0\0\1\0\2\0\x0d" + odd + b"\0\0")
    assert isinstance(added, AddToWatchList)
    assert odd in PresenceUpdate(PresenceEntry(added.ids[0])).encode()


@pytest.mark.parametrize(
    "make",
    [
        lambda empty: PresenceSnapshot((PresenceEntry(empty),)),
        lambda empty: PresenceUpdate(PresenceEntry(empty)),
        lambda empty: AttributeSet(empty, 1),
    ],
)
def test_an_empty_id_is_never_sent(make: object) -> None:
    assert callable(make)
    with pytest.raises(UnencodableValueError):
        make(AwareId(2, "")).encode()


def test_the_first_messages_of_libmeanwhile_are_read() -> None:
    assert decode_request(0x68, bytes(4)) == AddToWatchList(())
    assert decode_request(0xCB, bytes(8)) == WatchAttributes(())
    flag = bytes.fromhex("00000000 00000002 00000000 00000001 00000002 0001")
    assert decode_request(0xC9, flag) == SetOwnAttribute(1, b"\x00\x01")


def test_an_attribute_without_a_value_has_no_opaque() -> None:
    alone = AttributeSet(BOB, 9004).encode()
    assert alone.endswith((9004).to_bytes(4, "big"))
    assert decode_notice(AttributeSet.TYPE, alone) == AttributeSet(BOB, 9004)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"\x01", True), (b"\x00\x01", True), (b"\0\0\0\x02", True), (b"\0", False), (b"\0\0", False)],
)
def test_flags_of_all_sizes_are_read(data: bytes, expected: bool) -> None:
    assert read_flag_value(data) is expected


@pytest.mark.parametrize("data", [b"", b"\0\0\1", bytes(5)])
def test_a_flag_of_another_size_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        read_flag_value(data)


@given(st.booleans())
def test_a_flag_is_read_as_it_was_written(value: bool) -> None:
    assert read_flag_value(flag_value(value)) is value


def test_a_server_that_offers_nothing_sets_no_attribute() -> None:
    assert ServerAbilities().attributes() == {}


def test_what_a_server_offers_is_told_by_attributes() -> None:
    offers = ServerAbilities(
        browsing=True,
        largest_file=0,
        domains_allowed="example.org",
        domains_denied="",
        user_info_url="https://cards.example.org/servlet/UserInfoServlet",
    )
    assert offers.attributes() == {
        ServerAttribute.BROWSE_ENABLED: b"\x00\x01",
        ServerAttribute.LARGEST_FILE: bytes(4),
        ServerAttribute.RESOLVE_DOMAINS_ALLOWED: b"\x00\x0bexample.org",
        ServerAttribute.RESOLVE_DOMAINS_DENIED: b"\x00\x00",
        ServerAttribute.USER_INFO_URL: b"\x00\x31https://cards.example.org/servlet/UserInfoServlet",
    }
