"""What the table of OWASP ASVS says that the front does, where no other test shows it."""

import ast
import base64
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from quintet.config import WebSettings
from quintet.config.load import load
from quintet.directory import AttemptRules, AuthenticationError, Directory
from quintet.runtime.event_log import EventLogger
from quintet.web import security, server, sessions
from quintet.web.rate_limits import RateLimits, RequestLimits
from quintet.web.sessions import Sessions
from support.folder import settings_folder
from support.slapd import Slapd
from support.web_site import URL, Web, post_sign_in

pytestmark = pytest.mark.real

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "quintet"
FRONT = [*(SOURCE / "web").glob("*.py"), *(SOURCE / "storage").rglob("*.py")]
API = "/api/v1"
SECRET = "jgross-secret-of-the-test"


# Input and limits


async def test_an_account_that_asks_too_often_waits_with_all_its_sessions(web: Web) -> None:
    limits = RequestLimits(account_and_network=3, account=5)
    web.site = replace(web.site, limits=RateLimits(limits, lambda: 0.0))
    web.app = web.make_app()
    async with AsyncExitStack() as stack:
        someone = web.people["jgross"]
        web.people["other"] = replace(someone, id=f"{someone.id},o=other")
        browsers = [
            await stack.enter_async_context(web.signed_in(*whom))
            for whom in (("jgross",), ("jgross",), ("jgross", "192.0.2.1"), ("other",))
        ]
        answers = [[await browser.get(f"{API}/session") for _ in range(4)] for browser in browsers]
        page = await browsers[0].get("/")
    assert [sum(each.status_code == 200 for each in some) for some in answers] == [3, 0, 2, 3]
    for refused in (answers[0][-1], page):
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")


async def test_a_network_that_asks_too_often_waits_whatever_the_account(web: Web) -> None:
    web.site = replace(web.site, limits=RateLimits(RequestLimits(network=3), lambda: 0.0))
    web.app = web.make_app()
    async with web.signed_in("jgross") as browser:
        answers = [await browser.get(f"{API}/session") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    async with web.signed_in("jgross", "192.0.2.1") as browser:
        assert (await browser.get(f"{API}/session")).status_code == 200


def test_limits_and_lifetimes_are_as_the_reference_says() -> None:
    page = (ROOT / "docs/reference/http.md").read_text()
    page += (ROOT / "docs/explanation/sign-in-limits.md").read_text()
    rules, limits = AttemptRules(), RequestLimits()
    for said in (
        f"at most {sessions.MOST_PER_PERSON} sessions",
        f"{sessions.IDLE / 60:g} minutes without a request",
        f"{sessions.LONGEST / 3600:g} hours in any case",
        f"every {sessions.RECHECK / 60:g} minutes",
        f"{limits.account_and_network} times a minute in one network",
        f"{limits.account:,} times in all",
        f"a network {limits.network:,} times",
        f"{server.LARGEST_HEAD // 1024} KiB of head",
        f"{security.LARGEST_BODY // 1024} KiB of body",
        f"| a name from one network | {rules.limit} |",
        f"| all names from one network | {rules.network_limit} |",
        f"all within {rules.window / 60:g} minutes",
        f"up to {rules.longest / 3600:g} hour",
    ):
        assert said in page, said


# Who may


SIGNING_IN = {
    "pages": ("`POST /sign-in`",),
    "api": ("`POST /api/v1/session`",),
    "forward_auth": ("`/auth/verify/…`",),
    "trial": ("`POST /connections/try`", "`POST /api/v1/explain`"),
}
"""The modules that take a password, and where, as the reference says it."""


def test_the_ways_to_sign_in_are_those_of_the_reference() -> None:
    found = {
        file.stem
        for file in (SOURCE / "web").glob("*.py")
        for each in ast.walk(ast.parse(file.read_text()))
        if isinstance(each, ast.ImportFrom)
        and each.module == "quintet.web.accounts"
        and {"sign_in", "check_password"} & {name.name for name in each.names}
    }
    assert found == SIGNING_IN.keys()
    asking = {file.stem for file in FRONT if re.search(r"\.(authenticate|verify)\(", file.read_text())}
    assert asking == {"accounts"}, "only there is the directory given a password"
    page = (ROOT / "docs/reference/http.md").read_text()
    section = page.partition("### Ways to sign in")[2].partition("## The API")[0]
    for where in (place for places in SIGNING_IN.values() for place in places):
        assert where in section
    assert section.count("\n| ") == 7, "heading, line and a row for each way"


async def test_each_path_is_for_those_whom_the_reference_names(web: Web) -> None:
    page = (ROOT / "docs/reference/http.md").read_text().partition("### ")[0]
    rows = re.findall(r"^\| `(?:GET )?(/\S*?)`[^|]* \| ([a-z ]+) \|", page, re.MULTILINE)
    paths = [(each.replace("NAME", "x").replace("…", "session"), whom) for each, whom in rows]
    assert len(paths) >= 10
    async with web.signed_in("jgross") as user:
        for path, whom in paths:
            anonymous = (await web.client.get(path)).status_code
            signed_in = (await user.get(path)).status_code
            if whom in ("signed in", "administrators"):
                assert anonymous in (303, 401, 404), path
                assert (signed_in == 403) == (whom == "administrators"), path
            elif whom == "all":
                assert anonymous not in (303, 401, 403), path


async def test_monitoring_is_not_at_this_port_and_one_description_of_the_api_is_meant_to_be_public(
    web: Web,
) -> None:
    for path in ("/metrics", "/livez", "/readyz", "/docs", "/redoc", "/openapi.json", f"{API}/docs"):
        async with web.signed_in("jgross") as browser:
            assert (await browser.get(path)).status_code == 404, path
    assert (await web.client.get(f"{API}/openapi.json")).status_code == 200
    assert f"`{API}/openapi.json`" in (ROOT / "docs/reference/http.md").read_text()


# Logs


async def test_faults_and_failures_of_tls_are_logged(tmp_path: Path, slapd: Slapd) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    transport = httpx.ASGITransport(security.Guard(broken, WebSettings))
    with capture_logs() as logged:
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            assert (await client.get("/x")).status_code == 500
    (fault,) = logged
    assert (fault["log_level"], fault["kind"]) == ("error", "ZeroDivisionError")

    folder = settings_folder(tmp_path / "tls", slapd, level="all", account=None)
    path = folder / "StCommunityConfig.xml"
    path.write_text(path.read_text().replace(f'SSLPort="{slapd.tls_port}"', f'SSLPort="{slapd.port}"'))
    with capture_logs() as logged:
        async with Directory(load(folder, {}), trace=EventLogger()) as directory:
            await directory.connect_all()
    failed = [each for each in logged if each["event"] == "no connection"]
    assert {each["log_level"] for each in failed} == {"warning"}
    assert {each["task"] for each in failed} >= {"authenticate", "browse"}
    assert all("TLS" in each["error"] for each in failed)


PASSWORDS = [" blanks ", "日本語🔑", "x" * 64, "y" * 4096, "a\tb&c=d%20+<>\"'"]


@pytest.mark.parametrize("password", PASSWORDS)
async def test_a_password_reaches_the_directory_as_it_was_typed(web: Web, password: str) -> None:
    received = []

    async def authenticate(name: str, given: str) -> Any:
        received.append((name, given))
        raise AuthenticationError

    web.site = replace(web.site, directory=SimpleNamespace(authenticate=authenticate))  # type: ignore[arg-type]
    web.app = web.make_app()
    async with web.browser(headers={"origin": URL}) as browser:
        await browser.post(f"{API}/session", json={"name": "ann", "password": password})
        await post_sign_in(browser, {"name": "ann", "password": password})
    assert received == [("ann", password)] * 2


async def test_password_managers_can_fill_the_form(web: Web) -> None:
    page = (await web.client.get("/sign-in")).text
    assert re.search(r'<input[^>]* name="name"[^>]* autocomplete="username"', page)
    assert re.search(r'<input[^>]* type="password"[^>]* autocomplete="current-password"', page)
    assert "onpaste" not in page


async def test_no_secret_is_taken_from_a_url(web: Web) -> None:
    sign_in = {"name": "jgross", "password": SECRET, "token": SECRET}
    for path in ("/sign-in", f"{API}/session", "/"):
        answer = await web.client.get(path, params=sign_in)
        assert "set-cookie" not in answer.headers or "quintet-form" in answer.headers["set-cookie"]
        assert SECRET not in answer.text
    async with web.signed_in("jgross") as browser:
        ident = browser.cookies["quintet"]
    for name in ("access_token", "quintet", "session"):
        assert (await web.client.get(f"{API}/session", params={name: ident})).status_code == 401


# Browsers


@pytest.mark.parametrize("path", ["/sign-in", "/", f"{API}/session", "/photos/x", "/stwebapi/quickfind"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_no_other_origin_may_read_an_answer(web: Web, method: str, path: str) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    async with web.signed_in("jgross") as browser:
        answer = await browser.request(method, path, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_signing_out_makes_the_browser_forget_the_pages(web: Web) -> None:
    async with web.signed_in("jgross", headers={"origin": URL}) as browser:
        answer = await browser.delete(f"{API}/session")
    assert answer.status_code == 204
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "clear-site-data" not in (await web.client.get("/sign-in")).headers


def test_scripts_keep_nothing_in_the_browser_and_make_no_code_of_text() -> None:
    scripts = list((SOURCE / "web/static").glob("*.js"))
    assert scripts
    for script in scripts:
        text = script.read_text()
        for word in ("Storage", "indexedDB", "document.cookie", "caches", "eval(", "Function(", "__proto__"):
            assert word not in text, (script.name, word)


# Random values, hashes and readers


async def test_the_id_of_a_session_has_256_random_bits_and_is_not_kept() -> None:
    kept, person = Sessions(), SimpleNamespace(dn="cn=x")
    begun = [await kept.begin("x", SimpleNamespace(person=person), administrator=False) for _ in range(10)]  # type: ignore[arg-type]
    assert len({ident for ident, _ in begun}) == 10
    for ident, session in begun:
        assert len(base64.urlsafe_b64decode(ident + "=")) * 8 == 256
        assert ident not in repr(session)


UNSAFE = {"random", "pickle", "marshal", "shelve", "yaml", "dill", "subprocess", "xmlrpc"}
SPREAD_IN_TIME = {"event_stream", "server"}
"""Modules that take random pauses, which are no secrets."""
WEAK = {"md5", "sha1", "new", "eval", "exec", "compile"}


@pytest.mark.parametrize("file", FRONT, ids=lambda file: file.stem)
def test_the_front_has_no_guessable_random_weak_hash_or_unsafe_reader(file: Path) -> None:
    tree = ast.parse(file.read_text())
    imported = {name.partition(".")[0] for name in _imported(tree)}
    assert imported & UNSAFE == ({"random"} if file.stem in SPREAD_IN_TIME else set())
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        for size in (each.value for each in call.keywords if each.arg == "digest_size"):
            assert isinstance(size, ast.Constant)
            assert size.value == 32, ast.unparse(call)
        if isinstance(call.func, ast.Name):
            assert call.func.id not in WEAK, ast.unparse(call)
        elif isinstance(call.func, ast.Attribute):
            owner = ast.unparse(call.func.value)
            assert not (owner == "hashlib" and call.func.attr in WEAK), ast.unparse(call)
            if call.func.attr == "format":  # a template is ours, never what a client sent
                assert isinstance(call.func.value, ast.Constant) or owner.isupper(), ast.unparse(call)


def _imported(tree: ast.Module) -> Iterator[str]:
    for each in ast.walk(tree):
        if isinstance(each, ast.Import):
            yield from (name.name for name in each.names)
        elif isinstance(each, ast.ImportFrom) and each.module:
            yield each.module
