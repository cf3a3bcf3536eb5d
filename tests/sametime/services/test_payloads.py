"""Everything that is said on channels: round trips, truncations, lies, and bytes that mean nothing."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.sametime.errors import MalformedMessageError, UnknownMessageTypeError
from quintet.sametime.services import aware, conference, directory, file_transfer, im, resolve, storage
from support.sametime_values import OPENINGS, PAYLOADS, datas

EVERY_BYTE = settings(max_examples=10, deadline=None)
"""For tests that try something at each byte of a value."""

DECODERS = [
    aware.decode_request,
    aware.decode_notice,
    resolve.decode_request,
    resolve.decode_response,
    directory.decode_request,
    directory.decode_response,
    im.decode_message,
    conference.decode_request,
    conference.decode_notice,
    storage.decode_request,
    storage.decode_response,
    file_transfer.decode_message,
]


@pytest.mark.parametrize("name", PAYLOADS)
@given(st.data())
def test_data_is_read_as_it_was_written(name: str, data: st.DataObject) -> None:
    payload = PAYLOADS[name]
    value = data.draw(payload.values)
    assert payload.decode(value.TYPE, value.encode()) == value


@pytest.mark.parametrize("name", [each for each in PAYLOADS if each != "FileChunk"])
@EVERY_BYTE
@given(st.data())
def test_data_cut_anywhere_is_malformed_unless_only_ignored_bytes_are_cut(
    name: str, data: st.DataObject
) -> None:
    payload = PAYLOADS[name]
    value = data.draw(payload.values)
    encoded = value.encode()
    for size in range(len(encoded)):
        try:
            read = payload.decode(value.TYPE, encoded[:size])
        except MalformedMessageError:
            continue
        assert read == value


@pytest.mark.parametrize("name", [each for each in PAYLOADS if each != "FileChunk"])
@given(st.data(), datas)
def test_what_follows_the_known_fields_is_ignored(name: str, data: st.DataObject, more: bytes) -> None:
    payload = PAYLOADS[name]
    value = data.draw(payload.values)
    assert payload.decode(value.TYPE, value.encode() + more) == value


@pytest.mark.parametrize("name", PAYLOADS)
@EVERY_BYTE
@given(st.data())
def test_no_lie_about_a_length_has_another_effect_than_malformed_data(name: str, data: st.DataObject) -> None:
    payload = PAYLOADS[name]
    value = data.draw(payload.values)
    encoded = value.encode()
    for at in range(len(encoded)):
        for lie in (b"\xff", b"\xff\xff", b"\xff\xff\xff\xff"):
            with contextlib.suppress(MalformedMessageError):
                read = payload.decode(value.TYPE, encoded[:at] + lie + encoded[at + len(lie) :])
                assert type(read) is type(value)


@pytest.mark.parametrize("decode", DECODERS, ids=lambda each: f"{each.__module__}.{each.__name__}")
@given(
    st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 0x64, 0x68, 0xC9, 0x1F4, 0x259]), datas
)
def test_any_data_is_read_or_refused(decode: object, message_type: int, data: bytes) -> None:
    assert callable(decode)
    with contextlib.suppress(MalformedMessageError, UnknownMessageTypeError):
        assert message_type == decode(message_type, data).TYPE


@pytest.mark.parametrize("decode", DECODERS, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_an_unknown_type_is_told_from_a_malformed_message(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(UnknownMessageTypeError):
        decode(0x7777, b"")


@pytest.mark.parametrize("name", OPENINGS)
@given(st.data())
def test_additional_data_is_read_as_it_was_written(name: str, data: st.DataObject) -> None:
    value = data.draw(OPENINGS[name])
    assert type(value).decode(value.encode()) == value


@pytest.mark.parametrize("name", OPENINGS)
@EVERY_BYTE
@given(st.data())
def test_additional_data_cut_anywhere_is_malformed_unless_only_ignored_bytes_are_cut(
    name: str, data: st.DataObject
) -> None:
    value = data.draw(OPENINGS[name])
    encoded = value.encode()
    for size in range(len(encoded)):
        try:
            read = type(value).decode(encoded[:size])
        except MalformedMessageError:
            continue
        assert read == value
