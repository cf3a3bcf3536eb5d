"""Channels to the server: opening, ciphers, data, closing, and what a client may do wrong on them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.channel_table import Channel, ChannelState, ChannelTable, opened_by_server
from quintet.sametime.errors import SessionStateError, UnencodableValueError
from quintet.sametime.events import (
    ChannelClosed,
    ChannelData,
    ChannelOpened,
    ChannelRefused,
    IgnoreCause,
    MessageIgnored,
    ProtocolViolation,
    SessionEvent,
    SessionLeft,
    ViolationKind,
)
from quintet.sametime.limits import SessionLimits
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import SERVICES, ServiceId
from quintet.sametime.wire.blocks import IdBlock, LoginInfo
from quintet.sametime.wire.diffie_hellman import PRIME, KeyPair
from quintet.sametime.wire.encryption import (
    CipherId,
    EncryptionChoice,
    EncryptionMode,
    EncryptionOffer,
    EncryptItem,
)
from quintet.sametime.wire.framing import frame
from quintet.sametime.wire.messages import (
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    encode,
)
from support.sametime_sessions import SERVER, Pair, login_of

AWARE = SERVICES[ServiceId.AWARE]
CREATE = ChannelCreate(1, AWARE.service, AWARE.protocol, AWARE.version)
WEAK = EncryptItem(CipherId.RC2_40)


def strong(private: int) -> EncryptItem:
    return EncryptItem(CipherId.RC2_128, KeyPair.from_private(private).public)


def refused(pair: Pair, create: ChannelCreate) -> ReasonCode:
    """Why this create is refused: told by the last event, and to the client."""
    *_, event = pair.session.receive(encode(create))
    assert isinstance(event, ChannelRefused)
    assert event.create == replace(create, creator=None)
    assert ChannelDestroy(create.new_channel, event.reason) in pair.to_client()
    return event.reason


def broken(pair: Pair, message: bytes, channel: int) -> ReasonCode:
    """Why the session destroys the channel after this message: told by the last event, and to the client."""
    *_, event = pair.session.receive(message)
    assert isinstance(event, ChannelClosed)
    assert (event.channel, event.by_client) == (channel, False)
    assert pair.to_client() == [ChannelDestroy(channel, event.reason)]
    return ReasonCode(event.reason)


# Opening


def test_a_channel_to_the_server_is_accepted_unencrypted_if_nothing_is_offered() -> None:
    pair = Pair().online()
    event = pair.request(ServiceId.AWARE)
    assert event.create == CREATE
    assert pair.session.channels.accept(event.channel, b"more")
    assert pair.to_client() == [ChannelAccept(1, AWARE.service, AWARE.protocol, AWARE.version, b"more")]


def test_the_accept_repeats_the_clients_version() -> None:
    pair = Pair().online()
    pair.session.receive(encode(replace(CREATE, version=99)))
    pair.session.channels.accept(1)
    (accept,) = pair.to_client()
    assert isinstance(accept, ChannelAccept)
    assert accept.version == 99


@pytest.mark.parametrize("protocol", [0x25, 0x19])
def test_storage_has_two_protocols(protocol: int) -> None:
    pair = Pair().online()
    pair.session.receive(encode(ChannelCreate(1, ServiceId.STORAGE, protocol, 1)))
    pair.session.channels.accept(1)
    (accept,) = pair.to_client()
    assert isinstance(accept, ChannelAccept)
    assert accept.protocol == protocol


def test_a_creator_that_the_client_writes_is_dropped() -> None:
    (event,) = Pair().online().session.receive(encode(replace(CREATE, creator=login_of("eve"))))
    assert getattr(event, "create", None) == CREATE


@pytest.mark.parametrize(
    "service",
    [
        ServiceId.GROUP_CONTENT,
        ServiceId.OFFLINE_MESSAGES,
        ServiceId.PLACE,
        ServiceId.POLICY,
        ServiceId.USER_INFO,
        0x1234,
    ],
)
def test_c92_a_service_that_is_not_offered_is_refused(service: int) -> None:
    create = ChannelCreate(1, service, service, 0)
    assert refused(Pair().online(), create) is ReasonCode.SERVICE_NOT_SUPPORTED


def test_a_known_service_that_is_not_offered_is_refused() -> None:
    assert refused(Pair(offered=[ServiceId.IM]).online(), CREATE) is ReasonCode.SERVICE_NOT_SUPPORTED


@pytest.mark.parametrize("service", SERVICES)
def test_another_protocol_of_a_service_is_refused(service: int) -> None:
    create = ChannelCreate(1, service, 0x7777, 0, IdBlock("uid=bob"))
    assert refused(Pair().online(), create) is ReasonCode.PROTOCOL_NOT_SUPPORTED


def test_unknown_options_are_refused() -> None:
    assert refused(Pair().online(), replace(CREATE, options=1)) is ReasonCode.SERVICE_NOT_SUPPORTED


@pytest.mark.parametrize("service", [ServiceId.IM, ServiceId.FILE_TRANSFER])
def test_a_conversation_with_the_server_itself_is_refused(service: ServiceId) -> None:
    create = ChannelCreate(1, service, SERVICES[service].protocol, 0)
    assert refused(Pair().online(), create) is ReasonCode.NO_SUCH_USER


def test_an_id_of_the_servers_side_is_refused() -> None:
    create = replace(CREATE, new_channel=0x80000001)
    assert refused(Pair().online(), create) is ReasonCode.INVALID_REQUEST


def test_an_id_of_the_servers_side_in_use_costs_the_client_that_channel() -> None:
    pair = Pair().online()
    channel = pair.session.channels.open(ServiceId.CONFERENCE, login_of("bob"))
    pair.to_client()
    events = pair.session.receive(encode(replace(CREATE, new_channel=channel)))
    assert events[0] == ChannelClosed(channel, ReasonCode.INVALID_REQUEST, by_client=False)
    assert len(pair.session.channels) == 0


def test_an_id_in_use_costs_the_client_that_channel() -> None:
    pair = Pair().online()
    pair.hosted(ServiceId.AWARE)
    events = pair.session.receive(encode(CREATE))
    assert events == [
        ChannelClosed(1, ReasonCode.CHANNEL_EXISTS, by_client=False),
        ChannelRefused(CREATE, ReasonCode.CHANNEL_EXISTS),
    ]
    assert pair.session.channels.send(1, 1, b"") is False


def test_an_id_can_be_used_again_when_its_channel_is_gone() -> None:
    pair = Pair().online()
    pair.hosted(ServiceId.AWARE)
    pair.client.destroy(1)
    assert pair.to_server() == [ChannelClosed(1, 0)]
    assert len(pair.session.receive(encode(CREATE))) == 1
    assert pair.session.channels.accept(1)


def test_the_master_channel_cannot_be_opened() -> None:
    (event,) = Pair().online().session.receive(encode(replace(CREATE, new_channel=0)))
    assert isinstance(event, ProtocolViolation)
    assert (event.kind, event.reason) == (ViolationKind.BAD_CHANNEL, ReasonCode.PROTOCOL_ERROR)


def test_one_channel_too_many_is_refused_and_the_others_stay() -> None:
    pair = Pair(limits=SessionLimits(client_channels=2)).online()
    first = pair.hosted(ServiceId.AWARE)
    pair.hosted(ServiceId.RESOLVE)
    assert refused(pair, replace(CREATE, new_channel=3)) is ReasonCode.OUT_OF_RESOURCES
    pair.client.destroy(first)
    pair.to_server()
    assert not isinstance(pair.session.receive(encode(replace(CREATE, new_channel=4)))[0], ChannelRefused)


# Ciphers


@pytest.mark.parametrize(
    "ciphers", [[CipherId.RC2_40], [CipherId.RC2_128], [CipherId.RC2_40, CipherId.RC2_128]]
)
def test_an_encrypted_channel_carries_data_both_ways(ciphers: list[CipherId]) -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE, *ciphers)
    for text in (b"first", b"", b"third" * 100):
        pair.client.send(channel, 7, text)
        assert pair.to_server() == [ChannelData(channel, 7, text)]
        assert pair.session.channels.send(channel, 8, text)
        assert pair.to_client() == [ChannelSend(channel, 8, text)]


def test_encrypted_data_is_not_readable_on_the_wire() -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE, CipherId.RC2_128)
    pair.session.channels.send(channel, 8, b"readable")
    assert b"readable" not in pair.session.data_to_send()


def test_an_encrypted_accept_names_the_server_and_an_unencrypted_one_does_not() -> None:
    pair = Pair().online()
    pair.hosted(ServiceId.AWARE)
    pair.hosted(ServiceId.RESOLVE, CipherId.RC2_40)
    acceptors = [each.acceptor for each in pair.said if isinstance(each, ChannelAccept)]
    assert acceptors == [None, SERVER]


def test_unencrypted_data_may_come_between_encrypted_data() -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE, CipherId.RC2_128)
    pair.client.send(channel, 1, b"one")
    pair.client.say(ChannelSend(channel, 2, b"two"))
    pair.client.send(channel, 3, b"three")
    assert pair.to_server() == [
        ChannelData(channel, 1, b"one"),
        ChannelData(channel, 2, b"two"),
        ChannelData(channel, 3, b"three"),
    ]


@pytest.mark.parametrize("mode", [EncryptionMode.ALL, EncryptionMode.RC2_40, EncryptionMode.RC2_128, 0x4000])
def test_demanded_encryption_without_a_common_cipher_is_refused(mode: int) -> None:
    offer = EncryptionOffer.of(mode, [EncryptItem(0x77)])
    assert refused(Pair().online(), replace(CREATE, encryption=offer)) is ReasonCode.NO_COMMON_ENCRYPTION


@pytest.mark.parametrize("value", [0, 1, PRIME - 1, PRIME, 2**512 - 1])
def test_a_weak_key_is_refused(value: int) -> None:
    offer = EncryptionOffer.of(EncryptionMode.ALL, [EncryptItem(CipherId.RC2_128, value.to_bytes(64, "big"))])
    assert refused(Pair().online(), replace(CREATE, encryption=offer)) is ReasonCode.ENCRYPTION_DATA_INVALID


@pytest.mark.parametrize("block", [b"\xff" * 9, b"\0\0\0\1" + strong(5).encode()[:20]])
def test_a_malformed_offer_is_refused(block: bytes) -> None:
    offer = EncryptionOffer(EncryptionMode.WHATEVER, block)
    assert refused(Pair().online(), replace(CREATE, encryption=offer)) is ReasonCode.BAD_DATA


def test_keys_are_exchanged_with_a_bounded_number_of_clients_keys() -> None:
    pair = Pair(limits=SessionLimits(key_exchanges=2)).online()
    creates = [
        replace(
            CREATE, new_channel=each, encryption=EncryptionOffer.of(EncryptionMode.ALL, [strong(each + 5)])
        )
        for each in (1, 2, 3)
    ]
    for each in creates[:2]:
        pair.session.receive(encode(each))
        assert pair.session.channels.accept(each.new_channel)
        pair.session.channels.close(each.new_channel)
    pair.session.data_to_send()
    assert refused(pair, creates[2]) is ReasonCode.OUT_OF_RESOURCES
    pair.session.receive(encode(creates[0]))
    assert pair.session.channels.accept(1)


@pytest.mark.parametrize("data", [b"", b"1234567", b"123456789", bytes(8)])
def test_what_cannot_be_decrypted_costs_the_client_the_channel(data: bytes) -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE, CipherId.RC2_40)
    message = encode(ChannelSend(channel, 1, data, encrypted=True))
    assert broken(pair, message, channel) is ReasonCode.ENCRYPTION_DATA_INVALID


def test_encrypted_data_without_a_cipher_costs_the_client_the_channel() -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE)
    message = encode(ChannelSend(channel, 1, bytes(8), encrypted=True))
    assert broken(pair, message, channel) is ReasonCode.ENCRYPTION_NOT_INITIALIZED


# Data and closing


def test_data_on_a_channel_that_is_not_accepted_costs_the_client_the_channel() -> None:
    pair = Pair().online()
    channel = pair.request(ServiceId.AWARE).channel
    assert broken(pair, encode(ChannelSend(channel, 1, b"x")), channel) is ReasonCode.INVALID_REQUEST
    assert pair.session.channels.accept(channel) is False


def test_what_is_said_of_an_unknown_channel_is_ignored() -> None:
    pair = Pair().online()
    for message in (
        ChannelSend(5, 1, b"x"),
        ChannelSend(0, 1, b"x"),
        ChannelSend(0x80000009, 1, bytes(8), encrypted=True),
        ChannelDestroy(5, 0),
        ChannelAccept(0x80000009, 1, 1, 1),
    ):
        assert pair.session.receive(encode(message)) == []
    assert pair.session.data_to_send() == b""


def test_the_server_closes_a_channel_with_a_reason() -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE)
    assert pair.session.channels.close(channel, ReasonCode.OUT_OF_RESOURCES, b"why")
    assert pair.to_client() == [ChannelDestroy(channel, ReasonCode.OUT_OF_RESOURCES, b"why")]
    assert pair.session.channels.close(channel) is False


def test_the_server_refuses_a_requested_channel() -> None:
    pair = Pair().online()
    channel = pair.request(ServiceId.STORAGE).channel
    assert pair.session.channels.close(channel, ReasonCode.SERVICE_NOT_SUPPORTED)
    assert pair.to_client() == [ChannelDestroy(channel, ReasonCode.SERVICE_NOT_SUPPORTED)]
    assert pair.session.channels.accept(channel) is False


def test_both_sides_may_close_at_once() -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE)
    pair.client.destroy(channel)
    assert pair.session.channels.close(channel)
    assert pair.to_server() == []


def test_answers_that_come_too_late_do_nothing() -> None:
    pair = Pair().online()
    channel = pair.request(ServiceId.AWARE).channel
    pair.client.destroy(channel)
    assert pair.to_server() == [ChannelClosed(channel, 0)]
    channels = pair.session.channels
    assert channels.accept(channel) is False
    assert channels.send(channel, 1, b"x") is False
    assert channels.close(channel) is False
    assert pair.session.data_to_send() == b""


def test_answers_after_the_session_has_ended_do_nothing() -> None:
    pair = Pair().online()
    requested, channel = pair.request(ServiceId.AWARE).channel, pair.hosted(ServiceId.RESOLVE)
    pair.session.end(ReasonCode.SERVER_SHUTTING_DOWN)
    pair.session.data_to_send()
    channels = pair.session.channels
    assert channels.accept(requested) is False
    assert channels.send(channel, 1, b"x") is False
    assert channels.close(channel) is False
    assert channels.can_open is False
    with pytest.raises(SessionStateError):
        channels.open(ServiceId.CONFERENCE, login_of("bob"))
    assert pair.session.data_to_send() == b""
    assert {each.id for each in channels} == {requested, channel}


def test_answers_that_the_state_of_a_channel_does_not_allow_are_the_callers_fault() -> None:
    pair = Pair().online()
    requested, opened = pair.request(ServiceId.AWARE).channel, pair.hosted(ServiceId.RESOLVE)
    conversation = pair.request(ServiceId.IM, "uid=bob").channel
    channels = pair.session.channels
    with pytest.raises(SessionStateError):
        channels.send(requested, 1, b"x")
    for channel in (opened, conversation):
        with pytest.raises(SessionStateError):
            channels.accept(channel)
    with pytest.raises(SessionStateError):
        channels.accept_relayed(requested, ChannelAccept(requested, 1, 1, 1), login_of("bob"))


@pytest.mark.parametrize("message_type", [3, 4, 6])
def test_a_malformed_message_costs_the_client_the_channel(message_type: int) -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE)
    content = message_type.to_bytes(2, "big") + bytes(2) + channel.to_bytes(4, "big") + b"\xff"
    assert broken(pair, frame(content), channel) is ReasonCode.BAD_DATA


def test_a_malformed_message_on_an_unknown_channel_is_only_reported() -> None:
    pair = Pair().online()
    (event,) = pair.session.receive(frame(b"\0\4\0\0\0\0\0\7\xff"))
    assert isinstance(event, MessageIgnored)
    assert event.cause is IgnoreCause.MALFORMED
    assert pair.session.data_to_send() == b""


@pytest.mark.parametrize("size", [8, 16, 30, 38])
def test_a_create_that_is_malformed_behind_its_id_is_refused(size: int) -> None:
    pair = Pair().online()
    (event,) = pair.session.receive(frame(encode(CREATE)[4 : 4 + 8 + size]))
    assert isinstance(event, MessageIgnored)
    assert pair.to_client() == [ChannelDestroy(1, ReasonCode.BAD_DATA)]


@pytest.mark.parametrize("size", [0, 4, 7])
def test_a_create_that_ends_before_its_id_is_only_reported(size: int) -> None:
    pair = Pair().online()
    (event,) = pair.session.receive(frame(encode(CREATE)[4 : 4 + 8 + size]))
    assert isinstance(event, MessageIgnored)
    assert pair.session.data_to_send() == b""


# Opened by the server


def test_the_server_opens_a_channel_by_an_id_of_its_side() -> None:
    pair = Pair().online()
    channels = pair.session.channels
    first = channels.open(ServiceId.CONFERENCE, login_of("bob"), b"invitation", IdBlock("uid=alice"))
    second = channels.open(ServiceId.CONFERENCE, login_of("bob"))
    assert opened_by_server(first)
    assert first != second
    create = pair.to_client()[0]
    assert create == ChannelCreate(
        first, 0x80000010, 0x10, 2, IdBlock("uid=alice"), additional=b"invitation", creator=login_of("bob")
    )


def test_a_client_accepts_what_the_server_opened() -> None:
    pair = Pair().online()
    channel = pair.session.channels.open(ServiceId.CONFERENCE, login_of("bob"))
    (create,) = pair.to_client()
    assert isinstance(create, ChannelCreate)
    pair.client.accept(create, b"yes")
    pair.client.send(channel, 2, b"")
    opened, data = pair.to_server()
    assert isinstance(opened, ChannelOpened)
    assert (opened.channel, opened.accept.additional) == (channel, b"yes")
    assert data == ChannelData(channel, 2, b"")
    assert pair.session.channels.send(channel, 0, b"welcome")


def test_an_acceptor_that_the_client_writes_is_dropped() -> None:
    pair = Pair().online()
    channel = pair.session.channels.open(ServiceId.CONFERENCE, login_of("bob"))
    accept = ChannelAccept(channel, 0x80000010, 0x10, 2, acceptor=login_of("eve"))
    (event,) = pair.session.receive(encode(accept))
    assert event == ChannelOpened(channel, replace(accept, acceptor=None))


def test_a_client_declines_what_the_server_opened() -> None:
    pair = Pair().online()
    channel = pair.session.channels.open(ServiceId.CONFERENCE, login_of("bob"))
    events = pair.session.receive(encode(ChannelDestroy(channel, 0, b"Declined")))
    assert events == [ChannelClosed(channel, 0, b"Declined")]


def test_the_server_waits_for_the_accept_before_it_sends() -> None:
    pair = Pair().online()
    channel = pair.session.channels.open(ServiceId.CONFERENCE, login_of("bob"))
    with pytest.raises(SessionStateError):
        pair.session.channels.send(channel, 0, b"welcome")


def test_an_accept_of_an_open_channel_costs_the_client_the_channel() -> None:
    pair = Pair().online()
    channel = pair.hosted(ServiceId.AWARE)
    accept = encode(ChannelAccept(channel, 0x11, 0x11, 0))
    assert broken(pair, accept, channel) is ReasonCode.INVALID_REQUEST


def test_an_accept_of_the_clients_own_request_costs_it_the_channel() -> None:
    pair = Pair().online()
    channel = pair.request(ServiceId.AWARE).channel
    accept = encode(ChannelAccept(channel, 0x11, 0x11, 0))
    assert broken(pair, accept, channel) is ReasonCode.INVALID_REQUEST


def test_a_cipher_that_the_server_did_not_offer_costs_the_client_the_channel() -> None:
    pair = Pair().online()
    channel = pair.session.channels.open(ServiceId.CONFERENCE, login_of("bob"))
    pair.to_client()
    choice = EncryptionChoice.of(WEAK, 0)
    accept = encode(ChannelAccept(channel, 0x80000010, 0x10, 2, encryption=choice))
    assert broken(pair, accept, channel) is ReasonCode.ENCRYPTION_FAILED


def test_the_server_opens_no_more_channels_than_the_limit() -> None:
    channels = Pair(limits=SessionLimits(server_channels=1)).online().session.channels
    channel = channels.open(ServiceId.CONFERENCE, login_of("bob"))
    assert channels.can_open is False
    with pytest.raises(SessionStateError):
        channels.open(ServiceId.CONFERENCE, login_of("bob"))
    channels.close(channel)
    assert channels.can_open is True


def test_a_creator_that_crashes_clients_is_never_sent() -> None:
    pair = Pair().online()
    for creator in (LoginInfo("7F00", 0, "uid=bob", "Bob"), LoginInfo("7F000001", 0, "", "Bob")):
        with pytest.raises(UnencodableValueError):
            pair.session.channels.open(ServiceId.IM, creator)
    assert pair.session.data_to_send() == b""
    assert len(pair.session.channels) == 0


def test_ids_of_the_server_come_round_and_skip_what_is_in_use() -> None:
    table = ChannelTable(SessionLimits())
    first = table.free_id()
    table.add(Channel(first, 1, 1, 1, relayed=False, state=ChannelState.OFFERED))
    table._last_id = 0xFFFFFFFF
    assert table.free_id() == first + 1


# Any conversation


@st.composite
def actions(draw: st.DrawFn) -> list[bytes]:
    """What a client may say of a few channels, in any order."""
    channel = st.sampled_from([1, 2, 3, 0x80000001, 0x80000002])
    one = st.one_of(
        st.builds(
            lambda id_, service, user: encode(
                ChannelCreate(id_, service, SERVICES[service].protocol, 1, IdBlock(user))
            ),
            channel,
            st.sampled_from(list(SERVICES)),
            st.sampled_from(["", "uid=bob"]),
        ),
        st.builds(lambda id_: encode(ChannelAccept(id_, 1, 1, 1)), channel),
        st.builds(lambda id_, secret: encode(ChannelSend(id_, 1, bytes(8), secret)), channel, st.booleans()),
        st.builds(lambda id_: encode(ChannelDestroy(id_, 0)), channel),
        st.builds(
            lambda id_, type_: frame(bytes((0, type_, 0, 0)) + id_.to_bytes(4, "big")),
            channel,
            st.sampled_from([2, 3, 4, 6]),
        ),
    )
    return draw(st.lists(one, max_size=15))


@given(actions(), st.lists(st.integers(0, 3), max_size=15))
def test_events_and_the_table_agree_whatever_the_client_does(said: list[bytes], answers: list[int]) -> None:
    """Each channel that was handed out is told to be gone exactly once; others never."""
    pair = Pair().online()
    channels = pair.session.channels
    alive: set[int] = set()
    for message in said:
        events: list[SessionEvent] = pair.session.receive(message)
        for event in events:
            match event:
                case ChannelClosed(channel):
                    assert channel in alive
                    alive.remove(channel)
                case SessionLeft() | ProtocolViolation():
                    pytest.fail("no message of these ends the session")
                case _ if type(event).__name__ == "ChannelRequested":
                    alive.add(event.channel)  # type: ignore[union-attr]
        for answer, channel in zip(answers, sorted(alive), strict=False):
            entry = next(each for each in channels if each.id == channel)
            if answer == 0 and entry.state is ChannelState.REQUESTED and not entry.relayed:
                assert channels.accept(channel)
            elif answer == 1 and entry.state is ChannelState.OPEN:
                assert channels.send(channel, 1, b"x")
            elif answer == 2:
                assert channels.close(channel)
                alive.remove(channel)
            elif answer == 3:
                alive.add(channels.open(ServiceId.CONFERENCE, login_of("bob")))
        assert {each.id for each in channels} == alive
        pair.session.data_to_send()
