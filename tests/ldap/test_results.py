"""Entries give their attributes by any spelling of the name."""

import pytest

from quintet.ldap import Control, Entry, SearchPage, SearchResult, attributes

ENTRY = Entry(
    "cn=Ann Lee,o=x",
    {
        "CN": [b"Ann Lee", "Ann Léa".encode()],
        "cn;lang-de": [b"Anne"],
        "2.5.4.4": [b"Lee"],
        "rfc822Mailbox": [b"ann@example.com"],
        "userCertificate;binary": [b"\x30\x03"],
        "member": [],
        "member;range=0-1": [b"cn=a", b"cn=b"],
        "jpegPhoto": [b"\xff\xd8"],
        "empty": [b""],
        "description;x-two;lang-en": [b"both"],
    },
)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("CN", [b"Ann Lee", "Ann Léa".encode()]),
        ("cn", [b"Ann Lee", "Ann Léa".encode()]),
        ("commonName", [b"Ann Lee", "Ann Léa".encode()]),
        ("2.5.4.3", [b"Ann Lee", "Ann Léa".encode()]),
        ("cn;lang-de", [b"Anne"]),
        ("CommonName;LANG-DE", [b"Anne"]),
        ("cn;lang-fr", []),
        ("sn", [b"Lee"]),
        ("surname", [b"Lee"]),
        ("mail", [b"ann@example.com"]),
        ("userCertificate", [b"\x30\x03"]),
        ("usercertificate;binary", [b"\x30\x03"]),
        ("member", [b"cn=a", b"cn=b"]),
        ("member;range=0-1", [b"cn=a", b"cn=b"]),
        ("description;lang-en;x-two", [b"both"]),
        ("description", []),
        ("empty", [b""]),
        ("title", []),
        ("", []),
    ],
)
def test_values_come_by_any_spelling_of_the_name(name: str, values: list[bytes]) -> None:
    assert ENTRY.get(name) == values
    assert ENTRY.texts(name) == [value.decode("utf-8", "replace") for value in values]
    assert ENTRY.text(name) == next(iter(ENTRY.texts(name)), None)


def test_what_is_not_utf8_does_not_stop_text() -> None:
    assert ENTRY.text("jpegPhoto") == "\ufffd\ufffd"


def test_the_name_itself_goes_before_other_names_of_the_type() -> None:
    """Active Directory has `street` and `streetAddress` as two attributes."""
    entry = Entry("", {"street": [b"one"], "streetAddress": [b"two"]})
    assert (entry.text("STREET"), entry.text("STREETADDRESS")) == ("one", "two")


@pytest.mark.parametrize(
    ("has", "following"),
    [
        ({"member": [b"a"]}, None),
        ({"member": [], "member;range=0-1499": [b"a"]}, "member;range=1500-*"),
        ({"Member;Range=1500-2999": [b"a"]}, "Member;range=3000-*"),
        ({"member;range=3000-*": [b"a"]}, None),
        ({"memberOf;range=0-1": [b"a"]}, None),
    ],
)
def test_values_that_come_in_parts_say_what_to_ask_for_next(
    has: dict[str, list[bytes]], following: str | None
) -> None:
    assert Entry("", has).next_range("member") == following


def test_names_without_end_take_no_memory_for_ever() -> None:
    before = len(attributes._known)
    Entry("", {"x" * 100_000: [b"y"]}).get("z" * 100_000)
    assert len(attributes._known) == before


def test_entries_are_equal_by_dn_and_attributes() -> None:
    assert Entry("cn=a", {"cn": [b"a"]}) == Entry("cn=a", {"cn": [b"a"]})
    assert Entry("cn=a", {}).with_controls((Control("1.2"),)) == Entry("cn=a", {})
    assert Entry("cn=a", {}) != Entry("cn=A", {})
    assert Entry("cn=a", {}) != ("cn=a", {})


def test_an_entry_fits_a_pattern() -> None:
    match ENTRY:
        case Entry(dn, {"CN": [first, *_]}):
            assert (dn, first) == (ENTRY.dn, b"Ann Lee")
        case _:
            pytest.fail("it does not")


def test_the_repr_of_an_entry_shows_values_but_no_passwords() -> None:
    shown = repr(
        Entry("cn=a", {"cn": [b"value"], "userPassword": [b"hunter2"], "unicodePwd;x": [b"hunter2"]})
    )
    assert "b'value'" in shown
    assert "hunter2" not in shown


def test_results_and_pages_are_gone_through_entry_by_entry() -> None:
    assert list(SearchResult([ENTRY, ENTRY])) == [ENTRY, ENTRY]
    assert list(SearchPage([ENTRY], b"", [])) == [ENTRY]
