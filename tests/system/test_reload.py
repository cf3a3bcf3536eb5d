"""New settings under load: certificate, level and host change, and no request fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from quintet.directory import Protection, Service
from quintet.runtime.application import Application, _reload_loop
from support import certs, keytool, small
from support.directories import until
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
SOON = 20.0


@dataclass(slots=True)
class Answers:
    """What the callers got."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def further(self, count: int) -> None:
        wanted = self.right + count
        async with asyncio.timeout(SOON):
            while self.right < wanted and not self.wrong:
                self.changed.clear()
                await self.changed.wait()


async def one_of_each(server: Application, uid: str) -> bool:
    dn = small.person_dn(uid)
    person = await server.directory.authenticate(uid, f"{uid}-secret")
    found = await server.directory.resolve(f"{uid}@example.com", groups=False)
    page = await server.directory.browse(small.PEOPLE, page_size=3)
    group = await server.directory.members("sales")
    card = await server.cards.card(uid)
    return (
        person.dn == dn
        and [each.dn for each in found.matches] == [dn]
        and (found.complete, page.complete, len(page.entries)) == (True, True, 3)
        and bool(group.members)
        and card.fields["MailAddress"].value == f"{uid}@example.com"
    )


@asynccontextmanager
async def load_on(server: Application) -> AsyncIterator[Answers]:
    answers, over = Answers(), asyncio.Event()

    async def caller(uid: str) -> None:
        while not over.is_set():
            try:
                if await one_of_each(server, uid):
                    answers.right += 1
                else:
                    answers.wrong.append(f"{uid} got something else")
            except Exception as error:  # noqa: BLE001  # any failure at all is what this looks for
                answers.wrong.append(f"{uid}: {error!r}")
            answers.changed.set()

    async with asyncio.TaskGroup() as group:
        for uid in PEOPLE:
            group.create_task(caller(uid))
        try:
            yield answers
        finally:
            over.set()


@pytest.fixture
def stores(tmp_path: Path, small_slapd: Slapd) -> tuple[Path, Path]:
    """Two trust stores: with the authority of the shared server, and with another one besides."""
    other = certs.authority("another authority")
    return (
        keytool.trust_store(tmp_path / "one.p12", {"ldap": small_slapd.authority}),
        keytool.trust_store(tmp_path / "two.p12", {"ldap": small_slapd.authority, "other": other}),
    )


async def test_a_changed_level_certificate_and_host_lose_no_request(
    tmp_path: Path, small_slapd: Slapd, make_slapd: Callable[..., Slapd], stores: tuple[Path, Path]
) -> None:
    folder, used = tmp_path / "s", tmp_path / "used.p12"
    used.write_bytes(stores[0].read_bytes())
    second = make_slapd(authority=certs.authority("the second server's authority"))
    other_store = keytool.trust_store(tmp_path / "second.p12", {"ldap": second.authority})
    settings_folder(folder, small_slapd, store=used, cards_encrypted=True)
    async with Application(folder, {}) as server, load_on(server) as answers:
        await answers.further(20)
        for level in ("none", "passwords", "all"):
            settings_folder(folder, small_slapd, store=used, level=level, cards_encrypted=level == "all")
            assert await server.reload()
            assert server.directory.protection.name.lower() == level
            await answers.further(20)
        used.write_bytes(stores[1].read_bytes())
        assert await server.reload()
        await answers.further(20)
        settings_folder(folder, small_slapd, store=used, host="127.0.0.1", cards_encrypted=True)
        assert await server.reload()
        await answers.further(20)
        settings_folder(folder, second, store=other_store, cards_encrypted=True)
        assert await server.reload()
        await answers.further(20)
        addresses = {row.address for row in server.connections()}
    assert answers.wrong == []
    assert addresses == {f"localhost:{second.tls_port}"}


async def test_wrong_settings_under_load_change_nothing(
    tmp_path: Path, small_slapd: Slapd, stores: tuple[Path, Path]
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, store=stores[0], cards_encrypted=True)
    async with Application(folder, {}) as server, load_on(server) as answers:
        await answers.further(20)
        before = server.settings
        (folder / "sametime.ini").write_text("[Directory]\nST_DB_LDAP_CONNECTIONS_NUMBER=many\n")
        assert not await server.reload()
        assert server.settings is before
        await answers.further(20)
    assert answers.wrong == []


async def test_only_the_connections_that_a_change_touches_are_replaced(
    tmp_path: Path, small_slapd: Slapd, stores: tuple[Path, Path]
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, store=stores[0], cards_encrypted=True)
    async with Application(folder, {}) as server:
        await server.connect()
        for uid in PEOPLE:
            await one_of_each(server, uid)
        operations = {row.service: row.operations for row in server.connections()}
        settings_folder(folder, small_slapd, store=stores[0], level="passwords", cards_encrypted=True)
        assert await server.reload()
        kept = {row.service: row.operations for row in server.connections() if row.encrypted}
    assert kept == {task: operations[task] for task in (Service.AUTHENTICATE, Service.BUSINESS_CARD)}


async def test_requests_under_way_are_answered_before_the_end(
    tmp_path: Path, small_slapd: Slapd, stores: tuple[Path, Path]
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, store=stores[0], cards_encrypted=True)
    async with Application(folder, {}) as server:
        signing_in = [asyncio.create_task(server.directory.resolve_login(uid)) for uid in PEOPLE]
        await asyncio.sleep(0)
    found = await asyncio.gather(*signing_in)
    assert [person.dn for person in found] == [small.person_dn(uid) for uid in PEOPLE]


async def test_settings_are_read_again_by_themselves_after_the_refresh_interval(
    tmp_path: Path, small_slapd: Slapd, stores: tuple[Path, Path]
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, store=stores[0], cards_encrypted=True)
    async with Application(folder, {}) as server:
        soon = replace(server.settings.directory, config_refresh_interval=0.01)
        server.settings = replace(server.settings, directory=soon)
        settings_folder(folder, small_slapd, store=stores[0], level="none")
        reading = asyncio.create_task(_reload_loop(server, asyncio.Event()))
        await until(lambda: server.directory.protection is Protection.NONE)
        reading.cancel()
        await asyncio.wait([reading])
    assert reading.cancelled()
