"""The session: what may be sent when, which answers are due, and what a broken peer looks like."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap import _fast_codec, ber
from quintet.ldap.errors import LocalProtocolError
from quintet.ldap.filters import Present
from quintet.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    AbandonRequest,
    BindRequest,
    BindResponse,
    CompareResponse,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    Operation,
    Result,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    Simple,
    UnbindRequest,
    decode,
    encode,
)
from quintet.ldap.session import Answer, Disconnection, Event, Session, State, Violation
from support.ldap_messages import entries

SEARCH = SearchRequest("o=x", 2, Present("cn"))
BIND = BindRequest("cn=a", Simple(b"x"))
TLS = ExtendedRequest(START_TLS)
DONE = SearchResultDone(Result())
ENTRY = SearchResultEntry("cn=a", {"cn": [b"a"]})


def answer(message_id: int, op: Operation, *controls: Control) -> bytes:
    return encode(Message(message_id, op, controls))


def sent(session: Session) -> list[Message]:
    data, found, at = session.data_to_send(), [], 0
    while at < len(data):
        _, _, stop = ber.header(data, at, len(data))
        found.append(decode(data[at:stop]))
        at = stop
    return found


def searching(count: int = 1, **options: int) -> Session:
    session = Session(**options)
    for _ in range(count):
        session.send(SEARCH)
    session.data_to_send()
    return session


def violation(events: Sequence[Event]) -> str:
    assert isinstance(events[-1], Violation)
    return events[-1].message


def test_requests_get_ids_of_their_own_and_leave_together() -> None:
    session = Session()
    assert [session.send(SEARCH), session.send(SEARCH)] == [1, 2]
    assert sent(session) == [Message(1, SEARCH), Message(2, SEARCH)]
    assert session.data_to_send() == b""


def test_a_search_from_parts_is_the_search() -> None:
    session = Session()
    session.search(_fast_codec.search_frame("o=x", 2, ()), SEARCH.filter.encode())
    assert sent(session) == [Message(1, SEARCH)]


def test_answers_come_in_any_order_and_end_what_they_answer() -> None:
    session = searching(2)
    events = session.receive(answer(2, ENTRY) + answer(1, DONE) + answer(2, DONE))
    assert [(each.id, each.op, each.final) for each in events if isinstance(each, Answer)] == [
        (2, ENTRY, False),
        (1, DONE, True),
        (2, DONE, True),
    ]
    assert session.outstanding == 0


@pytest.mark.parametrize("op", [SEARCH, TLS, ExtendedRequest("1.2"), BIND])
def test_during_a_bind_nothing_else_is_sent(op: BindRequest) -> None:
    session = Session()
    session.send(BIND)
    session.data_to_send()
    with pytest.raises(LocalProtocolError):
        session.send(op)
    assert session.data_to_send() == b""


def test_between_the_steps_of_a_sasl_bind_only_the_next_step_is_sent() -> None:
    session = Session()
    session.send(BindRequest("", Sasl("SCRAM-SHA-1", b"a")))
    session.receive(answer(1, BindResponse(Result(14), b"b")))
    with pytest.raises(LocalProtocolError):
        session.send(SEARCH)
    with pytest.raises(LocalProtocolError):
        session.search(_fast_codec.search_frame("", 0, ()), b"\x87\x01a")
    session.send(BindRequest("", Sasl("SCRAM-SHA-1", b"c")))
    session.receive(answer(2, BindResponse(Result())))
    session.send(SEARCH)


def test_a_bind_waits_for_nobody_and_nobody_is_disturbed_by_it() -> None:
    session = searching()
    with pytest.raises(LocalProtocolError, match="alone"):
        session.send(BIND)
    with pytest.raises(LocalProtocolError, match="alone"):
        session.send(TLS)


def test_a_simple_bind_from_its_parts_is_the_bind() -> None:
    session = Session()
    assert session.bind(b"cn=a", b"x") == 1
    assert sent(session) == [Message(1, BIND)]
    assert session.state is State.BINDING


@pytest.mark.parametrize(("name", "password"), [(b"", b"x"), (b"cn=a", b""), (b"", b"")])
def test_a_bind_without_name_or_password_is_not_sent_by_the_lowest_encoder(
    name: bytes, password: bytes
) -> None:
    """A server would answer with success: such a client would be taken for the owner of an empty DN."""
    session = Session()
    with pytest.raises(LocalProtocolError):
        session.bind(name, password)
    assert session.data_to_send() == b""
    assert session.state is State.OPEN
    session.bind(b"cn=a", b"x")


def test_a_simple_bind_is_alone_like_every_other_bind() -> None:
    session = searching()
    with pytest.raises(LocalProtocolError, match="alone"):
        session.bind(b"cn=a", b"x")
    session.receive(answer(1, DONE))
    session.bind(b"cn=a", b"x")
    with pytest.raises(LocalProtocolError):
        session.send(SEARCH)
    with pytest.raises(LocalProtocolError):
        session.bind(b"cn=a", b"x")
    session.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        session.bind(b"cn=a", b"x")


@given(
    st.sampled_from([0, 14, 32, 49, 50, 51, 53, 80]),
    st.sampled_from(["", "", "80090308: data 775"]),
    st.booleans(),
)
def test_the_answer_to_a_simple_bind_is_the_same_on_the_fast_and_the_plain_way(
    code: int, diagnostic: str, with_control: bool
) -> None:
    controls = (Control("1.3.6.1.4.1.42.2.27.8.5.1"),) if with_control else ()
    data = encode(Message(1, BindResponse(Result(code, diagnostic=diagnostic)), controls))
    fast, plain = Session(), Session()
    fast.bind(b"cn=a", b"x")
    plain.send(BIND)
    assert fast.receive(data) == plain.receive(data)
    assert fast.state is plain.state
    assert fast.outstanding == plain.outstanding


def test_an_answer_to_a_bind_that_was_not_sent_is_a_violation() -> None:
    session = Session()
    session.bind(b"cn=a", b"x")
    assert violation(session.receive(answer(2, BindResponse(Result(0)))))


def test_a_failed_bind_leaves_the_session_open() -> None:
    session = Session()
    session.send(BIND)
    session.receive(answer(1, BindResponse(Result(49))))
    assert session.state is State.OPEN


def test_between_the_agreement_and_tls_nothing_is_sent() -> None:
    session = Session()
    session.send(TLS)
    session.receive(answer(1, ExtendedResponse(Result())))
    assert session.state is State.TLS_AGREED
    with pytest.raises(LocalProtocolError):
        session.send(SEARCH)
    session.tls_established()
    session.send(SEARCH)


def test_a_refused_start_tls_leaves_the_session_open() -> None:
    session = Session()
    session.send(TLS)
    session.receive(answer(1, ExtendedResponse(Result(52))))
    assert session.state is State.OPEN
    session.send(SEARCH)


@pytest.mark.parametrize("extra", [b"\x30", answer(2, DONE)])
def test_clear_bytes_after_the_start_tls_response_are_an_attack(extra: bytes) -> None:
    session = Session()
    session.send(TLS)
    assert "unencrypted" in violation(session.receive(answer(1, ExtendedResponse(Result())) + extra))


def test_clear_bytes_that_come_later_than_the_start_tls_response_are_an_attack() -> None:
    session = Session()
    session.send(TLS)
    session.receive(answer(1, ExtendedResponse(Result())))
    assert "unencrypted" in violation(session.receive(answer(2, DONE)))


def test_after_unbind_nothing_is_sent_or_read() -> None:
    session = searching()
    session.unbind()
    assert [type(each.op) for each in sent(session)] == [UnbindRequest]
    with pytest.raises(LocalProtocolError, match="closed"):
        session.send(SEARCH)
    assert session.receive(answer(1, DONE)) == []
    session.unbind()
    assert session.data_to_send() == b""


def test_what_is_abandoned_is_told_and_its_late_answers_are_dropped() -> None:
    session = searching()
    session.abandon(1)
    assert sent(session) == [Message(2, AbandonRequest(1))]
    assert session.outstanding == 0
    assert session.receive(answer(1, ENTRY) + answer(1, DONE)) == []
    assert "not sent" in violation(session.receive(answer(1, DONE)))


def test_an_answered_request_is_not_abandoned() -> None:
    session = searching()
    session.receive(answer(1, DONE))
    session.abandon(1)
    assert session.data_to_send() == b""


def test_a_bind_is_never_abandoned() -> None:
    session = Session()
    session.send(BIND)
    with pytest.raises(LocalProtocolError):
        session.abandon(1)


def test_ids_begin_again_after_the_largest_and_pass_over_those_in_use() -> None:
    session = searching(3)
    session.abandon(1)
    session.receive(answer(3, DONE))
    session._last_id = ber.MAX_INT - 1
    frame = _fast_codec.search_frame("o=x", 2, ())
    assert session.send(SEARCH) == ber.MAX_INT
    assert [session.search(frame, b"\x87\x02cn") for _ in range(2)] == [3, 4]


def test_ids_pass_over_those_in_use_on_the_fast_way() -> None:
    session = searching(2)
    session._last_id = 0
    assert session.search(_fast_codec.search_frame("o=x", 2, ()), b"\x87\x02cn") == 3


def test_what_is_remembered_of_abandoned_requests_is_bounded() -> None:
    session = Session()
    for _ in range(10_100):
        session.abandon(session.send(SEARCH))
        session.data_to_send()
    assert len(session._abandoned) == 10_000


def test_a_notice_of_disconnection_is_told_and_ends_the_session() -> None:
    session = searching()
    notice = ExtendedResponse(Result(52, "", "down"), NOTICE_OF_DISCONNECTION)
    events = session.receive(answer(1, ENTRY) + answer(0, notice) + answer(1, DONE))
    assert events[1:] == [Disconnection(Result(52, "", "down"))]
    assert session.state is State.CLOSED


def test_the_notice_of_active_directory_is_read_although_its_name_stands_behind_the_response() -> None:
    """Everything in long form, and the name as a third part of the message."""
    diagnostic = b"00000057: LdapErr: DSID-0C0C0095, comment: Error decoding ldap message, data 0, v4563\0"
    response = b"\x0a\x01\x02\x04\x00" + ber.octet_string(diagnostic)
    content = b"".join(
        (
            b"\x02\x01\x00",
            b"\x78\x84" + len(response).to_bytes(4, "big") + response,
            ber.octet_string(NOTICE_OF_DISCONNECTION.encode(), 0x8A),
        )
    )
    session = searching()
    (event,) = session.receive(b"\x30\x84" + len(content).to_bytes(4, "big") + content)
    assert event == Disconnection(Result(2, "", diagnostic.decode()))
    assert session.state is State.CLOSED


def test_another_unsolicited_notification_is_passed_over() -> None:
    session = searching()
    assert session.receive(answer(0, ExtendedResponse(Result(), "1.2.3"))) == []
    assert len(session.receive(answer(1, DONE))) == 1


def test_intermediate_responses_and_references_are_handed_over() -> None:
    session = searching()
    middle, reference = IntermediateResponse("1.2", b"x"), SearchResultReference(("ldap://a",))
    events = session.receive(answer(1, middle) + answer(1, reference))
    assert [each.op for each in events if isinstance(each, Answer)] == [middle, reference]
    assert session.outstanding == 1


def test_controls_come_with_their_answer() -> None:
    session = searching()
    control = Control("1.2.3", False, b"x")
    (event,) = session.receive(answer(1, DONE, control))
    assert isinstance(event, Answer)
    assert event.controls == (control,)
    assert event.final


WRONG = {
    "an id that nobody sent": answer(777, DONE),
    "an entry for an id that nobody sent": answer(777, ENTRY),
    "id 0": answer(0, DONE),
    "the answer to something else": answer(1, CompareResponse(Result())),
    "a request": answer(1, SEARCH),
    "a negative id that is ours without its sign": b"\x30\x0c\x02\x01\x81"
    b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28",
    "an indefinite length": b"\x30\x80",
    "five bytes of length": b"\x30\x85\x00\x00\x00\x00\x01",
    "an inner length past the end": b"\x30\x05\x02\x01\x01\x65\x7f",
    "an empty message": b"\x30\x00",
    "an unknown operation": b"\x30\x05\x02\x01\x01\x7e\x00",
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_a_broken_peer_is_a_violation_and_the_end(data: bytes) -> None:
    session = searching(129)
    assert violation(session.receive(data))
    assert session.state is State.CLOSED
    assert session.receive(answer(1, DONE)) == []


def test_an_entry_after_the_end_of_its_search_is_a_violation() -> None:
    session = searching()
    assert "not sent" in violation(session.receive(answer(1, DONE) + answer(1, ENTRY)))


def test_answers_before_a_violation_still_count() -> None:
    session = searching()
    events = session.receive(answer(1, ENTRY) + b"garbage")
    assert isinstance(events[0], Answer)
    assert isinstance(events[1], Violation)


def test_a_message_above_the_limit_is_refused_at_its_header() -> None:
    session = searching(message_size=1000)
    assert "1000 are allowed" in violation(session.receive(b"\x30\x82\x03\xe5"))


def test_a_message_at_the_limit_is_read() -> None:
    entry = SearchResultEntry("cn=a", {"cn": [b"x" * 970]})
    data = answer(1, entry)
    session = searching(message_size=len(data))
    assert isinstance(session.receive(data)[0], Answer)


def test_deep_nesting_is_a_violation() -> None:
    deep = b""
    for _ in range(200):
        deep = ber.tlv(0x30, deep)
    session = searching(nesting=100)
    data = ber.sequence(ber.integer(1), ber.tlv(0x65, b"\x0a\x01\x00\x04\x00\x04\x00", deep))
    assert "deeper" in violation(session.receive(data))


def tiny_elements(kind: str, count: int) -> bytes:
    values = b"\x04\x00" * count
    match kind:
        case "values":
            return ber.tlv(0x64, b"\x04\x00", ber.sequence(ber.sequence(b"\x04\x01a", ber.tlv(0x31, values))))
        case "attributes":
            return ber.tlv(0x64, b"\x04\x00", ber.sequence(ber.sequence(b"\x04\x01a", b"\x31\x00") * count))
        case "referrals":
            return ber.tlv(0x65, b"\x0a\x01\x0a\x04\x00\x04\x00", ber.tlv(0xA3, values))
    return ber.tlv(0x73, values)


@pytest.mark.parametrize("kind", ["values", "referrals", "references", "attributes"])
def test_a_message_of_tiny_elements_without_end_is_a_violation(kind: str) -> None:
    session = searching()
    data = ber.sequence(ber.integer(1), tiny_elements(kind, 400_000))
    assert "elements" in violation(session.receive(data))


def entry_of(*attributes: bytes) -> bytes:
    return ber.sequence(ber.integer(1), ber.tlv(0x64, b"\x04\x00", ber.sequence(*attributes)))


def attribute(name: str, *values: bytes) -> bytes:
    return ber.sequence(ber.octet_string(name.encode()), ber.tlv(0x31, *values))


MOST = 119_000
HUGE = {
    "a group": entry_of(attribute("member", ber.octet_string(b"uid=someone,ou=people,o=example") * MOST)),
    "empty values": entry_of(attribute("member", b"\x04\x00" * MOST)),
    "too many values": entry_of(attribute("member", b"\x04\x00" * 8_000_000)),
    "a name twice": entry_of(
        attribute("member", b"\x04\x00" * 9_000), attribute("member", b"\x04\x00" * 9_000)
    ),
    "attributes": entry_of(*(attribute(f"a{nth}", b"\x04\x01x") for nth in range(1_800))),
    "too many attributes": entry_of(*(attribute(f"a{nth}") for nth in range(80_000))),
    "references": ber.sequence(ber.integer(1), ber.tlv(0x73, b"\x04\x00" * 19_000)),
    "one large value": entry_of(attribute("photo", ber.octet_string(bytes(16_000_000)))),
    "tiny entries": entry_of() * 3_000,
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE.keys())
def test_no_message_holds_the_event_loop_for_long(data: bytes) -> None:
    """The goal is 50 ms of CPU time; a slow machine is given four times as long."""
    times = []
    for _ in range(3):
        session, began = searching(), time.thread_time()
        session.receive(data)
        times.append(time.thread_time() - began)
    assert min(times) < 0.2


def test_a_group_with_many_members_is_read() -> None:
    members = [f"uid=member{number},ou=people,o=example".encode() for number in range(100_000)]
    session = searching()
    [found] = session.receive(answer(1, SearchResultEntry("cn=all", {"member": members})))
    assert isinstance(found, Answer)
    assert found.op == SearchResultEntry("cn=all", {"member": members})


def test_a_large_message_in_tiny_pieces_is_put_together_once() -> None:
    session = searching()
    entry = SearchResultEntry("cn=a", {"photo": [bytes(200_000)]})
    data = answer(1, entry)
    events = [event for at in range(0, len(data), 7) for event in session.receive(data[at : at + 7])]
    assert [each.op for each in events if isinstance(each, Answer)] == [entry]


@given(st.lists(entries, max_size=6), st.binary(max_size=30), st.data())
def test_how_the_bytes_are_cut_makes_no_difference(
    found: list[SearchResultEntry], tail: bytes, data: st.DataObject
) -> None:
    raw = b"".join(answer(1, each) for each in found) + answer(1, DONE) + tail
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    session = searching()
    events = [event for piece in pieces for event in session.receive(piece)]
    assert events == searching().receive(raw)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_end_in_a_violation_or_in_waiting(data: bytes) -> None:
    for event in searching().receive(data):
        assert isinstance(event, Answer | Violation | Disconnection)
