"""The five tasks and the card at each level of protection, with a relay that reads all that crosses the wire.

Every connection goes through a relay of its own, so the bytes themselves say what a listener would have had.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.cards import Cards
from quintet.config.load import load
from quintet.config.settings import Settings
from quintet.directory import TASKS, AuthenticationError, Directory, Protection, Service, UnencryptedBindError
from support import keytool, small
from support.folder import LEVELS, settings_folder
from support.relay import Carried, Relay
from support.slapd import Slapd

pytestmark = pytest.mark.real

CLEAR_TASKS = {
    "all": frozenset[Service](),
    "passwords": frozenset(TASKS) - {Service.AUTHENTICATE},
    "none": frozenset(TASKS),
}
PASSWORD = b"alice-secret"
SERVICE_PASSWORD = small.READER_PASSWORD.encode()
WRONG_PASSWORD = b"not-her-password"
NAMES = (b"alice", b"Alice Adams", b"smith", b"engineers", b"people")
VALUES = (b"alice@example.com", b"Johanna Smith", b"uid=bob,ou=people,o=example")
TLS_HANDSHAKE = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class Running:
    directory: Directory
    cards: Cards
    relay: Relay

    def carried(self, label: Service) -> list[Carried]:
        return self.relay.of(label)


@asynccontextmanager
async def running(settings: Settings, relay: Relay) -> AsyncIterator[Running]:
    assert settings.cards is not None
    async with (
        Directory(settings, route=relay.route) as directory,
        Cards(settings, route=relay.route) as cards,
    ):
        yield Running(directory, cards, relay)


async def use_everything(running: Running) -> None:
    """All five tasks and a card, each with an answer that only the directory can have given."""
    directory = running.directory
    alice = await directory.authenticate("alice", PASSWORD.decode())
    assert (alice.dn, alice.mail) == (small.person_dn("alice"), "alice@example.com")
    with pytest.raises(AuthenticationError):
        await directory.authenticate("alice", WRONG_PASSWORD.decode())
    assert (await directory.resolve_login("bob@example.com")).name == "Bob Brown"
    smiths = await directory.resolve("smith")
    assert {match.name for match in smiths.matches} == {"John Smith", "Johanna Smith"}
    engineers = (await directory.resolve("engineers", people=False)).matches
    top = await directory.browse()
    assert top.entries
    level = await directory.browse(small.PEOPLE)
    assert "Alice Adams" in {entry.name for entry in level.entries}
    content = await directory.members(engineers[0].id)
    assert {member.name for member in content.members} == {"Alice Adams", "Bob Brown", "José Núñez"}
    card = await running.cards.card("alice@example.com")
    assert card.fields["Name"].value == "Alice Adams"


def bytes_of(connections: list[Carried]) -> bytes:
    assert connections, "no connection was made"
    return b"".join(each.bytes for each in connections)


def seen(data: bytes, marks: tuple[bytes, ...]) -> set[bytes]:
    return {mark for mark in marks if mark in data}


@pytest.fixture(scope="module", params=["p12", "jks"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd
) -> Path:
    path = tmp_path_factory.mktemp("store") / f"ldaptruststore.{request.param}"
    return keytool.trust_store(path, {"ldap": small_slapd.authority})


@pytest.mark.parametrize("cards_encrypted", [False, True], ids=["clear cards", "encrypted cards"])
@pytest.mark.parametrize("level", LEVELS)
async def test_each_level_shows_on_the_wire_exactly_what_it_says(
    tmp_path: Path, small_slapd: Slapd, store: Path, relay: Relay, level: str, *, cards_encrypted: bool
) -> None:
    """C1 to C5: which of the six connections are encrypted, proven by the bytes."""
    folder = settings_folder(
        tmp_path, small_slapd, level=level, store=store, account=None, cards_encrypted=cards_encrypted
    )
    async with running(load(folder, {}), relay) as quintet:
        await use_everything(quintet)
        assert quintet.directory.protection is Protection[level.upper()]
    clear = set(CLEAR_TASKS[level]) | (set() if cards_encrypted else {Service.BUSINESS_CARD})
    for label in Service:
        data = bytes_of(relay.of(label))
        names_and_values = seen(data, NAMES + VALUES)
        if label in clear:
            assert names_and_values, f"{label} was to be unencrypted"
        else:
            assert not names_and_values, f"{label} showed {names_and_values}"
            assert all(each.sent.startswith(TLS_HANDSHAKE) for each in relay.of(label))
    passwords = {each.label for each in relay.connections if seen(each.bytes, (PASSWORD, WRONG_PASSWORD))}
    assert passwords == ({Service.AUTHENTICATE} if level == "none" else set())


@pytest.mark.parametrize("level", LEVELS)
async def test_the_service_account_is_used_where_its_password_may_be_shown(
    tmp_path: Path, small_slapd: Slapd, relay: Relay, level: str
) -> None:
    """Under "none" all can read the account's password; that is what the administrator chose."""
    folder = settings_folder(tmp_path, small_slapd, level=level, cards_encrypted=True)
    async with running(load(folder, {}), relay) as quintet:
        await use_everything(quintet)
    showing = {each.label for each in relay.connections if SERVICE_PASSWORD in each.bytes}
    assert (showing != set()) is (level == "none")


async def test_only_passwords_with_an_account_binds_the_clear_connections_anonymously(
    tmp_path: Path, small_slapd: Slapd, relay: Relay
) -> None:
    """No password is sent unencrypted, the service account's included, and all tasks still answer."""
    folder = settings_folder(tmp_path, small_slapd, level="passwords", cards_encrypted=True)
    async with running(load(folder, {}), relay) as quintet:
        await use_everything(quintet)
        found = {each.service: each for each in quintet.directory.status()}
    everything = b"".join(each.bytes for each in relay.connections)
    assert not seen(everything, (PASSWORD, WRONG_PASSWORD, SERVICE_PASSWORD))
    assert seen(everything, NAMES), "names are unencrypted at this level"
    browse = found[Service.BROWSE]
    assert (browse.bound_as, browse.failed) == (None, False)
    assert "SCRAM fails for the service account" in (browse.note or "")


async def test_only_passwords_with_an_account_uses_scram_where_anonymous_may_not_read(
    tmp_path: Path, make_slapd: Callable[..., Slapd], relay: Relay
) -> None:
    server = make_slapd(anonymous_read=False, sasl=True)
    folder = settings_folder(tmp_path, server, level="passwords", cards_encrypted=True)
    async with running(load(folder, {}), relay) as quintet:
        await use_everything(quintet)
    everything = b"".join(each.bytes for each in relay.connections)
    assert not seen(everything, (PASSWORD, WRONG_PASSWORD, SERVICE_PASSWORD))
    assert all(b"SCRAM-SHA-" in bytes_of(relay.of(label)) for label in CLEAR_TASKS["passwords"])


async def test_only_passwords_with_an_account_and_no_safe_bind_stops_at_start(
    tmp_path: Path, make_slapd: Callable[..., Slapd], relay: Relay
) -> None:
    """The refusal names the ways out, and comes before a password was sent anywhere unencrypted."""
    server = make_slapd(anonymous_read=False)
    folder = settings_folder(tmp_path, server, level="passwords", cards_encrypted=True)
    with pytest.raises(UnencryptedBindError, match="QUINTET_ALLOW_CLEAR_SERVICE_BIND"):
        async with Directory(load(folder, {}), route=relay.route) as directory:
            await directory.connect_all()
    everything = b"".join(each.bytes for each in relay.connections)
    assert SERVICE_PASSWORD not in everything


async def test_a_clear_service_bind_happens_only_when_the_administrator_asked_for_it(
    tmp_path: Path, make_slapd: Callable[..., Slapd], relay: Relay
) -> None:
    server = make_slapd(anonymous_read=False)
    folder = settings_folder(
        tmp_path,
        server,
        level="passwords",
        cards_encrypted=True,
        directory={"QUINTET_ALLOW_CLEAR_SERVICE_BIND": "1"},
    )
    async with running(load(folder, {}), relay) as quintet:
        await use_everything(quintet)
    everything = b"".join(each.bytes for each in relay.connections)
    assert SERVICE_PASSWORD in everything
    assert not seen(everything, (PASSWORD, WRONG_PASSWORD)), "people's passwords never"


@pytest.mark.parametrize("level", ["all", "passwords"])
async def test_start_tls_hides_as_much_as_tls_from_the_first_byte(
    tmp_path: Path, small_slapd: Slapd, relay: Relay, level: str
) -> None:
    folder = settings_folder(
        tmp_path, small_slapd, level=level, account=None, directory={"QUINTET_START_TLS": "1"}
    )
    async with running(load(folder, {}), relay) as quintet:
        await use_everything(quintet)
    hidden = set(TASKS) - CLEAR_TASKS[level]
    assert {each.port for label in hidden for each in relay.of(label)} == {small_slapd.port}
    assert not any(seen(bytes_of(relay.of(label)), (*NAMES, *VALUES, PASSWORD)) for label in hidden)


async def test_logins_over_tls_reuse_their_connections(
    tmp_path: Path, small_slapd: Slapd, relay: Relay
) -> None:
    """No handshake per login: the count of connections stays while logins go on."""
    folder = settings_folder(tmp_path, small_slapd, level="all")
    async with Directory(load(folder, {}), route=relay.route) as directory:
        await directory.authenticate("alice", "alice-secret")
        before = len(relay.connections)
        for _ in range(20):
            for uid in ("alice", "bob", "carol"):
                person = await directory.authenticate(uid, f"{uid}-secret")
                assert person.dn == small.person_dn(uid)
        assert len(relay.connections) == before
