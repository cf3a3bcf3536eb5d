"""RC2: the vectors of RFC 2268 and of the protocol, padding, chaining."""

import pytest
from Cryptodome.Cipher import ARC2
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import DecryptionError
from quintet.sametime.wire import rc2
from quintet.sametime.wire.messages import ChannelSend, decode
from quintet.sametime.wire.rc2 import Rc2Stream
from support import sametime_vectors as vectors

keys = st.binary(min_size=5, max_size=16)


@pytest.mark.parametrize(
    ("key", "bits", "plain", "secret"),
    [
        ("88bca90e90875a7f0f79c384627bafb2", 128, "0000000000000000", "2269552ab0f85ca6"),
        ("ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"),
    ],
)
def test_the_library_agrees_with_rfc_2268(key: str, bits: int, plain: str, secret: str) -> None:
    options = {"effective_keylen": bits}
    cipher = ARC2.new(bytes.fromhex(key), ARC2.MODE_ECB, **options)  # type: ignore[arg-type]
    assert cipher.encrypt(bytes.fromhex(plain)).hex() == secret


def test_the_password_of_a_type_2_login() -> None:
    assert rc2.encrypt(vectors.RC2_40_KEY, b"secret") == vectors.RC2_40_SECRET
    assert rc2.decrypt(vectors.RC2_40_KEY, vectors.RC2_40_SECRET) == b"secret"


def test_the_password_of_a_type_4_login() -> None:
    key = vectors.SHARED_SECRET[-16:]
    assert rc2.encrypt(key, vectors.RC2_128_PLAIN) == vectors.RC2_128_SECRET
    assert rc2.decrypt(key, vectors.RC2_128_SECRET) == vectors.RC2_128_PLAIN


def test_messages_of_a_channel_are_chained() -> None:
    first, second = decode(vectors.V31.content), decode(vectors.V32.content)
    assert isinstance(first, ChannelSend)
    assert isinstance(second, ChannelSend)
    stream = Rc2Stream(b"7F000")
    assert stream.decrypt(first.data) == bytes.fromhex("00000001") + b"\x00\x09hello bob"
    assert stream.decrypt(second.data) == bytes.fromhex("00000001") + b"\x00\x05again"
    with pytest.raises(DecryptionError):
        rc2.decrypt(b"7F001", first.data)


@given(keys, st.lists(st.binary(max_size=40), max_size=5))
def test_what_one_side_encrypts_the_other_decrypts(key: bytes, texts: list[bytes]) -> None:
    sender, receiver = Rc2Stream(key), Rc2Stream(key)
    for each in texts:
        secret = sender.encrypt(each)
        assert len(secret) == len(each) // 8 * 8 + 8
        assert receiver.decrypt(secret) == each


@given(keys, st.binary(max_size=64))
def test_any_ciphertext_is_decrypted_or_refused(key: bytes, secret: bytes) -> None:
    try:
        plain = rc2.decrypt(key, secret)
    except DecryptionError:
        return
    assert 1 <= len(secret) - len(plain) <= 8


@pytest.mark.parametrize("size", [0, 1, 7, 9, 15])
def test_what_is_no_multiple_of_a_block_is_refused(size: int) -> None:
    with pytest.raises(DecryptionError):
        rc2.decrypt(b"12345", bytes(size))


@pytest.mark.parametrize("size", [0, 4, 129, 60000])
def test_a_key_of_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(DecryptionError):
        rc2.decrypt(bytes(size), bytes(8))
