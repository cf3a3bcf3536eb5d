"""Under "only passwords" the lookup of a login name is not encrypted: who changes it signs in as nobody."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quintet.config.load import load
from quintet.directory import (
    AuthenticationError,
    Directory,
    DirectoryUnavailableError,
    Event,
    Service,
    SignedIn,
    UnreachableReason,
    Warned,
)
from quintet.ldap.messages import SearchRequest
from support import small
from support.folder import settings_folder
from support.scripted import entry, scripted, then_done
from support.slapd import Slapd

pytestmark = pytest.mark.real

ALICE, BOB = small.person_dn("alice"), small.person_dn("bob")


@asynccontextmanager
async def deceived(
    folder: Path, dn: str, told: list[Event] | None = None, **attributes: list[bytes]
) -> AsyncIterator[Directory]:
    """A directory whose lookups of login names are answered by an attacker, with this entry."""

    def answer(request: SearchRequest) -> Iterable[Any]:
        name = dn if request.scope == 2 else request.base
        return then_done(entry(name, **attributes))

    async with scripted(answer) as (port, _):

        def route(service: Service, host: str, real: int) -> tuple[str, int]:
            return ("127.0.0.1", port if service is Service.RESOLVE_LOGIN else real)

        trace = told.append if told is not None else None
        async with Directory(load(folder, {}), route=route, trace=trace) as directory:
            yield directory


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path, small_slapd, level="passwords", account=None)


async def test_another_entry_and_its_password_do_not_sign_in(folder: Path) -> None:
    told: list[Event] = []
    async with deceived(folder, BOB, told, cn=[b"Alice Adams"], mail=[b"alice@example.com"]) as directory:
        with pytest.raises(AuthenticationError) as refused:
            await directory.authenticate("alice", "bob-secret")
        assert str(refused.value) == str(AuthenticationError())
        (bob,) = [await directory.authenticate("bob", "bob-secret")]
    assert (bob.dn, bob.name, bob.mail) == (BOB, "Bob Brown", "bob@example.com")
    assert [each.outcome for each in told if isinstance(each, SignedIn)] == ["refused", "ok"]
    assert [each.service for each in told if isinstance(each, Warned)] == [Service.AUTHENTICATE]


async def test_the_person_is_what_the_encrypted_connection_says(folder: Path) -> None:
    async with deceived(folder, ALICE, cn=[b"The Boss"], mail=[b"boss@example.com"]) as directory:
        alice = await directory.authenticate("alice", "alice-secret")
    assert (alice.dn, alice.name, alice.mail) == (ALICE, "Alice Adams", "alice@example.com")


async def test_a_dn_signs_in_as_itself_only(folder: Path) -> None:
    async with Directory(load(folder, {})) as directory:
        assert (await directory.authenticate(ALICE, "alice-secret")).dn == ALICE
    async with deceived(folder, BOB, cn=[b"Alice Adams"]) as directory:
        with pytest.raises(AuthenticationError):
            await directory.authenticate(ALICE, "bob-secret")


async def test_an_id_signs_in_as_the_one_who_has_it_only(tmp_path: Path, small_slapd: Slapd) -> None:
    connection = {"UserIdAttribute": "telephoneNumber"}
    folder = settings_folder(tmp_path, small_slapd, level="passwords", account=None, connection=connection)
    async with Directory(load(folder, {})) as directory:
        alice = await directory.authenticate("+49 30 1000", "alice-secret")
    assert (alice.dn, alice.id) == (ALICE, "+49 30 1000")
    async with deceived(folder, BOB, telephoneNumber=[b"+49 30 1000"]) as directory:
        with pytest.raises(AuthenticationError):
            await directory.authenticate("+49 30 1000", "bob-secret")


@pytest.mark.parametrize("dn", ["cn=admin,o=elsewhere", "", "no name"])
async def test_an_entry_outside_the_base_is_not_bound_as(
    tmp_path: Path, make_slapd: Callable[..., Slapd], dn: str
) -> None:
    server = make_slapd()
    folder = settings_folder(tmp_path, server, level="passwords", account=None)
    async with deceived(folder, dn, mail=[b"alice@example.com"]) as directory:
        with pytest.raises(AuthenticationError):
            await directory.authenticate("alice", "alice-secret")
    binds = [line for line in server.log().splitlines() if " BIND dn=" in line and 'dn="" ' not in line]
    assert binds
    assert all("cn=unknown-" in line for line in binds)


async def test_a_wrong_password_is_refused_as_ever(folder: Path) -> None:
    async with deceived(folder, ALICE, mail=[b"alice@example.com"]) as directory:
        with pytest.raises(AuthenticationError):
            await directory.authenticate("alice", "wrong")


async def test_a_server_where_users_may_not_read_themselves_cannot_verify_and_that_is_told(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    folder = settings_folder(tmp_path, make_slapd(self_read=False), level="passwords", account=None)
    told: list[Event] = []
    async with Directory(load(folder, {}), trace=told.append) as directory:
        for _ in range(2):
            with pytest.raises(DirectoryUnavailableError) as unavailable:
                await directory.authenticate("alice", "alice-secret")
        with pytest.raises(AuthenticationError):
            await directory.authenticate("alice", "wrong")
    assert unavailable.value.why is UnreachableReason.ANSWER
    assert unavailable.value.service is Service.AUTHENTICATE
    assert unavailable.value.fix is not None
    assert [each.service for each in told if isinstance(each, Warned)] == [Service.AUTHENTICATE], "once"


@pytest.mark.parametrize("level", ["all", "none"])
async def test_other_levels_bind_and_ask_no_more(
    tmp_path: Path, make_slapd: Callable[..., Slapd], level: str
) -> None:
    """Where everything is encrypted the lookup is believed; where nothing is, nothing could be better."""
    folder = settings_folder(tmp_path, make_slapd(self_read=False), level=level, account=None)
    async with Directory(load(folder, {})) as directory:
        assert (await directory.authenticate("alice", "alice-secret")).dn == ALICE


@pytest.mark.parametrize("level", ["all", "passwords", "none"])
async def test_c87_a_dn_signs_in_at_every_level(tmp_path: Path, small_slapd: Slapd, level: str) -> None:
    folder = settings_folder(tmp_path / level, small_slapd, level=level, account=None)
    async with Directory(load(folder, {})) as directory:
        assert (await directory.authenticate(ALICE, "alice-secret")).id == ALICE
        with pytest.raises(AuthenticationError):
            await directory.authenticate(ALICE, "bob-secret")


async def test_c87_a_false_answer_for_a_dn_does_not_sign_in_as_another(folder: Path) -> None:
    def answer(_: SearchRequest) -> Iterable[Any]:
        return then_done(entry(BOB, cn=[b"Alice Adams"], uid=[b"alice"]))

    async with scripted(answer) as (port, _):

        def route(service: Service, host: str, real: int) -> tuple[str, int]:
            return ("127.0.0.1", port if service is Service.RESOLVE_LOGIN else real)

        async with Directory(load(folder, {}), route=route) as directory:
            for name in (ALICE, BOB.upper().replace("BOB", "alice")):
                with pytest.raises(AuthenticationError):
                    await directory.authenticate(name, "bob-secret")
