"""Every message survives BER; whatever is none raises BerError and nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quintet.ldap import Delete, Entry, Replace, _fast_codec, ber
from quintet.ldap.ber import BerError
from quintet.ldap.errors import LocalProtocolError
from quintet.ldap.filters import Present
from quintet.ldap.messages import (
    AddRequest,
    BindRequest,
    BindResponse,
    CompareRequest,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    ModifyRequest,
    Operation,
    Result,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    Simple,
    decode,
    encode,
    encode_controls,
)
from support.ldap_messages import blobs, entries, filters, messages, some_texts, texts


def assert_decoded_or_refused(data: bytes) -> None:
    """What is decoded can be sent on, and is then read as the same message."""
    try:
        message = decode(data)
    except BerError:
        return
    assert decode(encode(message)) == message


@given(messages)
def test_a_message_survives_ber(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_raise_nothing_but_ber_error(data: bytes) -> None:
    assert_decoded_or_refused(data)


@given(messages, st.data())
def test_a_damaged_message_raises_nothing_but_ber_error(message: Message, data: st.DataObject) -> None:
    raw = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert_decoded_or_refused(bytes(raw))


@given(messages, st.data())
def test_a_message_that_is_cut_off_is_refused(message: Message, data: st.DataObject) -> None:
    raw = encode(message)
    with pytest.raises(BerError):
        decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


def test_bytes_after_a_message_are_refused() -> None:
    with pytest.raises(BerError):
        decode(encode(Message(1, SearchResultDone(Result()))) + b"\x00")


def test_a_message_that_nests_too_deep_is_refused() -> None:
    deep = b""
    for _ in range(20):
        deep = ber.tlv(0x30, deep)
    data = ber.sequence(ber.integer(1), ber.tlv(0x65, b"\x0a\x01\x00\x04\x00\x04\x00", deep))
    assert decode(data, nesting=30).op == SearchResultDone(Result())
    with pytest.raises(BerError, match="deeper"):
        decode(data, nesting=10)


def test_elements_of_a_later_protocol_are_skipped() -> None:
    data = ber.sequence(ber.integer(1), ber.tlv(0x65, b"\x0a\x01\x00\x04\x00\x04\x00", b"\x8c\x01x"))
    assert decode(data) == Message(1, SearchResultDone(Result()))


@pytest.mark.parametrize("message_id", [b"\x02\x01\xff", b"\x02\x00", b"\x02\x05\x01\x00\x00\x00\x00"])
def test_a_message_id_out_of_range_is_refused(message_id: bytes) -> None:
    with pytest.raises(BerError):
        decode(ber.sequence(message_id, b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00"))


@pytest.mark.parametrize(
    ("operation", "values"),
    [(0, []), (3, []), (3, [b"1", b"2"]), (3, [b"x"]), (3, [b"9" * 5000]), (4, [b"x"])],
)
def test_a_modification_that_no_rfc_has_is_refused(operation: int, values: list[bytes]) -> None:
    attribute = ber.sequence(ber.octet_string(b"cn"), ber.tlv(0x31, *map(ber.octet_string, values)))
    change = ber.sequence(ber.enumerated(operation), attribute)
    with pytest.raises(BerError):
        decode(ber.sequence(ber.integer(1), ber.tlv(0x66, ber.octet_string(b""), ber.sequence(change))))


def test_controls_of_an_entry_are_with_the_entry() -> None:
    control = Control("1.2.3", False, b"x")
    op = decode(encode(Message(1, Entry("cn=a", {}), (control,)))).op
    assert isinstance(op, Entry)
    assert (op.controls, Entry("cn=a", {}).controls) == ((control,), ())


def test_the_same_attribute_twice_in_an_entry_has_all_values() -> None:
    part = ber.sequence(ber.octet_string(b"cn"), ber.tlv(0x31, ber.octet_string(b"a")))
    data = ber.sequence(ber.integer(1), ber.tlv(0x64, ber.octet_string(b""), ber.sequence(part, part)))
    assert decode(data).op == SearchResultEntry("", {"cn": [b"a", b"a"]})


@pytest.mark.parametrize(
    "op",
    [
        BindRequest("cn=a", Simple(b"hunter2")),
        BindRequest("cn=a", Sasl("PLAIN", b"hunter2")),
        BindResponse(Result(), b"hunter2"),
        AddRequest("cn=a", {"userPassword": [b"hunter2"], "2.5.4.35;x-old": [b"hunter2"]}),
        ModifyRequest("cn=a", (Replace("unicodePwd", ["hunter2"]), Delete("userPassword", [b"hunter2"]))),
        CompareRequest("cn=a", "userPassword", b"hunter2"),
        Entry("cn=a", {"USERPASSWORD": [b"hunter2"]}),
        ExtendedRequest("1.3.6.1.4.1.4203.1.11.1", b"hunter2"),
        ExtendedResponse(Result(), None, b"hunter2"),
    ],
)
def test_a_secret_never_shows(op: Operation) -> None:
    assert "hunter2" not in repr(Message(1, op, (Control("1.2.3", False, b"hunter2"),))) + str(op)


@given(texts, st.integers(0, 2), filters, some_texts, st.integers(1, 2**31 - 1), st.booleans())
def test_the_fast_search_is_the_same_as_the_plain_one(
    base: str,
    scope: int,
    tree: Present,
    attributes: tuple[str, ...],
    message_id: int,
    with_controls: bool,
) -> None:
    controls = (Control("1.2.3", True, b"x"),) if with_controls else ()
    plain = Message(message_id, SearchRequest(base, scope, tree, attributes), controls)
    frame = _fast_codec.search_frame(base, scope, attributes)
    encoded = encode_controls(controls) if controls else b""
    assert frame.message(ber.integer(message_id), tree.encode(), encoded) == encode(plain)


@given(texts, filters, some_texts, st.integers(1, 2**31 - 1), st.booleans())
def test_the_fast_read_is_the_same_as_the_plain_one(
    name: str, tree: Present, attributes: tuple[str, ...], message_id: int, with_controls: bool
) -> None:
    controls = (Control("1.2.3", True, b"x"),) if with_controls else ()
    plain = Message(message_id, SearchRequest(name, 0, tree, attributes), controls)
    frame = _fast_codec.ReadFrame(tree.encode(), attributes)
    encoded = encode_controls(controls) if controls else b""
    dn = name.encode("utf-8", "surrogateescape")
    assert frame.message(ber.integer(message_id), dn, encoded) == encode(plain)


@given(texts, blobs, st.integers(1, 2**31 - 1))
@example("cn=" + "a" * 200, b"b" * 70_000, 1)
def test_the_fast_bind_is_the_same_as_the_plain_one(name: str, password: bytes, message_id: int) -> None:
    dn, number = name.encode("utf-8", "surrogateescape"), ber.integer(message_id)
    if dn and password:
        plain = Message(message_id, BindRequest(name, Simple(password)))
        assert _fast_codec.bind_request(number, dn, password) == encode(plain)
    else:
        with pytest.raises(LocalProtocolError):
            _fast_codec.bind_request(number, dn, password)


def test_the_ready_answers_to_binds_are_what_the_plain_way_reads() -> None:
    for raw, response in _fast_codec.BIND_RESPONSES.items():
        assert decode(ber.sequence(ber.integer(1), raw)).op == response
    assert {each.result for each in _fast_codec.BIND_RESPONSES.values()} == {Result(0), Result(49)}


def op_of(entry: SearchResultEntry) -> bytes:
    data = encode(Message(1, entry))
    _, at, _ = ber.header(data, 0, len(data))
    return data[at + 3 :]


@given(entries)
def test_the_fast_entry_is_the_same_as_the_plain_one(entry: SearchResultEntry) -> None:
    data = op_of(entry)
    assert _fast_codec.read_entry(data, 0, len(data)) in (entry, None)


@given(st.lists(blobs, max_size=3), st.integers(0, 70_000))
def test_the_fast_way_reads_every_common_length(values: list[bytes], size: int) -> None:
    entry = SearchResultEntry("cn=x", {"photo": [b"\xff" * size, *values]})
    data = op_of(entry)
    assert _fast_codec.read_entry(data, 0, len(data)) == entry


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 3))
@example(128, 1, 1)
def test_the_fast_way_reads_no_length_of_a_name_or_value_wrongly(name: int, value: int, count: int) -> None:
    entry = SearchResultEntry("cn=x", {"a" * name: [b"v" * value] * count, "b": [b"last"]})
    data = op_of(entry)
    assert _fast_codec.read_entry(data, 0, len(data)) in (entry, None)


@given(entries, st.data())
def test_what_the_fast_way_reads_from_damage_is_what_the_plain_way_reads(
    entry: SearchResultEntry, data: st.DataObject
) -> None:
    raw = bytearray(op_of(entry))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    # What follows in the buffer belongs to the next message and must never be taken for this one's.
    found = _fast_codec.read_entry(bytes(raw) + op_of(entry), 0, len(raw))
    if found is not None and raw[0] == 0x64:
        assert decode(ber.sequence(ber.integer(1), bytes(raw))).op == found


def test_a_disconnection_notice_is_read() -> None:
    op = ExtendedResponse(Result(52, "", "going down"), "1.3.6.1.4.1.1466.20036")
    assert decode(encode(Message(0, op))) == Message(0, op)
