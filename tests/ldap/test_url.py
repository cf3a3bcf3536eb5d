"""LDAP URLs (RFC 4516)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap import Address, LdapUrl, Present, Scope, Substrings, UrlExtension, UrlSyntaxError, parse
from support.ldap_messages import filters

TEXTS = st.text(max_size=12) | st.sampled_from(["o=a/b?c,d", "cn=50%,o=x", "\udcff", "a b", "ü", "#", "&=+"])
SOME = st.text(min_size=1, max_size=12)
EXTENSIONS = st.builds(
    UrlExtension,
    st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}|[0-9](\.[0-9]{1,3}){0,4}", fullmatch=True),
    st.none() | TEXTS,
    st.booleans(),
)
HOSTS = st.sampled_from(
    ["", "ldap.example.com", "192.0.2.7", "2001:db8::7", "fe80::1%eth0", "müller.example"]
)
PARTS = {
    "dn": TEXTS,
    "attributes": st.lists(SOME, max_size=3).map(tuple),
    "scope": st.none() | st.sampled_from(Scope),
    "filter": st.none() | filters.map(lambda tree: parse(str(tree))),
    "extensions": st.lists(EXTENSIONS, max_size=3).map(tuple),
}
URLS = st.builds(
    LdapUrl, st.sampled_from(["ldap", "ldaps"]), HOSTS, st.none() | st.integers(1, 65535), **PARTS
) | st.builds(LdapUrl, st.just("ldapi"), TEXTS, st.none(), **PARTS)


@given(URLS)
def test_a_url_survives_its_text(url: LdapUrl) -> None:
    assert LdapUrl.parse(str(url)) == url
    assert str(url).isascii()


@given(st.text(max_size=80) | st.text("ldapis:/?%2!=,()*[]0@", max_size=40).map("ldap://".__add__))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = LdapUrl.parse(text)
    except UrlSyntaxError:
        return
    assert LdapUrl.parse(str(url)) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ldap:///o=University%20of%20Michigan,c=US", LdapUrl(dn="o=University of Michigan,c=US")),
        (
            "ldap://ldap1.example.net/o=University%20of%20Michigan,c=US?postalAddress",
            LdapUrl(
                host="ldap1.example.net", dn="o=University of Michigan,c=US", attributes=("postalAddress",)
            ),
        ),
        (
            "ldap://ldap1.example.net:6666/o=University%20of%20Michigan,c=US??sub?(cn=Babs%20Jensen)",
            LdapUrl(
                host="ldap1.example.net",
                port=6666,
                dn="o=University of Michigan,c=US",
                scope=Scope.SUBTREE,
                filter=parse("(cn=Babs Jensen)"),
            ),
        ),
        (
            "LDAP://ldap1.example.com/c=GB?objectClass?ONE",
            LdapUrl(host="ldap1.example.com", dn="c=GB", attributes=("objectClass",), scope=Scope.ONE_LEVEL),
        ),
        (
            "ldap://ldap2.example.com/o=Question%3f,c=US?mail",
            LdapUrl(host="ldap2.example.com", dn="o=Question?,c=US", attributes=("mail",)),
        ),
        (
            "ldap://ldap3.example.com/o=Babsco,c=US???(four-octet=%5c00%5c00%5c00%5c04)",
            LdapUrl(
                host="ldap3.example.com",
                dn="o=Babsco,c=US",
                filter=parse(r"(four-octet=\00\00\00\04)"),
            ),
        ),
        (
            "ldap://ldap.example.com/o=An%20Example%5C2C%20Inc.,c=US",
            LdapUrl(host="ldap.example.com", dn=r"o=An Example\2C Inc.,c=US"),
        ),
        ("ldap://ldap.example.net/", LdapUrl(host="ldap.example.net")),
        ("ldap://ldap.example.net/?", LdapUrl(host="ldap.example.net")),
        (
            "ldap:///??sub??e-bindname=cn=Manager%2cdc=example%2cdc=com",
            LdapUrl(
                scope=Scope.SUBTREE,
                extensions=(UrlExtension("e-bindname", "cn=Manager,dc=example,dc=com"),),
            ),
        ),
        (
            "ldap:///??sub??!e-bindname=cn=Manager%2cdc=example%2cdc=com",
            LdapUrl(
                scope=Scope.SUBTREE,
                extensions=(UrlExtension("e-bindname", "cn=Manager,dc=example,dc=com", critical=True),),
            ),
        ),
        (
            "ldaps://[2001:db8::7]/c=GB?objectClass?base",
            LdapUrl("ldaps", "2001:db8::7", None, "c=GB", ("objectClass",), Scope.BASE),
        ),
        ("ldapi://%2Frun%2Fslapd%2Fldapi/", LdapUrl("ldapi", "/run/slapd/ldapi")),
        (
            "ldap://h/o=x??sub?cn=a*",
            LdapUrl(host="h", dn="o=x", scope=Scope.SUBTREE, filter=Substrings("cn", b"a")),
        ),
        ("ldap://h/ou=a b,o=x???(cn=*)", LdapUrl(host="h", dn="ou=a b,o=x", filter=Present("cn"))),
    ],
)
def test_urls_as_the_rfc_and_servers_write_them(text: str, url: LdapUrl) -> None:
    assert LdapUrl.parse(text) == url


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("ldap.example.com", 0),
        ("http://h/", 0),
        ("ldap:/h", 0),
        ("ldap://h:0", 7),
        ("ldap://h:99999", 7),
        ("ldap://h:x", 7),
        ("ldap://user@h/", 7),
        ("ldap://h?cn", 7),
        ("ldap://a b/", 7),
        ("ldap://a%00b/", 7),
        ("ldap://::1/", 7),
        ("ldap://[::1/", 7),
        ("ldap://h/o=%zz", 11),
        ("ldap://h/o=x?cn?tree", 16),
        ("ldap://h/o=x???(cn=", 15),
        ("ldap://h/o=x????=v", 16),
        ("ldap://h/\ud800", 9),
        ("ldap://h/" + "x" * 70_000, 0),
    ],
)
def test_what_is_not_a_url_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(UrlSyntaxError) as caught:
        LdapUrl.parse(text)
    assert caught.value.position == position


def test_a_url_says_where_to_connect() -> None:
    assert LdapUrl.parse("ldap://h").address == Address("h", 389)
    assert LdapUrl.parse("ldaps://h/o=x").address == Address("h", 636)
    assert LdapUrl.parse("ldaps://[::1]:1636").address == Address("::1", 1636)
    assert LdapUrl.parse("ldapi://%2Ftmp%2Fa%20b").address == Address.unix("/tmp/a b")
    assert LdapUrl.parse("ldapi:///").address.path.endswith("/ldapi")
    assert str(Address.unix("/run/ldapi")) == "/run/ldapi"


@pytest.mark.parametrize("text", ["ldap:///o=x", "ldap://:389/", "ldap://h/????!x-unknown"])
def test_a_url_that_cannot_be_connected_to_says_so(text: str) -> None:
    with pytest.raises(UrlSyntaxError):
        LdapUrl.parse(text).address  # noqa: B018 (it is a property)
