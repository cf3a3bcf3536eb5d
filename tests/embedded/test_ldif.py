"""LDIF in and out (RFC 2849)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.embedded.ldif import Entry, LdifError, parse, write

VALUES = st.lists(st.binary(max_size=120), min_size=1, max_size=3).map(tuple)
NAMES = st.sampled_from(["cn", "userCertificate;binary", "2.5.4.99", "x-y"])
ENTRIES = st.lists(
    st.builds(
        Entry,
        st.sampled_from(["cn=a,o=x", "cn=é,o=x", "", r"cn=\ff", "cn=" + "long " * 40 + "name"]),
        st.dictionaries(NAMES, VALUES, min_size=1),
    ),
    max_size=4,
)


@given(ENTRIES)
def test_entries_survive_being_written_and_read(entries: list[Entry]) -> None:
    data = write(entries)
    assert parse(data) == entries
    assert parse(data.replace(b"\n", b"\r\n")) == entries
    assert all(len(line) <= 76 for line in data.split(b"\n"))


@given(st.binary(max_size=200) | st.text("dn:cao= \n\r#<-", max_size=60).map(str.encode))
def test_any_octets_are_ldif_or_refused(data: bytes) -> None:
    try:
        entries = parse(data)
    except LdifError:
        return
    assert parse(write(entries)) == entries


def test_the_forms_of_rfc_2849() -> None:
    text = """version: 1
# a comment
 that goes on
dn: cn=Ann,
 o=x
cn: Ann
CN:: QW5uYQ==
description:no blank
empty:
sn:   Lee

# between

dn:: Y249w6ksbz14
cn: é
"""
    assert parse(text) == [
        Entry(
            "cn=Ann,o=x",
            {
                "cn": (b"Ann", b"Anna"),
                "description": (b"no blank",),
                "empty": (b"",),
                "sn": (b"Lee",),
            },
        ),
        Entry("cn=é,o=x", {"cn": ("é".encode(),)}),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("cn: a", 1, "begins with 'dn:'"),
        ("dn: cn=a\n", 1, "no attributes"),
        ("dn: nonsense\ncn: a", 1, "no distinguished name"),
        ("dn: cn=a\ncn:: ###", 2, "not base64"),
        ("dn: cn=a\ncn: a\njpegPhoto:< file:///etc/passwd", 3, "reference to a file"),
        ("dn: cn=a\nchangetype: delete", 2, "no place"),
        ("dn: cn=a\ncn: a\n\n\n dn: cn=b", 5, "continues nothing"),
        (" cn=a", 1, "continues nothing"),
        ("dn: cn=a\ncn", 2, "a colon"),
        ("dn: cn=a\n-", 2, "a colon"),
        ("version: 2\ndn: cn=a\ncn: a", 1, "version 1"),
        ("dn: cn=a\ncn: a\ndn: cn=b", 3, "no place"),
    ],
)
def test_what_is_no_ldif_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(LdifError, match=words) as caught:
        parse(text)
    assert caught.value.line == line
