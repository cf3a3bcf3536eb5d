"""Primitives: what is written is read again, what cannot be written is refused, what lies is found out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import MalformedMessageError, UnencodableValueError, UnknownMessageTypeError
from quintet.sametime.wire import codec
from quintet.sametime.wire.codec import WireReader
from support.sametime_values import datas, texts, u16s, u32s


@given(u16s, u32s, st.booleans(), texts, datas)
def test_primitives_are_read_as_they_were_written(
    short: int, long: int, flag: bool, text: str, data: bytes
) -> None:
    written = (
        codec.u16(short) + codec.u32(long) + codec.boolean(flag) + codec.string(text) + codec.opaque(data)
    )
    reader = WireReader(written)
    assert (reader.u16(), reader.u32(), reader.boolean()) == (short, long, flag)
    assert (reader.string(), reader.opaque(), reader.remaining) == (text, data, 0)


@given(u16s, u32s, st.booleans(), texts, datas)
def test_primitives_cut_short_are_malformed(
    short: int, long: int, flag: bool, text: str, data: bytes
) -> None:
    def read(reader: WireReader) -> None:
        reader.u16()
        reader.u32()
        reader.boolean()
        reader.string()
        reader.opaque()

    written = (
        codec.u16(short) + codec.u32(long) + codec.boolean(flag) + codec.string(text) + codec.opaque(data)
    )
    for size in range(len(written)):
        with pytest.raises(MalformedMessageError):
            read(WireReader(written[:size]))


def test_numbers_are_big_endian() -> None:
    assert codec.u16(0x0102) + codec.u32(0x03040506) == bytes((1, 2, 3, 4, 5, 6))


@pytest.mark.parametrize("value", [-1, 0x10000])
def test_a_number_beyond_16_bits_cannot_be_written(value: int) -> None:
    with pytest.raises(UnencodableValueError):
        codec.u16(value)


@pytest.mark.parametrize("value", [-1, 0x100000000])
def test_a_number_beyond_32_bits_cannot_be_written(value: int) -> None:
    with pytest.raises(UnencodableValueError):
        codec.u32(value)


@pytest.mark.parametrize("byte", [1, 2, 0x80, 0xFF])
def test_any_byte_but_0_is_true(byte: int) -> None:
    assert WireReader(bytes((byte,))).boolean() is True


def test_a_string_is_its_utf_8_bytes_behind_their_count() -> None:
    assert codec.string("Grüße") == b"\x00\x07Gr\xc3\xbc\xc3\x9fe"


def test_the_longest_string_is_written_and_read() -> None:
    text = "x" * codec.MAX_STRING
    assert WireReader(codec.string(text)).string() == text


@pytest.mark.parametrize(
    "text",
    ["x" * 65536, "ü" * 32768, "a\0b", "\0", "\ud800"],
    ids=["too long", "too long in bytes", "NUL inside", "NUL", "lone surrogate"],
)
def test_a_string_that_the_wire_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(UnencodableValueError):
        codec.string(text)


@given(st.binary(max_size=50))
def test_bytes_that_are_no_utf_8_come_back_as_they_were(data: bytes) -> None:
    data = data.replace(b"\0", b"")
    text = WireReader(len(data).to_bytes(2, "big") + data).string()
    assert codec.string(text)[2:] == data


def test_a_received_string_with_a_nul_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        WireReader(b"\x00\x03a\0b").string()


def test_a_password_may_hold_any_bytes() -> None:
    assert WireReader(b"\x00\x03a\0\xff").string_bytes() == b"a\0\xff"


def test_an_opaque_that_claims_more_than_there_is_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        WireReader(b"\xff\xff\xff\xffabc").opaque()


def test_a_reader_within_an_opaque_does_not_leave_it() -> None:
    outer = WireReader(codec.opaque(b"\x00\x01") + b"\x00\x02")
    inner = outer.within_opaque()
    assert inner.u16() == 1
    assert outer.u16() == 2
    with pytest.raises(MalformedMessageError):
        inner.u16()


def test_a_count_of_more_elements_than_could_be_there_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        WireReader(codec.u32(3) + bytes(11)).count(4)


def test_a_count_beyond_the_limit_is_malformed_though_they_may_be_there() -> None:
    with pytest.raises(MalformedMessageError):
        WireReader(codec.u32(codec.MAX_ELEMENTS + 1) + bytes(codec.MAX_ELEMENTS + 1)).count(1)


def test_elements_as_many_as_the_limit_are_taken() -> None:
    assert WireReader(codec.u32(5) + bytes(10)).count(2, 5) == 5


@given(st.text(max_size=40), st.integers(0, 50))
def test_clipped_text_can_be_written_fits_and_is_the_beginning(text: str, size: int) -> None:
    text = text.encode("utf-8", "replace").decode()
    clipped = codec.clip(text, size)
    assert len(codec.string(clipped)) - 2 <= size
    assert text.replace("\0", " ").startswith(clipped)


def test_clipping_splits_no_character() -> None:
    assert codec.clip("aü", 2) == "a"
    assert codec.clip("aü", 3) == "aü"


def test_clipping_takes_bytes_that_are_no_utf_8() -> None:
    text = (b"\x80" * 10).decode("utf-8", "surrogateescape")
    assert len(codec.string(codec.clip(text, 4))) - 2 <= 4


def test_an_unknown_type_on_a_channel_is_named() -> None:
    with pytest.raises(UnknownMessageTypeError) as caught:
        codec.read_as({}, "AWARE", 0x1234, b"")
    assert (caught.value.service, caught.value.message_type) == ("AWARE", 0x1234)
