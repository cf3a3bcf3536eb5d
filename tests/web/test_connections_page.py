"""The connections page as a browser without JavaScript sees it, its forms, and its stream of events."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from quintet.directory import Service
from quintet.directory.events import ConnectionEvent
from quintet.embedded import sample
from quintet.ldap import OperationEnded
from quintet.web import connections_page
from quintet.web.activity import RECENT, WINDOW, Activity
from support import small
from support.folder import LEVELS, settings_folder
from support.serving import free_port, serve
from support.slapd import Slapd
from support.waiting import wait_until
from support.web_admin import ADMIN, admin_folder, signed_in_admin
from support.web_site import HERE, SCRIPT, Web, web_for

pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path, slapd: Slapd) -> Path:
    return admin_folder(tmp_path / "s", slapd, "all")


def token_of(page: httpx.Response) -> str:
    found = re.search(r'name="token" value="([\w-]+)"', page.text)
    assert found is not None
    return found[1]


def rows_of(page: httpx.Response) -> dict[str, str]:
    """The rows of the table of services, by service."""
    table = page.text.partition("Every service")[2].partition("</table>")[0]
    return dict(re.findall(r'<th role="rowheader" scope="row">([\w-]+)</th>(.*?)</tr>', table, re.DOTALL))


async def post(client: httpx.AsyncClient, path: str, form: dict[str, str]) -> httpx.Response:
    """What a form of the page does."""
    token = token_of(await client.get("/connections"))
    return await client.post(f"/connections/{path}", data={"token": token, **form}, headers=HERE)


@pytest.mark.parametrize("level", LEVELS)
async def test_the_table_says_which_services_are_encrypted(tmp_path: Path, slapd: Slapd, level: str) -> None:
    async with web_for(admin_folder(tmp_path / "s", slapd, level)) as web, signed_in_admin(web) as admin:
        await web.site.directory.connect_all()
        page = await admin.get("/connections")
    rows = rows_of(page)
    assert rows.keys() == {each.value for each in Service}
    protection = web.site.directory.protection
    for service in Service:
        row = rows[service.value]
        if service is Service.BUSINESS_CARD:
            assert "no connection" in row, "no card was asked for yet"
            continue
        assert ("not encrypted" not in row) == protection.encrypts(service)
        assert ("TLSv1." in row) == ("days left" in row) == protection.encrypts(service)
    assert f"Protection: {level}" in page.text
    assert ("service account" in page.text) == (level == "none")


async def test_the_page_is_for_administrators(web: Web) -> None:
    paths = ("/connections", "/connections/events")
    async with web.signed_in("jgross") as user:
        assert {(await user.get(path)).status_code for path in paths} == {403}
        form = {"token": token_of(await user.get("/")), "name": "jgross"}
        for path in ("try", "end"):
            assert (await user.post(f"/connections/{path}", data=form, headers=HERE)).status_code == 403
        assert "/connections" not in (await user.get("/")).text
    for path in paths:
        answer = await web.client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_forms_need_their_token_and_our_origin(web: Web, admin: httpx.AsyncClient) -> None:
    token = token_of(await admin.get("/connections"))
    (session,) = await web.site.sessions.all()
    for path, form in (("try", {"name": "jgross"}), ("end", {"session": session.public_id})):
        for given, headers in (
            ("x", HERE),
            ("", HERE),
            (token, {}),
            (token, {"origin": "https://evil.example"}),
        ):
            answer = await admin.post(f"/connections/{path}", data={"token": given, **form}, headers=headers)
            assert answer.status_code == 403
        assert (await admin.get(f"/connections/{path}")).status_code == 405
    assert len(web.site.sessions) == 1


async def test_a_trial_of_a_person_shows_what_became_of_it(admin: httpx.AsyncClient) -> None:
    good = await post(admin, "try", {"name": "jgross", "password": sample.password_of("jgross")})
    assert "<h1>Authentication succeeded</h1>" in good.text
    assert "Remote-User</dt><dd>jgross" in good.text
    bad = await post(admin, "try", {"name": "jgross", "password": "wrong-Secret9"})
    assert "<h1>Authentication failed</h1>" in bad.text
    assert "wrong-Secret9" not in bad.text
    lookup = await post(admin, "try", {"name": "jgross", "password": ""})
    assert "<h1>Found; no sign-in was tried</h1>" in lookup.text
    assert "succeeded" not in lookup.text.partition("Copy without names")[0]
    assert (await post(admin, "try", {"name": " "})).status_code == 422
    assert (await post(admin, "try", {"name": "x" * 5000})).status_code == 422


async def test_sessions_are_ended_from_the_page(web: Web, admin: httpx.AsyncClient) -> None:
    async with web.signed_in("jgross") as one, web.signed_in("jgross") as two:
        page = await admin.get("/connections")
        (first, *_) = re.findall(r'aria-label="End this session of Jürgen Groß"', page.text)
        assert first
        session = next(each for each in await web.site.sessions.all() if not each.administrator)
        answer = await post(admin, "end", {"session": session.public_id})
        assert answer.headers["location"] == "/connections#sessions"
        assert [(await each.get("/")).status_code for each in (one, two)] == [303, 200]
        handle = re.findall(r'name="person" value="([\w-]+)"', page.text)[-1]
        assert (await post(admin, "end", {"person": handle})).status_code == 303
        assert (await two.get("/")).status_code == 303
        assert (await post(admin, "end", {"session": session.public_id})).status_code == 404


async def test_over_an_unencrypted_connection_there_is_no_password_field(web: Web) -> None:
    web.change(allow_unencrypted_sign_in=True)
    async with signed_in_admin(web, address="192.0.2.1") as admin:
        web.change(allow_unencrypted_sign_in=False)
        assert 'type="password"' not in (await admin.get("/connections")).text
        assert (await post(admin, "try", {"name": "jgross", "password": "x"})).status_code == 403
        assert (await post(admin, "try", {"name": "jgross"})).status_code == 200


async def test_too_many_trials_say_how_long_to_wait(web: Web, admin: httpx.AsyncClient) -> None:
    web.site.attempts.rules = replace(web.site.attempts.rules, limit=1, hold=0.0)  # type: ignore[attr-defined]
    form = {"name": "jgross", "password": "wrong"}
    assert (await post(admin, "try", form)).status_code == 200
    refused = await post(admin, "try", form)
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)


async def test_the_page_is_there_without_the_people_pages(web: Web) -> None:
    web.change(people_pages=False)
    async with web.browser() as client:
        page = await client.get("/sign-in")
        form = {"token": token_of(page), "name": ADMIN, "password": sample.password_of(ADMIN)}
        answer = await client.post("/sign-in", data=form, headers=HERE)
        assert answer.headers["location"] == "/connections"
        assert (await client.get("/connections")).status_code == 200
        assert (await client.get("/")).status_code == 404


async def test_values_of_the_directory_are_never_markup(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    folder = settings_folder(tmp_path / "s", make_slapd(small.LDIF + SCRIPT), level="none", account=None)
    async with web_for(folder, login="script") as web:
        ident, _ = await web.site.sessions.begin("script", web.people["script"], administrator=True)
        async with web.browser(cookies={"quintet": ident}) as client:
            page = await client.get("/connections")
            form = {"name": "script", "password": "script-secret"}
            trial = await post(client, "try", form)
            typed = await post(client, "try", {"name": "<script>alert(2)</script>"})
    for shown in (page, trial, typed):
        assert not re.search(r"<script(?![^>]*src=)|<img|\sstyle=|\son\w+=\"", shown.text)
        policy = shown.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert shown.headers["cache-control"] == "no-store"
    assert "&lt;script&gt;alert(1)" in page.text
    assert "&lt;script&gt;alert(1)" in trial.text


# What is watched.


async def test_rates_are_those_of_the_last_seconds() -> None:
    now = 100.0
    activity = Activity(lambda: now)
    for outcome in ("ok", "ok", "InvalidCredentials", "Busy"):
        ended = OperationEnded("search", outcome, 0.25)
        activity(ConnectionEvent(Service.BROWSE, "one", ended))
    assert activity.rate(Service.BROWSE, "one").operations == 0.0, "the second is not over"
    now += 1
    found = activity.rate(Service.BROWSE, "one")
    assert (found.operations, found.latency, found.errors) == (4 / WINDOW, 0.25, 1)
    assert found.recent[-2:] == (0, 4)
    assert activity.rate(Service.BROWSE, "two").operations == 0.0
    now += WINDOW
    found = activity.rate(Service.BROWSE, "one")
    assert (found.operations, found.latency, found.errors) == (0.0, None, 1)
    assert found.recent[-WINDOW - 1 :] == (4, *[0] * WINDOW)
    now += RECENT
    assert set(activity.rate(Service.BROWSE, "one").recent) == {0}


class _Streamed:
    """A stream of the page that is read in this process."""

    def __init__(self, web: Web, session: str) -> None:
        self.chunks: asyncio.Queue[str] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.scope = {
            "type": "http",
            "asgi": {"spec_version": "2.3"},
            "method": "GET",
            "scheme": "http",
            "path": "/connections/events",
            "raw_path": b"/connections/events",
            "query_string": b"",
            "headers": [(b"host", b"localhost:8080"), (b"cookie", f"quintet={session}".encode())],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8080),
        }
        self.task = asyncio.ensure_future(web.app(self.scope, self._receive, self._send))

    async def _receive(self) -> dict[str, object]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: object) -> None:
        assert isinstance(message, dict)
        self.chunks.put_nowait(message.get("body", b"").decode())

    async def snapshot(self) -> str:
        """The page that the next snapshot has."""
        async with asyncio.timeout(10):
            while True:
                chunk = await self.chunks.get()
                if "event: snapshot" in chunk:
                    return str(json.loads(chunk.partition("data: ")[2])["html"])


async def test_watching_browsers_are_told_changes_and_nothing_runs_without_them(
    web: Web, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_page, "EVERY", 0.01)

    def ticking() -> set[asyncio.Task[object]]:
        return {
            each for each in asyncio.all_tasks() if "_tick" in getattr(each.get_coro(), "__qualname__", "")
        }

    streamed = _Streamed(web, admin.cookies["quintet"])
    first = await streamed.snapshot()
    assert "no connection" in first
    await web.site.directory.connect_all()
    await web.site.cards.connect_all()
    later = await streamed.snapshot()
    while "no connection" in later:
        later = await streamed.snapshot()
    assert len(ticking()) == 1
    streamed.gone.set()
    async with asyncio.timeout(10):
        await streamed.task
        while ticking():
            await asyncio.wait(ticking())


async def test_a_stream_ends_when_the_person_is_no_administrator_any_more(
    web: Web, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.web.event_stream.KEEP_ALIVE", 0.01)
    streamed = _Streamed(web, admin.cookies["quintet"])
    await streamed.snapshot()
    (session,) = await web.site.sessions.all()
    session.administrator = False
    ended, _ = await asyncio.wait((streamed.task,), timeout=10)
    assert ended == {streamed.task}


# The running server.


def test_the_running_server_reloads_and_shows_why_it_did_not(tmp_path: Path, slapd: Slapd) -> None:
    folder = admin_folder(tmp_path / "s", slapd, "all")
    with serve(folder, STI__Config__QUINTET_HTTP_PORT=str(free_port())) as told:
        url = told["http"]
        headers = {"origin": url}
        with httpx.Client(base_url=url, headers=headers, timeout=20) as client:
            given = {"name": ADMIN, "password": sample.password_of(ADMIN)}
            assert client.post("/api/v1/session", json=given).status_code == 201
            assert client.post("/api/v1/reload").json() == {"applied": True}
            ini = folder / "sametime.ini"
            good = ini.read_text()
            ini.write_text(good + "[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=perhaps\n")
            refused = client.post("/api/v1/reload")
            assert (refused.status_code, refused.json()["code"]) == (409, "settings-rejected")
            assert "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS" in refused.json()["detail"]
            assert "The settings on disk are not in use" in client.get("/connections").text
            ini.write_text(good)
            assert client.post("/api/v1/reload").json() == {"applied": True}
            assert "The settings on disk are not in use" not in client.get("/connections").text

            def counted() -> bool:
                services = client.get("/api/v1/connections").json()["services"]
                return any(each["operations_per_second"] and each["latency"] for each in services)

            wait_until(counted, seconds=5)
