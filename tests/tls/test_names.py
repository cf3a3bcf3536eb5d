"""Host names against certificates: RFC 2818 3.1, and listed names (config 2.8)."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.tls.certificates import names_of
from quintet.tls.names import Names, is_for_host, is_host, is_listed
from support import certs

CA = certs.authority()


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("ldap.example.com", "ldap.example.com", True),
        ("ldap.example.com", "LDAP.Example.COM.", True),
        ("ldap.example.com", "ldap2.example.com", False),
        ("*.example.com", "ldap.example.com", True),
        ("*.example.com", "a.ldap.example.com", False),
        ("*.example.com", "example.com", False),
        ("f*.example.com", "foo.example.com", True),
        ("f*.example.com", "bar.example.com", False),
        ("*.com", "example.com", False),
        ("*", "localhost", False),
        ("ldap.*.com", "ldap.example.com", False),
        ("l*p.example.com", "lp.example.com", True),
        ("l*p.example.com", "l.example.com", False),
        ("x*.example.com", "xn--bcher-kva.example.com", False),
        ("*.example.com", "*.example.com", False),
    ],
)
def test_names_in_certificates(pattern: str, host: str, matches: bool) -> None:
    assert is_for_host(Names(dns=(pattern,)), host) is matches


@pytest.mark.parametrize(
    ("listed", "name", "matches"),
    [
        ("*.example.com", "ldap.example.com", True),
        ("*.com", "ldap.example.com", False),
        ("*.EXAMPLE.com", "LDAP.example.COM", True),
        ("ldap.*.com", "ldap.example.com", True),
        ("*.*.com", "ldap.example.com", True),
        ("*", "localhost", True),
        ("*.example.com", "*.example.com", True),
        ("ldap.example.com", "*.example.com", True),
        ("ldap*.example.com", "ldap01.example.com", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("a*b*c.example", "abc.example", False),
        ("", "", False),
        ("*.com", "*.com", False),
        ("*", "*", False),
        ("example.com", "*.com", False),
        ("*.com", "example.com", True),
        ("ldap.*.com", "ldap.*.com", False),
    ],
)
def test_c36_listed_names_match_by_component(listed: str, name: str, matches: bool) -> None:
    assert is_listed(Names(dns=(name,)), (listed,)) is matches


def test_c35_one_match_between_any_names_is_enough() -> None:
    names = Names(dns=("a.example", "b.example"))
    assert is_listed(names, ("c.example", "b.example"))
    assert not is_listed(names, ("c.example",))
    assert not is_listed(names, ())


def test_c35_the_cn_counts_only_without_dns_names() -> None:
    assert is_for_host(Names(common="ldap.example.com"), "ldap.example.com")
    assert not is_for_host(Names(dns=("a.example",), common="ldap.example.com"), "ldap.example.com")


def test_an_address_matches_an_address_entry_and_nothing_else() -> None:
    address = ipaddress.ip_address("192.0.2.1")
    assert is_for_host(Names(addresses=(address,)), "192.0.2.1")
    assert not is_for_host(Names(dns=("192.0.2.1",), common="192.0.2.1"), "192.0.2.1")
    assert not is_for_host(Names(dns=("*.0.2.1",)), "192.0.2.1")


def test_ipv6_addresses_match_by_value() -> None:
    names = Names(addresses=(ipaddress.ip_address("2001:db8::1"),))
    assert is_for_host(names, "2001:0db8:0:0::1")
    assert is_for_host(names, "[2001:db8::1]")


@pytest.mark.parametrize(
    ("listed", "is_one"),
    [
        ("ldap.example.com", True),
        ("ldap.example.com.", True),
        ("*.example.com", True),
        ("ldap_1.example.com", True),
        ("bücher.example", True),
        ("192.0.2.1", True),
        ("::1", True),
        ("[::1]", True),
        ("ldap.example.com:636", False),
        ("[::1]:636", False),
        ("ldaps://a.example/", False),
        ("a..example", False),
        ("a example", False),
    ],
)
def test_what_can_be_listed(listed: str, is_one: bool) -> None:
    assert is_host(listed) is is_one


def test_the_names_of_a_certificate() -> None:
    names = names_of(certs.leaf(CA, "a.example", "127.0.0.1", cn="me").certificate)
    assert names == Names(("a.example",), (ipaddress.ip_address("127.0.0.1"),), "me")
    assert str(names) == "a.example, 127.0.0.1"


def test_a_certificate_without_names_says_so() -> None:
    assert str(Names()) == "no name"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_the_comparison(pattern: str, host: str) -> None:
    names = Names(dns=(pattern,), common=host)
    assert is_for_host(names, host) in (True, False)
    assert is_listed(names, (host, pattern)) in (True, False)
