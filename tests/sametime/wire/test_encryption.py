"""Offers, choices, and the ciphers of channels seen from both sides."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import DecryptionError, MalformedMessageError, NoCommonCipherError
from quintet.sametime.wire.encryption import (
    ChannelCipher,
    CipherId,
    EncryptionChoice,
    EncryptionMode,
    EncryptionOffer,
    EncryptItem,
    choose_item,
)

WEAK = EncryptItem(CipherId.RC2_40)
STRONG = EncryptItem(CipherId.RC2_128, bytes(63) + b"\x05")
UNKNOWN = EncryptItem(0x0007, b"whatever")

items = st.lists(st.builds(EncryptItem, st.integers(2, 0xFFFF), st.binary(max_size=80)), max_size=5)


@given(st.integers(0, 0xFFFF), items)
def test_items_of_an_offer_are_read_as_they_were_written(mode: int, offered: list[EncryptItem]) -> None:
    assert EncryptionOffer.of(mode, offered).items() == tuple(offered)


@given(st.sampled_from([WEAK, STRONG]), st.integers(0, 0xFFFF))
def test_the_item_of_a_choice_is_read_as_it_was_written(item: EncryptItem, offered_mode: int) -> None:
    choice = EncryptionChoice.of(item, offered_mode)
    assert choice.item() == item
    assert choice.mode == (EncryptionMode.RC2_40 if item is WEAK else EncryptionMode.RC2_128)


@given(st.integers(0, 0xFFFF), st.binary(max_size=60))
def test_any_block_has_items_or_is_malformed(mode: int, block: bytes) -> None:
    with contextlib.suppress(MalformedMessageError):
        assert len(EncryptionOffer(mode, block).items()) <= len(block)
    with contextlib.suppress(MalformedMessageError):
        item = EncryptionChoice(mode, block).item()
        assert item is None or EncryptionChoice.of(item, mode).item() == item


@pytest.mark.parametrize("size", range(7))
def test_a_short_block_of_an_offer_has_no_items(size: int) -> None:
    assert EncryptionOffer(EncryptionMode.ALL, b"\xff" * size).items() == ()


@pytest.mark.parametrize("size", range(6))
def test_a_short_block_of_a_choice_has_no_item(size: int) -> None:
    assert EncryptionChoice(EncryptionMode.RC2_40, b"\xff" * size).item() is None


def test_a_choice_of_no_encryption_has_no_item_whatever_its_block() -> None:
    assert EncryptionChoice(EncryptionMode.NONE, WEAK.encode() + bytes(3)).item() is None


def test_too_many_items_are_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        EncryptionOffer.of(EncryptionMode.WHATEVER, [UNKNOWN] * 17).items()


def test_a_key_of_more_than_64_bytes_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        EncryptionOffer.of(EncryptionMode.WHATEVER, [EncryptItem(CipherId.RC2_128, bytes(65))]).items()


@pytest.mark.parametrize(
    ("mode", "offered", "chosen"),
    [
        (EncryptionMode.NONE, [], None),
        (EncryptionMode.NONE, [WEAK, STRONG], None),
        (EncryptionMode.WHATEVER, [], None),
        (EncryptionMode.WHATEVER, [UNKNOWN], None),
        (EncryptionMode.WHATEVER, [WEAK], WEAK),
        (EncryptionMode.WHATEVER, [WEAK, STRONG], STRONG),
        (EncryptionMode.WHATEVER, [STRONG, WEAK], STRONG),
        (EncryptionMode.ALL, [WEAK], WEAK),
        (EncryptionMode.ALL, [UNKNOWN, STRONG], STRONG),
        (EncryptionMode.RC2_40, [STRONG, WEAK], WEAK),
        (EncryptionMode.RC2_128, [WEAK, STRONG], STRONG),
        (0x4000, [WEAK], WEAK),
    ],
)
def test_the_acceptor_takes_the_best_that_the_mode_allows(
    mode: int, offered: list[EncryptItem], chosen: EncryptItem | None
) -> None:
    assert choose_item(EncryptionOffer.of(mode, offered)) == chosen


@pytest.mark.parametrize(
    ("mode", "offered"),
    [
        (EncryptionMode.ALL, []),
        (EncryptionMode.ALL, [UNKNOWN]),
        (EncryptionMode.RC2_40, [STRONG]),
        (EncryptionMode.RC2_128, [WEAK]),
        (0x4000, [UNKNOWN]),
    ],
)
def test_demanded_encryption_without_a_common_cipher_is_refused(
    mode: int, offered: list[EncryptItem]
) -> None:
    with pytest.raises(NoCommonCipherError):
        choose_item(EncryptionOffer.of(mode, offered))


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=30)), max_size=8))
def test_rc2_40_keys_both_directions_by_the_senders_login_id(turns: list[tuple[bool, bytes]]) -> None:
    alice, bob = (
        ChannelCipher.rc2_40("7F000alice", "8E000bob"),
        ChannelCipher.rc2_40("8E000bob", "7F000alice"),
    )
    for alice_speaks, text in turns:
        sender, receiver = (alice, bob) if alice_speaks else (bob, alice)
        assert receiver.decrypt(sender.encrypt(text)) == text


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=30)), max_size=8))
def test_rc2_128_has_one_key_and_two_states(turns: list[tuple[bool, bytes]]) -> None:
    alice, bob = ChannelCipher.rc2_128(b"k" * 16), ChannelCipher.rc2_128(b"k" * 16)
    for alice_speaks, text in turns:
        sender, receiver = (alice, bob) if alice_speaks else (bob, alice)
        assert receiver.decrypt(sender.encrypt(text)) == text


def test_an_empty_ciphertext_is_refused() -> None:
    with pytest.raises(DecryptionError):
        ChannelCipher.rc2_128(b"k" * 16).decrypt(b"")
