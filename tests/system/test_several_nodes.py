"""Three `quintet serve` are one community, whichever of them clients of libmeanwhile are connected to."""

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.blocks import StatusCode
from support import meanwhile_abi as abi
from support import small
from support.cluster_nodes import ClusterNodes
from support.command import run_program
from support.meanwhile import Connected, ImKind, MeanwhileClient
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.serving import free_port
from support.slapd import Slapd
from support.waiting import wait_until
from support.web_site import post_sign_in

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not abi.is_installed(), reason="needs Debian's libmeanwhile1"),
]

ALICE, BOB, CAROL = map(small.person_dn, ("alice", "bob", "carol"))
NODES = ("n0", "n1", "n2")
SEEN_WITHIN = 10.0
"""Seconds after which the end of a node must be seen."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd, postgres: Postgres, redis: RedisServer
) -> Iterator[ClusterNodes]:
    """Three nodes that tests leave running, with nobody signed in."""
    folder = tmp_path_factory.mktemp("nodes")
    with ClusterNodes(folder, small_slapd, redis, postgres.new_database()) as made:
        made.start(*NODES)
        yield made


@pytest.fixture
def line(nodes: ClusterNodes) -> Iterator[Connected]:
    with Connected("127.0.0.1", nodes.ports["n0"]) as made:
        yield made


def shows(watcher: MeanwhileClient, user: str, *, online: bool) -> bool:
    told = watcher.presence(user)
    return told is not None and told.online is online


def test_users_at_different_nodes_see_each_other_come_change_and_go(
    nodes: ClusterNodes, line: Connected
) -> None:
    (alice,) = nodes.sign_in(line, alice="n0")
    alice.watch(BOB)
    line.pump(lambda: shows(alice, BOB, online=False))
    (bob,) = nodes.sign_in(line, bob="n1")
    line.pump(lambda: shows(alice, BOB, online=True))
    alice.watch_attributes(6)
    bob.set_flag(6)
    bob.set_status(0x60, "at lunch")
    line.pump(lambda: alice.presence(BOB).text == "at lunch" and (BOB, 6) in alice.attributes)  # type: ignore[union-attr]
    bob.set_privacy(True, ALICE)
    line.pump(lambda: shows(alice, BOB, online=False))
    bob.set_privacy(True)
    line.pump(lambda: shows(alice, BOB, online=True))
    bob.stop()
    line.pump(lambda: shows(alice, BOB, online=False))
    assert (BOB, 6) in alice.attributes


def test_users_who_are_online_at_other_nodes_are_never_shown_as_offline_first(
    nodes: ClusterNodes, line: Connected
) -> None:
    there = nodes.sign_in(line, bob="n1", carol="n2")
    (alice,) = nodes.sign_in(line, alice="n0")
    alice.watch(BOB, CAROL)
    line.pump(lambda: all(alice.presence(user) is not None for user in (BOB, CAROL)))
    assert {(each.user, each.online) for each in alice.presence_log} == {(BOB, True), (CAROL, True)}
    for each in there:
        each.stop()


@pytest.mark.parametrize("ciphers", [True, False], ids=["encrypted", "unencrypted"])
def test_users_at_different_nodes_talk(nodes: ClusterNodes, line: Connected, ciphers: bool) -> None:
    alice, bob = (MeanwhileClient(each, f"{each}-secret", ciphers=ciphers) for each in ("alice", "bob"))
    for client, node in ((alice, "n0"), (bob, "n1")):
        line.connect(client, nodes.ports[node])
    line.pump(lambda: alice.is_started and bob.is_started)
    conversation = alice.open_conversation(BOB)
    line.pump(lambda: bool(conversation.opened))
    alice.say_typing(BOB, True)
    alice.say(BOB, "héllo")
    alice.say(BOB, "<b>" + "x" * 5000 + "</b>", ImKind.HTML)
    line.pump(lambda: ALICE in bob.conversations and len(bob.conversations[ALICE].received) == 3)
    assert bob.conversations[ALICE].received[:2] == [(ImKind.TYPING, True), (ImKind.TEXT, "héllo")]
    for nth in range(200):
        bob.say(ALICE, f"answer {nth}")
    line.pump(lambda: len(conversation.texts) == 200)
    assert conversation.texts == [f"answer {nth}" for nth in range(200)]
    alice.close_conversation(BOB)
    line.pump(lambda: bool(bob.conversations[ALICE].closed))


def test_a_page_of_one_node_shows_who_is_signed_in_at_another_when_it_is_loaded(
    nodes: ClusterNodes, line: Connected
) -> None:
    url = f"http://localhost:{(port := free_port())}"
    nodes.start("web", QUINTET_HTTP_PORT=str(port))
    (bob,) = nodes.sign_in(line, bob="n1")
    bob.set_status(StatusCode.AWAY, "at lunch")
    (carol,) = nodes.sign_in(line, carol="n2")
    carol.watch(BOB)
    line.pump(lambda: carol.presence(BOB) is not None and carol.presence(BOB).text == "at lunch")  # type: ignore[union-attr]
    page = asyncio.run(results(url, "Bob Brown"))
    assert re.findall(r'data-state="(\w+)"', page) == ["away"]
    bob.stop()


async def results(url: str, query: str) -> str:
    """The page of results, as alice gets it without JavaScript."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as browser:
        await post_sign_in(browser, {"name": "alice", "password": "alice-secret"}, origin=url)
        return (await browser.get("/", params={"q": query})).text


def test_a_user_whom_no_session_of_the_node_watches_is_found_and_one_who_is_offline_is_not(
    nodes: ClusterNodes, line: Connected
) -> None:
    alice, _ = nodes.sign_in(line, alice="n0", bob="n2")
    for target in (BOB, "bob"):
        found = alice.open_conversation(target)
        line.pump(lambda found=found: bool(found.opened))  # type: ignore[misc]
        alice.close_conversation(target)
    offline = alice.open_conversation(CAROL)
    line.pump(lambda: bool(offline.closed))
    assert offline.closed == [ReasonCode.USER_NOT_ONLINE]


def test_a_file_passes_between_nodes(nodes: ClusterNodes, line: Connected) -> None:
    alice, bob = nodes.sign_in(line, alice="n0", bob="n1")
    data = bytes(range(256)) * 1000
    transfer = alice.offer_file(BOB, "report.bin", data)
    line.pump(lambda: "report.bin" in bob.files)
    received = bob.files["report.bin"]
    bob.accept_file(received)
    line.pump(lambda: len(received.received) == len(data))
    assert bytes(received.received) == data
    assert transfer.opened


def test_a_conference_of_three_at_three_nodes(nodes: ClusterNodes, line: Connected) -> None:
    alice, bob, carol = nodes.sign_in(line, alice="n0", bob="n1", carol="n2")
    conference = alice.open_conference("Lunch")
    line.pump(lambda: conference.opened)
    alice.invite(conference, BOB, "come")
    line.pump(lambda: bool(bob.conferences))
    (bobs,) = bob.conferences.values()
    assert (bobs.invited_by, bobs.invitation, bobs.title) == (ALICE, "come", "Lunch")
    bob.accept_invitation(bobs)
    line.pump(lambda: bobs.opened)
    bob.invite(bobs, CAROL, "you too")
    line.pump(lambda: bool(carol.conferences))
    (carols,) = carol.conferences.values()
    assert carols.invited_by == BOB
    carol.accept_invitation(carols)
    line.pump(lambda: carols.opened)
    assert set(carols.members) == {ALICE, BOB, CAROL}
    bob.confer(bobs, "pizza?")
    line.pump(lambda: conference.texts == [(BOB, "pizza?")] and carols.texts == [(BOB, "pizza?")])
    alice.leave(conference)
    line.pump(lambda: bobs.parted == [ALICE] and carols.parted == [ALICE])
    carol.confer(carols, "still here")
    line.pump(lambda: bobs.texts == [(CAROL, "still here")])


def test_a_list_that_is_stored_at_one_node_is_there_at_the_others(
    nodes: ClusterNodes, line: Connected
) -> None:
    for at, node in enumerate(NODES):
        (alice,) = nodes.sign_in(line, alice=node)
        alice.load(0)
        line.pump(lambda alice=alice: bool(alice.loaded))  # type: ignore[misc]
        if at:
            assert f"Work{at - 1}".encode() in alice.loaded[0][2]
        alice.save(0, f"Version=3.1.3\nG Work{at} Work{at} O\n")
        line.pump(lambda alice=alice: bool(alice.saved))  # type: ignore[misc]
        alice.stop()


def test_what_an_administrator_does_at_one_node_reaches_the_sessions_of_all(
    nodes: ClusterNodes, line: Connected
) -> None:
    alice, bob, carol = nodes.sign_in(line, alice="n0", bob="n1", carol="n2")
    folder = nodes.folder("n0")
    sent = run_program("--config", folder, "broadcast", "Restart at 18:00")
    assert (sent.code, sent.err) == (0, "Sent to 3 sessions.\n")
    everybody = (alice, bob, carol)
    line.pump(lambda: all(each.admin_texts == ["Restart at 18:00"] for each in everybody))
    assert run_program("--config", folder, "sessions", "end", "BOB").code == 0
    line.pump(lambda: bob.reason is not None)
    assert bob.reason == ReasonCode.USER_RESTRICTED
    assert run_program("--config", folder, "sessions", "end", "bob").code == 1


def test_the_sessions_of_all_nodes_are_listed_and_a_node_that_stands_still_is_counted(
    nodes: ClusterNodes, line: Connected
) -> None:
    nodes.sign_in(line, alice="n0", bob="n1", carol="n2")
    nodes.start("still")
    folder = nodes.folder("n0")
    table = run_program("--config", folder, "sessions", "--all")
    assert (table.code, table.err) == (0, "")
    assert [each in table.out for each in ("Alice", "Bob", "Carol", "n0", "n1", "n2")] == [True] * 6
    others = listed(folder)["other_nodes"]
    nodes.running["still"].send(signal.SIGSTOP)
    try:
        shown = run_program("--config", folder, "sessions", "--all", "--json")
    finally:
        nodes.running["still"].send(signal.SIGCONT)
    assert (shown.code, shown.document["other_nodes"], shown.document["unanswered"]) == (0, others, 1)
    assert shown.err
    assert users_at(shown.document) == {(ALICE, "n0"), (BOB, "n1"), (CAROL, "n2")}
    nodes.stop("still")
    assert listed(folder)["other_nodes"] == others - 1


def listed(folder: Path) -> dict[str, Any]:
    """The sessions of all nodes, none of which fails."""
    ran = run_program("--config", folder, "sessions", "--all", "--json")
    assert (ran.code, ran.err, ran.document["unanswered"], ran.document["left_out"]) == (0, "", 0, 0)
    document: dict[str, Any] = ran.document
    return document


def users_at(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["user_id"], each["node"]) for each in document["sessions"]}


def test_the_end_of_a_node_is_seen_and_ends_what_its_users_had_with_others(
    nodes: ClusterNodes, line: Connected
) -> None:
    alice, bob, carol = nodes.sign_in(line, alice="n0", bob="n1", carol="n2")
    for each in (alice, carol):
        each.watch(BOB)
    line.pump(lambda: shows(alice, BOB, online=True) and shows(carol, BOB, online=True))
    conversation = alice.open_conversation(BOB)
    theirs = bob.open_conference("Bob's")
    ours = alice.open_conference("Alice's")
    line.pump(lambda: bool(conversation.opened) and theirs.opened and ours.opened)
    bob.invite(theirs, CAROL)
    alice.invite(ours, BOB)
    line.pump(lambda: bool(carol.conferences) and len(bob.conferences) == 2)
    (carols,) = carol.conferences.values()
    (bobs,) = [each for each in bob.conferences.values() if each is not theirs]
    carol.accept_invitation(carols)
    bob.accept_invitation(bobs)
    line.pump(lambda: carols.opened and bobs.opened and ours.joined == [BOB])
    nodes.kill("n1")
    line.pump(
        lambda: (
            shows(alice, BOB, online=False)
            and shows(carol, BOB, online=False)
            and bool(conversation.closed)
            and bool(carols.closed)
            and ours.parted == [BOB]
        ),
        SEEN_WITHIN,
    )
    assert conversation.closed == [ReasonCode.USER_NOT_ONLINE]
    again = alice.open_conversation(BOB)
    line.pump(lambda: again.closed[-1:] == [ReasonCode.USER_NOT_ONLINE])
    nodes.start("n1")
    (bob,) = nodes.sign_in(line, bob="n1")
    line.pump(lambda: shows(alice, BOB, online=True) and shows(carol, BOB, online=True))


def test_without_valkey_users_of_one_node_go_on_and_those_of_others_are_offline_until_it_is_back(
    nodes: ClusterNodes, line: Connected, redis: RedisServer
) -> None:
    alice, bob, carol = nodes.sign_in(line, alice="n0", bob="n1", carol="n0")
    alice.watch(BOB, CAROL)
    line.pump(lambda: shows(alice, BOB, online=True) and shows(alice, CAROL, online=True))
    near, far = alice.open_conversation(CAROL), alice.open_conversation(BOB)
    line.pump(lambda: bool(near.opened and far.opened))
    redis.stop()
    line.pump(lambda: shows(alice, BOB, online=False) and bool(far.closed), 2 * SEEN_WITHIN)
    refused = alice.open_conversation(BOB)
    alice.say(CAROL, "still here")
    line.pump(lambda: carol.conversations[ALICE].texts == ["still here"] and len(refused.closed) > 1)
    assert shows(alice, CAROL, online=True)
    (dave,) = nodes.sign_in(line, dave="n0")
    alice.watch(small.person_dn("dave"))
    line.pump(lambda: shows(alice, small.person_dn("dave"), online=True))
    shown = run_program("--config", nodes.folder("n0"), "sessions", "--all", "--json")
    assert (shown.code, shown.document["other_nodes"]) == (0, None)
    assert users_at(shown.document) == {(each, "n0") for each in (ALICE, CAROL, small.person_dn("dave"))}
    assert shown.err
    redis.start()
    line.pump(lambda: shows(alice, BOB, online=True), 2 * SEEN_WITHIN)
    bob.watch(small.person_dn("dave"))
    line.pump(lambda: shows(bob, small.person_dn("dave"), online=True))
    again = bob.open_conversation(ALICE)
    line.pump(lambda: bool(again.opened))
    assert dave.is_started


def test_a_second_server_of_the_same_name_does_not_start(
    nodes: ClusterNodes, line: Connected, tmp_path: Path
) -> None:
    second = nodes.second("n0", tmp_path / "second")
    assert wait_until(
        lambda: "NODE-NAME" in second.text, seconds=60
    )  # it waits for the lease of a node that is gone
    assert second.end(None) == 2
    (alice,) = nodes.sign_in(line, alice="n0")
    assert alice.is_started
