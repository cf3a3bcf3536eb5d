"""The connections page in Debian's Chromium, against `quintet serve` and a real slapd at the three levels."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright

from quintet.directory import Protection, Service
from quintet.embedded import sample
from quintet.web.activity import READABLE
from support.folder import LEVELS
from support.serving import free_port, serve
from support.slapd import Slapd
from support.web_admin import ADMIN, GROUP, admin_folder

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.real, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]

PHONE = 360
SERIOUS = ("serious", "critical")
DRAWN = """() => [...document.querySelectorAll(".wires .wire")].map(wire => [
    wire.querySelector("b").textContent,
    wire.classList[1],
    getComputedStyle(wire.querySelector(".core")).strokeDasharray,
    wire.innerText.replace(/\\s+/g, " "),
    wire.querySelectorAll(".sign, .fill").length,
])"""

TREE = Path(__file__).parent / "accessibility" / "connections.yml"
VARYING = {
    r"localhost:\d+": "localhost:PORT",
    r"\d+ days": "DAYS",
    r"(?<![v\d])\d+\.\d( ms)?(?= |\"|$)|–": "N",
    r" \d+ \d+\":$": ' N N":',
    r"cell \"\d+\"": 'cell "N"',
}


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Iterator[Callable[[str], str]]:
    """The URL of the server at a level, started when it is first asked for."""
    running, found = [], dict[str, str]()

    def url(level: str) -> str:
        if level not in found:
            context = serving_at(tmp_path_factory.mktemp(level) / "s", slapd, level)
            running.append(context)
            found[level] = context.__enter__()
        return found[level]

    yield url
    for each in running:
        each.__exit__(None, None, None)


@contextmanager
def serving_at(folder: Path, server: Slapd, level: str) -> Iterator[str]:
    with serve(admin_folder(folder, server, level), STI__Config__QUINTET_HTTP_PORT=str(free_port())) as told:
        yield told["http"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def administrator(chromium: Browser, url: str, **options: Any) -> Iterator[Page]:
    """The connections page of who has signed in; what the browser complains about fails the test."""
    context = chromium.new_context(base_url=url, **options)
    page = context.new_page()
    sign_in(page)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/connections")
    yield page
    context.close()
    assert complaints == []


def sign_in(page: Page) -> None:
    """By keyboard alone."""
    page.goto("/sign-in")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(ADMIN)
    page.keyboard.press("Tab")
    page.keyboard.type(sample.password_of(ADMIN))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Find people and groups")).to_be_visible()


def expect_live(page: Page) -> None:
    expect(page.locator("#state")).to_have_text("Live.")


@pytest.mark.parametrize("level", LEVELS)
def test_each_line_is_drawn_as_it_is_and_not_by_colour_alone(
    chromium: Browser, urls: Callable[[str], str], level: str
) -> None:
    protection = Protection[level.upper()]
    with administrator(chromium, urls(level)) as page:
        expect_live(page)
        expect(page.get_by_role("heading", name=f"Protection: {level}")).to_be_visible()
        drawn = {service: rest for service, *rest in page.evaluate(DRAWN)}
        assert drawn.keys() == {each.value for each in Service}
        for service in Service:
            state, dashes, words, paths = drawn[service.value]
            encrypted = protection.encrypts(service)
            assert state == ("encrypted" if encrypted else "unencrypted")
            assert (dashes == "none") == encrypted
            suite = re.search(r"encrypted TLSv1\.\d \w+_\w+ CN=.*, \d+ days left", words)
            assert (suite is not None) == encrypted
            assert (f"not encrypted readable: {READABLE[service]}" in words) != encrypted
            assert paths == (2 if encrypted else 1), "a lock, or a sign"
            assert re.search(r" as (the user who signs in|cn=\w+,o=\w+|\(anonymous\)) ", words)
            assert re.search(r"\d+\.\d ops/s (–|\d+\.\d) ms 0 failed", words)
        count = sum(map(protection.encrypts, Service))
        drawing = page.get_by_role("img", name=f"{count} of 6 services use encrypted connections")
        expect(drawing).to_be_visible()


def test_a_directory_that_stops_and_returns_is_drawn_so_without_a_reload(
    chromium: Browser, make_slapd: Callable[..., Slapd], tmp_path: Path
) -> None:
    server = make_slapd(sample.ldif())
    with serving_at(tmp_path / "s", server, "all") as url, administrator(chromium, url) as page:
        expect_live(page)
        expect(page.locator(".wire.down")).to_have_count(0)
        server.stop()
        expect(page.locator(".wire.down")).to_have_count(6, timeout=20_000)
        expect(page.locator(".wire.down", has_text="the connection was lost")).not_to_have_count(0)
        page.request.get("/results?q=Chess")
        expect(page.locator("#watched p.alert", has_text="resolve-names")).not_to_have_count(0)
        server.start()
        assert page.request.post("/api/v1/reload", headers={"origin": url}).ok
        expect(page.locator(".wire.encrypted")).to_have_count(5)
        expect(page.locator(".wire.unencrypted")).to_have_count(1)
        expect(page.locator("#watched p.alert", has_text="resolve-names")).to_have_count(0)


def test_what_is_asked_meanwhile_is_counted_without_a_reload(
    chromium: Browser, urls: Callable[[str], str]
) -> None:
    with administrator(chromium, urls("all")) as page:
        expect_live(page)
        row = page.locator("#watched tbody tr", has_text="resolve-names")
        expect(row.locator("td[data-label=Latency]")).to_have_text("–")
        drawn = page.locator(".wire", has_text="resolve-names")
        expect(drawn).not_to_have_class(re.compile("flows"))
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#watched caption'))")
        assert page.evaluate("fetch('/results?q=Chess').then(answer => answer.status)") == 200
        expect(row.locator("td[data-label=Latency]")).to_contain_text("ms")
        expect(drawn).to_have_class(re.compile("flows"))
        assert "Every service" in page.evaluate("getSelection().toString()"), "a selection stays"


@pytest.mark.parametrize("scheme", ["light", "dark", "forced"])
@pytest.mark.parametrize("level", LEVELS)
def test_axe_finds_nothing_serious(
    chromium: Browser, urls: Callable[[str], str], level: str, scheme: str
) -> None:
    options = {"forced_colors": "active"} if scheme == "forced" else {"color_scheme": scheme}
    with administrator(chromium, urls(level), **options) as page:
        expect_live(page)
        assert serious(page) == []
        try_person(page, "jgross", "wrong")
        expect(page.get_by_role("heading", name="Authentication failed")).to_be_visible()
        assert serious(page) == []


def test_the_accessibility_tree_is_as_recorded(chromium: Browser, urls: Callable[[str], str]) -> None:
    """Of what changes by itself, without what differs from run to run; see `test_accessibility`."""
    with administrator(chromium, urls("passwords")) as page:
        expect_live(page)
        found = page.locator("#watched").aria_snapshot() + "\n"
    for pattern, name in VARYING.items():
        found = re.sub(pattern, name, found, flags=re.MULTILINE)
    if os.environ.get("QUINTET_RECORD_TREES") == "1":
        TREE.write_text(found, encoding="utf-8")
    assert found == TREE.read_text(encoding="utf-8")


def serious(page: Page) -> list[tuple[str, str]]:
    # axe-core is put into the page by the debugger, which the page's policy does not bind.
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in SERIOUS]


def try_person(page: Page, name: str, password: str) -> None:
    """By keyboard alone."""
    page.get_by_label("Login name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/connections/try")


def test_nothing_is_wider_than_a_phone(chromium: Browser, urls: Callable[[str], str]) -> None:
    viewport = {"width": PHONE, "height": 740}
    with administrator(chromium, urls("passwords"), viewport=viewport) as page:
        expect_live(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
        try_person(page, ADMIN, sample.password_of(ADMIN))
        expect(page.get_by_role("heading", name="Authentication succeeded")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_by_keyboard_one_reaches_the_page_and_ends_a_session(
    chromium: Browser, urls: Callable[[str], str]
) -> None:
    with administrator(chromium, urls("all")) as page, administrator(chromium, urls("all")) as other:
        page.goto("/")
        page.get_by_role("link", name="Connections").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/connections")
        rows = page.locator("section", has_text="Browsers:").locator("tbody tr")
        mine = rows.filter(has=page.locator("th small"))
        expect(mine).to_have_count(1)
        theirs = rows.filter(has_not=page.locator("th small")).last
        theirs.get_by_role("button", name="End this session of").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/connections#sessions")
        expect(mine).to_have_count(1)
        expect(other.locator("#state")).to_contain_text("Not live")
        other.goto("/connections")
        expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_without_javascript_one_sees_tries_and_copies(chromium: Browser, urls: Callable[[str], str]) -> None:
    with administrator(chromium, urls("passwords"), java_script_enabled=False) as page:
        expect(page.get_by_role("table").first).to_contain_text("not encrypted")
        expect(page.get_by_role("link", name="Reload")).to_be_visible()
        expect(page.get_by_role("button", name="Copy")).to_be_hidden()
        assert (
            "authenticate at host-1" in page.get_by_role("textbox", name="Copy without names").input_value()
        )
        try_person(page, ADMIN, sample.password_of(ADMIN))
        expect(page.get_by_role("heading", name="Authentication succeeded")).to_be_visible()
        expect(page.get_by_text("An administrator.")).to_be_visible()


def test_what_is_copied_has_no_names(chromium: Browser, urls: Callable[[str], str]) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with administrator(chromium, urls("passwords"), permissions=permissions) as page:
        try_person(page, ADMIN, sample.password_of(ADMIN))
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("status")).to_have_text("Copied.")
        text = page.evaluate("navigator.clipboard.readText()")
    assert "authenticate at host-1" in text
    entry = next(each for each in sample.entries() if each.attributes.get("uid") == [ADMIN.encode()])
    (cn, *_), (mail, *_) = entry.attributes["cn"], entry.attributes["mail"]
    names = (ADMIN, "localhost", "127.0.0.1", sample.BASE, GROUP, "Staff", "wiki", cn.decode(), mail.decode())
    assert [name for name in names if name in text] == []


def test_others_do_not_see_the_page(chromium: Browser, urls: Callable[[str], str]) -> None:
    context = chromium.new_context(base_url=urls("all"))
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Name").fill("jgross")
    page.get_by_label("Password").fill(sample.password_of("jgross"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Find people and groups")).to_be_visible()
    expect(page.get_by_role("link", name="Connections")).to_have_count(0)
    answer = page.goto("/connections")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("heading", name="For administrators")).to_be_visible()
    context.close()
