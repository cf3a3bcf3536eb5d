"""Frames out of a stream, however it was cut; what stands between them; what is too large."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import MessageTooLargeError
from quintet.sametime.wire.framing import KEEP_ALIVE, FrameDecoder, frame

contents = st.binary(min_size=1, max_size=300)
between = st.lists(st.sampled_from([b"\x80", b"\x81", b"\xff", bytes(4)]), max_size=6).map(b"".join)


def frames_in(data: bytes, *cuts: int, limit: int = 1000) -> list[bytes]:
    decoder = FrameDecoder(limit)
    found = []
    edges = [0, *sorted(cuts), len(data)]
    for start, stop in itertools.pairwise(edges):
        decoder.feed(data[start:stop])
        while (each := decoder.next_frame()) is not None:
            found.append(each)
    return found


@given(st.lists(st.tuples(between, contents), max_size=6), between, st.data())
def test_frames_are_found_however_the_stream_is_cut(
    parts: list[tuple[bytes, bytes]], end: bytes, data: st.DataObject
) -> None:
    stream = b"".join(idle + frame(content) for idle, content in parts) + end
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    assert frames_in(stream, *cuts) == [content for _, content in parts]


def test_frames_are_found_byte_by_byte() -> None:
    stream = KEEP_ALIVE + frame(b"one") + bytes(4) + b"\x85\xff" + frame(b"\x80two")
    assert frames_in(stream, *range(len(stream))) == [b"one", b"\x80two"]


def test_bytes_with_the_top_bit_inside_a_frame_are_data() -> None:
    content = b"\x80" * 0x80
    stream = frame(content)
    assert stream[3] == 0x80  # also in the length itself
    assert frames_in(stream, *range(len(stream))) == [content]


def test_zeros_that_begin_a_length_are_not_an_empty_frame() -> None:
    assert frames_in(b"\x00\x00\x00\x01x", 3) == [b"x"]


def test_a_frame_as_large_as_the_limit_is_taken() -> None:
    assert frames_in(frame(bytes(1000))) == [bytes(1000)]


@pytest.mark.parametrize("length", [1001, 0x00FFFFFF, 0x7FFFFFFF])
def test_a_frame_beyond_the_limit_is_refused_before_its_content_comes(length: int) -> None:
    decoder = FrameDecoder(1000)
    decoder.feed(length.to_bytes(4, "big"))
    with pytest.raises(MessageTooLargeError) as caught:
        decoder.next_frame()
    assert (caught.value.size, caught.value.limit) == (length, 1000)


def test_a_new_limit_counts_for_the_next_frame() -> None:
    decoder = FrameDecoder(10)
    decoder.feed(frame(b"first") + frame(bytes(100)))
    assert decoder.next_frame() == b"first"
    decoder.limit = 100
    assert decoder.next_frame() == bytes(100)


def test_nothing_is_kept_between_frames() -> None:
    decoder = FrameDecoder(1000)
    decoder.feed(frame(b"x") + KEEP_ALIVE * 1000)
    assert decoder.next_frame() == b"x"
    assert decoder.next_frame() is None
    assert decoder.buffered == 0


def test_what_was_cleared_is_forgotten() -> None:
    decoder = FrameDecoder(1000)
    decoder.feed(frame(b"first")[:6])
    assert decoder.next_frame() is None
    decoder.clear()
    decoder.feed(frame(b"second"))
    assert decoder.next_frame() == b"second"
