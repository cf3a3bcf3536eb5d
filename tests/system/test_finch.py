"""Finch, unmodified: users sign in, find each other and talk, and no fault costs them their contacts.

It waits for its own timers (it comes back after 15 to 40 seconds, and saves its list 15 seconds after a
change), so these tests take their time.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from quintet.directory import Directory
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.storage import value_of
from quintet.sametime.storage import CONTACT_LIST, DatabaseAddress, ValueStore
from quintet.sametime.trace import SignInRefused
from support import finch, small
from support.directories import server_settings, settings
from support.finch import Finch
from support.meanwhile import Connected, MeanwhileClient
from support.pages import ROOT
from support.postgres import Postgres
from support.sametime_server import SETTINGS, ServerThread
from support.slapd import Slapd

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not finch.is_installed(), reason="needs Debian's finch and tmux"),
]

ALICE, BOB = small.person_dn("alice"), small.person_dn("bob")
ENGINEERS = small.group_dn("engineers")
CONTACTS = {f"uid=person{nth},ou=people,o=example" for nth in range(50)}
LIST = "Version=3.1.3\r\nG Work2 Work O\r\n" + "".join(
    f"U {each}1:: {each[4:].partition(',')[0]},\r\n" for each in sorted(CONTACTS)
)

Start = Callable[..., ServerThread]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(slapd: Slapd, database: DatabaseAddress | None = None) -> ServerThread:
            async def make() -> tuple[SametimeServer, Callable[[], Coroutine[Any, Any, None]]]:
                directory = Directory(settings([server_settings(slapd.port)]))
                await directory.open()
                address = database or DatabaseAddress.parse("", tmp_path)
                server = SametimeServer(SETTINGS, directory, address)
                await server.start()

                async def close() -> None:
                    await server.close()
                    await directory.close()

                return server, close

            return stack.enter_context(ServerThread(make))

        yield begin


def sessions(server: ServerThread) -> int:
    return len(server.call(server.server.sessions))


def test_a_user_finds_another_and_a_group_in_the_directory_and_talks(
    start: Start, small_slapd: Slapd, tmp_path: Path
) -> None:
    server = start(small_slapd)
    with (
        Finch(tmp_path / "finch", "alice", "alice-secret", server.port) as alice,
        Connected("127.0.0.1", server.port) as line,
    ):
        alice.wait(lambda: sessions(server) == 1 and "Available" in alice.screen())

        # Add Buddy: a name, the user that the directory has for it, and again with the user's ID
        alice.keys("C-o", "a", "b")
        alice.wait(lambda: "Please enter buddy information" in alice.screen())
        alice.type("bob")
        alice.keys("Tab", "Tab", "Tab")
        alice.type("Work")
        alice.keys("Tab", "Tab", "Enter")
        alice.wait(lambda: BOB in alice.screen())
        alice.keys("M-n", "Tab", "Tab", "Enter")
        alice.wait(lambda: "Please enter buddy information" in alice.screen())
        alice.keys("Tab", "Tab", "Tab", "Tab", "Tab", "Enter")
        alice.wait(lambda: BOB in alice.contacts().get("Work", ()))

        # Add Notes Address Book Group: a public group of the directory
        alice.keys("M-2", "M-c", "M-1", "C-o", "Right", "a", "a")
        alice.wait(lambda: "Enter the name of a Notes Address Book" in alice.screen())
        alice.type("engineers")
        alice.keys("Tab", "Enter")
        alice.wait(lambda: "Select Notes Address Book" in alice.screen())
        alice.keys("M-2", "Tab", "Enter")
        alice.wait(lambda: small.person_dn("jose") in alice.contacts().get("engineers", ()))

        # Another user comes, and is seen
        bob = MeanwhileClient("bob", "bob-secret")
        line.connect(bob)
        line.pump(lambda: bob.is_started)
        alice.wait(lambda: _passed(line) and "Bob Brown" in alice.screen())
        conversation = bob.open_conversation(ALICE)
        line.pump(lambda: bool(conversation.opened))
        bob.say(ALICE, "Hello Alice, lunch?")
        alice.wait(lambda: _passed(line) and "Hello Alice, lunch?" in alice.screen())
        alice.keys("M-2")
        alice.type("Gladly.")
        alice.keys("Enter")
        line.pump(lambda: bool(conversation.received), 20)
        assert any("Gladly." in str(content) for _, content in conversation.received)
        alice.wait(lambda: "alice: Gladly." in alice.screen())
        screen = alice.screen()
        print(screen)  # noqa: T201 # kept in the output, as what users see
    page = (ROOT / "docs/how-to/sign-in-with-pidgin-and-finch.md").read_text()
    assert _words(page.partition("```text\n")[2].partition("```")[0]) == _words(screen)


def _words(screen: str) -> list[str]:
    """What is written on a screen, without frames, times and empty lines."""
    plain = re.sub(r"\(\d\d:\d\d:\d\d\)|[^\w\s.,:?()-]|_{3,}", " ", screen)
    return [" ".join(line.split()) for line in plain.splitlines() if line.strip()]


def test_a_client_that_was_refused_while_slapd_was_away_signs_in_by_itself(
    start: Start, make_slapd: Callable[..., Slapd], tmp_path: Path
) -> None:
    slapd = make_slapd()
    server = start(slapd)
    slapd.stop()
    with Finch(tmp_path / "finch", "alice", "alice-secret", server.port) as alice:
        alice.wait(lambda: server.server.counter.count(SignInRefused, reason="LDAP_UNREACHABLE") == 1)
        slapd.restart()
        alice.wait(lambda: sessions(server) > 0, 120)
        assert sessions(server) == 1


def test_fifty_contacts_outlive_a_database_that_is_away_during_a_sign_in(
    start: Start, small_slapd: Slapd, tmp_path: Path
) -> None:
    with Postgres() as postgres:
        database = DatabaseAddress.parse(postgres.new_database(), tmp_path)
        _store(database)
        server = start(small_slapd, database)
        alice = Finch(tmp_path / "finch", "alice", "alice-secret", server.port)
        with alice:
            alice.wait(lambda: alice.contacts().get("Work") == CONTACTS)
        alice.wait(lambda: sessions(server) == 0)
        postgres.stop()
        with alice:
            alice.wait(lambda: sessions(server) == 1)
            first = server.call(server.server.sessions)[0].id
            alice.wait(lambda: not server.server.database_available)
            _let_finch_save(alice)
            postgres.start()
            alice.wait(lambda: first not in {each.id for each in server.call(server.server.sessions)}, 60)
            alice.wait(lambda: sessions(server) == 1, 90)
            _let_finch_save(alice)
            assert alice.contacts().get("Work") == CONTACTS
        assert _stored(database) == CONTACTS


def _passed(line: Connected) -> bool:
    """Pass on what the other clients have to say and to hear."""
    with suppress(TimeoutError):
        line.pump(lambda: False, 0.2)
    return True


def _let_finch_save(client: Finch) -> None:
    """Finch saves its list 15 seconds after a sign-in, if it thinks that there is something to save."""
    with pytest.raises(TimeoutError):
        client.wait(lambda: False, 17)


def _store(address: DatabaseAddress) -> None:
    async def store() -> None:
        values = await ValueStore.open(address)
        await values.save(ALICE, CONTACT_LIST, value_of(LIST))
        await values.close()

    asyncio.run(store())


def _stored(address: DatabaseAddress) -> set[str]:
    """The ids in the stored contact list."""

    async def load() -> bytes:
        values = await ValueStore.open(address)
        found = await values.load(ALICE, [CONTACT_LIST])
        await values.close()
        return found[CONTACT_LIST].value

    lines = asyncio.run(load())[2:].decode().splitlines()
    return {line[2:].partition("1::")[0] for line in lines if line.startswith("U ")}
