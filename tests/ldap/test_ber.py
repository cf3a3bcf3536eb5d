"""Tag, length, value: what is written is read again, and what is hostile is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap import ber
from quintet.ldap.ber import BerError, Reader


@given(st.integers(0, ber.MAX_INT))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    assert Reader(ber.integer(number)).integer() == number


@given(st.integers(-(2**40), 2**40))
def test_a_number_takes_the_fewest_bytes(number: int) -> None:
    written = ber.integer(number)
    content = written[2:]
    assert written[1] == len(content)
    assert int.from_bytes(content, "big", signed=True) == number
    if len(content) > 1:
        assert int.from_bytes(content[1:], "big", signed=True) != number


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_every_form_of_length_is_read_again(length: int) -> None:
    data = ber.octet_string(b"x" * length)
    assert ber.header(data, 0, len(data)) == (0x04, len(data) - length, len(data))


def test_parts_are_joined_under_one_tag() -> None:
    assert ber.tlv(0x30, b"ab", b"", b"c") == b"\x30\x03abc"


def test_a_length_with_leading_zeros_is_read_as_some_servers_write_it() -> None:
    assert ber.header(b"\x30\x84\x00\x00\x00\x01a", 0, 7) == (0x30, 6, 7)


HOSTILE = {
    "nothing": b"",
    "a tag alone": b"\x30",
    "an indefinite length": b"\x30\x80\x00\x00",
    "five bytes of length": b"\x30\x85\x00\x00\x00\x00\x01a",
    "the most bytes of length": b"\x30\xff" + b"\xff" * 127,
    "a length that is cut off": b"\x30\x84\x00\x00",
    "a length past the end": b"\x30\x05abc",
    "four gigabytes": b"\x30\x84\xff\xff\xff\xff",
    "a long tag": b"\x3f\x81\x01a",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_is_refused(data: bytes) -> None:
    with pytest.raises(BerError):
        ber.header(data, 0, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"\x02\x00",
        b"\x02\x01\xff",
        b"\x02\x05\x00\x80\x00\x00\x00",
        b"\x02\x09" + b"\x00" * 9,
        b"\x04\x01\x01",
    ],
    ids=["empty", "negative", "above the largest", "overlong", "another tag"],
)
def test_a_number_that_ldap_has_no_place_for_is_refused(data: bytes) -> None:
    with pytest.raises(BerError):
        Reader(data).integer()


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = ber.tlv(0x30, data)
    return data


def test_nesting_up_to_the_limit_is_good() -> None:
    data = nested(10)
    ber.check_elements(data, 0, len(data), 10)


def test_nesting_past_the_limit_is_refused() -> None:
    data = nested(11)
    with pytest.raises(BerError, match="deeper than 10"):
        ber.check_elements(data, 0, len(data), 10)


def test_the_deepest_nesting_there_is_costs_no_recursion() -> None:
    data = b"\x30\x84\x00\x10\x00\x00" * 100_000
    with pytest.raises(BerError):
        ber.check_elements(data, 0, len(data), 1_000_000)


def test_more_elements_than_anybody_sends_are_refused() -> None:
    data = b"\x04\x00" * 301
    ber.check_elements(data, 0, 2 * 300, most=300)
    with pytest.raises(BerError, match="more than 300 elements"):
        ber.check_elements(data, 0, len(data), most=300)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_raise_nothing_else(data: bytes) -> None:
    try:
        ber.check_elements(data, 0, len(data))
        reader = Reader(data)
        while reader:
            reader.any()
    except BerError:
        pass
