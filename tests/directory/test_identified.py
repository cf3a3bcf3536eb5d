"""IDs that were told resolve again, whatever the name filters find."""

from collections.abc import Awaitable, Callable

import pytest

from quintet.directory import AmbiguousNameError, AuthenticationError, UnknownNameError
from quintet.directory.directory import Directory
from quintet.directory.records import Group, Person
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import DN, Scope, Template
from quintet.ldap.messages import SearchRequest
from support import small
from support.scripted import then_done

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]


@pytest.mark.parametrize("uid", ["alice", "comma", "odd", "jose"])
async def test_a_dn_resolves_to_the_person_who_has_it(
    serve: Serve, directory_of: DirectoryOf, uid: str
) -> None:
    directory = await directory_of(await serve())
    for query in (small.person_dn(uid), small.person_dn(uid).upper().replace("\\\\SLASH", "\\\\Slash")):
        found = await directory.resolve(query)
        (match,) = found.matches
        assert isinstance(match, Person)
        assert (DN.parse(match.dn), found.exact, found.complete) == (
            DN.parse(small.person_dn(uid)),
            True,
            True,
        )


async def test_a_dn_of_a_group_resolves_to_it_where_groups_are_wanted(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve())
    (match,) = (await directory.resolve(small.group_dn("engineers"))).matches
    assert isinstance(match, Group)
    assert (await directory.resolve(small.group_dn("engineers"), groups=False)).matches == ()
    assert (await directory.resolve(small.person_dn("alice"), people=False)).matches == ()


async def test_a_dn_outside_of_the_bases_is_not_read(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    bases = {"person_base": DN.parse("ou=people,o=example"), "group_base": DN.parse("ou=groups,o=example")}
    directory = await directory_of(server, server=bases)
    assert (await directory.resolve(small.READER_DN)).matches == ()
    assert (await directory.resolve("uid=nobody,ou=people,o=example")).matches == ()


async def test_an_entry_that_is_neither_user_nor_group_has_no_id(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve())
    assert (await directory.resolve("ou=people,o=example")).matches == ()


async def test_an_id_of_the_id_attribute_resolves_to_the_one_who_has_it(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), server={"user_id_attribute": "uid"})
    for query in ("smith1", "SMITH1"):
        found = await directory.resolve(query)
        assert [match.id for match in found.matches] == ["smith1"]
        assert found.exact
    assert len((await directory.resolve("smi")).matches) == 2, "a name is still searched for"


async def test_an_id_of_bytes_is_found_by_its_hexadecimal_form(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    more = (
        "dn: uid=zed,ou=people,o=example\nobjectClass: inetOrgPerson\nuid: zed\ncn: Zed\nsn: Z\n"
        "userCertificate:: /wD/\n"
    )
    directory = await directory_of(await serve(more), server={"user_id_attribute": "userCertificate"})
    (match,) = (await directory.resolve("Zed")).matches
    assert match.id == "ff00ff"
    assert (await directory.resolve("ff00ff")).matches == (match,)


async def test_an_object_guid_is_found_by_its_text(serve: Serve, directory_of: DirectoryOf) -> None:
    more = (
        "dn: uid=zed,ou=people,o=example\nobjectClass: inetOrgPerson\nuid: zed\ncn: Zed\nsn: Z\n"
        "objectGUID:: AAECAwQFBgcICQoLDA0ODw==\n"
    )
    directory = await directory_of(await serve(more), server={"user_id_attribute": "objectGUID"})
    (match,) = (await directory.resolve("Zed")).matches
    assert match.id == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert (await directory.resolve(match.id.upper())).matches == (match,)


async def test_what_looks_like_a_dn_and_is_none_is_a_name(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    for name in ("a=b", "=", "uid=", "x=\\", "Alice=,"):
        assert (await directory.resolve(name)).matches == ()


@pytest.mark.parametrize("attribute", [None, "uid", "mail", "telephoneNumber", "entryUUID"])
async def test_c87_every_id_that_is_told_resolves_again_and_signs_in(
    serve: Serve, directory_of: DirectoryOf, attribute: str | None
) -> None:
    directory = await directory_of(await serve(), server={"user_id_attribute": attribute})
    matches = {
        match.id: match for letter in "abcdeghjkrs*" for match in (await directory.resolve(letter)).matches
    }
    assert len(matches) > 15
    for ident, match in matches.items():
        again = await directory.resolve(ident)
        assert (again.matches, again.exact) == ((match,), True), ident
        if isinstance(match, Person):
            assert (await directory.resolve_login(match.dn)) == match
            assert (await directory.resolve_login(ident)) == match


async def test_c87_a_dn_signs_in_with_its_own_password_only(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    dn = small.person_dn("odd")
    assert (await directory.authenticate(dn, "odd-secret")).dn == dn
    with pytest.raises(AuthenticationError):
        await directory.authenticate(dn, "alice-secret")
    with pytest.raises(AuthenticationError):
        await directory.authenticate(small.READER_DN, small.READER_PASSWORD)


@pytest.mark.parametrize(
    "text",
    [
        "(&(objectclass=inetOrgPerson)(!(sn=Adams))(|(uid=%s)(mail=%s)))",
        "(&(uid=%s)(title=Director))",
        "(&(uid=%s*)(!(|(cn=*Adams)(sn=Clark))))",
        "(&(sn=Brown)(|(cn:caseExactMatch:=%s)(uid=*%s)))",
        "(!(uid=%s))",
    ],
)
async def test_c87_no_dn_and_no_id_goes_past_what_the_login_filter_bars(
    serve: Serve, directory_of: DirectoryOf, text: str
) -> None:
    server = {"login_filter": Template(text), "user_id_attribute": "telephoneNumber"}
    directory = await directory_of(await serve(), server=server)
    for name in (small.person_dn("alice"), "+49 30 1000"):
        with pytest.raises((UnknownNameError, AmbiguousNameError)):
            await directory.resolve_login(name)
        with pytest.raises(AuthenticationError):
            await directory.authenticate(name, "alice-secret")


async def test_c87_a_name_that_is_the_id_of_another_is_ambiguous(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    more = "dn: uid=zed,ou=people,o=example\nobjectClass: inetOrgPerson\nuid: zed\ncn: Zed\nsn: alice\n"
    server = {"user_id_attribute": "sn", "login_filter": Template("(uid=%s)")}
    directory = await directory_of(await serve(more), server=server)
    with pytest.raises(AmbiguousNameError):
        await directory.resolve_login("alice")
    assert (await directory.resolve_login("Evans")).dn == small.person_dn("erin")
    with pytest.raises(AmbiguousNameError):
        await directory.resolve_login("Smith")


async def test_c87_a_dn_is_found_as_deep_as_searches_go(serve: Serve, directory_of: DirectoryOf) -> None:
    one_level = {"person_base": DN.parse("o=example"), "person_scope": Scope.ONE_LEVEL}
    directory = await directory_of(await serve(), server=one_level)
    with pytest.raises(UnknownNameError):
        await directory.resolve_login(small.person_dn("alice"))
    directory = await directory_of(
        await serve(), server=one_level | {"person_base": DN.parse("ou=people,o=example")}
    )
    assert (await directory.resolve_login(small.person_dn("alice"))).name == "Alice Adams"


async def test_c87_where_ids_are_dns_no_name_is_searched_for_as_an_id(
    against: Callable[..., Awaitable[tuple[Directory, list[SearchRequest]]]],
) -> None:
    directory, asked = await against(lambda _: then_done(), server={"user_id_attribute": "distinguishedName"})
    with pytest.raises(UnknownNameError):
        await directory.resolve_login("alice")
    assert len(asked) == 1
    with pytest.raises(UnknownNameError):
        await directory.resolve_login(small.person_dn("alice"))
    assert {each.scope for each in asked[1:]} == {Scope.BASE, Scope.SUBTREE}
