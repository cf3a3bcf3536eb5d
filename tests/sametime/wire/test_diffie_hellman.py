"""The exchange of keys: its vector, and keys that would give the secret away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import WeakPublicKeyError
from quintet.sametime.wire.diffie_hellman import GENERATOR, KEY_BYTES, PRIME, KeyPair, check_public_key
from quintet.sametime.wire.messages import HandshakeAck, decode
from support import sametime_vectors as vectors


def test_both_sides_of_the_vector_know_the_same_secret() -> None:
    server = KeyPair.from_private(vectors.SERVER_PRIVATE)
    client = KeyPair.from_private(vectors.CLIENT_PRIVATE)
    assert server.shared_secret(client.public) == vectors.SHARED_SECRET
    assert client.shared_secret(server.public) == vectors.SHARED_SECRET
    assert server.rc2_key(client.public) == vectors.SHARED_SECRET[-16:]


def test_the_public_key_of_the_vector_is_the_one_in_its_handshake_ack() -> None:
    ack = decode(vectors.V2.content)
    assert isinstance(ack, HandshakeAck)
    assert KeyPair.from_private(vectors.SERVER_PRIVATE).public == ack.public_key


@given(st.integers(2, PRIME - 2), st.integers(2, PRIME - 2))
def test_both_sides_know_the_same_secret(one: int, other: int) -> None:
    first, second = KeyPair.from_private(one), KeyPair.from_private(other)
    assert len(first.public) == KEY_BYTES
    assert first.shared_secret(second.public) == second.shared_secret(first.public)


def test_a_public_key_keeps_its_leading_zeros() -> None:
    assert KeyPair.from_private(1).public == bytes(63) + b"\x03"


def test_a_key_whose_leading_zeros_are_missing_is_the_same_key() -> None:
    pair = KeyPair.from_private(12345)
    assert pair.shared_secret(b"\x05") == pair.shared_secret(bytes(63) + b"\x05")


@pytest.mark.parametrize("value", [0, 1, PRIME - 1, PRIME, PRIME + 1, 2**512 - 1])
def test_a_key_that_gives_the_secret_away_is_refused(value: int) -> None:
    with pytest.raises(WeakPublicKeyError):
        KeyPair.from_private(12345).shared_secret(value.to_bytes(KEY_BYTES, "big"))


@pytest.mark.parametrize("key", [b"", bytes(65), bytes(64) + b"\x05", b"\xff" * 60000])
def test_a_key_of_an_impossible_size_is_refused(key: bytes) -> None:
    with pytest.raises(WeakPublicKeyError):
        check_public_key(key)


@pytest.mark.parametrize("value", [2, GENERATOR, PRIME - 2])
def test_the_least_and_the_greatest_good_keys_are_taken(value: int) -> None:
    assert check_public_key(value.to_bytes(KEY_BYTES, "big")) == value


def test_generated_keys_differ_and_their_private_half_does_not_show() -> None:
    one, other = KeyPair.generate(), KeyPair.generate()
    assert one.private != other.private
    assert str(one.private) not in repr(one)


def test_the_prime_is_a_safe_one_so_that_short_private_exponents_are_safe() -> None:
    for number in (PRIME, (PRIME - 1) // 2):
        assert all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11, 13))
