"""Live presence in a real browser: a Sametime client and Chromium at the same `quintet serve`."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect

from quintet.embedded import sample
from quintet.sametime.wire.blocks import StatusCode
from quintet.web.server import DRAIN
from support import meanwhile_abi as abi
from support.browser import Served, sign_in
from support.folder import settings_folder
from support.meanwhile import Connected, MeanwhileClient
from support.relay import in_thread
from support.slapd import Slapd

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not abi.is_installed(), reason="needs Debian's libmeanwhile1"),
]
UID = "helpdesk"
NAME = "#1 Help Desk"
FOUND = "/?q=helpdesk%40example.com"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Iterator[Served]:
    folder = settings_folder(tmp_path_factory.mktemp("live") / "s", slapd, level="none", account=None)
    served = Served(folder)
    yield served
    assert served.end() == 0


@pytest.fixture
def context(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=served.url)
    sign_in(context.new_page())
    yield context
    context.close()


class Desk:
    """The user of the help desk at a client."""

    def __init__(self, line: Connected) -> None:
        self._line = line
        self._client = MeanwhileClient(UID, sample.password_of(UID))
        line.connect(self._client)
        line.pump(lambda: self._client.is_started)

    def says(self, status: StatusCode, words: str = "") -> None:
        self._client.set_status(status, words)
        self._line.pump(lambda: True)

    def shows_itself(self, deny: bool, *users: str) -> None:
        self._client.set_privacy(deny, *users)
        self._line.pump(lambda: True)


@contextmanager
def at_the_desk(served: Served) -> Iterator[Desk]:
    with Connected("127.0.0.1", served.sametime) as line:
        yield Desk(line)


def presence(page: Page) -> Locator:
    """What the page says about the help desk, on a card or in a list."""
    return page.locator(f"article.card:has-text('{NAME}') .presence, li:has-text('{NAME}') .presence").first


def streams(context: BrowserContext) -> list[Request]:
    """The streams that the pages of a browser open from now on."""
    opened: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "GET" and request.url.endswith("/presence"):
            opened.append(request)

    context.on("request", note)
    return opened


@pytest.mark.parametrize("place", ["results", "card", "group"])
def test_presence_follows_a_client_without_a_reload(
    context: BrowserContext, served: Served, place: str
) -> None:
    page = context.new_page()
    page.goto(FOUND)
    if place != "results":
        page.get_by_role("link", name=NAME).click()
    if place == "group":
        page.get_by_role("link", name="All Staff").click()
        page.get_by_role("link", name=NAME).scroll_into_view_if_needed()
    shown = presence(page)
    expect(shown).to_have_text(re.compile("Offline"))
    page.evaluate("window.sameDocument = true")
    with at_the_desk(served) as desk:
        expect(shown).to_have_text(re.compile("Available"))
        desk.says(StatusCode.AWAY, "Back at three")
        expect(shown).to_have_text(re.compile("Away"))
        if place == "card":
            expect(shown.locator(".words")).to_have_text("Back at three")
    expect(shown).to_have_text(re.compile("Offline"))
    assert page.evaluate("window.sameDocument")


def test_results_that_come_as_one_types_are_live(context: BrowserContext, served: Served) -> None:
    page = context.new_page()
    page.goto("/")
    page.get_by_role("searchbox").press_sequentially("#1 Help")
    expect(presence(page)).to_have_text("Offline")
    with at_the_desk(served):
        expect(presence(page)).to_have_text("Available")


def test_who_hides_from_the_reader_is_offline_and_for_others_is_not(
    chromium: Browser, context: BrowserContext, served: Served
) -> None:
    page = context.new_page()
    page.goto(FOUND)
    with at_the_desk(served) as desk:
        expect(presence(page)).to_have_text("Available")
        desk.shows_itself(True, "cn=Jürgen Groß,ou=Engineering,ou=people,o=example", reader_id(page))
        expect(presence(page)).to_have_text("Offline")
        page.reload()
        expect(presence(page)).to_have_text("Offline")
        with signed_in(chromium, served, "jsmith") as other:
            other.goto(FOUND)
            expect(presence(other)).to_have_text("Available")
        desk.shows_itself(True)
        expect(presence(page)).to_have_text("Available")


def reader_id(page: Page) -> str:
    """The ID of the person who is signed in, by the API."""
    document = page.request.get("/api/v1/session").json()
    return str(document["person"]["id"])


@contextmanager
def signed_in(chromium: Browser, served: Served, uid: str, *, javascript: bool = True) -> Iterator[Page]:
    context = chromium.new_context(base_url=served.url, java_script_enabled=javascript)
    page = context.new_page()
    sign_in(page, uid)
    yield page
    context.close()


def test_without_javascript_the_state_at_page_load_stands_there(chromium: Browser, served: Served) -> None:
    with (
        at_the_desk(served) as desk,
        signed_in(chromium, served, "jgross", javascript=False) as page,
    ):
        desk.says(StatusCode.DO_NOT_DISTURB)
        page.goto(FOUND)
        expect(presence(page)).to_have_text("Do not disturb")
        expect(presence(page)).to_be_visible()


def test_two_tabs_share_one_stream_and_when_the_first_is_closed_the_other_has_it(
    context: BrowserContext, served: Served
) -> None:
    for page in context.pages:
        page.close()
    opened = streams(context)
    first, second = context.new_page(), context.new_page()
    with first.expect_request("**/presence"):
        first.goto(FOUND)
    second.goto(FOUND)
    with at_the_desk(served) as desk:
        for page in (first, second):
            expect(presence(page)).to_have_text("Available")
        assert len(opened) == 1
        with context.expect_event("request", lambda request: request.url.endswith("/presence")):
            first.close()
        desk.says(StatusCode.AWAY)
        expect(presence(second)).to_have_text("Away")
    assert len(opened) == 2


def test_a_browser_without_locks_has_a_stream_for_each_tab(chromium: Browser, served: Served) -> None:
    """As where the administrator allows unencrypted connections from elsewhere."""
    context = chromium.new_context(base_url=served.url)
    context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    opened = streams(context)
    sign_in(context.new_page())
    other = context.new_page()
    other.goto(FOUND)
    with at_the_desk(served):
        expect(presence(other)).to_have_text("Available")
    assert len(opened) >= 2
    context.close()


def test_after_a_lost_connection_a_new_snapshot_says_what_was_missed(
    chromium: Browser, served: Served
) -> None:
    with in_thread(served.http) as (relay, port):
        context = chromium.new_context(base_url=f"http://localhost:{port}")
        page = context.new_page()
        sign_in(page)
        page.goto(FOUND)
        with at_the_desk(served) as desk:
            expect(presence(page)).to_have_text("Available")
            opened = streams(context)
            relay.in_its_thread(relay.refuse)
            relay.in_its_thread(relay.drop)
            desk.says(StatusCode.AWAY)
            notice = page.get_by_role("status").filter(has_text="not up to date")
            expect(notice).to_be_visible(timeout=15_000)
            expect(presence(page)).to_have_text("Available")
            relay.in_its_thread(relay.restore)
            expect(presence(page)).to_have_text("Away", timeout=20_000)
            expect(notice).to_have_count(0)
        assert opened
        context.close()


def test_signing_out_in_one_tab_is_said_in_the_other(context: BrowserContext) -> None:
    here, there = context.new_page(), context.new_page()
    there.goto(FOUND)
    here.goto("/")
    here.get_by_role("button", name="Sign out").click()
    notice = there.get_by_role("status").filter(has_text="signed out")
    expect(notice).to_be_visible(timeout=20_000)
    notice.get_by_role("link", name="Sign in").click()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_server_that_stops_waits_for_no_stream(tmp_path: Path, slapd: Slapd, chromium: Browser) -> None:
    served = Served(settings_folder(tmp_path / "s", slapd, level="none", account=None))
    context = chromium.new_context(base_url=served.url)
    page = context.new_page()
    with page.expect_response("**/presence"):
        sign_in(page)
    begins = time.monotonic()
    assert served.end() == 0
    assert time.monotonic() - begins < DRAIN
    context.close()
