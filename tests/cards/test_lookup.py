"""How people are looked for: rows C67 and C69."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.cards.lookup import Question, by_common_field, by_id, by_user
from quintet.config.settings import CardServer, CardStorage, Detail
from quintet.ldap import Scope
from quintet.ldap.dn import DN
from quintet.ldap.filter_tree import decode
from quintet.ldap.filters import Equality, Filter, Template
from quintet.tls.settings import TlsSettings

SERVER = CardServer(
    host="ldap.example.com",
    port=389,
    ssl_port=636,
    ssl_enabled=False,
    account=None,
    base=DN.parse("ou=people,o=example"),
    scope=Scope.ONE_LEVEL,
    filter=Template("(&(objectclass=person)(|(cn=%s)(mail=%s)))"),
    user_id_attribute=None,
    person_class=None,
)
WITH_ID = replace(SERVER, user_id_attribute="employeeNumber", person_class="inetOrgPerson")
STORAGE = CardStorage(
    (SERVER,), (Detail("MailAddress", ("mail",), "text/plain", " "),), TlsSettings(), "MailAddress"
)


def first_for(server: CardServer, user: str) -> Question | None:
    return next(iter(by_user(server, user)), None)


def asked(server: CardServer, user: str) -> tuple[str, Scope, str] | None:
    question = first_for(server, user)
    return (question.base, question.scope, str(tree(question.filter))) if question else None


def tree(wanted: Filter | bytes) -> Filter:
    return decode(wanted) if isinstance(wanted, bytes) else wanted


def test_a_dn_is_read_itself_if_it_is_of_a_person() -> None:
    dn = "cn=Ada,ou=people,o=example"
    assert asked(SERVER, dn) == (dn, Scope.BASE, "(objectClass=person)")


def test_c69_a_dn_is_tested_for_the_class_of_the_settings() -> None:
    dn = "cn=Ada,ou=people,o=example"
    assert asked(WITH_ID, dn) == (dn, Scope.BASE, "(objectClass=inetOrgPerson)")


def test_c69_an_id_is_searched_with_the_class() -> None:
    assert asked(WITH_ID, "10017") == (
        "ou=people,o=example",
        Scope.ONE_LEVEL,
        "(&(employeeNumber=10017)(objectClass=inetOrgPerson))",
    )


def test_c69_an_id_without_a_class_is_searched_alone() -> None:
    found = asked(replace(WITH_ID, person_class=None), "10017")
    assert found == ("ou=people,o=example", Scope.ONE_LEVEL, "(employeeNumber=10017)")


def test_c69_a_guid_is_searched_by_its_bytes() -> None:
    server = replace(WITH_ID, user_id_attribute="objectGUID", person_class=None)
    question = first_for(server, "00112233-4455-6677-8899-aabbccddeeff")
    assert question is not None
    assert question.filter == Equality("objectGUID", bytes.fromhex("33221100554477668899aabbccddeeff"))


@pytest.mark.parametrize("scope", Scope)
def test_c67_a_name_is_searched_by_the_filter_in_the_scope(scope: Scope) -> None:
    assert asked(replace(SERVER, scope=scope), "Ada") == (
        "ou=people,o=example",
        scope,
        "(&(objectclass=person)(|(cn=Ada)(mail=Ada)))",
    )


def test_a_name_that_only_looks_like_a_dn_is_a_name() -> None:
    assert asked(SERVER, "Equal=Pay Officer") == (
        "ou=people,o=example",
        Scope.ONE_LEVEL,
        "(&(objectclass=person)(|(cn=Equal=Pay Officer)(mail=Equal=Pay Officer)))",
    )


def test_a_dn_outside_the_base_is_never_read() -> None:
    question = first_for(SERVER, "cn=admin,o=other")
    assert question is not None
    assert question.base == "ou=people,o=example"


@pytest.mark.parametrize(
    ("scope", "read"),
    [
        (Scope.BASE, [True, False, False]),
        (Scope.ONE_LEVEL, [False, True, False]),
        (Scope.SUBTREE, [True] * 3),
    ],
)
def test_c67_a_dn_is_read_only_where_a_search_would_find_it(scope: Scope, read: list[bool]) -> None:
    base = "ou=people,o=example"
    names = (base, f"cn=Ada,{base}", f"cn=Ada,ou=far,{base}")
    server = replace(SERVER, scope=scope)
    assert [by_id(server, name) is not None for name in names] == read


def test_c75_an_id_is_never_searched_as_a_name() -> None:
    assert by_id(SERVER, "10017") is None
    assert by_id(SERVER, "cn=Ada,o=other") is None
    assert by_id(WITH_ID, "10017") == first_for(WITH_ID, "10017")


def test_with_an_empty_base_every_dn_is_read() -> None:
    assert asked(replace(SERVER, base=DN(), scope=Scope.SUBTREE), "cn=Ada,o=other") == (
        "cn=Ada,o=other",
        Scope.BASE,
        "(objectClass=person)",
    )


@pytest.mark.parametrize("user", ["", " ", "\ud800", "\0", "a\0", "x" * 1025, "é" * 600])
@pytest.mark.parametrize("server", [SERVER, WITH_ID], ids=["by filter", "by ID"])
def test_a_name_without_a_character_finds_nobody(server: CardServer, user: str) -> None:
    assert by_user(server, user) == []
    assert by_id(server, user) is None


@given(st.text(min_size=1))
def test_no_name_changes_the_shape_of_the_filter(user: str) -> None:
    question = first_for(SERVER, user)
    if question is None or question.scope is Scope.BASE:
        return
    name = user.encode("utf-8", "surrogateescape")
    plain = first_for(SERVER, "x" * len(name))
    assert plain is not None
    assert isinstance(question.filter, bytes)
    assert isinstance(plain.filter, bytes)
    assert question.filter.count(name) >= 2
    assert len(question.filter) == len(plain.filter)


def test_c75_the_common_field_is_searched_by_its_attribute() -> None:
    question = by_common_field(STORAGE, SERVER, "MailAddress", "ada@example.com")
    assert question is not None
    assert (question.base, question.scope) == ("ou=people,o=example", Scope.ONE_LEVEL)
    assert str(question.filter) == "(mail=ada@example.com)"


def test_c75_a_common_field_of_several_attributes_is_searched_in_each() -> None:
    storage = replace(STORAGE, details=(Detail("Id", ("uid", "mail"), "text/plain", " "),))
    question = by_common_field(storage, WITH_ID, "Id", "*")
    assert question is not None
    assert str(question.filter) == "(&(|(uid=\\2a)(mail=\\2a))(objectClass=inetOrgPerson))"


def test_c75_a_repository_without_the_common_field_cannot_be_asked_by_it() -> None:
    assert by_common_field(STORAGE, SERVER, "Telephone", "1") is None
    assert by_common_field(STORAGE, SERVER, "MailAddress", "") is None


def test_an_id_that_finds_nothing_is_looked_for_as_a_name() -> None:
    """Active Directory's `distinguishedName` as the ID would hide the search filter from every login name."""
    by_dn = replace(SERVER, user_id_attribute="distinguishedName")
    first, second = by_user(by_dn, "ada")
    assert str(tree(first.filter)) == "(distinguishedName=ada)"
    assert str(tree(second.filter)) == "(&(objectclass=person)(|(cn=ada)(mail=ada)))"


def test_a_dn_that_is_read_is_nothing_else() -> None:
    (only,) = by_user(WITH_ID, "cn=Ada,ou=people,o=example")
    assert only.reads
