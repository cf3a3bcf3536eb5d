"""What nodes write comes back as it was, and bytes of others are never more than data."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.cluster.records import (
    DIGEST,
    Publication,
    UserChange,
    UserField,
    decode_session,
    encode_session,
    open_privacy,
    privacy_value,
    read_publication,
    read_snapshot,
    session_value,
    user_digest,
)
from quintet.sametime.community import Node, SessionRecord, SharedSession
from quintet.sametime.neighbours import VersionedPrivacy
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo, UserItem, UserStatus
from support.simulated_cluster import PlainSealing

NODE = Node("n1", "a1b2")
PLACE = (NODE, "login1")
SEALING = PlainSealing()

bytes_of_clients = st.binary(max_size=20).map(
    lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), bytes_of_clients
)
orders = st.integers(0, 2**53)
seconds = st.floats(0, 2**40)
logins = st.builds(
    LoginInfo,
    st.text("0123456789ABCDEF", min_size=5, max_size=16),
    st.integers(0, 0xFFFF),
    texts.filter(bool),
    texts,
    texts,
    description=texts,
    address=st.integers(0, 0xFFFFFFFF),
    server_id=texts,
)
statuses = st.builds(UserStatus, st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), texts)
sessions = st.builds(
    SharedSession,
    st.builds(SessionRecord, st.just(NODE), logins, texts, seconds, seconds, statuses),
    orders,
    st.dictionaries(st.integers(0, 0xFFFFFFFF), st.tuples(orders, st.binary(max_size=30)), max_size=4),
    st.frozensets(st.integers(0, 0xFFFFFFFF), max_size=3),
)
lists = st.builds(PrivacyInfo, st.booleans(), st.lists(st.builds(UserItem, texts)).map(tuple))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(sessions)
def test_a_session_comes_back(session: SharedSession) -> None:
    assert decode_session(encode_session(session, NODE), NODE, session.record.id) == session


@given(sessions, st.lists(values, min_size=1))
def test_what_a_later_version_appends_is_ignored(session: SharedSession, more: list[Any]) -> None:
    login = replace(session.record.login, server_id="another")
    session = replace(session, record=replace(session.record, login=login))
    data = json.loads(encode_session(session, NODE))
    assert decode_session(json.dumps(data + more).encode(), NODE, login.login_id) == session


@given(sessions, st.data(), values)
def test_a_record_with_anything_in_it_is_a_session_or_nothing(
    session: SharedSession, data: st.DataObject, value: Any
) -> None:
    record = json.loads(encode_session(session, NODE))
    record[data.draw(st.integers(0, len(record) - 1))] = value
    found = decode_session(json.dumps(record).encode(), NODE, session.record.id)
    if found is not None:
        assert decode_session(encode_session(found, NODE), NODE, session.record.id) == found
        found.record.login.encode()
        found.record.status.encode()


@given(st.binary())
def test_no_bytes_are_a_session_by_chance(data: bytes) -> None:
    assert decode_session(data, *PLACE) is None


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"4":1}',
        b"null",
        b"[1,2,3,4,5]",
        b"[0,1,2,3,4,5]",
        b'[0,"u","n","l",1,0,0,NaN]',
        b'[0,"u","n","l",' + b"9" * 400 + b",0,0,0]",
        b'[0,"u","n","l",1,0,0,' + b"9" * 400 + b"]",
        b"1e999",
        b'"\\ud800"',
        b"\xff\xfe",
    ],
)
def test_what_is_not_a_session_is_none(data: bytes) -> None:
    assert decode_session(data, *PLACE) is None


@given(lists, st.integers(0, 2**50))
def test_a_privacy_list_comes_back_and_is_one_user_s_and_one_version_s(
    privacy: PrivacyInfo, version: int
) -> None:
    stored = VersionedPrivacy(version, privacy)
    value = privacy_value("q:u:1", stored, SEALING)
    assert open_privacy("q:u:1", value, SEALING) == stored
    assert open_privacy("q:u:2", value, SEALING) is None
    assert open_privacy("q:u:1", b"9" + value, SEALING) is None


@given(st.binary())
def test_no_bytes_are_a_privacy_list_by_chance(data: bytes) -> None:
    assert open_privacy("q:u:1", data, SEALING) is None


changes = st.lists(st.tuples(st.sampled_from("PSRZ"), st.text("sp0aF", max_size=5), st.binary(max_size=9)))


@given(st.integers(0, 2**53), st.integers(0, 2**53), changes)
def test_a_publication_comes_back(before: int, after: int, items: list[tuple[str, str, bytes]]) -> None:
    data = f"{before} {after}\n".encode() + b"".join(
        f"{kind}{len(name)}:{len(value)}:{name}".encode() + value for kind, name, value in items
    )
    expected = tuple(UserChange(*item) for item in items)
    assert read_publication(data) == Publication(before, after, expected)
    if items:
        assert read_publication(data[:-1]) is None or not items[-1][2] + items[-1][1].encode()


@given(st.one_of(st.binary(), st.binary().map(lambda data: b"1 2\n" + data)))
def test_any_bytes_are_a_publication_or_none(data: bytes) -> None:
    found = read_publication(data)
    assert found is None or 0 <= found.after < 10**16


@given(st.binary())
def test_any_bytes_are_a_value_or_none(data: bytes) -> None:
    found = session_value(data)
    assert found is None or data.endswith(found.blob)


@pytest.mark.parametrize("reply", [None, 3, b"x", [], [b"1 2\n"], b"1 2", b"a 2\n", b"1 2\nS1:1:a", b"1\n"])
def test_another_answer_is_no_snapshot(reply: Any) -> None:
    assert read_snapshot(reply) is None


def test_a_place_is_a_key_a_field_and_a_node() -> None:
    places = [
        UserField("q:u:1", "s1"),
        UserField("q:u:1 s", "1"),
        UserField("q:u:1", "s1", Node("a b", "c")),
        UserField("q:u:1", "s1 a", Node("b", "c")),
        UserField("q:u:1", "s1", Node("a", "b c")),
        UserField("q:u:1", "s1", Node("a b", "d")),
    ]
    assert len({each.context for each in places}) == len(places)


@given(sessions)
def test_what_has_its_default_or_is_known_from_the_place_is_not_written(session: SharedSession) -> None:
    record = session.record
    login = replace(record.login, community="", description="", address=0, server_id=NODE.name)
    status = UserStatus(record.status.status)
    plain = replace(record, login=login, last_active=record.connected_at, status=status)
    written = json.loads(encode_session(SharedSession.begin(plain), NODE))
    expected = [login.client_type, login.user_id, login.user_name, record.login_name]
    assert written == [*expected, record.connected_at, status.status]


@given(texts)
def test_a_digest_is_that_of_an_id_whatever_its_spelling(identifier: str) -> None:
    assert DIGEST.fullmatch(user_digest(identifier).encode())
    assert (
        user_digest("UID=Alice, O=Acme") == user_digest("uid=alice,o=acme") != user_digest("uid=bob,o=acme")
    )
