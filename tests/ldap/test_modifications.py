"""What `modify` takes is checked where it is made."""

from collections.abc import Callable
from typing import Any

import pytest

from quintet.ldap import Add, Delete, Increment, LocalProtocolError, Modification, Replace

Make = Callable[..., Modification]


@pytest.mark.parametrize(
    ("made", "values"),
    [
        (Add("mail", ["é", b"\xff"]), (b"\xc3\xa9", b"\xff")),
        (Add("cn;lang-de", (value for value in ("a", "b"))), (b"a", b"b")),
        (Add("cn", ["\udcff"]), (b"\xff",)),
        (Delete("2.5.4.3"), ()),
        (Delete("cn", {"a"}), (b"a",)),
        (Replace("cn", []), ()),
        (Increment("uidNumber"), (b"1",)),
        (Increment("uidNumber", -20), (b"-20",)),
    ],
)
def test_values_become_bytes(made: Modification, values: tuple[bytes, ...]) -> None:
    assert made.values == values


@pytest.mark.parametrize("make", [Add, Delete, Replace])
@pytest.mark.parametrize(
    "values", ["ann@example.com", b"ann@example.com", bytearray(b"a"), 5, [5], [None], [["a"]]]
)
def test_values_of_a_wrong_type_are_a_type_error(make: Make, values: Any) -> None:
    with pytest.raises(TypeError):
        make("mail", values)


@pytest.mark.parametrize("by", ["1", 1.0, True, None])
def test_only_an_int_is_added_to_a_number(by: Any) -> None:
    with pytest.raises(TypeError):
        Increment("uidNumber", by)


def test_what_would_delete_everything_by_mistake_is_refused() -> None:
    with pytest.raises(ValueError, match="leave"):
        Delete("mail", [])
    with pytest.raises(ValueError, match="at least one"):
        Add("mail", [])


@pytest.mark.parametrize(
    "make", [lambda name: Add(name, ["x"]), Delete, lambda name: Replace(name, []), Increment]
)
@pytest.mark.parametrize("name", ["", "a b", "mail ", "1x", "cn;", "cn=", "é", "2.", "cn\n"])
def test_what_is_not_the_name_of_an_attribute_is_a_value_error(make: Make, name: str) -> None:
    with pytest.raises(ValueError, match="name of an attribute"):
        make(name)
    with pytest.raises(TypeError):
        make(name.encode())


def test_half_of_a_surrogate_pair_is_refused_and_the_value_stays_out_of_the_error() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Replace("userPassword", ["hunter2\ud800"])
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error!r} {vars(error)} {error.args}"
        error = error.__cause__ or error.__context__


def test_modifications_are_values() -> None:
    assert Add("cn", ["a"]) == Add("cn", [b"a"])
    assert len({Add("cn", ["a"]), Add("cn", [b"a"]), Replace("cn", ["a"]), Delete("cn", ["a"])}) == 3
    with pytest.raises(AttributeError):
        Add("cn", ["a"]).name = "sn"  # type: ignore[misc]  # that is the point
