"""What tells entries apart: one text for one name, however it is written, and no parser for plain names."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quintet.directory.entries import (
    LONGEST_DN,
    canonical,
    first,
    identity,
    is_below,
    parsed,
    same,
    values,
)
from quintet.directory.kinds import listed
from quintet.ldap.dn import DN
from quintet.ldap.messages import SearchResultEntry

TYPES = ("cn", "CN", "commonName", "2.5.4.3", "uid", "userid", "o", "ou", "OU", "DC", "employeeNumber", "x-y")
PIECES = (
    "a",
    "A",
    "b c",
    "b  c",
    " ",
    "\\,",
    "\\2c",
    "\\+",
    "\\20",
    "#41",
    "'",
    "(1)",
    "é",
    "é",
    "ﬁ",
    "=",
    ".",
    "",
)

values_ = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
rdns = st.lists(st.tuples(st.sampled_from(TYPES), values_), min_size=1, max_size=2).map(
    lambda pairs: "+".join(f"{kind}={value}" for kind, value in pairs)
)
names = st.lists(rdns, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([",", ", ", ";"]).map(lambda separator: separator.join(parts))
)


@given(names | st.text(max_size=30), names | st.text(max_size=30))
@example("cn=a,o=b", "CN=A, O=B")
@example("commonName=X", "cn=x")
@example("cn=a\\,o=b", "cn=a,o=b")
@example("cn=#41,o=b", "cn=\\#41,o=b")
@example("cn=a+ou=b", "ou=b+cn=a")
@example("cn=a\\+ou=b", "cn=a+ou=b")
@example("cn=\u212a", "cn=k")
@example("", "cn=")
def test_two_names_have_one_identity_when_a_directory_would_call_them_equal(one: str, other: str) -> None:
    first_dn, second_dn = parsed(one), parsed(other)
    equal = first_dn == second_dn if first_dn is not None and second_dn is not None else one == other
    assert (identity(one) == identity(other)) is equal


@given(names)
def test_a_plain_name_is_its_own_canonical_form_in_lower_case(name: str) -> None:
    dn = parsed(name)
    assert identity(name) == (f"\0{name}" if dn is None else canonical(dn))


@given(names, names)
@example("cn=a\\,o=b", "o=b")
@example("cn=a,o=b", "o=b")
@example("cn=a,xo=b", "o=b")
@example("o=b", "o=b")
@example("no name", "o=b")
def test_a_name_is_below_another_when_its_dn_is(name: str, base: str) -> None:
    below, above = parsed(name), parsed(base)
    if above is None:
        return
    wanted = below is not None and below.is_under(above)
    assert is_below(identity(name), (canonical(above),)) is wanted


@pytest.mark.parametrize("name", ["cn=a,o=b", "", "commonName=x"])
def test_every_name_is_below_the_root_and_what_is_no_name_is_not(name: str) -> None:
    root = canonical(DN())
    assert is_below(identity(name), (root,))
    assert not is_below(identity("no name"), (root,))
    assert not is_below(identity("\ud800"), (root,))
    assert not is_below(identity(name), ())


def test_a_name_that_is_too_long_is_none() -> None:
    dn = f"cn={'a' * LONGEST_DN}"
    assert parsed(dn) is None
    assert not same(dn, dn.upper())


def test_an_attribute_is_found_by_any_spelling_and_its_plain_name_first() -> None:
    entry = SearchResultEntry("", {"cn;lang-ja": [b"x"], "commonName": [b" ", b"Ada"], "2.5.4.4": [b"Byron"]})
    assert values(entry, "cn;lang-ja") == [b"x"]
    assert values(entry, "commonName") == [b" ", b"Ada"]
    assert first(entry, "commonName") == "Ada"
    assert first(entry, "surname") == "Byron"
    assert first(entry, "mail") is None


def test_a_setting_may_list_several_names() -> None:
    assert listed("member, uniqueMember;memberUid") == ("member", "uniqueMember", "memberUid")
    assert listed("member") == ("member",)
