"""Sign-in for other applications, as their proxy asks for it; proxies themselves are in tests/system."""

import base64
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from quintet.config.applications import ApplicationSettings, group_name
from quintet.directory.attempts import AttemptRules
from quintet.directory.records import Group, Person, VerifiedPerson
from quintet.web import remembered
from quintet.web.sessions import IDLE, RECHECK, Sessions, verify_id
from support import small
from support.folder import settings_folder
from support.slapd import Slapd
from support.web_site import URL, Web, post_sign_in, web_for

pytestmark = pytest.mark.real

NGINX, FORWARD = "/auth/verify/nginx/wiki", "/auth/verify/forward/wiki"
REMOTE = ("remote-user", "remote-name", "remote-email", "remote-groups")
WIKI = ApplicationSettings(
    "wiki", sent=(group_name("engineers"), group_name(small.group_dn(small.ODD_GROUP)))
)
PUBLIC = "https://people.example.com"
PROXY: dict[str, Any] = {"public_url": PUBLIC, "return_origins": ("https://wiki.example.com",)}
BROWSER = {
    "x-forwarded-proto": "https",
    "x-forwarded-host": "wiki.example.com",
    "x-forwarded-uri": "/page?a=b&c",
    "x-forwarded-method": "GET",
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
}


@pytest.fixture
async def web(tmp_path: Path, small_slapd: Slapd) -> AsyncIterator[Web]:
    folder = settings_folder(tmp_path / "s", small_slapd, level="all", account=None)
    async with web_for(folder, login="alice") as web:
        web.change(applications=(WIKI,))
        yield web


@asynccontextmanager
async def signed_in(web: Web, name: str = "alice", origin: str = URL) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that signed in by the form."""
    async with web.browser() as browser:
        form = {"name": name, "password": f"{name}-secret"}
        answer = await post_sign_in(browser, form, origin=origin)
        assert answer.status_code == 303
        yield browser


def remote(answer: httpx.Response) -> list[bytes | None]:
    """The values of the four headers; None for one that is not there."""
    raw = {name.lower(): value for name, value in answer.headers.raw}
    return [raw.get(name.encode()) for name in REMOTE]


@asynccontextmanager
async def with_cookie(web: Web, verified: VerifiedPerson) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with a session of this person, and the cookie for applications alone."""
    ident, _ = await web.site.sessions.begin("alice", verified, administrator=False)
    async with web.browser(cookies={"quintet-verify": verify_id(ident)}) as browser:
        yield browser


def someone(web: Web, *groups: str, uid: tuple[str, ...] = ("alice",), name: str = "A") -> VerifiedPerson:
    person = replace(web.people["alice"], name=name)
    found = tuple(Group(f"cn=g{nth}", f"cn=g{nth}", each, person.server) for nth, each in enumerate(groups))
    return VerifiedPerson(person, found, {"uid": uid})


async def test_a_person_is_told_by_the_configured_attribute_and_the_named_groups(web: Web) -> None:
    async with signed_in(web) as browser:
        for path in (NGINX, FORWARD):
            answer = await browser.get(path)
            assert answer.status_code == 200
            groups = b'engineers,Research%2C "odd" #1 (x*)'
            assert remote(answer) == [b"alice", b"Alice Adams", b"alice@example.com", groups]
        assert (await browser.get(NGINX.replace("wiki", "WIKI"))).is_success


async def test_what_was_typed_is_not_what_applications_see(web: Web) -> None:
    async with web.browser() as browser:
        form = {"name": "ALICE@example.com", "password": "alice-secret"}
        await post_sign_in(browser, form)
        assert remote(await browser.get(NGINX))[0] == b"alice"


@pytest.mark.parametrize("path", [NGINX, FORWARD])
async def test_all_four_headers_are_in_every_answer(web: Web, path: str) -> None:
    refused = replace(WIKI, required=(group_name("sales"),))
    async with signed_in(web) as browser:
        for application, client, status in ((WIKI, web.client, 401), (refused, browser, 403)):
            web.change(applications=(application,))
            answer = await client.get(path, headers={"remote-user": "root", "remote-groups": "admins"})
            assert answer.status_code == status
            assert remote(answer) == [b"", b"", b"", b""]
        answer = await browser.get(path.replace("wiki", "unknown"))
        assert (answer.status_code, remote(answer)) == (403, [b"", b"", b"", b""])


async def test_required_groups_are_checked_nested_ones_included(web: Web) -> None:
    async with signed_in(web) as alice, signed_in(web, "carol") as carol:
        for group, status in (("everybody", 200), ("engineers", 200), (small.group_dn("sales"), 403)):
            web.change(applications=(replace(WIKI, required=(group_name(group),)),))
            assert (await alice.get(NGINX)).status_code == status
            assert (await carol.get(NGINX)).status_code == (403 if group == "engineers" else 200)


async def test_who_may_not_is_told_so_in_words_and_escaped(web: Web) -> None:
    web.change(applications=(replace(WIKI, required=(group_name("sales"),)),), **PROXY)
    async with signed_in(web, origin=PUBLIC) as browser:
        answer = await browser.get(FORWARD)
        assert answer.status_code == 403
        assert "not in a group that may use this application" in answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        shown = await web.client.get("/auth/denied")
        assert (shown.status_code, shown.text) == (403, answer.text)


async def test_who_is_not_signed_in_is_led_to_the_page_for_it_and_back(web: Web) -> None:
    trusted = web.settings.web.trusted_proxies
    assert not trusted
    page = f"{PUBLIC}/sign-in"
    back = f"{page}?return=https%3A%2F%2Fwiki.example.com%2Fpage%3Fa%3Db%26c"
    original = {"x-original-url": "https://wiki.example.com/page?a=b&c"}
    web.change(**PROXY)
    answer = await web.client.get(NGINX, headers=original)
    assert (answer.status_code, answer.headers["location"]) == (401, page), "not from a trusted proxy"
    trust(web)
    answer = await web.client.get(NGINX, headers=original)
    assert (answer.status_code, answer.headers["location"]) == (401, back)
    answer = await web.client.get(FORWARD, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, back)
    for change in (
        {"x-forwarded-method": "POST"},
        {"accept": "*/*"},
        {"accept": "application/json, text/html;q=0"},
        {"authorization": "Basic eDp5"},
    ):
        assert (await web.client.get(FORWARD, headers=BROWSER | change)).status_code == 401
    answer = await web.client.get(FORWARD, headers=BROWSER | {"x-forwarded-host": "evil.example"})
    assert answer.headers["location"] == page


def trust(web: Web) -> None:
    web.change(trusted_proxies=(ipaddress.ip_network("127.0.0.1"),))


async def test_groups_that_can_not_be_believed_grant_nothing_and_the_log_says_why(web: Web) -> None:
    with capture_logs() as log:
        async with with_cookie(web, VerifiedPerson(web.people["alice"])) as browser:
            assert (await browser.get(NGINX)).status_code == 403
    (refusal,) = (each for each in log if each["event"] == "access refused")
    assert "QUINTET_ALLOW_UNENCRYPTED_GROUPS" in refusal["reason"]


@pytest.mark.parametrize(
    "values", [(), ("a", "b"), ("",), ("a\r\nremote-groups: admins",), ("root\0",), (" root",), ("a\ufffd",)]
)
async def test_a_user_that_no_header_can_tell_from_another_is_refused(web: Web, values: Any) -> None:
    async with with_cookie(web, someone(web, uid=values)) as browser:
        answer = await browser.get(NGINX)
    assert (answer.status_code, remote(answer)) == (403, [b"", b"", b"", b""])


@pytest.mark.parametrize(
    ("percent", "name", "groups"),
    [
        (False, "Jürgen 书".encode(), "書道部,a%2Cb%25,x".encode()),
        (True, b"J%C3%BCrgen %E4%B9%A6", b"%E6%9B%B8%E9%81%93%E9%83%A8,a%2Cb%25,x"),
    ],
)
async def test_values_are_utf_8_or_percent_encoded_without_control_characters(
    web: Web, percent: bool, name: bytes, groups: bytes
) -> None:
    sent = tuple(map(group_name, ("書道部", "a,b%", "x\x7f")))
    web.change(applications=(replace(WIKI, percent=percent, sent=sent),))
    verified = someone(web, "書道部", "a,b%", "x\x7f", "secret", name="Jür\x00gen\r\n \u2028书\x85")
    async with with_cookie(web, verified) as browser:
        found = remote(await browser.get(NGINX))
    assert found[1:] == [name, b"alice@example.com", groups]


async def test_sixty_groups_pass_and_more_than_three_kib_do_not(web: Web) -> None:
    for length, status in ((30, 200), (60, 403)):
        names = [f"{nth:02}".ljust(length, "x") for nth in range(60)]
        web.change(applications=(replace(WIKI, sent=tuple(map(group_name, names))),))
        with capture_logs() as log:
            async with with_cookie(web, someone(web, *names)) as browser:
                answer = await browser.get(NGINX)
        assert answer.status_code == status
        assert (remote(answer)[3] or b"").count(b",") == (59 if status == 200 else 0)
        assert bool(log) is (status == 403)


async def test_the_two_cookies_are_good_for_one_thing_each(web: Web) -> None:
    web.change(cookie_domain="example.com")
    answer = await post_sign_in(web.client, {"name": "alice", "password": "alice-secret"})
    page, verify = answer.headers.get_list("set-cookie")
    assert "Domain" not in page
    assert "; Domain=example.com; Path=/; HttpOnly; SameSite=Lax" in verify
    first, second = (each.partition(";")[0].partition("=")[2] for each in (page, verify))
    assert first != second
    for cookies, path, status in (
        ({"quintet": first}, "/api/v1/session", 200),
        ({"quintet": second}, "/api/v1/session", 401),
        ({"quintet-verify": second}, "/api/v1/session", 401),
        ({"quintet-verify": second}, "/", 303),
        ({"quintet-verify": second}, NGINX, 200),
        ({"quintet-verify": first}, NGINX, 401),
        ({"quintet": first}, NGINX, 401),
    ):
        async with web.browser(cookies=cookies) as browser:
            assert (await browser.get(path)).status_code == status
    async with web.browser(headers={"cookie": f"quintet-verify={second}; quintet-verify=x"}) as browser:
        assert (await browser.get(NGINX)).status_code == 401


async def test_signing_out_ends_both(web: Web) -> None:
    async with signed_in(web) as browser:
        verify = browser.cookies["quintet-verify"]
        answer = await browser.delete("/api/v1/session", headers={"origin": URL})
        assert [each.partition(";")[0] for each in answer.headers.get_list("set-cookie")] == [
            "quintet=",
            "quintet-verify=",
        ]
    async with web.browser(cookies={"quintet-verify": verify}) as browser:
        assert (await browser.get(NGINX)).status_code == 401


async def test_a_session_ends_when_it_is_idle(web: Web) -> None:
    now = 0.0
    web.site = replace(web.site, sessions=Sessions(lambda: now))
    web.app = web.make_app()
    async with with_cookie(web, someone(web)) as browser:
        for seconds, status in ((IDLE - 1, 200), (IDLE - 1, 200), (IDLE, 401)):
            now += seconds
            assert (await browser.get(NGINX)).status_code == status


async def test_who_left_the_group_or_the_directory_is_refused_within_five_minutes(web: Web) -> None:
    assert RECHECK < 5 * 60
    now = 0.0
    web.site = replace(web.site, sessions=Sessions(lambda: now))
    web.app = web.make_app()
    web.change(applications=(replace(WIKI, required=(group_name("sales"),)),))
    async with with_cookie(web, someone(web, "sales")) as browser:
        assert (await browser.get(NGINX)).status_code == 200
        now += RECHECK
        assert (await browser.get(NGINX)).status_code == 403
    gone = VerifiedPerson(Person("x", small.person_dn("bob"), "x", None, web.people["alice"].server), ())
    async with with_cookie(web, gone) as browser:
        now += RECHECK
        assert (await browser.get(NGINX)).status_code == 401


async def test_the_requests_of_traefik_as_documented(web: Web) -> None:
    """Method, protocol, host and URI come as `X-Forwarded-…`, beside the client's own headers."""
    trust(web)
    web.change(applications=(replace(WIKI, required=(group_name("engineers"),)),), **PROXY)
    asked = BROWSER | {"x-forwarded-for": "192.0.2.7", "user-agent": "browser", "remote-user": "root"}
    answer = await web.client.get(FORWARD, headers=asked)
    assert answer.status_code == 302
    assert (await web.client.get(FORWARD, headers=asked | {"x-forwarded-method": "POST"})).status_code == 401
    for name, status in (("alice", 200), ("carol", 403)):
        verified = await web.site.directory.verify(name, f"{name}-secret", attributes=("uid",))
        ident, _ = await web.site.sessions.begin(name, verified, administrator=False)
        cookie = {"cookie": f"theme=dark; __Secure-quintet-verify={verify_id(ident)}"}
        answer = await web.client.get(FORWARD, headers=asked | cookie)
        assert answer.status_code == status
        assert remote(answer)[0] == (b"alice" if status == 200 else b"")


# HTTP Basic.


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


async def test_basic_is_accepted_where_the_application_asks_for_it(web: Web) -> None:
    good = basic("alice", "alice-secret")
    answer = await web.client.get(NGINX, headers=good)
    assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, None)
    web.change(applications=(replace(WIKI, basic=True),))
    answer = await web.client.get(NGINX, headers=good)
    assert (answer.status_code, remote(answer)[0]) == (200, b"alice")
    assert not len(web.site.sessions)
    for bad in (
        basic("alice", "wrong"),
        basic("", "x"),
        basic("alice", ""),
        {"authorization": "Basic !!"},
        {"authorization": "Bearer x"},
        {"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"authorization": "Basic " + "A" * 10_000},
    ):
        answer = await web.client.get(FORWARD, headers=bad)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_password_over_an_unencrypted_connection_is_not_looked_at(web: Web) -> None:
    web.change(applications=(replace(WIKI, basic=True),))
    async with web.browser("192.0.2.1") as client:
        assert (await client.get(NGINX, headers=basic("alice", "alice-secret"))).status_code == 403


async def test_a_good_pair_is_remembered_for_a_minute_and_a_bad_one_never(web: Web) -> None:
    now = 0.0
    asked: list[str] = []
    verify = web.site.directory.verify

    async def counted(name: str, password: str, **options: Any) -> VerifiedPerson:
        asked.append(password)
        return await verify(name, password, **options)

    web.site.directory.verify = counted  # type: ignore[method-assign]
    web.site.pairs._clock = lambda: now
    web.change(applications=(replace(WIKI, basic=True),))
    good, bad = basic("alice", "alice-secret"), basic("alice", "wrong")
    for seconds, headers, count in (
        (0.0, good, 1),
        (0.0, good, 1),
        (0.0, bad, 2),
        (0.0, bad, 3),
        (remembered.SECONDS - 1, good, 3),
        (1.0, good, 4),
    ):
        now += seconds
        await web.client.get(NGINX, headers=headers)
        assert len(asked) == count
    assert len(web.site.pairs) == 1
    assert "alice-secret" not in repr(web.site.pairs._known)


async def test_attempts_by_basic_are_limited_like_all_others(web: Web) -> None:
    web.change(applications=(replace(WIKI, basic=True),))
    web.site.attempts.rules = AttemptRules(limit=3, hold=0.0)  # type: ignore[attr-defined]
    answers = [
        (await web.client.get(NGINX, headers=basic("bob", f"wrong{nth}"))).status_code for nth in range(4)
    ]
    assert answers == [401, 401, 401, 403]
    form = {"name": "bob", "password": "bob-secret"}
    assert (await post_sign_in(web.client, form)).status_code == 429


@pytest.mark.parametrize("kind", ["nginx", "forward"])
@pytest.mark.parametrize("name", ["", "wiki/", "x/wiki", "/wiki", "nginx/wiki", "wiki%2F"])
async def test_what_is_not_the_name_of_an_application_is_refused(web: Web, kind: str, name: str) -> None:
    async with with_cookie(web, someone(web, "engineers")) as browser:
        answer = await browser.get(f"/auth/verify/{kind}/{name}")
    assert answer.status_code == 403
    assert remote(answer) == [b""] * 4


async def test_only_gets_are_judged(web: Web) -> None:
    answer = await web.client.post(NGINX)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
