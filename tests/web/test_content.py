"""Queries are read as the standard library reads them."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from quintet.web.content import Content, FixedHeaders, Head, query_fields

PIECES = st.sampled_from(
    [b"a", b"=", b"&", b"+", b"%", b"%41", b"%c3%a9", b"%ff", b"%2", b"\xe9", b"\x00", b";"]
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_a_query_is_read_as_by_the_standard_library(query: bytes) -> None:
    assert query_fields(query, most=20) == parse_qsl(query.decode("latin-1"), keep_blank_values=True)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_bytes_that_are_no_text_are_refused_where_that_is_wanted(query: bytes) -> None:
    try:
        expected = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
    except ValueError:
        with pytest.raises(ValueError, match="codec"):
            query_fields(query, most=20, errors="strict")
    else:
        assert query_fields(query, most=20, errors="strict") == expected


@pytest.mark.parametrize("query", [b"a&b&c", b"&&", b"a=1&b=2&c=%41"])
def test_more_parameters_than_the_most_are_refused(query: bytes) -> None:
    with pytest.raises(ValueError, match="too many"):
        query_fields(query, most=2)


def test_a_content_has_its_length_the_fixed_headers_and_its_own() -> None:
    content = Content(
        "é".encode(), FixedHeaders((b"cache-control", b"no-cache")), (b"etag", b"a"), status=404
    )
    lines = content.lines().splitlines()
    assert content.status_code == 404
    assert {b"content-length: 2", b"cache-control: no-cache", b"etag: a"} <= set(lines)
    assert b"x-content-type-options: nosniff" in lines
    assert len({line.partition(b":")[0] for line in lines}) == len(lines)


@pytest.mark.parametrize("secure", [False, True])
async def test_a_content_says_the_same_by_itself_and_to_an_asgi_server(secure: bool) -> None:
    content = Content(b"a", FixedHeaders((b"vary", b"Cookie")), (b"etag", b"b"))
    content.secure = secure
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await content({}, _no_message, send)
    start, body = messages
    assert {b"%s: %s" % each for each in start["headers"]} == set(content.lines().splitlines())
    assert any(name == b"strict-transport-security" for name, _ in start["headers"]) is secure
    assert (start["status"], body["body"]) == (200, b"a")


async def _no_message() -> Message:
    raise AssertionError


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"\x00", b"a\nb"])
def test_a_value_that_no_header_can_have_is_not_sent(value: bytes) -> None:
    with pytest.raises(RuntimeError):
        Content(b"", FixedHeaders(), (b"remote-name", value)).lines()


NAMES = st.sampled_from([b"host", b"cookie", b"via", b"accept"])


@given(st.lists(st.tuples(NAMES, st.sampled_from([b"a", b"b=c", b""])), max_size=6))
def test_headers_of_one_name_are_joined_and_none_is_lost(pairs: list[tuple[bytes, bytes]]) -> None:
    head = Head(pairs)
    for name in {name for name, _ in pairs}:
        joint = b"; " if name == b"cookie" else b", "
        assert head.headers[name] == joint.join(value for each, value in pairs if each == name)
    assert set(head.headers) == {name for name, _ in pairs}


def test_a_head_is_that_of_the_same_headers_alone() -> None:
    head = Head([(b"a", b"1"), (b"b", b"2")])
    assert head.is_that_of([(b"a", b"1"), (b"b", b"2")])
    assert not head.is_that_of([(b"a", b"1")])
    assert not head.is_that_of([(b"b", b"2"), (b"a", b"1")])
    assert not head.is_that_of([(b"a", b"1"), (b"b", b"3")])
