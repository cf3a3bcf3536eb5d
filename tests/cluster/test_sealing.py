"""Sealed values open at their place, with a key of the ring, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.cluster.sealing import LARGEST, OVERHEAD, VERSION, KeyRing

ONE, TWO, THREE = (bytes([each]) * 32 for each in (1, 2, 3))
TEXTS = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@given(st.binary(max_size=300), st.text(max_size=8), TEXTS)
def test_what_is_sealed_opens_at_its_place(data: bytes, purpose: str, place: tuple[str, ...]) -> None:
    ring = KeyRing([ONE])
    assert ring.open(purpose, place, ring.seal(purpose, place, data)) == data


@given(st.tuples(st.text(max_size=4), TEXTS), st.tuples(st.text(max_size=4), TEXTS))
def test_a_value_opens_at_no_other_place(
    one: tuple[str, tuple[str, ...]], other: tuple[str, tuple[str, ...]]
) -> None:
    ring = KeyRing([ONE])
    opened = ring.open(*other, ring.seal(*one, b"data"))
    assert (opened == b"data") is (one == other)


@given(st.binary(max_size=200))
def test_garbage_does_not_open(garbage: bytes) -> None:
    assert KeyRing([ONE, TWO]).open("x", (), garbage) is None


@given(st.data())
def test_a_changed_byte_anywhere_closes_a_value(data: st.DataObject) -> None:
    ring = KeyRing([ONE])
    sealed = bytearray(ring.seal("x", ("a",), b"some data"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    assert ring.open("x", ("a",), bytes(sealed)) is None


def test_another_version_is_ignored_and_counted() -> None:
    ignored: list[str] = []
    ring = KeyRing([ONE], ignored=ignored.append)
    sealed = ring.seal("presence", (), b"data")
    assert ring.open("presence", (), bytes([VERSION + 1]) + sealed[1:]) is None
    assert ring.open("presence", (), sealed) == b"data"
    assert ignored == ["presence"]


def test_the_same_data_look_different_each_time() -> None:
    ring = KeyRing([ONE])
    sealed = {ring.seal("x", (), b"data") for _ in range(100)}
    assert len(sealed) == 100
    assert all(len(each) == len(b"data") + OVERHEAD for each in sealed)


def test_a_value_is_bounded_before_it_is_sealed_or_opened() -> None:
    ring = KeyRing([ONE])
    with pytest.raises(ValueError, match="too many"):
        ring.seal("x", (), bytes(LARGEST + 1))
    assert ring.open("x", (), bytes(LARGEST + OVERHEAD + 1)) is None


def test_keys_are_changed_while_all_nodes_go_on() -> None:
    """Two nodes go through the steps one after the other; at each moment both read what the other writes."""
    steps = [[ONE], [ONE, TWO], [TWO, ONE], [TWO]]
    pairs = [pair for at in range(3) for pair in ((at, at), (at + 1, at), (at + 1, at + 1))]
    for first, second in pairs:
        one, other = KeyRing(steps[first]), KeyRing(steps[second])
        assert other.open("x", (), one.seal("x", (), b"data")) == b"data"
        assert one.open("x", (), other.seal("x", (), b"data")) == b"data"


def test_a_running_node_takes_other_keys() -> None:
    ring, other = KeyRing([ONE]), KeyRing([TWO, ONE])
    before = ring.seal("x", (), b"data")
    ring.renew([ONE, TWO])
    assert ring.open("x", (), other.seal("x", (), b"data")) == b"data"
    ring.renew([TWO])
    assert ring.open("x", (), before) is None
    assert ring.digest("x", "a") == KeyRing([TWO]).digest("x", "a")
    with pytest.raises(ValueError, match="32 bytes"):
        ring.renew([])


def test_a_key_that_was_removed_opens_nothing() -> None:
    assert KeyRing([TWO]).open("x", (), KeyRing([ONE]).seal("x", (), b"data")) is None


def test_nodes_whose_clocks_differ_read_each_other() -> None:
    early, late = KeyRing([ONE], clock=lambda: 0.0), KeyRing([ONE], clock=lambda: 1e9)
    assert early.open("x", (), late.seal("x", (), b"data")) == b"data"
    assert late.open("x", (), early.seal("x", (), b"data")) == b"data"


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_hours_that_garbage_names_take_no_memory(hours: list[int]) -> None:
    ring = KeyRing([ONE])
    for hour in (*hours, *range(300)):
        ring.open("x", (), bytes([VERSION]) + hour.to_bytes(4, "big") + bytes(40))
    assert len(ring._ciphers) <= 256


@given(TEXTS, TEXTS)
def test_a_digest_tells_texts_apart_and_needs_the_key(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    ring = KeyRing([ONE])
    assert (ring.digest("x", *one) == ring.digest("x", *other)) is (one == other)
    assert ring.digest("x", *one) != ring.digest("y", *one) != KeyRing([THREE]).digest("y", *one)


@pytest.mark.parametrize("keys", [[], [b"short"], [ONE, bytes(33)]])
def test_a_ring_needs_whole_keys(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing(keys)
