"""Each fault does what its name says, to the operations it is for, and to no others."""

import asyncio

import pytest

from quintet.embedded.faults import (
    AnswerWith,
    Cut,
    Delay,
    Drop,
    Endless,
    Fault,
    Faults,
    Garbage,
    Notice,
    Silence,
    Wait,
    WrongId,
    failing,
)
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.filters import parse
from quintet.ldap.ldif import read_entries
from quintet.ldap.messages import (
    AbandonRequest,
    ExtendedRequest,
    ExtendedResponse,
    SearchRequest,
    SearchResultEntry,
)
from support.raw_client import RawClient, code

ENTRIES = tuple(
    read_entries("dn: o=example\no: example\n\ndn: ou=a,o=example\nou: a\n\ndn: ou=b,o=example\nou: b\n")
)
ALL = SearchRequest("o=example", 2, parse("(|(o=*)(ou=*))"))


async def test_a_fault_is_for_one_kind_of_operation_and_a_while() -> None:
    faults = failing(AnswerWith(51), "search", after=1, times=2)
    async with EmbeddedServer(ENTRIES, faults=faults) as server, RawClient(server.port) as client:
        assert await client.bind("", "") == 0
        assert [code(await client.ask(ALL)) for _ in range(5)] == [0, 51, 51, 0, 0]


async def test_the_first_fault_that_applies_decides() -> None:
    faults = Faults((Fault(AnswerWith(51), times=1), Fault(AnswerWith(52))))
    async with EmbeddedServer(ENTRIES, faults=faults) as server, RawClient(server.port) as client:
        assert await client.bind("", "") == 51
        assert code(await client.ask(ALL)) == 52
        server.faults = Faults()
        assert code(await client.ask(ALL)) == 0


async def test_an_answer_waits_for_its_event() -> None:
    event = asyncio.Event()
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Wait(event), "search", times=1)) as server,
        RawClient(server.port) as client,
    ):
        waiting, quick = client.send(ALL), client.send(ALL)
        assert {(await client.receive()).id for _ in range(4)} == {quick}
        event.set()
        assert (await client.receive()).id == waiting


async def test_a_late_answer_is_still_an_answer() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Delay(0.001))) as server,
        RawClient(server.port) as client,
    ):
        assert code(await client.ask(ALL)) == 0


async def test_an_abandoned_silence_ends() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Silence(), times=1)) as server,
        RawClient(server.port) as client,
    ):
        client.send(AbandonRequest(client.send(ALL)))
        assert await client.bind("", "") == 0
        assert server.counts["abandon"] == 1


async def test_some_entries_come_before_a_failure() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(AnswerWith(4, "enough", after_entries=2))) as server,
        RawClient(server.port) as client,
    ):
        answer = await client.ask(ALL)
        assert (len(answer), code(answer)) == (3, 4)


async def test_a_drop_ends_the_connection_without_an_answer() -> None:
    async with EmbeddedServer(ENTRIES, faults=failing(Drop())) as server, RawClient(server.port) as client:
        client.send(ALL)
        assert await client.rest() == b""


async def test_a_cut_answer_stops_in_the_middle() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Cut(40, drop=True))) as server,
        RawClient(server.port) as client,
    ):
        client.send(ALL)
        assert len(await client.rest()) == 40


async def test_a_cut_answer_can_leave_the_connection_open() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Cut(40), times=1)) as server,
        RawClient(server.port) as client,
    ):
        client.send(ALL)
        await client.octet_string(40)
        assert code(await client.ask(ALL)) == 0


async def test_garbage_comes_as_it_is() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Garbage(b"garbage"))) as server,
        RawClient(server.port) as client,
    ):
        client.send(ALL)
        assert await client.octet_string(7) == b"garbage"


async def test_a_wrong_id_answers_what_nobody_asked() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(WrongId(7))) as server,
        RawClient(server.port) as client,
    ):
        number = client.send(ALL)
        assert (await client.receive()).id == number + 7


async def test_endless_entries_wait_for_the_reader_and_end_when_abandoned() -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(Endless(), times=1)) as server,
        RawClient(server.port) as client,
    ):
        number = client.send(ALL)
        for _ in range(2000):
            assert isinstance((await client.receive()).op, SearchResultEntry)
        client.send(AbandonRequest(number))
        again = client.send(ALL)
        while (await client.receive()).id != again:
            pass


async def test_a_notice_of_disconnection_is_the_last_word() -> None:
    async with EmbeddedServer(ENTRIES, faults=failing(Notice())) as server, RawClient(server.port) as client:
        client.send(ALL)
        notice = await client.receive()
        assert (notice.id, type(notice.op)) == (0, ExtendedResponse)
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("action", "seen"), [(Drop(), b""), (Garbage(b"hello"), b"hello")], ids=["drop", "garbage"]
)
async def test_faults_can_befall_a_connection_at_once(action: Drop | Garbage, seen: bytes) -> None:
    async with (
        EmbeddedServer(ENTRIES, faults=failing(action, "connect", times=1)) as server,
        RawClient(server.port) as client,
    ):
        assert await (client.octet_string(5) if seen else client.rest()) == seen


async def test_leaving_the_server_ends_what_hangs() -> None:
    async with EmbeddedServer(ENTRIES, faults=failing(Silence(), "search")) as server:
        client = RawClient(server.port)
        await client.__aenter__()
        client.send(ALL)
        assert code(await client.ask(ExtendedRequest("1.2.3"))) == 2
    assert await client.rest() == b""
    await client.__aexit__(None, None, None)
