"""Walk 3: one level, page by page."""

import asyncio
import base64
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quintet.directory import endpoint
from quintet.directory.browse import _check, _Place, _read_token, _token
from quintet.directory.directory import Directory
from quintet.directory.errors import (
    BrowsingDisabledError,
    DirectoryUnavailableError,
    InvalidPageTokenError,
    OutOfScopeError,
    UnknownNameError,
    UnreachableReason,
)
from quintet.directory.records import Container, Group, Person
from quintet.embedded.faults import AnswerWith, Silence, Wait, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.dn import DN
from quintet.ldap.pool_config import PoolConfig
from support import small
from support.directories import DEAD, until

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]

INNER = "dn: ou=inner,ou=people,o=example\nobjectClass: organizationalUnit\nou: inner\n"
MIXED = (
    "dn: cn=crew,ou=people,o=example\nobjectClass: groupOfNames\ncn: crew\n"
    "member: uid=bob,ou=people,o=example\n"
)


async def pages(directory: Directory, dn: str, size: int) -> list[list[str]]:
    found, token = [], None
    while True:
        page = await directory.browse(dn, page_size=size, token=token)
        found.append([entry.name for entry in page.entries])
        token = page.next
        if token is None:
            return found


async def test_the_top_is_the_bases(serve: Serve, directory_of: DirectoryOf) -> None:
    page = await (await directory_of(await serve())).browse()
    assert [(type(entry), entry.dn) for entry in page.entries] == [(Container, small.BASE)]


async def test_the_top_of_a_whole_directory_is_its_naming_contexts(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), server={"person_base": DN(), "group_base": DN()})
    assert [entry.dn for entry in (await directory.browse()).entries] == [small.BASE]


async def test_containers_come_first_then_groups_then_people(serve: Serve, directory_of: DirectoryOf) -> None:
    page = await (await directory_of(await serve(INNER, MIXED))).browse(small.PEOPLE)
    kinds = [type(entry) for entry in page.entries]
    assert kinds == [Container, Group, *[Person] * 10]
    assert page.next is None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 12, 13, 100])
async def test_c82_pages_of_any_size_give_each_entry_once(
    serve: Serve, directory_of: DirectoryOf, size: int
) -> None:
    directory = await directory_of(await serve(INNER, MIXED))
    (whole,) = await pages(directory, small.PEOPLE, 1000)
    parts = await pages(directory, small.PEOPLE, size)
    assert [name for part in parts for name in part] == whole
    assert all(len(part) == size for part in parts[:-1])


async def test_a_token_survives_the_loss_of_the_connection(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    directory = await directory_of(server)
    (whole,) = await pages(directory, small.PEOPLE, 100)
    first = await directory.browse(small.PEOPLE, page_size=4)
    await server.disconnect()
    second = await directory.browse(small.PEOPLE, page_size=4, token=first.next)
    assert [entry.name for entry in (*first.entries, *second.entries)] == whole[:8]


async def test_a_page_can_be_asked_for_again(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    first = await directory.browse(small.PEOPLE, page_size=4)
    again = [await directory.browse(small.PEOPLE, page_size=4, token=first.next) for _ in range(2)]
    assert again[0].entries == again[1].entries


async def test_a_token_is_good_for_its_own_level_only(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    first = await directory.browse(small.PEOPLE, page_size=4)
    for elsewhere in (small.GROUPS, None):
        with pytest.raises(InvalidPageTokenError):
            await directory.browse(elsewhere, token=first.next)


@pytest.mark.parametrize("size", [0, -1, 1001])
async def test_a_page_has_a_reasonable_size(serve: Serve, directory_of: DirectoryOf, size: int) -> None:
    with pytest.raises(InvalidPageTokenError):
        await (await directory_of(await serve())).browse(small.PEOPLE, page_size=size)


async def test_what_lies_outside_the_bases_is_refused(serve: Serve, directory_of: DirectoryOf) -> None:
    base = DN.parse(small.PEOPLE)
    directory = await directory_of(await serve(), server={"person_base": base, "group_base": base})
    for name in (small.GROUPS, small.BASE, "o=other"):
        with pytest.raises(OutOfScopeError):
            await directory.browse(name)


@pytest.mark.parametrize("name", ["ou=nowhere,o=example", "", "no name at all"])
async def test_a_level_that_is_not_there_is_unknown(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    with pytest.raises(UnknownNameError):
        await (await directory_of(await serve())).browse(name)


async def test_c82_browsing_can_be_turned_off(serve: Serve, directory_of: DirectoryOf) -> None:
    with pytest.raises(BrowsingDisabledError):
        await (await directory_of(await serve(), browse=False)).browse()


async def test_c40_the_top_tells_of_a_server_that_is_down(serve: Serve, directory_of: DirectoryOf) -> None:
    page = await (await directory_of(await serve(), DEAD)).browse()
    assert ([entry.dn for entry in page.entries], page.complete) == ([small.BASE], False)


async def test_browsing_a_server_that_is_down_says_so(directory_of: DirectoryOf) -> None:
    with pytest.raises(DirectoryUnavailableError):
        await (await directory_of(DEAD)).browse(small.PEOPLE)


async def test_a_base_that_is_not_there_is_told(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve(), server={"person_base": DN.parse("ou=staff,o=example")})
    page = await directory.browse()
    assert ([entry.dn for entry in page.entries], page.complete) == ([small.BASE], False)
    assert page.missing_bases == ("PersonResolveBase 'ou=staff,o=example' at 127.0.0.1",)


@pytest.mark.parametrize("code", [3, 4, 11])
async def test_limits_of_the_server_cut_a_page_and_keep_what_came(
    serve: Serve, directory_of: DirectoryOf, code: int
) -> None:
    server = await serve(INNER, MIXED)
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code, after_entries=4), "search", after=2)
    page = await directory.browse(small.PEOPLE)
    assert (len(page.entries), page.next, page.truncated, page.complete) == (6, None, True, False)


@pytest.mark.parametrize("code", [3, 4, 11])
async def test_a_limit_that_lets_nothing_through_is_an_error_with_a_cure(
    serve: Serve, directory_of: DirectoryOf, code: int
) -> None:
    server = await serve()
    directory = await directory_of(server)
    server.faults = failing(AnswerWith(code, "pages are not allowed"), "search")
    with pytest.raises(DirectoryUnavailableError, match=r"pages are not allowed.*slapd: limits"):
        await directory.browse(small.PEOPLE)


async def test_all_who_browse_a_silent_server_are_answered_in_the_time_of_one_operation(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(faults=failing(Silence(), "search")), operation_timeout=0.3)
    async with asyncio.timeout(2):
        outcomes = await asyncio.gather(
            *(directory.browse(small.PEOPLE) for _ in range(20)), return_exceptions=True
        )
    whys = Counter(each.why for each in outcomes if isinstance(each, DirectoryUnavailableError))
    assert whys == {
        UnreachableReason.TIMED_OUT: 1,
        UnreachableReason.OVERLOADED: 19,
    }  # one page was asked for, the others had no turn


async def test_those_who_wait_for_their_turn_to_browse_count_as_callers(
    serve: Serve, directory_of: DirectoryOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PoolConfig", partial(PoolConfig, max_callers=2))
    gate = asyncio.Event()
    server = await serve(faults=failing(Wait(gate), "search"))
    directory = await directory_of(server)
    waiting = [asyncio.create_task(directory.browse(small.PEOPLE)) for _ in range(2)]
    await until(lambda: server.counts["search"])
    with pytest.raises(DirectoryUnavailableError) as refused:
        await directory.browse(small.PEOPLE)
    gate.set()
    assert refused.value.why is UnreachableReason.OVERLOADED
    assert all(page.entries for page in await asyncio.gather(*waiting))


async def test_c82_a_forged_token_shows_nothing_outside_the_bases(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    server, base = await serve(), DN.parse(small.PEOPLE)
    directory = await directory_of(server, server={"person_base": base, "group_base": base})
    for place in (_Place(0, small.GROUPS, 0, 0), _Place(1, small.PEOPLE, 0, 0)):
        with pytest.raises(InvalidPageTokenError):
            await directory.browse(place.dn, token=_token(place))
    assert server.counts["search"] == 0


@given(st.integers(0, 99), st.text(), st.integers(0, 2), st.integers(0, 10**9))
def test_a_token_gives_back_its_place(server: int, dn: str, kind: int, shown: int) -> None:
    place = _Place(server, dn, kind, shown)
    assert _read_token(_token(place)) == place


@given(st.binary() | st.from_regex(rb"\d* \d* \d* .*"))
@example(b"[" * 1000)
@example(b"0 3 0 o=example")
@example(b"0 0 " + b"9" * 5000 + b" o=example")
def test_a_forged_token_is_a_place_or_damaged_and_nothing_else(text: bytes) -> None:
    """The check in a token is no secret: it finds damage, not malice."""
    forged = base64.urlsafe_b64encode(_check(text) + text).decode().rstrip("=")
    try:
        place = _read_token(forged)
    except InvalidPageTokenError:
        return
    assert _read_token(_token(place)) == place


@given(st.text(max_size=80) | st.text("ABCDEFabcdef0123456789-_", max_size=80))
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(InvalidPageTokenError):
        _read_token(text)
