"""Walk 2: names as typed to people and groups."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.directory.directory import Directory
from quintet.directory.errors import DirectoryUnavailableError, UnknownNameError
from quintet.directory.events import Event, Warned
from quintet.directory.records import Group, Person
from quintet.directory.resolve import _Match, _merged, may_be_resolved
from quintet.embedded.faults import AnswerWith, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Scope
from quintet.ldap.dn import DN
from quintet.ldap.filters import Template
from quintet.ldap.ldif import read_entries
from support import small
from support.directories import DEAD, settings

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]
ALICE = small.person_dn("alice")
EVERYBODY = Template("(|(objectclass=inetOrgPerson)(cn=%s))")


async def test_c49_a_prefix_finds_several_people(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve())).resolve("smi")
    assert {match.name for match in found.matches} == {"John Smith", "Johanna Smith"}
    assert (found.exact, found.complete) == (False, True)


async def test_c50_groups_are_found_beside_people(serve: Serve, directory_of: DirectoryOf) -> None:
    group = (
        "dn: cn=Alice fans,ou=groups,o=example\nobjectClass: groupOfNames\ncn: Alice fans\n"
        "member: o=example\n"
    )
    found = await (await directory_of(await serve(group))).resolve("alice")
    assert [type(match) for match in found.matches] == [Person, Group]


async def test_only_what_is_asked_for_is_searched(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    directory = await directory_of(server)
    assert (await directory.resolve("engineers", groups=False)).matches == ()
    assert server.counts["search"] == 1


@pytest.mark.parametrize(
    "name", ["Alice Adams", "alice  adams ", "ALICE@example.com", small.person_dn("alice")]
)
async def test_one_match_called_as_typed_is_exact(serve: Serve, directory_of: DirectoryOf, name: str) -> None:
    directory = await directory_of(
        await serve(),
        server={"person_filter": EVERYBODY},
    )
    found = await directory.resolve(name)
    assert (found.exact, found.matches[0].name) == (True, "Alice Adams")


async def test_one_star_at_the_end_is_dropped_and_others_are_letters(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve())
    assert len((await directory.resolve("smith*")).matches) == 2
    assert (await directory.resolve("s*th")).matches == ()
    assert (await directory.resolve("Star*")).matches[0].name == "Star* (Paren) \\Slash #1"
    assert (await directory.resolve("*")).matches == ()


@pytest.mark.parametrize("name", ["", "   ", "x" * 100_000, "\0\0", "\ud800", ")(cn=*"])
async def test_c47_odd_names_find_nothing(serve: Serve, directory_of: DirectoryOf, name: str) -> None:
    found = await (await directory_of(await serve())).resolve(name)
    assert (found.matches, found.complete) == ((), True)


async def test_an_entry_that_two_servers_hold_comes_once(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve(), await serve())).resolve("alice")
    assert len(found.matches) == 1


async def test_c39_an_entry_that_two_servers_spell_differently_comes_once_from_the_first(
    stack: AsyncExitStack, serve: Serve, directory_of: DirectoryOf
) -> None:
    spelt = small.LDIF.replace(b"dn: uid=alice,ou=people,", b"dn: UID = Alice, OU=People, ")
    other = await stack.enter_async_context(EmbeddedServer(read_entries(spelt)))
    for servers, dn in (((other,), "UID=Alice,OU=People,o=example"), ((await serve(), other), ALICE)):
        found = await (await directory_of(*servers)).resolve("alice")
        assert [match.dn for match in found.matches] == [dn]


INNER = (  # LDIF: a person and a group at the base, and in a unit below it
    "dn: ou=inner,o=example\nobjectClass: organizationalUnit\nou: inner\n",
    "dn: uid=ina,ou=inner,o=example\nobjectClass: inetOrgPerson\nuid: ina\ncn: Ina Inner\nsn: Inner\n",
    "dn: cn=inlay,ou=inner,o=example\nobjectClass: groupOfNames\ncn: inlay\nmember: o=example\n",
    "dn: uid=odo,o=example\nobjectClass: inetOrgPerson\nuid: odo\ncn: Inn Keeper\nsn: Keeper\n",
    "dn: cn=inn,o=example\nobjectClass: groupOfNames\ncn: inn\nmember: o=example\n",
)


@pytest.mark.parametrize(
    ("scope", "people", "groups"),
    [
        (Scope.SUBTREE, {"Ina Inner", "Inn Keeper"}, {"inlay", "inn"}),
        (Scope.ONE_LEVEL, {"Inn Keeper"}, {"inn"}),
    ],
)
async def test_c46_one_level_finds_what_lies_right_below_the_base_and_recursive_all(
    serve: Serve, directory_of: DirectoryOf, scope: Scope, people: set[str], groups: set[str]
) -> None:
    server = await serve(*INNER)
    for kind, expected in (("person", people), ("group", groups)):
        directory = await directory_of(server, server={f"{kind}_scope": scope})
        found = (await directory.resolve("in", people=kind == "person", groups=kind == "group")).matches
        assert {match.name for match in found} == expected


async def test_c46_one_level_signs_in_who_lies_right_below_the_base(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(*INNER), server={"person_scope": Scope.ONE_LEVEL})
    assert (await directory.resolve_login("odo")).name == "Inn Keeper"
    with pytest.raises(UnknownNameError):
        await directory.resolve_login("ina")


@pytest.mark.parametrize("kind", ["person", "group"])
async def test_a_base_that_is_not_there_makes_the_answer_incomplete_and_is_told_once(
    serve: Serve, directory_of: DirectoryOf, kind: str
) -> None:
    told: list[Event] = []
    base = {f"{kind}_base": DN.parse("ou=nowhere,o=example")}
    directory = await directory_of(await serve(), server=base, trace=told.append)
    for _ in range(2):
        found = await directory.resolve("e")
        assert found.matches
        assert not found.complete
        assert found.missing_bases == (f"{kind.title()}ResolveBase 'ou=nowhere,o=example' at 127.0.0.1",)
    (warned,) = [event for event in told if isinstance(event, Warned)]
    assert f"{kind.title()}ResolveBase 'ou=nowhere,o=example'" in warned.message


async def test_c40_a_server_that_is_down_makes_the_answer_incomplete(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    found = await (await directory_of(await serve(), DEAD)).resolve("alice")
    assert [match.name for match in found.matches] == ["Alice Adams"]
    assert (found.complete, found.unavailable) == (False, ("127.0.0.1",))


async def test_no_server_at_all_is_no_answer(directory_of: DirectoryOf) -> None:
    with pytest.raises(DirectoryUnavailableError):
        await (await directory_of(DEAD, DEAD)).resolve("alice")


async def test_c81_a_cut_list_is_told(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve(), max_results=1)).resolve("smith")
    assert (len(found.matches), found.truncated, found.complete) == (1, True, False)


async def test_c81_as_many_as_the_limit_is_not_cut(serve: Serve, directory_of: DirectoryOf) -> None:
    found = await (await directory_of(await serve(), max_results=2)).resolve("smith")
    assert (len(found.matches), found.truncated, found.complete) == (2, False, True)


@pytest.mark.parametrize("code", [3, 4, 11])
async def test_a_servers_own_limit_is_told_too(serve: Serve, directory_of: DirectoryOf, code: int) -> None:
    server = await serve()
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code, after_entries=1), "search")
    found = await directory.resolve("smith", groups=False)
    assert (len(found.matches), found.truncated, found.complete) == (1, True, False)


@pytest.mark.parametrize("code", [3, 11])
async def test_a_limit_that_lets_nothing_through_is_no_answer(
    serve: Serve, directory_of: DirectoryOf, code: int
) -> None:
    server = await serve()
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code), "search")
    with pytest.raises(DirectoryUnavailableError, match="slapd: limits"):
        await directory.resolve("smith")


@pytest.mark.parametrize("code", [3, 11])
async def test_a_login_that_a_limit_cut_short_is_neither_ambiguous_nor_somebody(
    serve: Serve, directory_of: DirectoryOf, code: int
) -> None:
    server = await serve()
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code, after_entries=1), "search")
    with pytest.raises(DirectoryUnavailableError):
        await directory.authenticate("alice", "alice-secret")


@pytest.mark.parametrize(
    ("black", "white", "name", "may"),
    [
        ((), (), "a@d.org", True),
        (("d.org",), (), "a@D.org", False),
        (("d.org",), (), "a@sub.d.org", True),
        (("*.d.org",), (), "a@sub.d.org", False),
        (("*.d.org",), (), "a@d.org*", False),
        (("*.d.org",), (), "a@bad.org", True),
        ((), ("d.org",), "a@d.org", True),
        ((), ("d.org",), "a@e.org", False),
        ((), ("d.org",), "alice", True),
    ],
)
def test_c83_lists_of_domains(
    *, black: tuple[str, ...], white: tuple[str, ...], name: str, may: bool
) -> None:
    directory = settings((), resolve_blacklist=black, resolve_whitelist=white).directory
    assert may_be_resolved(name, directory) is may


async def test_c83_a_listed_domain_reaches_no_server(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    directory = await directory_of(server, resolve_blacklist=("example.com",))
    assert (await directory.resolve("alice@example.com")).matches == ()
    assert server.counts["search"] == 0


@pytest.mark.parametrize("name", ["alice@example.co", "alice@", "alice", "Alice Adams"])
@pytest.mark.parametrize(
    "lists", [{"resolve_blacklist": ("example.com",)}, {"resolve_whitelist": ("example.co", "d.org")}]
)
async def test_c83_nobody_of_a_refused_domain_is_found_by_part_of_the_address_or_by_name(
    serve: Serve, directory_of: DirectoryOf, lists: dict[str, tuple[str, ...]], name: str
) -> None:
    server = await serve()
    assert (await (await directory_of(server)).resolve(name)).matches
    assert (await (await directory_of(server, **lists)).resolve(name)).matches == ()


@given(st.text())
def test_any_name_can_be_judged_by_the_lists(name: str) -> None:
    directory = settings((), resolve_blacklist=("*.d.org",)).directory
    assert may_be_resolved(name, directory) in (True, False)


@pytest.mark.parametrize("attribute", ["title", "telephoneNumber", "sn"])
async def test_c52_the_configured_attributes_are_what_is_shown(
    serve: Serve, directory_of: DirectoryOf, attribute: str
) -> None:
    group = (
        "dn: cn=alice fans,ou=groups,o=example\nobjectClass: groupOfNames\ncn: alice fans\n"
        f"description: They like Alice\nmember: {small.person_dn('alice')}\n"
    )
    directory = await directory_of(
        await serve(group),
        server={
            "name_attribute": attribute,
            "mail_attribute": "uid",
            "group_name_attribute": "description",
        },
    )
    shown = {"title": "Engineer", "telephoneNumber": "+49 30 1000", "sn": "Adams"}[attribute]
    person, fans = (await directory.resolve("alice")).matches
    assert (person.name, fans.name) == (shown, "They like Alice")
    assert isinstance(person, Person)
    assert person.mail == "alice"
    assert (await directory.resolve_login("alice")).name == shown
    content = await directory.members(fans.dn)
    assert (content.group.name, [each.name for each in content.members]) == ("They like Alice", [shown])
    page = await directory.browse(small.PEOPLE)
    assert shown in [each.name for each in page.entries]


async def test_c88_similar_names_are_told_apart_by_the_configured_attributes(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    group = (
        "dn: cn=smithies,ou=groups,o=example\nobjectClass: groupOfNames\ncn: smithies\n"
        f"description: All called Smith\nmember: {small.person_dn('smith1')}\n"
    )
    told = {"description_attribute": "telephoneNumber", "group_description_attribute": "description"}
    directory = await directory_of(await serve(group), server=told)
    one, other, smithies = (await directory.resolve("smith")).matches
    assert one.description != other.description
    assert all(each.description and each.description.startswith("+49 30 ") for each in (one, other))
    assert smithies.description == "All called Smith"


async def test_c88_without_these_attributes_there_is_no_description(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), server={"description_attribute": "carLicense"})
    (alice,) = (await directory.resolve("alice", groups=False)).matches
    assert alice.description is None


async def test_others_have_their_turn_while_a_thousand_long_names_are_compared() -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    dns = [f"cn={nth}{'x' * 8000},{small.BASE}" for nth in range(1000)]
    matches = [_Match(Group(dn, dn, "x", "s"), exact=False) for dn in dns]
    assert len(await _merged(matches)) == 1000
    ticking.cancel()
    assert turns >= 8000 * 1000 / (64 * 1024)
