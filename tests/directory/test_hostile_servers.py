"""Servers that answer without end or measure: clear errors, bounded memory, and nothing hangs."""

import asyncio
import re
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from quintet.directory.directory import Directory
from quintet.directory.errors import AmbiguousName, Refused, Unreachable
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
    with pytest.raises(Unreachable, match="empty pages"):
        await directory.browse(small.BASE)


async def test_browsing_goes_on_after_some_empty_pages(against: Against) -> None:
    empty = iter([True] * 20)

    def pages(request: SearchRequest) -> Iterable[Any]:
        return [page_end(b"more")] if next(empty, False) else then_done(entry(f"ou=x,{small.BASE}"))

    directory, _ = await against(pages)
    assert [each.dn for each in (await directory.browse(small.BASE)).entries][:1] == [f"ou=x,{small.BASE}"]


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
        with pytest.raises(Unreachable, match="parts"):
            await directory.members(GROUP)


async def test_c81_entries_without_end_are_cut_at_the_limit_although_the_server_does_not(
    against: Against,
) -> None:
    directory, _ = await against(
        lambda _: endless(entry("cn=Alice,o=example", cn=[b"Alice"])), max_results=20
    )
    found = await directory.resolve("alice", groups=False)
    assert (found.truncated, found.complete) == (True, False)


async def test_c48_a_server_that_ignores_the_size_limit_makes_a_login_name_ambiguous(
    against: Against,
) -> None:
    directory, _ = await against(lambda _: endless(entry("cn=Alice,o=example")))
    with pytest.raises(AmbiguousName):
        await directory.resolve_login("alice")


async def test_references_without_end_end_with_the_time(against: Against) -> None:
    reference = SearchResultReference(("ldap://elsewhere.example/",))
    directory, _ = await against(lambda _: endless(reference), operation_timeout=0.3)
    with pytest.raises(Unreachable):
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
            except (Unreachable, AmbiguousName):
                pass
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024 * 1024
    finally:
        tracemalloc.stop()


async def test_a_diagnostic_of_megabytes_is_shortened_and_steers_no_terminal(against: Against) -> None:
    directory, _ = await against(lambda _: [SearchResultDone(Result(80, "", "\x1b[2J\n" * 500_000))])
    with pytest.raises(Unreachable) as told:
        await directory.resolve("alice")
    assert len(str(told.value)) < 1000
    assert "\x1b" not in str(told.value)


async def test_more_controls_than_make_sense_break_the_protocol(against: Against) -> None:
    controls = b"\xa0\x82\x0f\xa0" + b"\x30\x05\x04\x03\x31\x2e\x32" * 571 + b"\x30\x01\x04"
    done = b"\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00" + controls
    directory, _ = await against(lambda _: [b"\x30\x82" + len(done).to_bytes(2, "big") + done])
    with pytest.raises(Unreachable, match="broke the protocol"):
        await directory.resolve("alice", groups=False)


async def test_an_entry_without_a_name_signs_nobody_in(against: Against) -> None:
    directory, _ = await against(lambda _: then_done(entry("", cn=[b"Alice"])))
    with pytest.raises(Unreachable):
        await directory.authenticate("alice", "alice-secret")


async def test_a_refusal_asks_as_many_servers_whoever_was_named(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    first, second = await serve(), await serve()
    directory = await directory_of(first, second)
    await directory.connect_all()
    asked = []
    for name in ("alice", "nobody"):
        before = first.counts + second.counts
        with pytest.raises(Refused):
            await directory.authenticate(name, "wrong")
        now = first.counts + second.counts
        asked.append({kind: now[kind] - before[kind] for kind in ("search", "bind")})
    assert asked == [{"search": 2, "bind": 1}] * 2


async def test_a_wrong_password_is_told_although_another_server_is_down(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), DEAD)
    with pytest.raises(Refused):
        await directory.authenticate("alice", "wrong")
