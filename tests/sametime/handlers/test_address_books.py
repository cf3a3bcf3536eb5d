"""DIRECTORY over the port: address books, and pages where an administrator switched them on."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.directory.errors import BrowsingDisabledError, DirectoryUnavailableError, UnreachableReason
from quintet.sametime.reason import DirectoryCode, ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.directory import (
    AddressBook,
    BookList,
    BookOpened,
    CloseBook,
    DirectoryPage,
    ListBooks,
    OpenBook,
    PageMode,
    ReadPage,
    decode_response,
)
from quintet.sametime.trace import ExperimentalUsed, ServiceRefused
from support.community_directory import FakeDirectory, person, user_id
from support.sametime_server import SETTINGS, LiveClient, running, signed_in


@pytest.fixture
async def paging(people: FakeDirectory, tmp_path: Path) -> AsyncIterator[SametimeServer]:
    people.people = {name: person(name) for name in ("alice", "bob", "carol", "dave", "erin")}
    async with running(people, tmp_path, replace(SETTINGS, browse_pages=True)) as server:
        yield server


async def ask(client: LiveClient, channel: int, request: ListBooks | OpenBook | ReadPage) -> object:
    (answer,) = await client.ask(channel, request)
    return decode_response(answer.type, answer.data)


async def opened(server: SametimeServer) -> tuple[LiveClient, int]:
    alice = await signed_in(server, "alice")
    channel = await alice.open(ServiceId.DIRECTORY)
    await ask(alice, channel, ListBooks(1))
    await ask(alice, channel, OpenBook(2, 1, "Example"))
    return alice, channel


async def page(
    client: LiveClient, channel: int, mode: int = 0, text: str = "", count: int = 2
) -> DirectoryPage:
    answer = await ask(client, channel, ReadPage(5, 1, count, mode, text))
    assert isinstance(answer, DirectoryPage)
    return answer


async def test_books_are_listed_and_opened(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    channel = await alice.open(ServiceId.DIRECTORY)
    assert await ask(alice, channel, ListBooks(1)) == BookList(1, (AddressBook(1, "Example"),))
    assert await ask(alice, channel, OpenBook(2, 1, "Example")) == BookOpened(2, 1)
    unavailable = DirectoryCode.BOOK_NOT_AVAILABLE
    assert await ask(alice, channel, OpenBook(3, 9, "None")) == BookOpened(3, code=unavailable)
    assert server.sessions()[0].tasks["browse"] == 1
    await alice.close()


async def test_a_directory_that_is_away_is_told_as_such(
    server: SametimeServer, people: FakeDirectory
) -> None:
    alice = await signed_in(server, "alice")
    channel = await alice.open(ServiceId.DIRECTORY)
    people.failure = DirectoryUnavailableError.because(UnreachableReason.REFUSED)
    assert await ask(alice, channel, ListBooks(1)) == BookList(1, code=DirectoryCode.DIRECTORY_FAILED)
    people.failure = BrowsingDisabledError("off")
    assert await ask(alice, channel, ListBooks(1)) == BookList(1, code=DirectoryCode.BOOK_NOT_AVAILABLE)
    await alice.close()


async def test_where_browsing_is_switched_off_the_service_is_refused(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, browse=False)) as server:
        alice = await signed_in(server, "alice")
        channel = alice.client.create(ServiceId.DIRECTORY)
        await alice.answered(channel)
        assert alice.channel_messages(channel)[0].reason == ReasonCode.SERVICE_NOT_SUPPORTED
        assert server.counter.count(ServiceRefused) == 1
        await alice.close()


async def test_pages_are_off_by_default_and_each_wish_for_one_is_counted(server: SametimeServer) -> None:
    alice, channel = await opened(server)
    request = ReadPage(5, 1, 10)
    alice.client.send(channel, request.TYPE, request.encode())
    await alice.until(lambda: channel not in alice.client.channels)
    assert alice.channel_messages(channel)[-1].reason == ReasonCode.NOT_IMPLEMENTED
    assert server.counter.count(ServiceRefused, reason="NOT_IMPLEMENTED") == 1
    await alice.close()


async def test_pages_go_forth_and_back(paging: SametimeServer) -> None:
    alice, channel = await opened(paging)
    first, second, third = [await page(alice, channel) for _ in range(3)]
    ids = [[each.id for each in it.members] for it in (first, second, third)]
    assert ids == [[user_id("alice"), user_id("bob")], [user_id("carol"), user_id("dave")], [user_id("erin")]]
    assert [each.offset for each in (first, second, third)] == [0, 2, 4]
    assert (first.at_start, first.at_end, third.at_start, third.at_end) == (True, False, False, True)
    assert (await page(alice, channel)).code == DirectoryCode.OUT_OF_RANGE
    back = await page(alice, channel, PageMode.PREVIOUS)
    assert back.members == second.members
    assert (await page(alice, channel, PageMode.PREVIOUS)).members == first.members
    assert (await page(alice, channel, PageMode.PREVIOUS)).members == first.members
    assert paging.counter.count(ExperimentalUsed) == 7
    await alice.close()


async def test_a_page_is_found_by_the_beginning_of_a_name(paging: SametimeServer) -> None:
    alice, channel = await opened(paging)
    found = await page(alice, channel, PageMode.STARTS_WITH, "DAV")
    assert [each.short_name for each in found.members] == ["Carol Example", "Dave Example"]
    assert [each.id for each in (await page(alice, channel)).members] == [user_id("erin")]
    none = await page(alice, channel, PageMode.STARTS_WITH, "zz")
    assert none.code == DirectoryCode.NO_ENTRY_STARTS_SO
    await alice.close()


async def test_a_closed_book_has_no_pages(paging: SametimeServer) -> None:
    alice, channel = await opened(paging)
    request = CloseBook(3, 1)
    alice.client.send(channel, request.TYPE, request.encode())
    assert (await page(alice, channel)).code == DirectoryCode.BOOK_NOT_AVAILABLE
    await alice.close()


async def test_open_books_are_bounded(paging: SametimeServer) -> None:
    alice, channel = await opened(paging)
    answers = [await ask(alice, channel, OpenBook(nth, 1, "")) for nth in range(10)]
    assert sum(each.code != DirectoryCode.SUCCESS for each in answers if isinstance(each, BookOpened)) == 3
    await alice.close()


async def test_a_directory_that_goes_away_between_pages_is_told(
    paging: SametimeServer, people: FakeDirectory
) -> None:
    alice, channel = await opened(paging)
    people.failure = DirectoryUnavailableError.because(UnreachableReason.REFUSED)
    assert (await page(alice, channel)).code == DirectoryCode.DIRECTORY_FAILED
    people.failure = None
    assert (await page(alice, channel)).members
    await alice.close()
