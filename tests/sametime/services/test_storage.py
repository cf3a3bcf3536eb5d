"""STORAGE: the vectors, and texts inside values."""

import pytest
from hypothesis import given

from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.services.storage import (
    EMPTY_TEXT,
    LoadValues,
    SaveValues,
    StorageKey,
    StorageResponse,
    StoredValue,
    ValuesLoaded,
    ValuesSaved,
    decode_request,
    decode_response,
    text_of,
    value_of,
)
from quintet.sametime.wire.codec import u32
from quintet.sametime.wire.messages import ChannelSend, decode
from support import sametime_vectors as vectors
from support.sametime_values import texts

CONTACTS = "Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob1:: Bob;Example,\r\n"


def test_v19_loads_the_contact_list() -> None:
    message = decode(vectors.V19.content)
    assert isinstance(message, ChannelSend)
    load = LoadValues(1, (StorageKey.CONTACT_LIST,))
    assert decode_request(message.type, message.data) == load
    assert load.encode() == message.data


@pytest.mark.parametrize(
    ("vector", "response"),
    [
        (vectors.V20, ValuesLoaded(1, (StoredValue(0, value_of(CONTACTS)),))),
        (vectors.V21, ValuesLoaded(1, (StoredValue(0, EMPTY_TEXT),))),
        (vectors.V22, ValuesSaved(2)),
    ],
    ids=["V20", "V21", "V22"],
)
def test_the_answers_of_the_vectors(vector: vectors.Vector, response: StorageResponse) -> None:
    message = decode(vector.content)
    assert isinstance(message, ChannelSend)
    assert decode_response(message.type, message.data) == response
    assert (response.TYPE, response.encode()) == (message.type, message.data)


def test_the_size_that_a_client_writes_is_ignored() -> None:
    saved = SaveValues(1, (StoredValue(6, b"value"),))
    data = bytearray(saved.encode())
    data[8:12] = u32(0xFFFFFFFF)
    assert decode_request(SaveValues.TYPE, bytes(data)) == saved


def test_a_request_for_very_many_keys_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        decode_request(LoadValues.TYPE, u32(1) + u32(1001) + bytes(4004))


@given(texts)
def test_a_text_in_a_value_is_read_as_it_was_written(text: str) -> None:
    assert text_of(value_of(text)) == text


def test_a_value_that_holds_no_text_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        text_of(b"\x00\x05abc")


def test_values_never_show_in_a_repr() -> None:
    assert "hunter2" not in repr(SaveValues(1, (StoredValue(0, b"hunter2"),)))
