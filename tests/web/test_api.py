"""The API: sessions, the five tasks, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quintet.directory import VerifiedPerson
from quintet.directory.attempts import AttemptRules
from quintet.embedded import sample
from quintet.web import accounts
from quintet.web.accounts import handle_of, ident_of
from quintet.web.sessions import LONGEST, RECHECK
from support.folder import settings_folder
from support.slapd import Slapd
from support.web_site import HERE, URL, Web, web_for

pytestmark = pytest.mark.real

API = "/api/v1"
GOOD = {"name": "jgross", "password": sample.password_of("jgross")}


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    return document["status"], document["code"]


async def sign_in(client: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await client.post(f"{API}/session", json=GOOD | changes, headers=HERE)


@pytest.fixture
async def client(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in with a password."""
    async with web.browser() as client:
        assert (await sign_in(client)).status_code == 201
        yield client


# Sessions.


async def test_signing_in_sets_a_cookie_that_scripts_cannot_read(web: Web) -> None:
    answer = await sign_in(web.client)
    cookie = answer.headers["set-cookie"]
    assert answer.json()["person"]["name"] == "Jürgen Groß"
    assert cookie.startswith("quintet=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert (await web.client.get(f"{API}/session")).json() == answer.json()


async def test_over_https_the_cookie_is_bound_to_this_host(web: Web) -> None:
    async with web.browser(base_url="https://localhost:8080") as client:
        headers = {"origin": "https://localhost:8080"}
        answer = await client.post(f"{API}/session", json=GOOD, headers=headers)
    assert answer.headers["set-cookie"].startswith("__Host-quintet=")
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"]


async def test_an_unknown_name_and_a_wrong_password_are_the_same_answer(web: Web) -> None:
    answers = [
        await sign_in(web.client, password="wrong"),
        await sign_in(web.client, name="nobody-here"),
        await sign_in(web.client, name="John Smith"),
    ]
    assert {problem(each) for each in answers} == {(401, "sign-in-failed")}
    assert len({each.content for each in answers}) == 1
    assert not any("set-cookie" in each.headers for each in answers)


async def test_signing_out_ends_the_session_on_the_server(client: httpx.AsyncClient) -> None:
    cookie = client.cookies["quintet"]
    assert (await client.delete(f"{API}/session", headers=HERE)).status_code == 204
    answer = await client.get(f"{API}/session", headers={"cookie": f"quintet={cookie}"})
    assert problem(answer) == (401, "not-signed-in")


async def test_signing_out_everywhere_ends_the_others_too(web: Web, client: httpx.AsyncClient) -> None:
    async with web.signed_in("jgross") as other:
        assert (await other.get(f"{API}/session")).status_code == 200
        await client.delete(f"{API}/session?everywhere=true", headers=HERE)
        assert (await other.get(f"{API}/session")).status_code == 401


async def test_signing_in_again_replaces_the_session(web: Web, client: httpx.AsyncClient) -> None:
    before = client.cookies["quintet"]
    await sign_in(client)
    assert client.cookies["quintet"] != before
    assert len(web.site.sessions) == 1


async def test_two_cookies_of_the_name_are_no_session(client: httpx.AsyncClient) -> None:
    cookie = client.cookies["quintet"]
    headers = {"cookie": f"quintet=planted; quintet={cookie}"}
    client.cookies.clear()
    assert (await client.get(f"{API}/session", headers=headers)).status_code == 401


async def test_a_session_ends_when_the_person_is_no_longer_there(
    web: Web, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (session,) = await web.site.sessions.all()
    session.checked -= RECHECK
    assert (await client.get(f"{API}/session")).status_code == 200
    session.checked -= RECHECK
    session.login = "nobody-here"
    assert (await client.get(f"{API}/session")).status_code == 401
    assert len(web.site.sessions) == 0


async def test_a_session_ends_after_its_longest_time(web: Web, client: httpx.AsyncClient) -> None:
    (session,) = await web.site.sessions.all()
    session.began -= LONGEST
    assert (await client.get(f"{API}/session")).status_code == 401


# What may not be.


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": URL},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_changes_from_elsewhere_are_refused(
    web: Web, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    signing_in = await client.post(f"{API}/session", json=GOOD, headers=headers)
    signing_out = await client.delete(f"{API}/session", headers=headers)
    assert problem(signing_in) == problem(signing_out) == (403, "cross-site")
    assert len(web.site.sessions) == 1


async def test_passwords_come_over_https_or_from_this_machine(web: Web) -> None:
    async with web.browser("192.0.2.1") as remote:
        assert problem(await sign_in(remote)) == (403, "unencrypted-connection")
        web.change(allow_unencrypted_sign_in=True)
        assert (await sign_in(remote)).status_code == 201


async def test_a_proxy_on_this_machine_does_not_make_everyone_local(web: Web) -> None:
    headers = HERE | {"x-forwarded-for": "192.0.2.1"}
    answer = await web.client.post(f"{API}/session", json=GOOD, headers=headers)
    assert problem(answer) == (403, "unencrypted-connection")


async def test_https_at_a_trusted_proxy_counts_and_at_another_does_not(folder: Path) -> None:
    with (folder / "sametime.ini").open("a") as ini:
        ini.write("[Config]\nQUINTET_TRUSTED_PROXIES=10.0.0.0/8\n")
    async with web_for(folder) as web:
        headers = {
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-proto": "https",
            "origin": "https://localhost:8080",
        }
        for address, status in (("10.1.2.3", 201), ("192.0.2.9", 403)):
            async with web.browser(address) as client:
                answer = await client.post(f"{API}/session", json=GOOD, headers=headers)
                assert answer.status_code == status


async def test_guessing_is_limited_before_the_directory_is_asked(web: Web) -> None:
    web.site.attempts.rules = AttemptRules(limit=3, hold=0.0)  # type: ignore[attr-defined]
    answers = [await sign_in(web.client, password="wrong") for _ in range(4)]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert problem(answers[-2]) == (401, "sign-in-failed")
    assert problem(answers[-1]) == (429, "too-many-attempts")
    assert problem(await sign_in(web.client)) == (429, "too-many-attempts")
    async with web.browser("127.0.0.2") as elsewhere:
        assert (await sign_in(elsewhere)).status_code == 201


@pytest.mark.parametrize(
    "path", ["session", "resolve?name=a", "people/eA", "people/eA/groups", "groups/eA/members", "browse"]
)
async def test_without_a_session_nothing_is_told(web: Web, path: str) -> None:
    assert problem(await web.client.get(f"{API}/{path}")) == (401, "not-signed-in")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"name": 1, "password": []}', b'{"name": "a", "password": ""}', b"[]"]
)
async def test_a_body_that_is_not_valid_is_a_problem_without_its_values(web: Web, body: bytes) -> None:
    headers = HERE | {"content-type": "application/json"}
    answer = await web.client.post(f"{API}/session", content=body, headers=headers)
    assert problem(answer) == (422, "invalid-parameter")


# The tasks.


async def found(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_name_becomes_people_and_groups_and_each_is_found_by_its_handle(
    client: httpx.AsyncClient,
) -> None:
    matches = (await found(client, "resolve?name=R"))["matches"]
    assert {each["kind"] for each in matches} == {"person", "group"}
    person = next(each for each in matches if each["kind"] == "person")
    assert await found(client, f"people/{person['handle']}") == person
    only = (await found(client, "resolve?name=R&kind=group"))["matches"]
    assert {each["kind"] for each in only} == {"group"}


async def test_odd_names_are_found_by_their_handles(client: httpx.AsyncClient) -> None:
    async def check(name: str) -> None:
        answer = await client.get(f"{API}/resolve", params={"name": name, "kind": "person"})
        person = next(each for each in answer.json()["matches"] if each["name"] == name)
        assert await found(client, f"people/{person['handle']}") == person

    names = (
        "Lee, Barry Jr.",
        "#1 Help Desk",
        "Back\\Slash Account",
        "Ann; Temp <Desk 4>",
        "Αλέξης Ζορμπάς",
        "Sam Doe",
    )
    await asyncio.gather(*map(check, names))


async def test_a_card_has_set_1_for_those_who_are_signed_in_and_set_0_for_others(
    web: Web, client: httpx.AsyncClient
) -> None:
    handle = handle_of(web.people["jgross"].id)
    own = await found(client, f"people/{handle}/card")
    async with web.browser() as anonymous:
        public = await found(anonymous, f"people/{handle}/card")
    assert own["fields"]["MailAddress"] == "jgross@example.com"
    assert public == {"handle": handle, "id": own["id"], "fields": {"Name": "Jürgen Groß"}, "photo": None}


async def test_the_photo_of_a_card_is_where_the_card_says(client: httpx.AsyncClient) -> None:
    (match,) = (await found(client, "resolve?name=helpdesk@example.com"))["matches"]
    card = await found(client, f"people/{match['handle']}/card")
    assert (await client.get(card["photo"])).headers["content-type"] == "image/jpeg"


async def test_groups_of_a_person_and_members_of_a_group(web: Web, client: httpx.AsyncClient) -> None:
    handle = handle_of(web.people["jgross"].id)
    groups = (await found(client, f"people/{handle}/groups"))["groups"]
    assert "All Staff" in {each["name"] for each in groups}
    company = next(each for each in (await found(client, "resolve?name=Company&kind=group"))["matches"])
    members = await found(client, f"groups/{company['handle']}/members")
    assert {each["name"] for each in members["groups"]} >= {"Product", "Sales Team", "Engineering Team"}
    assert members["members"]


async def test_a_group_is_no_person_and_a_person_no_group(web: Web, client: httpx.AsyncClient) -> None:
    group = handle_of("cn=Company,ou=groups,o=example")
    person = handle_of(web.people["jgross"].id)
    for path in (f"people/{group}", f"groups/{person}/members", "people/AA", "people/____", "people/QUJD"):
        assert problem(await client.get(f"{API}/{path}")) == (404, "not-found")


async def test_a_level_is_browsed_page_by_page(client: httpx.AsyncClient) -> None:
    names, token = list[str](), ""
    while True:
        page = await found(client, f"browse?dn=ou=people,o=example{token}")
        names += (each["name"] for each in page["entries"])
        if page["next"] is None:
            break
        token = f"&page={page['next']}"
    assert {"Engineering", "Research", "Zürich Branch"} <= set(names)
    assert problem(await client.get(f"{API}/browse?dn=ou=people,o=example&page=x")) == (400, "invalid-page")
    assert problem(await client.get(f"{API}/browse?dn=o=elsewhere")) == (404, "not-found")


def test_a_handle_has_one_spelling() -> None:
    assert ident_of(handle_of("cn=Jürgen/ü,o=example")) == "cn=Jürgen/ü,o=example"
    assert [ident_of(each) for each in ("eA==", "eB", "e", "/w", "__8", "IA", "A" * 2000)] == [None] * 7


# Administrators.


async def test_administrators_see_connections_and_sessions_and_others_do_not(
    tmp_path: Path, slapd: Slapd
) -> None:
    group = {"QUINTET_ADMIN_GROUP": "Chess Club"}
    member = next(each for each in sample.entries() if each.attributes.get("cn") == [b"Chess Club"])
    dn = member.attributes["member"][0]
    uid = next(e for e in sample.entries() if e.dn.encode() == dn).attributes["uid"][0].decode()
    account = (sample.READER, sample.READER_PASSWORD)
    folder = settings_folder(tmp_path, slapd, level="all", config=group, account=account)
    async with web_for(folder) as web:
        for name, expected in ((uid, 200), ("jsmith2", 403)):
            async with web.browser() as client:
                await sign_in(client, name=name, password=sample.password_of(name))
                for path in ("connections", "sessions"):
                    assert (await client.get(f"{API}/{path}")).status_code == expected


async def test_without_an_administrators_group_there_are_no_administrators(web: Web) -> None:
    assert not accounts.is_administrator(web.site.web, VerifiedPerson(web.people["jgross"]))


# What is answered without FastAPI


@pytest.mark.parametrize("path", ["resolve?name=R", "resolve?name=R&kind=group", "people/{}/card"])
async def test_the_answer_is_the_same_with_a_parameter_that_only_fastapi_ignores(web: Web, path: str) -> None:
    path = path.format(handle_of(web.people["jgross"].dn))
    async with web.signed_in("jgross") as client:
        direct = await client.get(f"{API}/{path}")
        other = await client.get(f"{API}/{path}{'&' if '?' in path else '?'}unknown=1")
    assert direct.status_code == 200
    assert direct.json() == other.json()
    assert direct.headers == other.headers


@pytest.mark.parametrize(
    "query",
    ["", "name=", "name=a&kind=dog", "kind=person", f"name={'a' * 1025}", "name=a&name=", "n=a&k=b&c=d"],
)
async def test_parameters_that_are_not_valid_are_refused_after_the_session_is_checked(
    web: Web, query: str
) -> None:
    async with web.signed_in("jgross") as client:
        assert problem(await client.get(f"{API}/resolve?{query}")) == (422, "invalid-parameter")
    assert problem(await web.client.get(f"{API}/resolve?{query}"))[0] == 401


async def test_of_a_repeated_parameter_the_last_counts(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        once = await client.get(f"{API}/resolve?name=R")
        twice = await client.get(f"{API}/resolve?name=nothing&name=R")
    assert once.json() == twice.json()


@pytest.mark.parametrize("path", ["resolve?name=R", "people/eA/card"])
async def test_other_methods_are_refused(web: Web, path: str) -> None:
    async with web.signed_in("jgross") as client:
        for method in ("HEAD", "POST", "DELETE"):
            assert (await client.request(method, f"{API}/{path}", headers=HERE)).status_code == 405
