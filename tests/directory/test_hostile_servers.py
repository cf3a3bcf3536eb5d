"""Servers that answer without end or measure: clear errors, bounded memory, and nothing hangs."""

import asyncio
import re
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from quintet.directory.directory import Directory
from quintet.directory.errors import (
    AmbiguousNameError,
    AuthenticationError,
    DirectoryUnavailableError,
    UnknownNameError,
)
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.messages import Operation, Result, SearchRequest, SearchResultDone, SearchResultReference
from support import small
from support.directories import DEAD, server_settings, settings
from support.scripted import Script, endless, entry, page_end, scripted, then_done

Asked = list[SearchRequest]
Against = Callable[..., Awaitable[tuple[Directory, Asked]]]
Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]

GROUP = f"cn=g,{small.BASE}"


@pytest.fixture
async def against() -> AsyncIterator[Against]:
    """A directory whose server answers by a script."""
    async with AsyncExitStack() as stack:

        async def start(script: Script, **options: Any) -> tuple[Directory, Asked]:
            port, asked = await stack.enter_async_context(scripted(script))
            made = settings([server_settings(port)], **options)
            return await stack.enter_async_context(Directory(made)), asked

        yield start


async def test_a_page_without_end_and_entries_is_given_up(against: Against) -> None:
    directory, _ = await against(lambda _: [page_end(b"more")])
    with pytest.raises(DirectoryUnavailableError, match="empty pages"):
        await directory.browse(small.BASE)


async def test_browsing_goes_on_after_some_empty_pages(against: Against) -> None:
    empty = iter([True] * 20)

    def pages(request: SearchRequest) -> Iterable[Any]:
        return [page_end(b"more")] if next(empty, False) else then_done(entry(f"ou=x,{small.BASE}"))

    directory, _ = await against(pages)
    assert [each.dn for each in (await directory.browse(small.BASE)).entries][:1] == [f"ou=x,{small.BASE}"]


async def test_c82_a_server_that_knows_no_pages_is_shown_in_pages_all_the_same(against: Against) -> None:
    directory, _ = await against(
        lambda _: then_done(*(entry(f"ou={nth},{small.BASE}", cn=[b"x"]) for nth in range(10)))
    )
    sizes, names, token = [], [], None
    while True:
        page = await directory.browse(small.BASE, page_size=4, token=token)
        sizes.append(len(page.entries))
        names += [each.dn for each in page.entries]
        token = page.next
        if token is None:
            break
    assert names == [f"ou={nth},{small.BASE}" for nth in range(10)] * 3
    assert sizes == [4] * 7 + [2]


async def test_c82_pages_larger_than_asked_for_are_cut_and_the_next_one_lacks_nothing(
    against: Against,
) -> None:
    def pages() -> Iterator[Iterable[Any]]:
        entries = [entry(f"ou={nth},{small.BASE}") for nth in range(8)]
        for _ in range(2):  # from the start, twice: the cookie of a page that was too large leads past it
            yield (*entries[:6], page_end(b"6"))
        yield then_done(*entries[6:])
        while True:
            yield then_done()

    answers = pages()
    directory, _ = await against(lambda _: next(answers))
    first = await directory.browse(small.BASE, page_size=4)
    second = await directory.browse(small.BASE, page_size=4, token=first.next)
    assert [each.dn for each in (*first.entries, *second.entries)] == [
        f"ou={nth},{small.BASE}" for nth in range(8)
    ]


async def test_c82_walks_on_one_connection_do_not_mingle(against: Against) -> None:
    """Some servers keep one cookie for each connection: another's page in between would lose it."""
    left = {small.PEOPLE: 30, small.GROUPS: 30}

    def pages(request: SearchRequest) -> Iterable[Any]:
        left[request.base] -= 1
        found = entry(f"ou={left[request.base]},{request.base}")
        return [found, page_end(b"more")] if left[request.base] > 0 else then_done(found)

    directory, asked = await against(pages)
    await asyncio.gather(*(directory.browse(base, page_size=20) for base in left))
    bases = [request.base for request in asked]
    assert bases == [small.PEOPLE] * 20 + [small.GROUPS] * 20


@pytest.mark.parametrize(("step", "most"), [(1, 5), (0, 5), (0, 50)])
async def test_a_group_whose_ranges_never_end_is_told_as_cut_or_failed(
    against: Against, step: int, most: int
) -> None:
    def ranges(request: SearchRequest) -> Iterable[Operation]:
        found = re.search(r"range=(\d+)", " ".join(request.attributes))
        first = int(found[1]) if found else 0
        member = f"cn={first * step},{small.BASE}".encode()
        given = {"objectClass": [b"groupOfNames"], f"member;range={first}-{first}": [member]}
        return then_done(entry(request.base, **given))

    directory, _ = await against(ranges, max_members=most)
    if most == 5:
        assert (await directory.members(GROUP)).truncated
    else:
        with pytest.raises(DirectoryUnavailableError, match="parts"):
            await directory.members(GROUP)


async def test_c81_entries_without_end_are_cut_at_the_limit_although_the_server_does_not(
    against: Against,
) -> None:
    directory, _ = await against(
        lambda _: endless(entry("cn=Alice,o=example", cn=[b"Alice"])), max_results=20
    )
    found = await directory.resolve("alice", groups=False)
    assert (found.truncated, found.complete) == (True, False)


async def test_c81_the_server_is_asked_for_no_more_than_the_limit(against: Against) -> None:
    directory, asked = await against(lambda _: then_done(), max_results=20)
    await directory.resolve("alice")
    with pytest.raises(UnknownNameError):
        await directory.resolve_login("alice")
    assert [request.size_limit for request in asked] == [20, 20, 2]


async def test_c48_a_server_that_ignores_the_size_limit_makes_a_login_name_ambiguous(
    against: Against,
) -> None:
    directory, _ = await against(lambda _: endless(entry("cn=Alice,o=example")))
    with pytest.raises(AmbiguousNameError):
        await directory.resolve_login("alice")


async def test_references_without_end_end_with_the_time(against: Against) -> None:
    reference = SearchResultReference(("ldap://elsewhere.example/",))
    directory, _ = await against(lambda _: endless(reference), operation_timeout=0.3)
    with pytest.raises(DirectoryUnavailableError):
        await directory.resolve("alice")


@pytest.mark.parametrize("size", [3000, 100_000])
async def test_memory_is_bounded_whatever_a_server_sends(against: Against, size: int) -> None:
    flood = entry(f"cn=x,{small.BASE}", cn=[b"x" * size], member=[b"cn=y"])
    directory, _ = await against(lambda _: endless(flood), operation_timeout=0.2)
    tracemalloc.start()
    try:
        for ask in (
            directory.resolve("x"),
            directory.members(GROUP),
            directory.browse(small.BASE),
            directory.resolve_login("x"),
        ):
            try:
                async with asyncio.timeout(10):
                    await ask
            except (DirectoryUnavailableError, AmbiguousNameError):
                pass
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024 * 1024
    finally:
        tracemalloc.stop()


async def test_a_diagnostic_of_megabytes_is_shortened_and_steers_no_terminal(against: Against) -> None:
    directory, _ = await against(lambda _: [SearchResultDone(Result(80, "", "\x1b[2J\n" * 500_000))])
    with pytest.raises(DirectoryUnavailableError) as told:
        await directory.resolve("alice")
    assert len(str(told.value)) < 1000
    assert "\x1b" not in str(told.value)


async def test_more_controls_than_make_sense_break_the_protocol(against: Against) -> None:
    controls = b"\xa0\x82\x0f\xa0" + b"\x30\x05\x04\x03\x31\x2e\x32" * 571 + b"\x30\x01\x04"
    done = b"\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00" + controls
    directory, _ = await against(lambda _: [b"\x30\x82" + len(done).to_bytes(2, "big") + done])
    with pytest.raises(DirectoryUnavailableError, match="broke the protocol"):
        await directory.resolve("alice", groups=False)


async def test_a_refusal_asks_as_many_servers_whoever_was_named(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    first, second = await serve(), await serve()
    directory = await directory_of(first, second)
    await directory.connect_all()
    asked = []
    for name in ("alice", "nobody"):
        before = first.counts + second.counts
        with pytest.raises(AuthenticationError):
            await directory.authenticate(name, "wrong")
        now = first.counts + second.counts
        asked.append({kind: now[kind] - before[kind] for kind in ("search", "bind")})
    assert asked == [{"search": 2, "bind": 1}] * 2


async def test_a_wrong_password_is_told_although_another_server_is_down(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), DEAD)
    with pytest.raises(AuthenticationError):
        await directory.authenticate("alice", "wrong")
