"""RESOLVE over the port."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.sametime.reason import ReasonCode, ResolveCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.resolve import (
    MatchType,
    ResolveFlag,
    ResolveMatch,
    ResolveRequest,
    ResolveResponse,
    decode_response,
)
from support.community_directory import FakeDirectory, group_id, person, user_id
from support.directories import until
from support.sametime_server import SETTINGS, LiveClient, running, signed_in, with_limits

USERS = ResolveFlag.FIRST | ResolveFlag.USERS
GROUPS = ResolveFlag.FIRST | ResolveFlag.GROUPS
BOB = ResolveMatch(user_id("bob"), "Bob Example", "bob@example.org", MatchType.USER)


async def ask(client: LiveClient, *names: str, flags: ResolveFlag = USERS) -> ResolveResponse:
    channel = await client.open(ServiceId.RESOLVE)
    (answer,) = await client.ask(channel, ResolveRequest(7, names, flags))
    response = decode_response(answer.type, answer.data)
    assert response.request_id == 7
    return response


async def test_one_match(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    response = await ask(alice, "bo")
    assert (response.code, response.results[0].code) == (ResolveCode.SUCCESS, ResolveCode.SUCCESS)
    assert response.results[0].matches == (BOB,)
    assert server.sessions()[0].tasks["resolve-names"] == 1
    await alice.close()


async def test_names_are_answered_in_their_order_as_they_were_asked(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    response = await ask(alice, "bo", "zzz", "ca", "bo")
    assert [each.name for each in response.results] == ["bo", "zzz", "ca", "bo"]
    assert [len(each.matches) for each in response.results] == [1, 0, 1, 1]
    assert response.code == ResolveCode.SUCCESS
    await alice.close()


async def test_users_or_groups_as_wanted(server: SametimeServer, people: FakeDirectory) -> None:
    people.people["team lead"] = person("lead")
    alice = await signed_in(server, "alice")
    groups = await ask(alice, "team", flags=GROUPS)
    assert [each.type for each in groups.results[0].matches] == [MatchType.GROUP]
    assert groups.results[0].matches[0].id == group_id("team")
    users = await ask(alice, "team", flags=ResolveFlag(0))
    assert [each.id for each in users.results[0].matches] == [user_id("lead")]
    both = await ask(alice, "team", flags=ResolveFlag.USERS | ResolveFlag.GROUPS)
    assert len(both.results[0].matches) == 2
    await alice.close()


async def test_an_id_resolves_to_itself_in_the_bytes_of_the_query(
    server: SametimeServer, people: FakeDirectory
) -> None:
    alice = await signed_in(server, "alice")
    await ask(alice, "bo")
    query = user_id("bob").upper()
    response = await ask(alice, query, flags=ResolveFlag.USERS)
    assert [each.id for each in response.results[0].matches] == [query]
    assert people.calls["resolve"] == 1, "it was told lately"
    await alice.close()


async def test_an_id_among_other_matches_is_the_only_one(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.more_matches[user_id("bob")] = (person("bobby"),)
    alice = await signed_in(server, "alice")
    response = await ask(alice, user_id("bob"))
    assert response.results[0].matches == (BOB,)
    await alice.close()


async def test_unique_takes_one_match_or_none(server: SametimeServer, people: FakeDirectory) -> None:
    people.people["bobby"] = person("bobby")
    alice = await signed_in(server, "alice")
    flags = ResolveFlag.UNIQUE | ResolveFlag.USERS
    several = (await ask(alice, "bo", flags=flags)).results[0]
    assert (several.code, several.matches) == (ResolveCode.NOT_UNIQUE, ())
    one = (await ask(alice, "bobb", flags=flags)).results[0]
    assert [each.id for each in one.matches] == [user_id("bobby")]
    await alice.close()


async def test_without_all_directories_only_the_first_server_with_a_match_counts(
    people: FakeDirectory, tmp_path: Path
) -> None:
    people.people = {"x1": person("x1", "second"), "x2": person("x2", "first"), "x3": person("x3", "second")}
    people.people["alice"] = person("alice")
    async with running(people, tmp_path, replace(SETTINGS, search_order=("first", "second"))) as server:
        alice = await signed_in(server, "alice")
        first = await ask(alice, "x", flags=ResolveFlag.USERS)
        assert [each.id for each in first.results[0].matches] == [user_id("x2")]
        every = await ask(alice, "x", flags=ResolveFlag.USERS | ResolveFlag.ALL_DIRECTORIES)
        assert len(every.results[0].matches) == 3
        await alice.close()


async def test_matches_and_names_are_bounded(people: FakeDirectory, tmp_path: Path) -> None:
    people.people |= {f"x{nth}": person(f"x{nth}") for nth in range(10)}
    async with running(people, tmp_path, with_limits(matches=3, names_per_request=2)) as server:
        alice = await signed_in(server, "alice")
        assert len((await ask(alice, "x")).results[0].matches) == 3
        response = await ask(alice, "x", "y", "z")
        assert (response.code, response.results) == (ResolveCode.TOO_MANY_NAMES, ())
        await alice.close()


@pytest.mark.parametrize("name", ["", "  ", "*", " * "])
async def test_a_name_of_nothing_cannot_be_resolved(server: SametimeServer, name: str) -> None:
    alice = await signed_in(server, "alice")
    response = await ask(alice, name)
    assert response.results[0].code == ResolveCode.UNRESOLVABLE
    await alice.close()


async def test_when_no_directory_answers_the_whole_request_fails(
    server: SametimeServer, people: FakeDirectory
) -> None:
    alice = await signed_in(server, "alice")
    people.failure = DirectoryUnavailableError.because(UnreachableReason.REFUSED)
    response = await ask(alice, "bo", "ca")
    assert (response.code, response.results) == (ResolveCode.FAILURE, ())
    people.failure = None
    assert (await ask(alice, "bo")).code == ResolveCode.SUCCESS
    await alice.close()


async def test_when_some_directories_do_not_answer_the_answer_is_partial(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.unavailable = ("other",)
    alice = await signed_in(server, "alice")
    response = await ask(alice, "bo")
    assert response.code == ResolveCode.PARTIAL
    assert response.results[0].matches == (BOB,)
    await alice.close()


async def test_a_name_with_any_bytes_is_answered_with_the_same_bytes(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    names = ("\udcff\udcfe", "a;b c", "*)(uid=*", "x" * 60_000, "日本")
    response = await ask(alice, *names)
    assert tuple(each.name for each in response.results) == names
    await alice.close()


async def test_an_id_that_clients_cannot_take_is_not_told(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.people["zoe"] = replace(person("zoe"), id="uid=z\0oe")
    people.people["zed"] = replace(person("zed"), name="Z\0ed\udcff")
    alice = await signed_in(server, "alice")
    (match,) = (await ask(alice, "z")).results[0].matches
    assert (match.id, match.name) == (user_id("zed"), "Z ed\udcff")
    await alice.close()


async def test_requests_beyond_the_limit_wait_and_are_answered(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(requests_in_flight=3)) as server:
        alice = await signed_in(server, "alice")
        channel = await alice.open(ServiceId.RESOLVE)
        people.gate = asyncio.Event()
        for nth in range(50):
            request = ResolveRequest(nth, (f"name{nth}",), USERS)
            alice.client.send(channel, request.TYPE, request.encode())
        await alice.flush()
        await until(lambda: people.calls["resolve"])
        assert people.calls["resolve"] <= 3
        people.gate.set()
        await alice.until(lambda: len(alice.sent(channel)) == 50)
        numbers = [decode_response(each.type, each.data).request_id for each in alice.sent(channel)]
        assert sorted(numbers) == list(range(50))
        await alice.close()


async def test_a_malformed_request_costs_the_channel_only(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    channel = await alice.open(ServiceId.RESOLVE)
    alice.client.send(channel, 2, b"\0\0\0")
    await alice.until(lambda: channel not in alice.client.channels)
    assert alice.channel_messages(channel)[-1].reason == ReasonCode.BAD_DATA
    assert (await ask(alice, "bo")).results[0].matches == (BOB,)
    await alice.close()


async def test_a_channel_that_is_closed_meanwhile_gets_no_answer(
    server: SametimeServer, people: FakeDirectory
) -> None:
    alice = await signed_in(server, "alice")
    channel = await alice.open(ServiceId.RESOLVE)
    people.gate = asyncio.Event()
    request = ResolveRequest(1, ("bo",), USERS)
    alice.client.send(channel, request.TYPE, request.encode())
    alice.client.destroy(channel)
    await alice.settle()
    people.gate.set()
    await alice.settle()
    assert alice.sent(channel) == []
    await alice.close()


async def test_c88_the_description_of_the_directory_comes_before_the_mail_address(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.people["described"] = replace(person("described"), description="Room 7")
    alice = await signed_in(server, "alice")
    (match,) = (await ask(alice, "described")).results[0].matches
    assert match.description == "Room 7"
    await alice.close()
