"""IDs that were told resolve again, whatever the name filters find."""

from collections.abc import Awaitable, Callable

import pytest

from quintet.directory.directory import Directory
from quintet.directory.records import Group, Person
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.dn import DN
from support import small

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
