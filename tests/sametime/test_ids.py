"""IDs are told apart by their meaning."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.ids import id_digest, id_key


def test_spellings_of_one_dn_have_one_key() -> None:
    spellings = ("uid=bob,ou=People,dc=org", "UID = Bob , OU=people,DC=org", "userid=bob;ou=people;dc=org")
    assert len({id_key(each) for each in spellings}) == 1


def test_values_of_an_rdn_may_come_in_any_order() -> None:
    assert id_key("cn=a+uid=b,dc=org") == id_key("uid=b+cn=a,dc=org")


def test_an_escaped_comma_is_not_a_separator() -> None:
    assert id_key(r"cn=a\,cn=b") != id_key("cn=a,cn=b")


def test_case_and_spacing_of_other_ids_do_not_count() -> None:
    assert id_key(" Bob  Example ") == id_key("bob example")


def test_different_users_have_different_keys() -> None:
    keys = {id_key(each) for each in ("bob", "uid=bob", "uid=bob,dc=org", "cn=bob", "bob2", "")}
    assert len(keys) == 6


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_a_key_that_is_its_own_key(text: str) -> None:
    key = id_key(text)
    assert id_key(key) == key
    assert len(id_digest(text)) == 64


@given(st.binary(max_size=200))
def test_bytes_that_are_no_text_have_a_key(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert id_digest(text) == id_digest(text)
