"""The session: who may say what when, how it ends, and what a broken or hostile client looks like."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.credentials import AuthType, PasswordCredentials, TokenCredentials
from quintet.sametime.errors import SessionStateError, UnencodableValueError
from quintet.sametime.events import (
    AnnouncementRequested,
    HandshakeReceived,
    IgnoreCause,
    LoginContinued,
    LoginRequested,
    MessageIgnored,
    PrivacyChanged,
    ProtocolViolation,
    SenseRequested,
    SessionEvent,
    SessionLeft,
    StatusChanged,
    ViolationKind,
)
from quintet.sametime.limits import SessionLimits
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.session import Notice, SametimeSession, SessionState
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo, UserItem, UserStatus
from quintet.sametime.wire.framing import KEEP_ALIVE, frame
from quintet.sametime.wire.header import MessageType
from quintet.sametime.wire.messages import (
    Admin,
    Announce,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    Handshake,
    HandshakeAck,
    Login,
    LoginAck,
    LoginContinue,
    LoginRedirect,
    OneTime,
    SametimeMessage,
    SenseService,
    SetPrivacyDenied,
    SetPrivacyList,
    SetUserStatus,
    decode,
    encode,
)
from support.sametime_sessions import KEYS, MAGIC, SERVER, Pair, login_of
from support.sametime_values import MESSAGES, datas

STATES: dict[str, Callable[[], Pair]] = {
    "NEW": Pair,
    "SHAKEN": lambda: Pair().shaken(),
    "AUTHENTICATING": lambda: Pair().authenticating(),
    "ONLINE": lambda: Pair().online(),
}


def said(session: SametimeSession) -> list[object]:
    """What the session has to send, decoded."""
    messages: list[object] = []
    data = session.data_to_send()
    while data:
        size = int.from_bytes(data[:4], "big")
        messages.append(decode(data[4 : 4 + size]))
        data = data[4 + size :]
    return messages


def violation(pair: Pair, data: bytes) -> ProtocolViolation:
    """The violation that these bytes are: the last event, and told to the client."""
    pair.session.data_to_send()
    event = pair.session.receive(data)[-1]
    assert isinstance(event, ProtocolViolation)
    assert pair.session.state is SessionState.CLOSED
    assert said(pair.session) == [ChannelDestroy(0, event.reason)]
    return event


def online_receives(message: SametimeMessage, **limits: int) -> tuple[Pair, list[SessionEvent]]:
    pair = Pair(limits=SessionLimits(**limits)).online()
    return pair, pair.session.receive(encode(message))


# Signing in


def test_a_handshake_is_answered_by_versions_magic_and_a_whole_key() -> None:
    pair = Pair()
    pair.client.start()
    assert pair.to_server() == [HandshakeReceived(Handshake(0x1700))]
    pair.session.accept_handshake(KEYS, MAGIC, 0x7F000001)
    assert said(pair.session) == [HandshakeAck(0x7F000001, MAGIC, KEYS.public)]
    assert pair.session.state is SessionState.SHAKEN


def test_a_login_brings_name_type_and_password() -> None:
    pair = Pair().shaken()
    password = PasswordCredentials(AuthType.RC2_128, b"secret")
    assert pair.to_server() == [LoginRequested("alice", 0x1700, password)]
    assert pair.session.state is SessionState.AUTHENTICATING


def test_a_login_is_accepted_with_privacy_and_status() -> None:
    pair = Pair().authenticating()
    privacy = PrivacyInfo(False, (UserItem("uid=bob"),))
    pair.session.accept_login(pair.login, privacy, UserStatus(0x60, 0, "out"))
    assert said(pair.session) == [LoginAck(pair.login, privacy, UserStatus(0x60, 0, "out"))]
    assert pair.session.state is SessionState.ONLINE


@pytest.mark.parametrize("state", STATES)
def test_the_server_may_end_it_in_any_state(state: str) -> None:
    pair = STATES[state]()
    pair.session.end(ReasonCode.SERVER_FULL, b"later")
    assert said(pair.session) == [ChannelDestroy(0, ReasonCode.SERVER_FULL, b"later")]
    assert pair.session.state is SessionState.CLOSED


def test_a_session_never_ends_without_a_reason() -> None:
    session = Pair().online().session
    with pytest.raises(UnencodableValueError):
        session.end(ReasonCode.SUCCESS)
    assert session.state is SessionState.ONLINE


def test_a_session_ends_once() -> None:
    session = Pair().online().session
    session.end(ReasonCode.SERVER_FULL)
    session.end(ReasonCode.USER_RESTRICTED)
    assert said(session) == [ChannelDestroy(0, ReasonCode.SERVER_FULL)]


def test_a_redirected_client_that_stays_gets_a_second_ack_before_it_is_signed_in() -> None:
    pair = Pair().authenticating()
    pair.session.redirect("im2.example.org")
    assert pair.session.state is SessionState.REDIRECTED
    assert pair.to_client() == [LoginRedirect("im2.example.org")]
    assert pair.to_server() == [LoginContinued()]
    pair.session.accept_login(pair.login)
    assert [type(each) for each in pair.to_client()] == [HandshakeAck, LoginAck]
    assert pair.said[0] == pair.said[-2]
    assert pair.client.login == pair.login


def test_a_redirected_client_may_leave() -> None:
    pair = Pair().authenticating()
    pair.session.redirect("im2.example.org")
    assert pair.session.receive(encode(ChannelDestroy(0, 0))) == [SessionLeft(0)]


def test_keep_alives_are_allowed_in_every_state_and_mean_nothing() -> None:
    for make in STATES.values():
        pair = make()
        state = pair.session.state
        assert pair.session.receive(KEEP_ALIVE * 100 + bytes(4) + b"\x81\x82") == []
        assert pair.session.state is state


@pytest.mark.parametrize("state", STATES)
def test_the_client_may_leave_in_every_state(state: str) -> None:
    pair = STATES[state]()
    assert pair.session.receive(encode(ChannelDestroy(0, 0))) == [SessionLeft(0)]
    assert pair.session.state is SessionState.CLOSED
    assert said(pair.session) == []


def test_the_destruction_of_a_channel_before_sign_in_is_ignored() -> None:
    pair = Pair().authenticating()
    assert pair.session.receive(encode(ChannelDestroy(7, 0))) == []
    assert pair.session.state is SessionState.AUTHENTICATING


@pytest.mark.parametrize("auth_type", [1, 5, 6, 7, 8, 9, 77])
def test_other_kinds_of_login_come_through_the_same_door(auth_type: int) -> None:
    pair = Pair().shaken()
    (event,) = pair.session.receive(encode(Login(0x1002, "alice", b"token", auth_type)))
    assert event == LoginRequested("alice", 0x1002, TokenCredentials(auth_type, b"token"))


def test_a_name_of_any_bytes_comes_through() -> None:
    name = b"\xff;*)( \xc3\xa9".decode("utf-8", "surrogateescape")
    (event,) = Pair().shaken().session.receive(encode(Login(0x1700, name, b"", 0)))
    assert isinstance(event, LoginRequested)
    assert event.name == name


# What breaks it before sign-in


@pytest.mark.parametrize("state", ["NEW", "SHAKEN", "AUTHENTICATING"])
@pytest.mark.parametrize("name", [each for each in MESSAGES if not each.startswith("ChannelDestroy")])
@given(st.data())
def test_a_message_out_of_order_before_sign_in_ends_the_connection(
    state: str, name: str, data: st.DataObject
) -> None:
    message = data.draw(MESSAGES[name])
    pair = STATES[state]()
    due = {"NEW": Handshake, "SHAKEN": Login}.get(state)
    if due is not None and isinstance(message, due):
        return
    broken = violation(pair, encode(message))
    assert (broken.kind, broken.reason) == (ViolationKind.OUT_OF_ORDER, ReasonCode.PROTOCOL_ERROR)


def test_a_second_login_while_the_first_is_checked_ends_the_connection() -> None:
    pair = Pair().authenticating()
    assert violation(pair, encode(Login(0x1700, "alice", b"", 0))).kind is ViolationKind.OUT_OF_ORDER


@pytest.mark.parametrize("number", [0x0027, 0x0028, 0x0031, 0x8027])
def test_a_client_of_the_newer_protocol_is_refused_by_version(number: int) -> None:
    broken = violation(Pair(), frame(number.to_bytes(2, "big") + bytes(60)))
    assert (broken.kind, broken.reason) == (ViolationKind.NEWER_PROTOCOL, ReasonCode.VERSION_MISMATCH)


def test_the_newer_handshake_is_named_in_the_detail() -> None:
    detail = violation(Pair(), frame(b"\x00\x27" + bytes(6))).detail
    assert MessageType.HANDSHAKE_NG.name in detail


@pytest.mark.parametrize("client_type", [0x2000, 0x6000, 0x3700])
def test_server_applications_are_refused_at_the_handshake(client_type: int) -> None:
    broken = violation(Pair(), encode(Handshake(client_type)))
    assert (broken.kind, broken.reason) == (ViolationKind.SERVER_APPLICATION, ReasonCode.USER_RESTRICTED)


def test_server_applications_are_refused_at_the_login() -> None:
    broken = violation(Pair().shaken(), encode(Login(0x2000, "x", b"", 0)))
    assert broken.kind is ViolationKind.SERVER_APPLICATION


@pytest.mark.parametrize("content", [b"\0", b"\0\0\0\0\0\0\0", b"\0\0" + bytes(6), b"\0\0\x80\0" + bytes(4)])
def test_a_malformed_message_before_sign_in_ends_the_connection(content: bytes) -> None:
    broken = violation(Pair(), frame(content))
    assert (broken.kind, broken.reason) == (ViolationKind.MALFORMED, ReasonCode.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"SSH-2.0-x\r\n"]
)
def test_other_protocols_are_too_large_messages(data: bytes) -> None:
    assert violation(Pair(), data).kind is ViolationKind.TOO_LARGE


@pytest.mark.parametrize("state", ["NEW", "SHAKEN", "AUTHENTICATING"])
def test_more_bytes_than_the_limit_before_sign_in_end_the_connection(state: str) -> None:
    pair = STATES[state]()
    broken = violation(pair, KEEP_ALIVE * 65537)
    assert (broken.kind, broken.reason) == (
        ViolationKind.TOO_MUCH_BEFORE_SIGN_IN,
        ReasonCode.MESSAGE_TOO_LARGE,
    )


def test_bytes_before_sign_in_are_counted_over_all_pieces() -> None:
    pair = Pair(limits=SessionLimits(bytes_before_sign_in=100))
    for _ in range(100):
        assert pair.session.receive(KEEP_ALIVE) == []
    assert violation(pair, KEEP_ALIVE).kind is ViolationKind.TOO_MUCH_BEFORE_SIGN_IN


def test_a_signed_in_client_may_send_any_amount() -> None:
    pair = Pair().online()
    for _ in range(10):
        assert pair.session.receive(KEEP_ALIVE * 60_000) == []


def test_a_large_message_is_refused_before_sign_in_and_taken_after() -> None:
    announce = encode(Announce("x" * 10_000, ("@U bob",)))
    limits = SessionLimits(message_before_sign_in=1000, message_size=len(announce) - 4)
    assert violation(Pair(limits=limits), announce).kind is ViolationKind.TOO_LARGE
    (event,) = Pair(limits=limits).online().session.receive(announce)
    assert isinstance(event, AnnouncementRequested)


# Signed in


def test_a_message_beyond_the_limit_ends_the_session_before_its_content_comes() -> None:
    broken = violation(Pair().online(), (1024 * 1024 + 1).to_bytes(4, "big"))
    assert (broken.kind, broken.reason) == (ViolationKind.TOO_LARGE, ReasonCode.MESSAGE_TOO_LARGE)


def test_less_than_a_header_ends_the_session() -> None:
    assert violation(Pair().online(), frame(b"\0\4\0\0")).kind is ViolationKind.MALFORMED


def test_a_status_is_told_and_its_text_cut() -> None:
    _, events = online_receives(SetUserStatus(UserStatus(0x0260, 7, "ü" * 10)), status_text=5)
    assert events == [StatusChanged(UserStatus(0x0260, 7, "üü"))]


def test_a_privacy_list_is_told() -> None:
    privacy = PrivacyInfo(True, (UserItem("uid=eve"),))
    _, events = online_receives(SetPrivacyList(privacy))
    assert events == [PrivacyChanged(privacy)]


def test_a_privacy_list_that_is_not_taken_is_denied() -> None:
    pair, events = online_receives(SetPrivacyList(PrivacyInfo(True, (UserItem("eve"),) * 3)), privacy_users=2)
    assert events == [MessageIgnored(MessageType.SET_PRIVACY_LIST, IgnoreCause.LIMIT, "3 users")]
    assert said(pair.session) == [SetPrivacyDenied(ReasonCode.OUT_OF_RESOURCES)]


def test_a_malformed_privacy_list_is_denied() -> None:
    pair = Pair().online()
    (event,) = pair.session.receive(encode(SetPrivacyList(PrivacyInfo()))[:-2].replace(b"\x0d", b"\x0b", 1))
    assert isinstance(event, MessageIgnored)
    assert event.cause is IgnoreCause.MALFORMED
    assert said(pair.session) == [SetPrivacyDenied(ReasonCode.BAD_DATA)]


def test_a_service_is_announced_once_for_each_time_that_it_was_asked_for() -> None:
    pair, events = online_receives(SenseService(ServiceId.STORAGE))
    assert events == [SenseRequested(ServiceId.STORAGE)]
    assert pair.session.announce_service(ServiceId.STORAGE) is True
    assert pair.session.announce_service(ServiceId.STORAGE) is False
    assert said(pair.session) == [SenseService(ServiceId.STORAGE)]


def test_a_service_that_was_not_asked_for_is_not_announced() -> None:
    pair = Pair().online()
    assert pair.session.announce_service(ServiceId.RESOLVE) is False
    assert said(pair.session) == []


def test_a_service_that_is_not_offered_is_never_announced() -> None:
    pair, events = online_receives(SenseService(ServiceId.PLACE))
    assert events == [
        MessageIgnored(MessageType.SENSE_SERVICE, IgnoreCause.NOT_OFFERED, "PLACE (0x80000022)")
    ]
    assert pair.session.announce_service(ServiceId.PLACE) is False


def test_an_announcement_comes_without_the_sender_that_the_client_wrote() -> None:
    announce = Announce("fire", ("@U bob", "@G devs"), sender=login_of("eve"))
    _, events = online_receives(announce)
    assert events == [AnnouncementRequested(replace(announce, sender=None))]


def test_an_announcement_to_too_many_is_ignored() -> None:
    _, events = online_receives(Announce("fire", ("@U bob",) * 3), announcement_recipients=2)
    assert events == [MessageIgnored(MessageType.ANNOUNCE, IgnoreCause.LIMIT, "3 recipients")]


@pytest.mark.parametrize("number", [0x0005, 0x0012, 0x001A, 0x0026, 0x0027, 0x7777, 0xFFFF])
def test_an_unknown_type_is_ignored_and_reported(number: int) -> None:
    pair = Pair().online()
    events = pair.session.receive(frame(number.to_bytes(2, "big") + bytes(20)))
    assert events == [MessageIgnored(number, IgnoreCause.UNKNOWN_TYPE)]
    assert pair.session.state is SessionState.ONLINE


@pytest.mark.parametrize(
    "message",
    [
        Handshake(0x1700),
        HandshakeAck(),
        Login(0x1700, "bob", b"", 0),
        LoginAck(login_of("bob"), PrivacyInfo(), UserStatus()),
        LoginRedirect("elsewhere"),
        LoginContinue(),
        Admin("I am root"),
        SetPrivacyDenied(1),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_clients_do_not_say_is_ignored_and_reported(message: SametimeMessage) -> None:
    pair, events = online_receives(message)
    assert events == [MessageIgnored(message.TYPE, IgnoreCause.NOT_EXPECTED)]
    assert said(pair.session) == []


def test_a_one_time_message_is_ignored_and_reported() -> None:
    message = OneTime(1, SERVER_ID, 0x80000026, 0x80000022, 0, 0x8003, b"")
    _, events = online_receives(message)
    assert events == [MessageIgnored(MessageType.ONE_TIME, IgnoreCause.UNKNOWN_TYPE)]


SERVER_ID = ChannelCreate(1, 1, 1, 1).target


@pytest.mark.parametrize("message_type", [0x0009, 0x0011, 0x0022])
def test_a_malformed_message_outside_of_channels_is_ignored_and_reported(message_type: int) -> None:
    pair = Pair().online()
    (event,) = pair.session.receive(frame(message_type.to_bytes(2, "big") + bytes(6) + b"\xff"))
    assert isinstance(event, MessageIgnored)
    assert (event.type, event.cause) == (message_type, IgnoreCause.MALFORMED)
    assert pair.session.state is SessionState.ONLINE


def test_a_client_that_leaves_with_a_malformed_message_has_left() -> None:
    pair = Pair().online()
    events = pair.session.receive(frame(b"\0\3" + bytes(6)))
    assert events[-1] == SessionLeft(ReasonCode.BAD_DATA)
    assert pair.session.state is SessionState.CLOSED


def test_the_server_may_say_things_outside_of_channels() -> None:
    session = Pair().online().session
    notices: list[Notice] = [
        SetUserStatus(UserStatus(0x60)),
        SetPrivacyList(PrivacyInfo()),
        Admin("Restart at 18:00"),
        Announce("fire", ("@U alice",), sender=login_of("bob")),
    ]
    for each in notices:
        session.notify(each)
    assert said(session) == notices


def test_an_announcement_needs_a_sender_that_does_not_crash_clients() -> None:
    session = Pair().online().session
    for sender in (None, LoginInfo("x", 0, "uid=bob", "Bob"), LoginInfo("7F000001", 0, "", "Bob")):
        with pytest.raises(UnencodableValueError):
            session.notify(Announce("fire", (), sender=sender))
    assert said(session) == []


def test_keep_alives_go_out_between_messages() -> None:
    session = Pair().online().session
    session.keep_alive()
    assert session.data_to_send() == KEEP_ALIVE


def test_what_is_queued_is_counted_until_it_is_taken() -> None:
    session = Pair().online().session
    session.notify(Admin("hello"))
    assert session.queued == len(encode(Admin("hello")))
    session.data_to_send()
    assert session.queued == 0


# Afterwards


def test_nothing_is_looked_at_after_the_end() -> None:
    pair = Pair().online()
    pair.client.create(ServiceId.AWARE)
    leaving = encode(ChannelDestroy(0, 0)) + pair.client.data_to_send()
    assert pair.session.receive(leaving) == [SessionLeft(0)]
    assert pair.session.receive(b"\xff\x00\x00\x00\x01x") == []


def test_nothing_follows_a_violation() -> None:
    pair = Pair()
    events = pair.session.receive(frame(b"\x77\x77" + bytes(6)) * 3)
    assert len(events) == 1


def test_what_is_said_after_the_end_goes_nowhere() -> None:
    session = Pair().online().session
    session.end(ReasonCode.SERVER_FULL)
    session.data_to_send()
    session.notify(Admin("hello"))
    session.keep_alive()
    session.announce_service(ServiceId.AWARE)
    assert session.data_to_send() == b""


def test_a_lost_connection_leaves_nothing_to_send() -> None:
    session = Pair().online().session
    session.notify(Admin("hello"))
    session.close()
    assert (session.state, session.queued, session.data_to_send()) == (SessionState.CLOSED, 0, b"")


# What the caller may not do


@pytest.mark.parametrize("state", STATES)
def test_answers_belong_to_their_states(state: str) -> None:
    session = STATES[state]().session
    answers: dict[str, Callable[[], None]] = {
        "SHAKING": lambda: session.accept_handshake(KEYS, MAGIC),
        "AUTHENTICATING": lambda: session.accept_login(login_of("alice")),
        "ONLINE": lambda: session.notify(Admin("hello")),
    }
    for due, answer in answers.items():
        if due != state:
            with pytest.raises(SessionStateError):
                answer()


def test_there_are_no_channels_before_sign_in() -> None:
    with pytest.raises(SessionStateError):
        _ = Pair().authenticating().session.channels


@pytest.mark.parametrize(
    "login",
    [LoginInfo("7F00", 0, "uid=a", "A"), LoginInfo("7F000001", 0, "", "A")],
    ids=["short id", "no user"],
)
def test_a_login_that_crashes_clients_is_never_sent(login: LoginInfo) -> None:
    session = Pair().authenticating().session
    with pytest.raises(UnencodableValueError):
        session.accept_login(login)
    assert session.state is SessionState.AUTHENTICATING


def test_a_service_of_unknown_layout_cannot_be_offered() -> None:
    with pytest.raises(ValueError, match="PLACE"):
        SametimeSession(SERVER, [ServiceId.AWARE, ServiceId.PLACE])


# Any bytes


def conversation(pair: Pair) -> bytes:
    """All that a well-behaved client sends after it is signed in."""
    pair.client.greet()
    pair.client.say(SenseService(ServiceId.STORAGE))
    pair.client.say(Announce("hello", ("@U bob",)))
    pair.client.create(ServiceId.IM, "uid=bob")
    pair.client.destroy(1)
    pair.client.say(ChannelSend(9, 1, b"x"))
    return pair.client.data_to_send() + KEEP_ALIVE


@given(st.lists(st.integers(0, 600), max_size=30))
def test_how_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    whole, pieces = Pair().online(), Pair().online()
    data = conversation(whole)
    expected = whole.session.receive(data)
    edges = [0, *sorted(cuts), len(data)]
    found: list[SessionEvent] = []
    for start, stop in itertools.pairwise(edges):
        found += pieces.session.receive(data[start:stop])
    assert found == expected
    assert pieces.session.data_to_send() == whole.session.data_to_send()


@pytest.mark.parametrize("state", STATES)
@given(st.lists(datas | datas.map(frame), max_size=8))
def test_any_bytes_in_any_state_give_events_or_the_end(state: str, pieces: list[bytes]) -> None:
    pair = STATES[state]()
    for each in pieces:
        pair.session.receive(each)
    if pair.session.state is SessionState.CLOSED:
        assert pair.session.receive(b"\0\0\0\1x") == []


@pytest.mark.parametrize("state", STATES)
@given(st.lists(st.one_of(*MESSAGES.values()).map(encode), max_size=10))
def test_any_messages_in_any_state_give_events_or_the_end(state: str, messages: list[bytes]) -> None:
    pair = STATES[state]()
    events = pair.session.receive(b"".join(messages))
    ends = [each for each in events if isinstance(each, ProtocolViolation | SessionLeft)]
    assert ends == events[-1:] if pair.session.state is SessionState.CLOSED else ends == []


@given(st.integers(0, 700), st.binary(min_size=1, max_size=4))
def test_a_damaged_conversation_gives_events_or_the_end(at: int, damage: bytes) -> None:
    pair = Pair().online()
    data = conversation(pair)
    pair.session.receive(data[:at] + damage + data[at + len(damage) :])
    assert pair.session.state in (SessionState.ONLINE, SessionState.CLOSED)
