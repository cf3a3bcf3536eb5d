"""The contact list as text: round trips, what clients write, and lists that are not what they claim."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import MalformedMessageError, UnencodableValueError
from quintet.sametime.services.contact_list import (
    Contact,
    ContactGroup,
    ContactGroupType,
    ContactList,
    parse_contact_list,
    render_contact_list,
)

TEXT = (
    "Version=3.1.3\r\n"
    "G Work2 Work O\r\n"
    "U uid=bob,ou=people,dc=example,dc=org1:: Bob;Example,Bobby\r\n"
    "G cn=devs3 Developers C\r\n"
)
LIST = ContactList(
    (
        ContactGroup(
            "Work", "Work", (Contact("uid=bob,ou=people,dc=example,dc=org", "Bob Example", "Bobby"),)
        ),
        ContactGroup("cn=devs", "Developers", type=ContactGroupType.PUBLIC, open=False),
    )
)

words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
names = phrases | st.tuples(phrases, phrases).map(", ".join)
contacts = st.builds(Contact, phrases, names, phrases | st.just(""), st.sampled_from("12"))
groups = st.builds(
    ContactGroup,
    phrases,
    phrases,
    st.lists(contacts, max_size=4).map(tuple),
    st.sampled_from("23"),
    st.booleans(),
)
lists = st.builds(ContactList, st.lists(groups, max_size=4).map(tuple))


def test_a_list_is_written_as_clients_write_it() -> None:
    assert render_contact_list(LIST) == TEXT


def test_a_list_of_a_client_is_read() -> None:
    assert parse_contact_list(TEXT) == LIST


@given(lists)
def test_a_list_is_read_as_it_was_written(contact_list: ContactList) -> None:
    assert parse_contact_list(render_contact_list(contact_list)) == contact_list


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_malformed(text: str) -> None:
    with contextlib.suppress(MalformedMessageError):
        assert isinstance(parse_contact_list(text), ContactList)


@given(lists, st.integers(0, 300), st.text(max_size=3))
def test_a_damaged_list_is_read_or_malformed(contact_list: ContactList, at: int, damage: str) -> None:
    text = render_contact_list(contact_list)
    with contextlib.suppress(MalformedMessageError):
        assert isinstance(parse_contact_list(text[:at] + damage + text[at + len(damage) :]), ContactList)


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\r\n\r\n", "\r\n   "])
def test_lines_may_end_and_begin_in_several_ways(ending: str) -> None:
    assert parse_contact_list(TEXT.replace("\r\n", ending)) == LIST


def test_lines_of_unknown_kinds_are_skipped() -> None:
    assert parse_contact_list("X what\r\n" + TEXT + "Y else\r\n") == LIST


def test_the_last_comma_divides_name_and_alias() -> None:
    (group,) = parse_contact_list("G a2 a O\nU b1:: Example,;Bob,Bobby").groups
    assert group.contacts == (Contact("b", "Example, Bob", "Bobby"),)


def test_a_name_without_a_comma_has_no_alias() -> None:
    (group,) = parse_contact_list("G a2 a O\nU b1:: Bob").groups
    assert group.contacts == (Contact("b", "Bob", ""),)


@pytest.mark.parametrize(
    "text",
    [
        "U uid=bob1:: Bob,\r\nG Work2 Work O",
        "G Work2\r\n",
        "G 2 Work O\r\n",
        "G Work2 Work O\r\nU uid=bob1 Bob,",
        "G Work2 Work O\r\nU 1:: Bob,",
        "G Work2 Work O\r\nU ::",
    ],
    ids=["no group before", "no title", "no id", "no colons", "no id of a contact", "nothing"],
)
def test_a_line_of_a_known_kind_that_is_wrong_is_malformed(text: str) -> None:
    with pytest.raises(MalformedMessageError):
        parse_contact_list(text)


def test_a_malformed_line_is_named_by_its_number_and_not_shown() -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse_contact_list("Version=3.1.3\n\nG secret2")
    assert str(caught.value).startswith("line 3:")
    assert "secret" not in str(caught.value)


def test_what_the_format_cannot_write_becomes_spaces() -> None:
    group = ContactGroup("a\tb", "c\r\nd", (Contact("e", "f\x85g", "h,i"),))
    (read,) = parse_contact_list(render_contact_list(ContactList((group,)))).groups
    assert read == ContactGroup("a b", "c  d", (Contact("e", "f g", "h i"),))


def test_a_group_without_a_title_is_titled_by_its_id() -> None:
    assert render_contact_list(ContactList((ContactGroup("Work", ""),))).endswith("G Work2 Work O\r\n")


@pytest.mark.parametrize("empty", ["", " ", "\t", "\0", ";", ";\0 "])
def test_a_group_or_contact_without_an_id_cannot_be_written(empty: str) -> None:
    for group in (ContactGroup(empty, "x"), ContactGroup("x", "x", (Contact(empty, "x"),))):
        with pytest.raises(UnencodableValueError):
            render_contact_list(ContactList((group,)))


@pytest.mark.parametrize(("name", "kind"), [("a::b", "1"), ("::", "1"), ("a:", ":"), ("a", ":")])
def test_a_contact_that_would_be_read_as_another_cannot_be_written(name: str, kind: str) -> None:
    contact = Contact(name, "x", type=kind)
    with pytest.raises(UnencodableValueError):
        render_contact_list(ContactList((ContactGroup("x", "x", (contact,)),)))


@pytest.mark.parametrize("name", ["a:b", ":", "a:"])
def test_a_single_colon_in_an_id_is_kept(name: str) -> None:
    contact_list = ContactList((ContactGroup("x", "x", (Contact(name, "x"),)),))
    assert parse_contact_list(render_contact_list(contact_list)) == contact_list


def test_a_list_of_very_many_lines_is_malformed() -> None:
    with pytest.raises(MalformedMessageError):
        parse_contact_list("\n" * 30_000)
