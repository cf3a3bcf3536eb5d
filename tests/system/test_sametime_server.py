"""The whole way: libmeanwhile, an independent client library, against the server, with a real slapd.

Each client action is shown to travel over the LDAP connection of its task.
"""

import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quintet.cards import Cards
from quintet.config.load import load
from quintet.directory import Directory, Service
from quintet.sametime.community import SignInRule
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.settings import SametimeSettings
from quintet.sametime.storage import DatabaseAddress
from support import meanwhile_abi as abi
from support import small
from support.directories import server_settings
from support.directories import settings as directory_settings
from support.folder import LEVELS, settings_folder
from support.meanwhile import Connected, ImKind, Match, MeanwhileClient, Presence, ServiceState
from support.pages import ROOT
from support.relay import Relay
from support.sametime_server import SETTINGS, ServerThread
from support.slapd import Slapd

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not abi.is_installed(), reason="needs Debian's libmeanwhile1"),
]

ALICE, BOB, CAROL = (small.person_dn(name) for name in ("alice", "bob", "carol"))
ENGINEERS = small.group_dn("engineers")
ACTIVE, AWAY, BUSY = 0x20, 0x60, 0x80


@pytest.fixture(autouse=True)
def complaints() -> Iterator[list[str]]:
    """What the library finds wrong with what it gets. A test that expects something clears it."""
    found = abi.watch_log()
    yield found
    assert found == []


Start = Callable[..., ServerThread]
Closing = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
def start(small_slapd: Slapd, tmp_path: Path) -> Iterator[Start]:
    """Start servers on the small organisation, one after the other on one database or together."""
    with ExitStack() as stack:

        def begin(slapd: Slapd = small_slapd, settings: SametimeSettings = SETTINGS) -> ServerThread:
            async def make() -> tuple[SametimeServer, Closing]:
                directory = Directory(directory_settings([server_settings(slapd.port)]))
                await directory.open()
                server = SametimeServer(settings, directory, DatabaseAddress.parse("", tmp_path))
                await server.start()

                async def close() -> None:
                    await server.close()
                    await directory.close()

                return server, close

            return stack.enter_context(ServerThread(make))

        yield begin


@pytest.fixture
def line(start: Start) -> Iterator[Connected]:
    """Clients on a running server."""
    server = start()
    with Connected("127.0.0.1", server.port) as connected:
        yield connected


def client(name: str, password: str | None = None, **options: Any) -> MeanwhileClient:
    return MeanwhileClient(name, f"{name}-secret" if password is None else password, **options)


def signed_in(line: Connected, *names: str) -> list[MeanwhileClient]:
    clients = [client(name) for name in names]
    for each in clients:
        line.connect(each)
    line.pump(lambda: all(each.is_started for each in clients))
    line.pump(lambda: all(each.service_state("storage") is ServiceState.STARTED for each in clients))
    return clients


# Signing in


def test_a_user_of_the_directory_signs_in(line: Connected) -> None:
    (alice,) = signed_in(line, "alice")
    info = alice.login_info
    assert (info["user_id"], info["user_name"]) == (ALICE, "Alice Adams")
    services = ("aware", "resolve", "storage", "directory")
    line.pump(lambda: {alice.service_state(each) for each in services} == {ServiceState.STARTED})


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("nobody", "x"), ("alice", ""), ("smith", "smith1-secret")]
)
def test_a_wrong_name_or_password_is_refused_for_good(line: Connected, name: str, password: str) -> None:
    refused = client(name, password)
    line.connect(refused)
    line.pump(lambda: refused.reason is not None)
    assert refused.reason == ReasonCode.INCORRECT_LOGIN


def test_while_slapd_is_stopped_clients_are_told_to_come_back_and_those_who_are_there_talk(
    start: Start, make_slapd: Callable[..., Slapd]
) -> None:
    slapd = make_slapd()
    server = start(slapd)
    with Connected("127.0.0.1", server.port) as line:
        alice, bob = signed_in(line, "alice", "bob")
        slapd.stop()
        carol = client("carol")
        line.connect(carol)
        line.pump(lambda: carol.reason is not None)
        assert carol.reason == ReasonCode.LDAP_UNREACHABLE
        conversation = alice.open_conversation(BOB)
        line.pump(lambda: bool(conversation.opened))
        alice.say(BOB, "still here")
        line.pump(lambda: ALICE in bob.conversations and bob.conversations[ALICE].texts == ["still here"])
        request = alice.resolve("carol")
        line.pump(lambda: request in alice.resolutions)
        assert alice.resolutions[request].code != 0
        slapd.restart()
        directory = server.server._context.directory
        assert isinstance(directory, Directory)
        server.run(directory.connect_all())
        signed_in(line, "carol")


def test_under_the_newest_rule_the_old_session_does_not_come_back(start: Start) -> None:
    server = start(settings=replace(SETTINGS, sign_ins=SignInRule.NEWEST))
    with Connected("127.0.0.1", server.port) as line:
        (first,) = signed_in(line, "alice")
        (second,) = signed_in(line, "alice")
        line.pump(lambda: first.reason is not None)
        assert first.reason == ReasonCode.LOGGED_IN_TWICE
        assert second.is_started


# Names, address books, contacts


def test_names_resolve_to_users_and_groups(line: Connected) -> None:
    (alice,) = signed_in(line, "alice")
    users, groups, none = alice.resolve("Bob"), alice.resolve("engineers", flags=0x12), alice.resolve("zzz")
    several = alice.resolve("Smith")
    line.pump(lambda: len(alice.resolutions) == 4)
    assert alice.resolutions[users].results[0][2] == (Match(BOB, "Bob Brown", "bob@example.com", 1),)
    assert alice.resolutions[groups].results[0][2] == (Match(ENGINEERS, "engineers", "", 2),)
    assert alice.resolutions[none].code == 0
    assert alice.resolutions[none].results == ((0, "zzz", ()),)
    assert len(alice.resolutions[several].results[0][2]) == 2


def test_an_id_resolves_to_itself(line: Connected) -> None:
    (alice,) = signed_in(line, "alice")
    for query in (BOB, BOB.upper(), small.person_dn("odd"), small.person_dn("comma")):
        request = alice.resolve(query, flags=0x8)
        line.pump(lambda request=request: request in alice.resolutions)  # type: ignore[misc]
        assert [each.id for each in alice.resolutions[request].results[0][2]] == [query]


def test_address_books_are_listed(line: Connected) -> None:
    (alice,) = signed_in(line, "alice")
    line.pump(lambda: alice.service_state("directory") is ServiceState.STARTED)
    alice.list_books()
    line.pump(lambda: bool(alice.books))
    assert len(alice.books) >= 1


def test_people_and_a_public_group_are_added_and_seen_to_change(line: Connected) -> None:
    (alice,) = signed_in(line, "alice")
    alice.watch(BOB)
    alice.watch(ENGINEERS, kind=3)
    line.pump(lambda: len(alice.presence_log) == 4)
    members = {each.user: each.online for each in alice.presence_log if each.group == ENGINEERS}
    assert members == {ALICE: True, BOB: False, small.person_dn("jose"): False}
    (bob,) = signed_in(line, "bob")
    line.pump(lambda: _shows(alice, BOB, online=True))
    bob.set_status(AWAY, "at lunch")
    line.pump(lambda: _presence(alice).text == "at lunch")
    told = _presence(alice)
    assert (told.online, told.status, told.name) == (True, AWAY, "Bob Brown")
    bob.stop()
    line.pump(lambda: _shows(alice, BOB, online=False))


def _presence(watcher: MeanwhileClient, user: str = BOB) -> Presence:
    told = watcher.presence(user)
    assert told is not None
    return told


def _shows(watcher: MeanwhileClient, user: str, *, online: bool) -> bool:
    told = watcher.presence(user)
    return told is not None and told.online is online


def test_what_a_client_can_do_is_seen(line: Connected) -> None:
    alice, bob = signed_in(line, "alice", "bob")
    alice.watch(BOB)
    alice.watch_attributes(1, 6)
    bob.set_flag(6)
    line.pump(lambda: (BOB, 6) in alice.attributes)
    assert alice.attributes[BOB, 6] == b"\0\1"
    bob.unset(6)
    line.pump(lambda: alice.attributes.get((BOB, 6)) != b"\0\1")
    assert alice.attributes.get((BOB, 6)) is None


def test_a_user_hides_from_another_and_from_nobody_else(line: Connected) -> None:
    alice, bob, carol = signed_in(line, "alice", "bob", "carol")
    for each in (alice, carol):
        each.watch(BOB)
    line.pump(lambda: _shows(alice, BOB, online=True) and _shows(carol, BOB, online=True))
    bob.set_privacy(True, ALICE)
    line.pump(lambda: _shows(alice, BOB, online=False))
    assert _shows(carol, BOB, online=True)
    conversation = alice.open_conversation(BOB)
    line.pump(lambda: bool(conversation.closed))
    assert conversation.closed == [ReasonCode.USER_NOT_ONLINE]
    bob.set_privacy(True)
    line.pump(lambda: _shows(alice, BOB, online=True))


# Talking


@pytest.mark.parametrize("ciphers", [True, False], ids=["encrypted", "unencrypted"])
def test_two_users_talk_both_ways(line: Connected, ciphers: bool) -> None:
    alice, bob = client("alice", ciphers=ciphers), client("bob", ciphers=ciphers)
    for each in (alice, bob):
        line.connect(each)
    line.pump(lambda: alice.is_started and bob.is_started)
    conversation = alice.open_conversation(BOB)
    line.pump(lambda: bool(conversation.opened))
    alice.say_typing(BOB, True)
    alice.say(BOB, "héllo")
    alice.say(BOB, "<b>" + "x" * 5000 + "</b>", ImKind.HTML)
    line.pump(lambda: ALICE in bob.conversations and len(bob.conversations[ALICE].received) == 3)
    assert bob.conversations[ALICE].received[:2] == [(ImKind.TYPING, True), (ImKind.TEXT, "héllo")]
    for nth in range(20):
        bob.say(ALICE, f"answer {nth}")
    line.pump(lambda: len(conversation.texts) == 20)
    assert conversation.texts == [f"answer {nth}" for nth in range(20)]
    alice.close_conversation(BOB)
    line.pump(lambda: bool(bob.conversations[ALICE].closed))


def test_a_conference_of_three(line: Connected) -> None:
    alice, bob, carol = signed_in(line, "alice", "bob", "carol")
    conference = alice.open_conference("Lunch")
    line.pump(lambda: conference.opened)
    for each, user in ((bob, BOB), (carol, CAROL)):
        alice.invite(conference, user, "come")
        line.pump(lambda each=each: bool(each.conferences))  # type: ignore[misc]
        (invited,) = each.conferences.values()
        assert (invited.invited_by, invited.invitation, invited.title) == (ALICE, "come", "Lunch")
        each.accept_invitation(invited)
        line.pump(lambda invited=invited: invited.opened)  # type: ignore[misc]
    (bobs,) = bob.conferences.values()
    (carols,) = carol.conferences.values()
    assert set(carols.members) == {ALICE, BOB, CAROL}
    bob.confer(bobs, "pizza?")
    line.pump(lambda: conference.texts == [(BOB, "pizza?")] and carols.texts == [(BOB, "pizza?")])
    carol.leave(carols)
    line.pump(lambda: conference.parted == [CAROL] and bobs.parted == [CAROL])


def test_a_file_is_transferred(line: Connected) -> None:
    alice, bob = signed_in(line, "alice", "bob")
    data = bytes(range(256)) * 100
    transfer = alice.offer_file(BOB, "report.bin", data)
    line.pump(lambda: "report.bin" in bob.files)
    received = bob.files["report.bin"]
    bob.accept_file(received)
    line.pump(lambda: len(received.received) == len(data))
    assert bytes(received.received) == data
    assert transfer.opened


def test_an_administrator_announces_and_others_do_not(start: Start) -> None:
    server = start(settings=replace(SETTINGS, admin_group=small.group_dn("sales")))
    with Connected("127.0.0.1", server.port) as line:
        alice, carol = signed_in(line, "alice", "carol")
        alice.announce("not allowed", f"@U {CAROL}")
        carol.announce("meeting at 10", f"@G {ENGINEERS}")
        line.pump(lambda: bool(alice.announcements))
        assert [(each.sender, each.text) for each in alice.announcements] == [(CAROL, "meeting at 10")]
        assert carol.announcements == []


# What is kept


def test_a_contact_list_is_kept_across_a_restart_of_the_server(start: Start) -> None:
    contacts = f"Version=3.1.3\r\nG Work2 Work O\r\nU {BOB}1:: Bob;Brown,\r\nG {ENGINEERS}3 Engineers C\r\n"
    first = start()
    with Connected("127.0.0.1", first.port) as line:
        (alice,) = signed_in(line, "alice")
        alice.load(0)
        line.pump(lambda: bool(alice.loaded))
        assert alice.loaded == [(0, ReasonCode.NO_SUCH_ELEMENT, b"")]
        alice.save(0, contacts)
        line.pump(lambda: bool(alice.saved))
        assert alice.saved == [(0, 0)]
    second = start()
    with Connected("127.0.0.1", second.port) as line:
        (alice,) = signed_in(line, "alice")
        alice.load(0)
        line.pump(lambda: bool(alice.loaded))
        assert alice.loaded == [(0, 0, len(contacts).to_bytes(2, "big") + contacts.encode())]


# Which LDAP connection carries what


def promised_connections() -> dict[str, set[str]]:
    """The table of docs/explanation/sametime-clients.md: actions of clients, and LDAP connections."""
    page = (ROOT / "docs/explanation/sametime-clients.md").read_text()
    table = page.partition("| client action | LDAP connections |\n| --- | --- |\n")[2].partition("\n\n")[0]
    rows = [re.fullmatch(r"\| (.+?) \| (.+?) \|", line) for line in table.splitlines()]
    return {row[1]: set(re.findall(r"`([a-z-]+)`", row[2])) for row in rows if row}


@pytest.mark.parametrize("level", LEVELS)
def test_each_client_action_travels_over_the_connection_of_its_task(
    small_slapd: Slapd, tmp_path: Path, level: str
) -> None:
    """A relay records every LDAP connection: which of them an action used, and whether a password shows."""
    folder = settings_folder(tmp_path, small_slapd, level=level, account=None)
    promised = promised_connections()
    relay = Relay()
    opened: list[Cards] = []

    async def hover() -> None:
        """What the UserInfo servlet does when a client asks for a card."""
        assert (await opened[0].card(ALICE)).fields

    async def make() -> tuple[SametimeServer, Closing]:
        await relay.__aenter__()
        directory = Directory(load(folder, {}), route=relay.route)
        await directory.open()
        await directory.connect_all()
        cards = Cards(load(folder, {}), route=relay.route)
        await cards.open()
        await cards.connect_all()
        opened.append(cards)
        server = SametimeServer(SETTINGS, directory, DatabaseAddress.parse("", tmp_path))
        await server.start()

        async def close() -> None:
            await server.close()
            await cards.close()
            await directory.close()
            await relay.__aexit__(None, None, None)

        return server, close

    def sent() -> dict[Service | str, int]:
        totals: Counter[Service | str] = Counter()
        for each in relay.connections:
            totals[each.label] += len(each.sent)
        return totals

    with ServerThread(make) as server, Connected("127.0.0.1", server.port) as line:

        def uses(done: Callable[[], object], action: Callable[[], object] = lambda: None) -> set[object]:
            before = sent()
            action()
            line.pump(lambda: bool(done()))
            after = sent()
            return {label for label in after if after[label] != before[label]}

        def tasks(client: MeanwhileClient) -> dict[str, int]:
            rows = server.call(server.server.sessions)
            return next(each.tasks for each in rows if each.user_id == client.login_info["user_id"])

        def expect(action: str, used: set[object]) -> None:
            """What the page says of an action is what was seen."""
            assert {each.value if isinstance(each, Service) else each for each in used} == promised[action], (
                action
            )

        alice = client("alice")
        expect("sign in", uses(lambda: alice.is_started, lambda: line.connect(alice)))
        line.pump(lambda: alice.service_state("directory") is ServiceState.STARTED)
        expect("see the presence of a user", uses(lambda: alice.presence(BOB), lambda: alice.watch(BOB)))
        expect("add a person", uses(lambda: 1 in alice.resolutions, lambda: alice.resolve("carol")))
        found = uses(lambda: 2 in alice.resolutions, lambda: alice.resolve("sales", flags=0x12))
        expect("add a public group", found)
        found = uses(lambda: 3 in alice.resolutions, lambda: alice.resolve(small.person_dn("dave"), flags=8))
        expect("load the contact list", found)
        found = uses(lambda: len(alice.presence_log) == 4, lambda: alice.watch(ENGINEERS, kind=3))
        expect("open a public group", found)
        used = uses(lambda: 4 in alice.resolutions, lambda: alice.resolve(BOB, flags=8))
        assert used == set(), "the names of its members were told with it"
        expect("list the address books", uses(lambda: alice.books, alice.list_books))
        expected = {"authenticate": 1, "resolve-login": 1, "resolve-names": 3, "browse": 1}
        assert tasks(alice) == expected
        (bob,) = signed_in(line, "bob")
        conversation = alice.open_conversation(BOB)
        expect("chat, confer, send a file", uses(lambda: conversation.opened))
        card = uses(lambda: True, lambda: server.run(hover()))
        expect("hover over a name: its business card", card)
        wrong = client("bob", "not-his-password")
        line.connect(wrong)
        line.pump(lambda: wrong.reason is not None)
        assert bob.is_started
    shown = {
        each.label
        for each in relay.connections
        for password in (b"alice-secret", b"bob-secret", b"not-his-password")
        if password in each.bytes
    }
    assert shown == ({Service.AUTHENTICATE} if level == "none" else set())


def test_services_of_unknown_layout_are_refused_by_name(start: Start) -> None:
    server = start()
    with Connected("127.0.0.1", server.port) as line:
        (alice,) = signed_in(line, "alice")
        for service in (ServiceId.GROUP_CONTENT, ServiceId.PLACE, ServiceId.POLICY, ServiceId.USER_INFO):
            alice.sense(service)
        request = alice.resolve("bob")
        line.pump(lambda: request in alice.resolutions)
        ignored = [key for key in server.server.counter.counts if key[0] == "ClientIgnored"]
        assert len(ignored) == 4
        assert {label for key in ignored for label in key if "GROUP_CONTENT" in label}
