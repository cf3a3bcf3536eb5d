"""A secret shows itself only when asked by name."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.secret import Secret


@given(st.text(min_size=4, alphabet=st.characters(exclude_characters="Secrt('*)")))
def test_no_way_of_printing_shows_the_text(text: str) -> None:
    secret = Secret(text)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{[secret]}", "%s" % (secret,)):  # noqa: UP031
        assert text not in shown


def test_reveal_gives_the_text() -> None:
    assert Secret("pässwörd").reveal() == "pässwörd"


def test_equality_and_hash_follow_the_text() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy])
def test_a_secret_is_not_serialised(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError, match="not pickled"):
        leak(Secret("a"))
