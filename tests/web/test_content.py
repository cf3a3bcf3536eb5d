"""Queries are read as the standard library reads them."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.web.content import Content, query_fields

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


def test_a_content_has_its_length_and_the_given_headers() -> None:
    content = Content("é".encode(), (b"content-type", b"text/plain"), status=404)
    assert content.status_code == 404
    assert content.raw_headers == [(b"content-length", b"2"), (b"content-type", b"text/plain")]
