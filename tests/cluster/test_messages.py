"""What nodes tell each other as bytes: round trips, truncations, later versions, and nonsense."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.cluster.messages import (
    InConference,
    OrderDone,
    SessionRows,
    decode_message,
    decode_order,
    encode_message,
    encode_order,
)
from quintet.sametime.community import effects as e
from quintet.sametime.errors import MalformedMessageError, UnknownMessageTypeError
from quintet.sametime.neighbours import (
    MOST_ROWS,
    AnnounceTo,
    EndNamed,
    ListSessions,
    SessionRow,
    ShowText,
    StoredChange,
)
from quintet.sametime.services.conference import ConferenceInvitation
from support.sametime_values import MESSAGES, PAYLOADS, datas, logins, texts, tuples_of, u16s, u32s

notices = st.one_of([PAYLOADS[f"Conference{each}"].values for each in ("Welcome", "Joined", "Left", "Said")])
requests = st.one_of([PAYLOADS[f"Conference{each}"].values for each in ("Invite", "Join", "Message")])
rows = st.builds(SessionRow, texts, texts, texts, texts, texts, texts, u32s, u32s)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "OpenAt": st.builds(e.OpenAt, texts, texts, MESSAGES["ChannelCreate"], logins),
    "AcceptAt": st.builds(e.AcceptAt, texts, texts, MESSAGES["ChannelAccept"], logins),
    "SendAt": st.builds(e.SendAt, texts, texts, u16s, datas, st.booleans()),
    "CloseAt": st.builds(e.CloseAt, texts, texts, u32s, datas),
    "InviteTo": st.builds(
        e.InviteTo, texts, texts, st.builds(ConferenceInvitation, texts, texts, logins, texts)
    ),
    "TellConference": st.builds(e.TellConference, tuples_of(texts), texts, notices),
    "CloseConference": st.builds(e.CloseConference, texts, texts, u32s),
    "InConference": st.builds(InConference, texts, texts, st.none() | requests),
    "OrderDone": st.builds(OrderDone, texts, u32s),
    "SessionRows": st.builds(SessionRows, texts, tuples_of(rows)),
}
ORDERS: dict[str, st.SearchStrategy[Any]] = {
    "ShowText": st.builds(ShowText, texts),
    "EndNamed": st.builds(EndNamed, texts),
    "AnnounceTo": st.builds(AnnounceTo, tuples_of(texts), texts, st.booleans(), logins),
    "StoredChange": st.builds(StoredChange, texts, u32s, u32s),
    "ListSessions": st.builds(ListSessions),
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_a_message_is_read_as_it_was_written_also_with_parts_of_a_later_version(
    kind: str, data: st.DataObject
) -> None:
    message = data.draw(KINDS[kind])
    encoded = encode_message(message)
    assert decode_message(encoded) == message
    if kind != "OpenAt":
        assert decode_message(encoded + b"more") == message


@pytest.mark.parametrize("kind", ORDERS)
@given(st.data())
def test_an_order_is_read_as_it_was_written(kind: str, data: st.DataObject) -> None:
    order = data.draw(ORDERS[kind])
    assert decode_order(encode_order(order)) == order


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(st.data())
def test_a_message_cut_anywhere_is_malformed_or_only_ignored_bytes_are_cut(
    kind: str, data: st.DataObject
) -> None:
    message = data.draw(KINDS[kind])
    encoded = encode_message(message)
    for size in range(len(encoded)):
        with contextlib.suppress(MalformedMessageError):
            assert decode_message(encoded[:size]) == message


@given(st.integers(0, 255), st.binary(max_size=200))
def test_bytes_that_mean_nothing_are_malformed_and_nothing_else(kind: int, rest: bytes) -> None:
    for decode in (decode_message, decode_order):
        with contextlib.suppress(MalformedMessageError, UnknownMessageTypeError):
            decode(bytes([kind]) + rest)
        with pytest.raises(MalformedMessageError):
            decode(bytes([max(kind, 11)]) + rest)
        with pytest.raises(MalformedMessageError):
            decode(b"")


def test_more_rows_than_a_message_may_have_are_malformed() -> None:
    row = SessionRow("n", "id", "uid", "name", "client", "127.0.0.1", 1, 0x20)
    assert decode_message(encode_message(SessionRows("o", (row,) * MOST_ROWS)))
    with pytest.raises(MalformedMessageError):
        decode_message(encode_message(SessionRows("o", (row,) * (MOST_ROWS + 1))))
