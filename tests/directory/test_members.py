"""Walk 4: the content of public groups; and the groups of a person."""

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.directory.directory import Directory
from quintet.directory.errors import AmbiguousNameError, DirectoryUnavailableError, UnknownGroupError
from quintet.directory.group_members import without_bits
from quintet.directory.records import Person
from quintet.embedded.answers import Rules
from quintet.embedded.faults import AnswerWith, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.dn import DN
from quintet.ldap.filters import Template
from support import small
from support.directories import DEAD, server_settings, settings

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]


def person_ldif(uid: str) -> str:
    return (
        f"dn: uid={uid},ou=people,o=example\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
    )


def group_ldif(name: str, *members: str, kind: str = "groupOfNames", attribute: str = "member") -> str:
    lines = [f"dn: cn={name},ou=groups,o=example", f"objectClass: {kind}", f"cn: {name}"]
    return "\n".join([*lines, *(f"{attribute}: {member}" for member in members)]) + "\n"


CROWD = [person_ldif(f"p{nth}") for nth in range(30)]
BIG = group_ldif("big", *(f"uid=p{nth},ou=people,o=example" for nth in range(30)))


async def test_c53_nested_groups_are_opened_once(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve())).members("everybody")
    assert [member.name for member in found.members] == [
        "Erin Evans",
        "Alice Adams",
        "Bob Brown",
        "José Núñez",
        "Carol Clark",
        "Dave Davis",
    ]
    assert [group.name for group in found.groups] == ["engineers", "sales"]
    assert (found.missing, found.truncated) == ((), False)


async def test_c53_circles_are_broken(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve())).members("circle-a")
    assert {member.name for member in found.members} == {"Alice Adams", "Bob Brown"}
    assert [group.name for group in found.groups] == ["circle-b"]


async def test_a_group_may_be_given_by_its_name_in_any_spelling(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve())
    by_dn = await directory.members("CN = Engineers , ou=GROUPS,o=Example")
    assert by_dn.members == (await directory.members("engineers")).members


@pytest.mark.parametrize("base", [small.BASE, ""])
async def test_a_groups_name_may_look_like_a_dn(serve: Serve, directory_of: DirectoryOf, base: str) -> None:
    group = group_ldif("a=b", small.person_dn("alice")).replace("cn=a=b", r"cn=a\=b")
    directory = await directory_of(await serve(group), server={"group_base": DN.parse(base)})
    assert [member.name for member in (await directory.members("a=b")).members] == ["Alice Adams"]


async def test_odd_names_of_groups_and_members_work(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    for name in (small.ODD_GROUP, small.group_dn(small.ODD_GROUP)):
        found = await directory.members(name)
        assert {DN.parse(member.dn) for member in found.members} == {
            DN.parse(small.person_dn(uid)) for uid in ("comma", "odd", "alice")
        }


async def test_members_that_are_not_there_are_listed(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve())).members("ghosts")
    assert found.missing == (small.person_dn("nobody"),)
    assert [member.name for member in found.members] == ["Alice Adams"]


@pytest.mark.parametrize("code", [10, 16, 32, 34, 36, 50, 53, 80])
async def test_c53_a_member_that_the_server_refuses_to_show_is_missing_and_no_other(
    serve: Serve, directory_of: DirectoryOf, code: int
) -> None:
    server = await serve()
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code), "search", after=1, times=1)
    found = await directory.members("engineers")
    assert found.missing == (small.person_dn("alice"),)
    assert [member.name for member in found.members] == ["Bob Brown", "José Núñez"]


@pytest.mark.parametrize("code", [1, 3, 8, 11, 13, 51, 52])
async def test_c40_a_server_that_no_longer_serves_fails_the_group(
    serve: Serve, directory_of: DirectoryOf, code: int
) -> None:
    server = await serve()
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code), "search", after=1)
    with pytest.raises(DirectoryUnavailableError):
        await directory.members("engineers")


async def test_a_group_base_that_is_not_there_is_named_as_the_reason(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), server={"group_base": DN.parse("ou=teams,o=example")})
    with pytest.raises(UnknownGroupError, match="GroupResolveBase 'ou=teams,o=example'"):
        await directory.members("engineers")


async def test_only_the_whole_name_opens_a_group(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    for name in ("engineer", "engineers*x", "", "*", "cn=nothing,ou=groups,o=example", "x" * 100_000):
        with pytest.raises(UnknownGroupError):
            await directory.members(name)


async def test_two_groups_of_one_name_are_ambiguous(serve: Serve, directory_of: DirectoryOf) -> None:
    twin = (
        "dn: cn=engineers,o=example\nobjectClass: groupOfNames\ncn: engineers\n"
        f"member: {small.person_dn('alice')}\n"
    )
    directory = await directory_of(await serve(twin))
    with pytest.raises(AmbiguousNameError):
        await directory.members("engineers")
    assert len((await directory.members("cn=engineers,o=example")).members) == 1


async def test_c54_as_many_members_as_the_limit_are_not_cut(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve(*CROWD, BIG))).members("big", limit=30)
    assert (len(found.members), found.truncated) == (30, False)


async def test_c54_more_members_than_the_limit_are_told(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve(*CROWD, BIG), max_members=29)).members("big")
    assert (len(found.members), found.truncated, found.limit) == (29, True, 29)


async def test_a_group_of_ghosts_ends(serve: Serve, directory_of: DirectoryOf) -> None:
    ghosts = group_ldif("phantoms", *(f"uid=g{nth},ou=people,o=example" for nth in range(300)))
    found = await (await directory_of(await serve(ghosts))).members("phantoms", limit=10)
    assert found.truncated
    assert len(found.missing) < 300


async def test_ranges_are_followed_to_their_end(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve(*CROWD, BIG, rules=Rules(range_limit=7))
    found = await (await directory_of(server)).members("big")
    assert [member.name for member in found.members] == [f"p{nth}" for nth in range(30)]


async def test_unique_members_may_carry_bits(serve: Serve, directory_of: DirectoryOf) -> None:
    group = group_ldif(
        "unique",
        f"{small.person_dn('alice')}#'0101'B",
        small.person_dn("bob"),
        kind="groupOfUniqueNames",
        attribute="uniqueMember",
    )
    directory = await directory_of(
        await serve(group),
        server={
            "group_class": "groupOfUniqueNames",
            "group_member_attribute": "uniqueMember",
            "group_filter": Template("(&(objectclass=groupOfUniqueNames)(cn=%s*))"),
        },
    )
    found = await directory.members("unique")
    assert [member.name for member in found.members] == ["Alice Adams", "Bob Brown"]


async def test_posix_groups_name_members_by_uid(serve: Serve, directory_of: DirectoryOf) -> None:
    group = group_ldif("posix", "alice", "bob", "*", "gone", kind="posixGroup", attribute="memberUid")
    directory = await directory_of(
        await serve(group),
        server={
            "group_class": "posixGroup",
            "group_member_attribute": "memberUid",
            "group_filter": Template("(&(objectclass=posixGroup)(cn=%s*))"),
        },
    )
    found = await directory.members("posix")
    assert [member.name for member in found.members] == ["Alice Adams", "Bob Brown"]
    assert found.missing == ("*", "gone")


async def test_c42_members_outside_the_bases_are_not_looked_up(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    """A mixed group is not supported: what lies elsewhere is named as missing."""
    directory = await directory_of(
        await serve(),
        server={"person_base": DN.parse("ou=staff,o=example"), "group_base": DN.parse(small.GROUPS)},
    )
    found = await directory.members("sales")
    assert (found.members, len(found.missing)) == ((), 2)


async def test_c40_a_group_that_may_be_on_a_server_that_is_down_is_not_called_unknown(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(DEAD, await serve())
    assert (await directory.members("sales")).members
    with pytest.raises(DirectoryUnavailableError):
        await directory.members("nothing of the sort")


@pytest.mark.parametrize("member_of", [None, "memberOf"])
async def test_c55_the_groups_of_a_person(
    serve: Serve, directory_of: DirectoryOf, member_of: str | None
) -> None:
    directory = await directory_of(await serve(), server={"member_of": member_of})
    alice = await directory.resolve_login("alice")
    direct = await directory.groups_of(alice, depth=-1)
    assert {group.name for group in direct} == {"engineers", "circle-a", small.ODD_GROUP, "ghosts"}
    nested = await directory.groups_of(alice)
    assert {group.name for group in nested} - {group.name for group in direct} == {"everybody", "circle-b"}


@pytest.mark.parametrize("member_of", [None, "memberOf"])
async def test_c55_groups_outside_the_group_base_do_not_count(
    serve: Serve, directory_of: DirectoryOf, member_of: str | None
) -> None:
    outside = (
        "dn: cn=outside,ou=people,o=example\nobjectClass: groupOfNames\ncn: outside\n"
        f"member: {small.person_dn('erin')}\n"
    )
    server = {"member_of": member_of, "group_base": DN.parse(small.GROUPS)}
    directory = await directory_of(await serve(outside), server=server)
    groups = await directory.groups_of(await directory.resolve_login("erin"))
    assert [group.name for group in groups] == ["everybody"]


async def test_c55_two_servers_on_one_host_are_told_apart_by_where_the_person_lies(serve: Serve) -> None:
    elsewhere = small.LDIF.decode().replace("o=example", "o=other").replace("o: example", "o: other")
    first, second = await serve(), await serve(elsewhere)
    other = {f"{kind}_base": DN.parse("o=other") for kind in ("person", "group")}
    servers = [server_settings(first.port), server_settings(second.port, order=2, **other)]
    async with Directory(settings(servers)) as directory:
        for base in ("o=example", "o=other"):
            dn = f"uid=dave,ou=people,{base}"
            groups = await directory.groups_of(Person(dn, dn, "Dave", None, servers[0].label), depth=-1)
            assert [group.dn for group in groups] == [f"cn=sales,ou=groups,{base}"]


async def test_c55_a_group_that_the_server_refuses_to_show_does_not_hide_the_others(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    server = await serve()
    directory = await directory_of(server, server={"member_of": "memberOf"})
    alice = await directory.resolve_login("alice")
    whole = await directory.groups_of(alice, depth=-1)
    server.faults = failing(AnswerWith(50), "search", after=1, times=1)
    assert await directory.groups_of(alice, depth=-1) == whole[1:]


@pytest.mark.parametrize(("depth", "found"), [(-1, 1), (0, 1), (1, 1), (2, 2), (4, 4), (10, 7)])
async def test_c56_nesting_is_followed_so_far(
    serve: Serve, directory_of: DirectoryOf, depth: int, found: int
) -> None:
    chain = [group_ldif("g0", small.person_dn("erin"))]
    chain += [group_ldif(f"g{nth}", f"cn=g{nth - 1},ou=groups,o=example") for nth in range(1, 7)]
    directory = await directory_of(await serve(*chain))
    groups = await directory.groups_of(await directory.resolve_login("erin"), depth=depth)
    assert len([group for group in groups if group.name.startswith("g")]) == found


async def test_c56_more_than_ten_levels_are_not_to_be_had(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    with pytest.raises(ValueError, match="depth"):
        await directory.groups_of(await directory.resolve_login("erin"), depth=11)


@given(st.text(), st.text("01"))
def test_bits_are_taken_off_and_nothing_else(name: str, bits: str) -> None:
    plain = without_bits(name)
    assert without_bits(f"{plain}#'{bits}'B") == plain
    assert name.startswith(plain)
