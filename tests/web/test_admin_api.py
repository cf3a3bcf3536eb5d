"""The administrators' part of the API: it shows what is true, does what it says, and refuses others."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from quintet.directory.attempts import AttemptRules
from quintet.embedded import sample
from quintet.storage import DatabaseAddress, DatabaseKind, TokenScope, TokenStore
from quintet.web.accounts import handle_of
from quintet.web.serving import Tokens
from support.folder import LEVELS
from support.slapd import Slapd
from support.web_admin import ADMIN, admin_folder, signed_in_admin
from support.web_site import HERE, Web, web_for

pytestmark = pytest.mark.real

API = "/api/v1"
PASSWORD = sample.password_of("jgross")
TRY = {"name": "jgross", "password": PASSWORD}
CHANGES = (
    ("DELETE", "sessions/x"),
    ("DELETE", "people/eA/sessions"),
    ("POST", "reload"),
    ("POST", "explain"),
)
READS = ("connections", "certificates", "diagnostics", "sessions")
ENCRYPTED = {
    "all": {"authenticate", "resolve-login", "resolve-names", "browse", "group-content"},
    "passwords": {"authenticate"},
    "none": set[str](),
}


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def folder(tmp_path: Path, slapd: Slapd) -> Path:
    return admin_folder(tmp_path / "s", slapd, "all")


async def read(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
    options.setdefault("headers", HERE)
    if path == "explain":
        options.setdefault("json", TRY)
    return await client.request(method, f"{API}/{path}", **options)


async def explained(client: httpx.AsyncClient, **given: str) -> Any:
    answer = await send(client, "POST", "explain", json=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


# Who may.


async def test_only_administrators_are_answered(web: Web) -> None:
    async with web.browser() as anonymous, web.signed_in("jgross") as user:
        for client, refusal in ((anonymous, (401, "not-signed-in")), (user, (403, "not-an-administrator"))):
            for path in READS:
                assert problem(await client.get(f"{API}/{path}")) == refusal
            for method, path in CHANGES:
                assert problem(await send(client, method, path)) == refusal
    assert len(web.site.sessions) == 1


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
async def test_what_another_site_sends_changes_nothing(
    web: Web, admin: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    own = (await read(admin, "sessions"))["sessions"][0]["id"]
    for method, path in (*CHANGES, ("DELETE", f"sessions/{own}")):
        assert problem(await send(admin, method, path, headers=headers)) == (403, "cross-site")
    assert len(web.site.sessions) == 1


async def test_a_program_needs_the_scope_and_no_origin(web: Web, tmp_path: Path) -> None:
    address = DatabaseAddress(DatabaseKind.SQLITE, str(tmp_path / "quintet.db"))
    store = await TokenStore.open(address)
    web.site = replace(web.site, tokens=Tokens(address))
    web.app = web.make_app()
    texts = {}
    for scope in TokenScope:
        texts[scope], _ = await store.create(scope.value, [scope], seconds=60)
    await store.close()
    async with web.browser() as client:
        for scope, statuses in ((TokenScope.ADMIN, {200, 404, 503}), (TokenScope.PEOPLE, {403})):
            headers = {"authorization": f"Bearer {texts[scope]}"}
            answers = [await client.get(f"{API}/{path}", headers=headers) for path in READS]
            answers += [await send(client, *change, headers=headers) for change in CHANGES]
            assert {each.status_code for each in answers} == statuses


# What is shown.


@pytest.mark.parametrize("level", LEVELS)
async def test_each_service_is_shown_as_it_is_encrypted(tmp_path: Path, slapd: Slapd, level: str) -> None:
    async with web_for(admin_folder(tmp_path / "s", slapd, level)) as web, signed_in_admin(web) as admin:
        await web.site.directory.connect_all()
        await web.site.cards.connect_all()
        found = await read(admin, "connections")
    assert found["protection"] == level
    assert found["account_readable"] == (level == "none")
    services = {each["service"]: each for each in found["services"]}
    assert len(services) == 6
    assert {name for name, each in services.items() if each["encrypted"]} == ENCRYPTED[level]
    for each in services.values():
        assert each["connected"] >= 1
        assert (each["readable"] is None) == each["encrypted"]
        assert bool(each["tls_versions"] and each["ciphers"] and each["certificates"]) == each["encrypted"]
        port = slapd.tls_port if each["encrypted"] else slapd.port
        assert each["addresses"] == [f"localhost:{port}"]


async def test_the_first_certificate_to_expire_comes_first_and_says_where_it_was_shown(
    admin: httpx.AsyncClient,
) -> None:
    (shown,) = (await read(admin, "certificates"))["certificates"]
    assert shown["certificate"]["subject"] == "CN=localhost,O=Quintet Tests"
    assert 360 < shown["certificate"]["days_left"] < 370
    assert {"authenticate", "resolve-login"} <= set(shown["services"]) <= ENCRYPTED["all"]


async def test_diagnostics_have_their_fixes(web: Web, admin: httpx.AsyncClient) -> None:
    found = await read(admin, "diagnostics")
    assert "D6" in {each["code"] for each in found["problems"]}
    assert all(each["fix"] and each["impact"] for each in found["problems"])
    assert found["rejected"] is None


# Sessions.


async def test_an_administrator_ends_a_session_and_all_of_a_person(
    web: Web, admin: httpx.AsyncClient
) -> None:
    async with (
        web.signed_in("jgross") as one,
        web.signed_in("jgross") as two,
        web.signed_in("jgross") as three,
    ):
        rows = [row for row in (await read(admin, "sessions"))["sessions"] if not row["administrator"]]
        assert [row["person"]["name"] for row in rows] == ["Jürgen Groß"] * 3
        answer = await send(admin, "DELETE", f"sessions/{rows[0]['id']}")
        assert (answer.status_code, answer.json()) == (200, {"ended": 1})
        assert [(await each.get(f"{API}/session")).status_code for each in (one, two, three)] == [
            401,
            200,
            200,
        ]
        path = f"people/{rows[0]['person']['handle']}/sessions"
        assert (await send(admin, "DELETE", path)).json() == {"ended": 2}
        assert problem(await send(admin, "DELETE", path)) == (404, "not-found")
        assert problem(await send(admin, "DELETE", f"sessions/{rows[0]['id']}")) == (404, "not-found")
        assert [(await each.get(f"{API}/session")).status_code for each in (two, three)] == [401, 401]
    assert (await admin.get(f"{API}/session")).status_code == 200


async def test_the_id_that_names_a_session_signs_nobody_in(web: Web, admin: httpx.AsyncClient) -> None:
    (row,) = (await read(admin, "sessions"))["sessions"]
    async with web.browser(cookies={"quintet": row["id"]}) as other:
        assert (await other.get(f"{API}/session")).status_code == 401


async def test_sessions_of_sametime_clients_are_listed_and_ended(web: Web) -> None:
    ended = list[str]()
    row = {
        "id": "s-1",
        "user_id": web.people["jgross"].id,
        "user_name": "Jürgen Groß",
        "client_type": "0x1002",
        "address": "192.0.2.1",
        "tls": "TLSv1.3",
        "connected_at": 0.0,
    }

    async def sessions(_: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if ended else [row]

    async def end(request: dict[str, Any]) -> int:
        ended.append(request["name"])
        return 1

    web.site = replace(web.site, requests={"sessions": sessions, "end-sessions": end})
    web.app = web.make_app()
    async with signed_in_admin(web) as admin:
        (shown,) = (await read(admin, "sessions"))["sametime"]
        assert (shown["id"], shown["since"]) == ("s-1", "1970-01-01T00:00:00+00:00")
        assert problem(await send(admin, "DELETE", "sessions/jgross")) == (404, "not-found")
        assert (await send(admin, "DELETE", "sessions/s-1")).json() == {"ended": 1}
        handle = handle_of(web.people["jgross"].id)
        assert (await send(admin, "DELETE", f"people/{handle}/sessions")).json() == {"ended": 1}
    assert ended == ["s-1", web.people["jgross"].id]


# Reload.


async def test_a_reload_is_done_or_says_why_not(web: Web) -> None:
    reason = ""

    async def reload(_: dict[str, Any]) -> dict[str, Any]:
        return {"applied": not reason}

    async with signed_in_admin(web) as admin:
        assert problem(await send(admin, "POST", "reload")) == (503, "reload-unavailable")
    web.site = replace(web.site, requests={"reload": reload}, rejected=lambda: reason)
    web.app = web.make_app()
    async with signed_in_admin(web) as admin:
        assert (await send(admin, "POST", "reload")).json() == {"applied": True}
        reason = "sametime.ini:3: that is wrong"
        answer = await send(admin, "POST", "reload")
        assert problem(answer) == (409, "settings-rejected")
        assert answer.json()["detail"] == reason
        assert (await read(admin, "diagnostics"))["rejected"] == reason


# One person.


@pytest.mark.parametrize("level", ["all", "passwords"])
async def test_a_trial_shows_values_groups_and_what_an_application_is_told(
    tmp_path: Path, slapd: Slapd, level: str
) -> None:
    async with web_for(admin_folder(tmp_path / "s", slapd, level)) as web, signed_in_admin(web) as admin:
        found = await explained(admin, **TRY)
    assert (found["outcome"], found["state"], found["administrator"]) == ("succeeded", "active", False)
    values = {each["name"]: each for each in found["values"]}
    came_over = "authenticate" if level == "passwords" else "resolve-login"
    mail = values["Mail address"]
    assert (mail["value"], mail["attribute"], mail["server"]) == (
        "jgross@example.com",
        "mail",
        "localhost",
    )
    assert mail["service"] == came_over
    assert "(uid=jgross)" in mail["filter"]
    assert values["uid"]["over"] == ("authenticate" if level == "passwords" else None)
    assert values["Card: Title"]["service"] == "business-card"
    groups = {each["group"]["name"]: each for each in found["groups"]}
    assert groups["All Staff"]["counts"] is True
    assert groups["All Staff"]["uses"] == ["required by wiki", "sent to wiki"]
    (wiki,) = found["applications"]
    assert wiki["status"] == 200
    assert wiki["headers"] == {
        "Remote-User": "jgross",
        "Remote-Name": "Jürgen Groß",
        "Remote-Email": "jgross@example.com",
        "Remote-Groups": "All Staff",
    }
    binds = [each for each in found["steps"] if each["found"] is None]
    assert [each["service"] for each in binds] == ["authenticate"]


async def test_each_value_of_a_card_has_the_server_the_filter_and_the_attributes_of_its_own(
    tmp_path: Path, slapd: Slapd
) -> None:
    """Two storages: the first has no titles."""
    folder = admin_folder(tmp_path / "s", slapd, "none")
    path = folder / "UserInfoConfig.xml"
    first = re.search(r"<Storage .*?</Storage>", path.read_text(), re.DOTALL)
    assert first is not None
    title = '<Detail Id="Title" FieldName="title" Type="text/plain"/>'
    second = first[0].replace('HostName="localhost"', 'HostName="127.0.0.1"')
    path.write_text(path.read_text().replace(first[0], first[0].replace(title, "") + second))
    async with web_for(folder) as web, signed_in_admin(web) as admin:
        found = await explained(admin, name="jgross")
    values = {each["name"]: each for each in found["values"]}
    name, of_title = values["Card: Name"], values["Card: Title"]
    assert (name["server"], name["attribute"]) == ("localhost", "cn")
    assert (of_title["server"], of_title["attribute"]) == ("127.0.0.1", "title")
    assert "objectclass" in name["filter"].casefold()
    assert values["Card: Telephone"]["attribute"] in ("telephoneNumber", "mobile", "telephoneNumber, mobile")
    assert [each["server"] for each in found["values"] if not each["name"].startswith("Card")] == [
        "localhost"
    ] * 4


async def test_a_name_that_came_from_the_dn_is_not_said_to_be_of_an_attribute(
    tmp_path: Path, slapd: Slapd
) -> None:
    folder = admin_folder(tmp_path / "s", slapd, "none")
    path = folder / "StCommunityConfig.xml"
    path.write_text(path.read_text().replace('NameAttribute="cn"', 'NameAttribute="pager"', 1))
    async with web_for(folder) as web, signed_in_admin(web) as admin:
        values = {each["name"]: each for each in (await explained(admin, name="jgross"))["values"]}
    assert (values["Name"]["attribute"], values["Mail address"]["attribute"]) == ("DN", "mail")


async def test_without_a_password_nothing_is_called_successful(admin: httpx.AsyncClient) -> None:
    found = await explained(admin, name="jgross")
    assert (found["outcome"], found["state"], found["administrator"]) == ("not-tried", None, None)
    assert found["person"]["name"] == "Jürgen Groß"
    assert {each["counts"] for each in found["groups"]} == {None}
    assert {each["status"] for each in found["applications"]} == {None}
    assert all(each["found"] is not None for each in found["steps"]), "there is no bind"


async def test_a_wrong_password_says_so_to_administrators_and_grants_nothing(
    admin: httpx.AsyncClient,
) -> None:
    found = await explained(admin, name="jgross", password="wrong")
    assert (found["outcome"], found["state"], found["administrator"]) == ("failed", "wrong-password", None)
    assert {each["counts"] for each in found["groups"]} == {None}
    assert {each["status"] for each in found["applications"]} == {None}
    unknown = await explained(admin, name="nobody-here", password="wrong")
    assert (unknown["outcome"], unknown["person"], unknown["groups"]) == ("failed", None, [])
    assert (await explained(admin, name="nobody-here"))["outcome"] == "failed"
    ambiguous = await explained(admin, name="John Smith")
    assert (ambiguous["outcome"], ambiguous["person"]) == ("failed", None)


async def test_trials_count_for_the_limits_of_all_sign_ins(web: Web, admin: httpx.AsyncClient) -> None:
    web.site.attempts.rules = AttemptRules(limit=2, hold=0.0)  # type: ignore[attr-defined]
    for _ in range(2):
        assert (await explained(admin, name="jgross", password="wrong"))["outcome"] == "failed"
    answer = await send(admin, "POST", "explain")
    assert problem(answer) == (429, "too-many-attempts")
    assert int(answer.headers["retry-after"]) > 0
    async with web.browser() as user:
        answer = await send(user, "POST", "session", json=TRY)
        assert problem(answer) == (429, "too-many-attempts")


async def test_a_password_is_tried_over_https_or_from_this_machine_only(web: Web) -> None:
    web.change(allow_unencrypted_sign_in=True)
    async with signed_in_admin(web, address="192.0.2.1") as admin:
        web.change(allow_unencrypted_sign_in=False)
        assert problem(await send(admin, "POST", "explain")) == (403, "unencrypted-connection")
        assert (await explained(admin, name="jgross"))["outcome"] == "not-tried"


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 1025}, {"name": "a", "password": ""}, {"name": "a", "x": 1}, []]
)
async def test_what_can_not_be_tried_is_422(admin: httpx.AsyncClient, body: Any) -> None:
    assert problem(await send(admin, "POST", "explain", json=body)) == (422, "invalid-parameter")


async def test_no_answer_has_the_password(admin: httpx.AsyncClient) -> None:
    for password in (PASSWORD, "wrong-Secret9"):
        answer = await send(admin, "POST", "explain", json={"name": "jgross", "password": password})
        assert password not in answer.text


async def test_the_administrator_is_who_is_in_the_group(web: Web, admin: httpx.AsyncClient) -> None:
    found = await explained(admin, name=ADMIN, password=sample.password_of(ADMIN))
    assert found["administrator"] is True
    assert "administrators" in {use for each in found["groups"] for use in each["uses"]}
