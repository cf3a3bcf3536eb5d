"""STORAGE over the port: nobody's list is lost, whatever the database does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.sametime.neighbours import StoredChange
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.storage import (
    EMPTY_TEXT,
    LoadValues,
    SaveValues,
    StorageKey,
    StoredValue,
    ValuesLoaded,
    ValuesSaved,
    decode_response,
    value_of,
)
from quintet.sametime.storage import CONTACT_LIST, DatabaseAddress, StorageUnavailableError, ValueStore
from quintet.sametime.trace import ServiceRefused, StorageChanged, StorageState, ValueSaved
from quintet.sametime.wire.messages import ChannelDestroy, SenseService
from support.community_directory import FakeDirectory, user_id
from support.postgres import Postgres
from support.sametime_server import (
    SETTINGS,
    LiveClient,
    let_hear_of_saves,
    no_answer,
    running,
    signed_in,
    with_limits,
)

LIST = value_of("Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob1:: Bob,\r\n")
OTHER = value_of("Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob1:: Bob,\r\nU uid=carol1:: Carol,\r\n")
THIRD = value_of("Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob1:: Bob,\r\nU uid=dave1:: Dave,\r\n")
ALL_THREE = value_of(
    "Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob1:: Bob,\r\nU uid=carol1:: Carol,\r\nU uid=dave1:: Dave,\r\n"
)


async def load(client: LiveClient, channel: int, *keys: int) -> ValuesLoaded:
    (answer,) = await client.ask(channel, LoadValues(3, keys))
    response = decode_response(answer.type, answer.data)
    assert isinstance(response, ValuesLoaded)
    assert response.request_id == 3
    return response


async def save(client: LiveClient, channel: int, key: int, value: bytes) -> int:
    (answer,) = await client.ask(channel, SaveValues(4, (StoredValue(key, value),)))
    response = decode_response(answer.type, answer.data)
    assert isinstance(response, ValuesSaved)
    assert response.request_id == 4
    return response.code


async def opened(server: SametimeServer, name: str = "alice") -> tuple[LiveClient, int]:
    client = await signed_in(server, name)
    return client, await client.open(ServiceId.STORAGE)


async def refused(client: LiveClient) -> int:
    """Try to open the channel; the reason of the refusal."""
    channel = client.client.create(ServiceId.STORAGE)
    await client.answered(channel)
    (answer,) = client.channel_messages(channel)
    assert isinstance(answer, ChannelDestroy)
    return answer.reason


async def test_a_list_that_was_never_stored_is_a_failure_and_other_keys_are_empty(
    server: SametimeServer,
) -> None:
    alice, channel = await opened(server)
    for key in (StorageKey.CONTACT_LIST, StorageKey.CONTACT_LIST_XML):
        assert await load(alice, channel, key) == ValuesLoaded(3, (), ReasonCode.NO_SUCH_ELEMENT)
    assert await load(alice, channel, 0x50) == ValuesLoaded(3, (StoredValue(0x50, EMPTY_TEXT),))
    await alice.close()


async def test_a_list_is_kept_across_a_restart(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path) as server:
        alice, channel = await opened(server)
        await load(alice, channel, CONTACT_LIST)
        assert await save(alice, channel, CONTACT_LIST, LIST) == ReasonCode.SUCCESS
        assert await load(alice, channel, CONTACT_LIST) == ValuesLoaded(3, (StoredValue(0, LIST),))
        await alice.close()
    async with running(people, tmp_path) as server:
        alice, channel = await opened(server)
        assert await load(alice, channel, CONTACT_LIST) == ValuesLoaded(3, (StoredValue(0, LIST),))
        await alice.close()


async def test_other_clients_open_the_channel_by_their_own_protocol(server: SametimeServer) -> None:
    alice, channel = await opened(server)
    await load(alice, channel, CONTACT_LIST)
    await save(alice, channel, CONTACT_LIST, LIST)
    second = await signed_in(server, "alice")
    number = second.client.create(ServiceId.STORAGE)
    create = second.client._out.pop()
    second.client._out.append(create.replace(b"\0\0\0\x18\0\0\0\x25", b"\0\0\0\x18\0\0\0\x19"))
    await second.answered(number)
    assert (await load(second, number, CONTACT_LIST)).values == (StoredValue(0, LIST),)
    for each in (alice, second):
        await each.close()


async def test_several_keys_are_loaded_and_saved_at_once(server: SametimeServer) -> None:
    alice, channel = await opened(server)
    values = (StoredValue(0x50, value_of("away")), StoredValue(200_000, b"\0\0\0\7"))
    (answer,) = await alice.ask(channel, SaveValues(4, values))
    assert decode_response(answer.type, answer.data) == ValuesSaved(4)
    assert (await load(alice, channel, 0x50, 200_000)).values == values
    await alice.close()


@pytest.mark.parametrize("key", [StorageKey.CONTACT_LIST, StorageKey.CONTACT_LIST_XML])
async def test_a_list_is_taken_only_in_a_session_whose_load_was_answered(
    server: SametimeServer, key: int
) -> None:
    alice, channel = await opened(server)
    await load(alice, channel, key)
    await save(alice, channel, key, LIST)
    second, other = await opened(server)
    assert await save(second, other, key, OTHER) == ReasonCode.INVALID_REQUEST
    assert (await load(alice, channel, key)).values == (StoredValue(key, LIST),)
    await load(second, other, key)
    assert await save(second, other, key, OTHER) == ReasonCode.SUCCESS
    for each in (alice, second):
        await each.close()


async def test_two_sessions_that_change_the_list_lose_nothing(server: SametimeServer) -> None:
    alice, channel = await opened(server)
    await load(alice, channel, CONTACT_LIST)
    await save(alice, channel, CONTACT_LIST, LIST)
    second, other = await opened(server)
    await load(second, other, CONTACT_LIST)
    await save(alice, channel, CONTACT_LIST, OTHER)
    assert await save(second, other, CONTACT_LIST, THIRD) == ReasonCode.SUCCESS
    assert server.counter.count(ValueSaved, outcome="merged") == 1
    assert (await load(alice, channel, CONTACT_LIST)).values == (StoredValue(0, ALL_THREE),)
    for each in (alice, second):
        await each.close()


async def test_values_are_bounded(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(value_size=1024, values=2)) as server:
        alice, channel = await opened(server)
        assert await save(alice, channel, 1, b"x" * 1025) == ReasonCode.OUT_OF_RESOURCES
        assert [await save(alice, channel, key, b"x") for key in (1, 2, 3)] == [
            ReasonCode.SUCCESS,
            ReasonCode.SUCCESS,
            ReasonCode.OUT_OF_RESOURCES,
        ]
        await alice.close()


async def test_first_contacts_fill_a_list_that_was_never_stored(
    people: FakeDirectory, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, first_contacts=(("cn=all staff", "All Staff"),))
    async with running(people, tmp_path, settings) as server:
        alice, channel = await opened(server)
        (value,) = (await load(alice, channel, CONTACT_LIST)).values
        assert value.value == value_of("Version=3.1.3\r\nG cn=all;staff3 All;Staff O\r\n")
        await save(alice, channel, CONTACT_LIST, LIST)
        assert (await load(alice, channel, CONTACT_LIST)).values == (StoredValue(0, LIST),)
        await alice.close()


async def test_a_sense_request_is_answered_while_the_database_is_there(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    alice.client.say(SenseService(ServiceId.STORAGE))
    await alice.until(lambda: alice.messages(SenseService))
    assert alice.messages(SenseService) == [SenseService(ServiceId.STORAGE)]
    await alice.close()


# The database is away


@pytest.fixture
async def postgres_server(
    people: FakeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SametimeServer, Postgres, DatabaseAddress]]:
    """A server whose database the test may stop."""
    monkeypatch.setattr("quintet.sametime.store_keeper._CHECK_EVERY", 0.1)
    with Postgres() as postgres:
        address = DatabaseAddress.parse(postgres.new_database(), tmp_path)
        async with running(people, tmp_path, database=address) as server:
            yield server, postgres, address


async def store_list(address: DatabaseAddress, value: bytes = LIST) -> None:
    store = await ValueStore.open(address)
    await store.save(user_id("alice"), CONTACT_LIST, value)
    await store.close()


async def stored_list(address: DatabaseAddress) -> bytes:
    store = await ValueStore.open(address)
    found = await store.load(user_id("alice"), [CONTACT_LIST])
    await store.close()
    return found[CONTACT_LIST].value


@pytest.mark.real
async def test_who_signs_in_while_the_database_is_away_is_refused_the_channel_and_comes_back_to_the_same_list(
    postgres_server: tuple[SametimeServer, Postgres, DatabaseAddress],
) -> None:
    server, postgres, address = postgres_server
    await store_list(address)
    await asyncio.to_thread(postgres.stop)
    alice = await signed_in(server, "alice")
    assert await refused(alice) == ReasonCode.SERVICE_NOT_SUPPORTED
    alice.client.say(SenseService(ServiceId.STORAGE))
    await alice.settle()
    assert alice.messages(SenseService) == [], "an answer would let the client come back without a load"
    assert not server.database_available
    assert server.counter.count(ServiceRefused, service="STORAGE (0x18)") == 1
    await asyncio.to_thread(postgres.start)
    await alice.until_closed()
    assert alice.client.ended is None, "the client comes back by itself"
    again, channel = await opened(server)
    assert (await load(again, channel, CONTACT_LIST)).values == (StoredValue(0, LIST),)
    assert server.counter.count(StorageChanged, state=StorageState.AVAILABLE) == 1
    for each in (alice, again):
        await each.close()


@pytest.mark.real
async def test_a_load_that_fails_closes_the_connection_without_an_answer(
    postgres_server: tuple[SametimeServer, Postgres, DatabaseAddress],
) -> None:
    server, postgres, address = postgres_server
    await store_list(address)
    alice, channel = await opened(server)
    await load(alice, channel, CONTACT_LIST)
    await asyncio.to_thread(postgres.stop)
    request = LoadValues(3, (CONTACT_LIST,))
    before = len(alice.sent(channel))
    alice.client.send(channel, request.TYPE, request.encode())
    await alice.until_closed()
    assert len(alice.sent(channel)) == before
    assert alice.client.ended is None
    await alice.close()


@pytest.mark.real
async def test_a_save_waits_for_the_database_and_is_answered_after_its_commit(
    postgres_server: tuple[SametimeServer, Postgres, DatabaseAddress],
) -> None:
    server, postgres, address = postgres_server
    alice, channel = await opened(server)
    await load(alice, channel, CONTACT_LIST)
    await asyncio.to_thread(postgres.stop)
    request = SaveValues(4, (StoredValue(CONTACT_LIST, LIST),))
    before = len(alice.sent(channel))
    alice.client.send(channel, request.TYPE, request.encode())
    await alice.settle()
    assert len(alice.sent(channel)) == before
    await asyncio.to_thread(postgres.start)
    await alice.until(lambda: len(alice.sent(channel)) > before)
    answer = alice.sent(channel)[-1]
    assert decode_response(answer.type, answer.data) == ValuesSaved(4)
    assert await stored_list(address) == LIST
    await alice.close()


@pytest.mark.real
async def test_a_save_that_waited_too_long_is_a_failure(
    postgres_server: tuple[SametimeServer, Postgres, DatabaseAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, postgres, _ = postgres_server
    monkeypatch.setattr("quintet.sametime.handlers.stored_values._SAVE_WAITS", 0.1)
    alice, channel = await opened(server)
    await load(alice, channel, CONTACT_LIST)
    await asyncio.to_thread(postgres.stop)
    assert await save(alice, channel, CONTACT_LIST, LIST) == ReasonCode.SERVER_NOT_RESPONDING
    await alice.close()


@pytest.mark.real
async def test_people_who_are_signed_in_stay_so_while_the_database_is_away(
    postgres_server: tuple[SametimeServer, Postgres, DatabaseAddress],
) -> None:
    server, postgres, _ = postgres_server
    alice, channel = await opened(server)
    await load(alice, channel, CONTACT_LIST)
    await asyncio.to_thread(postgres.stop)
    bob = await signed_in(server, "bob")
    await refused(bob)
    await asyncio.to_thread(postgres.start)
    await bob.until_closed()
    await alice.settle()
    assert [each.user_id for each in server.sessions()] == [user_id("alice")]
    for each in (alice, bob):
        await each.close()


@pytest.mark.real
async def test_a_standby_shows_lists_and_a_save_waits_until_it_is_the_primary(
    people: FakeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setattr("quintet.sametime.store_keeper._CHECK_EVERY", 0.1)
    url = postgres.new_database()
    await store_list(DatabaseAddress.parse(url, tmp_path))
    with postgres.standby() as standby:
        address = DatabaseAddress.parse(url.replace(f":{postgres.port}/", f":{standby.port}/"), tmp_path)
        async with running(people, tmp_path, database=address) as server:
            assert server.database_state is StorageState.READ_ONLY
            alice, channel = await opened(server)
            assert (await load(alice, channel, CONTACT_LIST)).values == (StoredValue(0, LIST),)
            request = SaveValues(4, (StoredValue(CONTACT_LIST, OTHER),))
            before = len(alice.sent(channel))
            alice.client.send(channel, request.TYPE, request.encode())
            await alice.settle()
            assert len(alice.sent(channel)) == before
            await asyncio.to_thread(standby.promote)
            await alice.until(lambda: len(alice.sent(channel)) > before)
            answer = alice.sent(channel)[-1]
            assert decode_response(answer.type, answer.data) == ValuesSaved(4)
            assert server.counter.count(StorageChanged, state=StorageState.UNAVAILABLE) == 0
            await alice.close()
        assert await stored_list(address) == OTHER


@pytest.mark.real
async def test_a_server_that_hangs_at_the_start_keeps_nothing_but_storage_from_working(
    people: FakeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.sametime.store_keeper._START_WAITS", 0.1)
    monkeypatch.setattr("quintet.sametime.store_keeper._CHECK_EVERY", 0.1)
    with Postgres() as postgres:
        address = DatabaseAddress.parse(postgres.new_database(), tmp_path)
        with postgres.frozen():
            server_of_the_test = running(people, tmp_path, database=address)
            server = await server_of_the_test.__aenter__()
            alice = await signed_in(server, "alice")
            assert await refused(alice) == ReasonCode.SERVICE_NOT_SUPPORTED
        await alice.until_closed()
        again, channel = await opened(server)
        assert (await load(again, channel, CONTACT_LIST)).code == ReasonCode.NO_SUCH_ELEMENT
        for each in (alice, again):
            await each.close()
        await server_of_the_test.__aexit__(None, None, None)


@pytest.mark.real
async def test_a_save_that_never_succeeds_is_given_up_however_often_the_database_seems_to_be_back(
    people: FakeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.sametime.store_keeper._CHECK_EVERY", 0.01)
    monkeypatch.setattr("quintet.sametime.handlers.stored_values._SAVE_WAITS", 0.3)

    async def fail(*_: object, **__: object) -> None:
        raise StorageUnavailableError("this value alone fails")

    async with running(people, tmp_path) as server:
        alice, channel = await opened(server)
        await load(alice, channel, CONTACT_LIST)
        monkeypatch.setattr(ValueStore, "save", fail)
        assert await save(alice, channel, CONTACT_LIST, LIST) == ReasonCode.SERVER_NOT_RESPONDING
        await alice.close()


# Other nodes


async def test_a_save_at_another_node_reaches_the_sessions_that_did_not_load_yet(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path) as one, running(people, tmp_path) as other:
        let_hear_of_saves(one, lambda change: other.carry_out(change, no_answer))
        first, channel = await opened(one)
        await load(first, channel, CONTACT_LIST)
        second, late = await opened(other)
        await save(first, channel, CONTACT_LIST, LIST)
        assert (await load(second, late, CONTACT_LIST)).values == (StoredValue(0, LIST),)
        for each in (first, second):
            await each.close()


async def test_each_change_is_told_to_other_nodes_with_the_current_version(server: SametimeServer) -> None:
    told = list[StoredChange]()
    let_hear_of_saves(server, told.append)
    alice, channel = await opened(server)
    second, other = await opened(server)
    for client, number in ((alice, channel), (second, other)):
        await load(client, number, CONTACT_LIST)
    for client, number, value in ((alice, channel, OTHER), (alice, channel, OTHER), (second, other, THIRD)):
        await save(client, number, CONTACT_LIST, value)
    assert [each.version for each in told] == [1, 3]
    assert {(each.user_id, each.key) for each in told} == {(user_id("alice"), CONTACT_LIST)}
    for each in (alice, second):
        await each.close()
