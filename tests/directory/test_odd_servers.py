"""Servers that are unlike most: without pages, without a naming context, with groups of several classes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from quintet.directory.directory import Directory
from quintet.directory.errors import (
    DirectoryUnavailableError,
    InvalidPageTokenError,
    UnknownGroupError,
    UnknownNameError,
)
from quintet.directory.events import Event, Warned
from quintet.directory.records import Container, Group
from quintet.directory.services import Service
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.dn import DN
from quintet.ldap.errors import UnavailableCriticalExtension
from quintet.ldap.filters import Template
from quintet.ldap.messages import Result, SearchRequest, SearchResultDone
from support import small
from support.scripted import entry, then_done

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]
Against = Callable[..., Awaitable[tuple[Directory, list[SearchRequest]]]]

ALICE, BOB, CAROL = (small.person_dn(uid) for uid in ("alice", "bob", "carol"))
ROOT = DN()

SEVERAL = {
    "group_class": "groupOfNames, groupOfUniqueNames, organizationalRole",
    "group_member_attribute": "member,uniqueMember,memberUid",
    "group_filter": Template("(&(|(objectclass=groupOfNames)(objectclass=groupOfUniqueNames))(cn=%s*))"),
}
UNIQUE = f"dn: cn=unique,{small.GROUPS}\nobjectClass: groupOfUniqueNames\ncn: unique\nuniqueMember: {BOB}\n"
MIXED = (
    f"dn: cn=mixed,{small.GROUPS}\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: mixed\n"
    f"member: {ALICE}\nmember: cn=unique,{small.GROUPS}\nmemberUid: carol\nmemberUid: nobody\n"
)


# Groups of several classes.


async def test_groups_of_several_classes_are_found_browsed_and_opened(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(UNIQUE, MIXED), server=SEVERAL)
    assert [match.dn for match in (await directory.resolve("unique", people=False)).matches] == [
        f"cn=unique,{small.GROUPS}"
    ]
    level = (await directory.browse(small.GROUPS)).entries
    assert {"unique", "mixed", "engineers"} <= {each.name for each in level if isinstance(each, Group)}
    assert not [each for each in level if isinstance(each, Container)]
    assert [member.dn for member in (await directory.members("unique")).members] == [BOB]


async def test_members_are_read_from_every_attribute_and_nested_groups_are_of_any_class(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(UNIQUE, MIXED), server=SEVERAL)
    found = await directory.members("mixed")
    assert {member.dn for member in found.members} == {ALICE, BOB, CAROL}
    assert [group.name for group in found.groups] == ["unique"]
    assert found.missing == ("nobody",)


# Containers.


def answers_success(request: SearchRequest) -> Iterable[Any]:
    """As some servers do for an entry that does not exist."""
    return then_done()


async def test_a_container_that_does_not_exist_is_an_error_also_where_the_server_calls_it_empty(
    against: Against,
) -> None:
    directory, _ = await against(answers_success)
    with pytest.raises(UnknownNameError):
        await directory.browse(f"ou=absent,{small.BASE}")


async def test_an_empty_container_is_an_empty_page(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(
        await serve(f"dn: ou=empty,{small.BASE}\nobjectClass: organizationalUnit\n")
    )
    page = await directory.browse(f"ou=empty,{small.BASE}")
    assert (page.entries, page.next, page.complete) == ((), None, True)


# Pages.


def without_pages(count: int, *, limit: int | None = None) -> Callable[[SearchRequest], Iterable[Any]]:
    """A server that refuses the paging control (its requests have no size limit), with `count` containers."""

    def answer(request: SearchRequest) -> Iterable[Any]:
        if request.scope == 0:
            return then_done(entry(request.base))
        if not request.size_limit:
            return [SearchResultDone(Result(UnavailableCriticalExtension.code))]
        if b"organizationalUnit" not in bytes(request.filter.encode()):
            return then_done()
        most = min(request.size_limit, limit or request.size_limit)
        found = [entry(f"ou={nth},{request.base}") for nth in range(min(count, most))]
        return [*found, SearchResultDone(Result(4 if most < count else 0))]

    return answer


async def test_c82_a_server_without_pages_is_browsed_and_that_is_told_once(against: Against) -> None:
    told: list[Event] = []
    directory, asked = await against(without_pages(10), trace=told.append)
    names, token = [], None
    while True:
        page = await directory.browse(small.BASE, page_size=4, token=token)
        names += [each.dn for each in page.entries]
        assert not page.truncated
        token = page.next
        if token is None:
            break
    assert names == [f"ou={nth},{small.BASE}" for nth in range(10)]
    assert [each.service for each in told if isinstance(each, Warned)] == [Service.BROWSE]
    assert len([each for each in asked if not each.size_limit]) == 1


async def test_c82_where_a_server_without_pages_ends_at_its_own_limit_the_page_says_so(
    against: Against,
) -> None:
    directory, _ = await against(without_pages(10, limit=6))
    first = await directory.browse(small.BASE, page_size=4)
    second = await directory.browse(small.BASE, page_size=4, token=first.next)
    assert [each.dn for each in (*first.entries, *second.entries)] == [
        f"ou={nth},{small.BASE}" for nth in range(6)
    ]
    assert (first.truncated, second.truncated, second.complete, second.next) == (False, True, False, None)


# The root.


def domino(context: bytes) -> Callable[[SearchRequest], Iterable[Any]]:
    def answer(request: SearchRequest) -> Iterable[Any]:
        if request.base == "" and request.scope == 0:
            return then_done(entry("", namingContexts=[context]))
        if request.base == "" and request.scope == 1:
            if b"organization" in bytes(request.filter.encode()):
                return then_done(entry("O=Acme"), entry(""))
            return then_done(entry("CN=Everybody", cn=[b"Everybody"]))
        if request.base == "O=Acme":
            return then_done(entry("O=Acme" if request.scope == 0 else "OU=Sales,O=Acme"))
        return then_done()

    return answer


@pytest.mark.parametrize("context", [b"\0", b"", b" "])
async def test_the_root_of_domino_is_browsed_by_what_stands_below_it(
    against: Against, context: bytes
) -> None:
    directory, _ = await against(domino(context), server={"person_base": ROOT, "group_base": ROOT})
    page = await directory.browse()
    assert [type(each) for each in page.entries] == [Container, Group]
    assert [each.dn for each in page.entries] == ["O=Acme", "CN=Everybody"]
    assert (await directory.browse("O=Acme")).entries[0].dn == "OU=Sales,O=Acme"


# Words and names.


async def test_c57_a_server_that_wants_a_bind_is_said_to_want_an_account(against: Against) -> None:
    """Active Directory answers anonymous searches with result 1."""
    directory, _ = await against(
        lambda _: [SearchResultDone(Result(1, "", "a successful bind must be completed"))]
    )
    for ask in (directory.resolve, directory.resolve_login, directory.members):
        with pytest.raises(DirectoryUnavailableError) as unavailable:
            await ask("alice")
        assert "BindEntryDn" in (unavailable.value.fix or "")


@pytest.mark.parametrize(
    ("dn", "attributes"),
    [(f"uid=,{small.BASE}", {}), ("cn=B,o=example", {"cn": [b" "], "Mail": [b""]}), ("no name", {})],
)
async def test_an_entry_without_a_name_is_called_something(
    against: Against, dn: str, attributes: dict[str, list[bytes]]
) -> None:
    directory, _ = await against(lambda _: then_done(entry(dn, **attributes)))
    (found,) = (await directory.resolve("alice", groups=False)).matches
    assert found.name.strip()


# Bounds.

TOO_LONG = ["x" * 1025, "é" * 600, f"cn={'x' * 1100},{small.BASE}", "x" * 300_000]


@pytest.mark.parametrize("name", [*TOO_LONG, "a\0b", f"cn=a\0,{small.BASE}"], ids=lambda name: str(len(name)))
async def test_no_name_that_is_too_long_or_has_a_nul_reaches_a_server(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    server = await serve()
    directory = await directory_of(server)
    assert not (await directory.resolve(name)).matches
    for ask, error in (
        (directory.resolve_login, UnknownNameError),
        (directory.members, UnknownGroupError),
        (directory.browse, UnknownNameError),
    ):
        with pytest.raises(error):
            await ask(name)
    with pytest.raises(InvalidPageTokenError):
        await directory.browse(small.BASE, token=name * 3)
    assert server.counts["search"] == 0


MARKS = "a" + "\u0323\u0301" * 4000
HOSTILE = {
    "combining marks in a name": entry(
        f"cn={MARKS},{small.BASE}", cn=[MARKS.encode()], Mail=[MARKS.encode()]
    ),
    "a huge name": entry(f"cn={'x' * 3_000_000},{small.BASE}", cn=[b"x" * 3_000_000]),
    "a huge DN of many parts": entry(",".join(["cn=a"] * 500_000)),
    "many attributes": entry(ALICE, **{f"a{nth}": [b"x"] for nth in range(1_700)}),
    "a huge member": entry(ALICE, Member=[b"cn=" + b"a" * 12_000_000 + b",o=example"]),
    "members of marks": entry(ALICE, Member=[f"cn={nth}{MARKS},o=example".encode() for nth in range(100)]),
    "one member again and again": entry(ALICE, Member=[BOB.encode()] * 100_000),
    "members outside the base": entry(ALICE, Member=[b"cn=a,o=elsewhere"] * 50_000),
}


@pytest.mark.parametrize("found", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_answer_of_a_server_holds_the_event_loop_for_long(against: Against, found: Any) -> None:
    """The goal is 50 ms of CPU time; a slow machine is given more, and the test's own server its share."""
    directory, _ = await against(lambda _: then_done(found), operation_timeout=20.0)
    longest, over = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while not over.is_set():
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    for ask in (directory.resolve(MARKS[:300]), directory.members("alice"), directory.browse(small.BASE)):
        try:
            await ask
        except (DirectoryUnavailableError, UnknownGroupError):
            continue
    over.set()
    await watching
    assert longest < 0.25
