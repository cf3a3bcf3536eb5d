"""The people pages in a real browser: Debian's Chromium, against `quintet serve` and a real slapd."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from support.browser import sign_in
from support.folder import settings_folder
from support.serving import free_port, serve
from support.slapd import Slapd

pytestmark = pytest.mark.real

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Iterator[str]:
    folder = settings_folder(tmp_path_factory.mktemp("browser") / "s", slapd, level="none", account=None)
    with serve(folder, STI__Config__QUINTET_HTTP_PORT=str(free_port())) as told:
        yield told["http"]


@pytest.fixture(scope="module")
def state(chromium: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser that is signed in; what its pages complain about fails the tests."""
    context = chromium.new_context(base_url=url)
    sign_in(context.new_page())
    yield context
    context.close()


@pytest.fixture
def page(state: BrowserContext) -> Iterator[Page]:
    page = state.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def test_results_come_as_one_types_and_lead_to_a_card_with_a_photo(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox").press_sequentially("#1 Help")
    page.get_by_role("link", name="#1 Help Desk").click()
    expect(page.get_by_role("heading", name="#1 Help Desk")).to_be_visible()
    photo = page.get_by_role("img", name="Photo of #1 Help Desk")
    assert photo.evaluate("async image => { await image.decode(); return image.naturalWidth > 0 }")


def test_results_are_asked_for_150_ms_after_the_last_key_from_2_characters_on(
    chromium: Browser, url: str, state: BrowserContext
) -> None:
    context = chromium.new_context(base_url=url, storage_state=state.storage_state())
    page = context.new_page()
    page.clock.install(time=0)
    page.goto("/")
    page.clock.pause_at(3600)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("?q=")[2]))
    for key, passes in (("C", 1000), ("h", 149), ("e", 149)):
        page.get_by_role("searchbox").press(key)
        page.clock.run_for(passes)
    assert [each for each in asked if each] == []
    with page.expect_response(re.compile(r"/results\?q=Che$")):
        page.clock.run_for(1)
    assert [each for each in asked if each] == ["Che"]
    context.close()


def test_arrow_keys_go_through_the_results_and_back(page: Page) -> None:
    page.goto("/?q=Circle")
    box, links = page.get_by_role("searchbox"), page.locator("#results a")
    expect(box).to_be_focused()
    for key, focused in (
        ("ArrowDown", links.nth(0)),
        ("ArrowDown", links.nth(1)),
        ("ArrowUp", links.nth(0)),
        ("ArrowUp", box),
        ("ArrowUp", box),
    ):
        page.keyboard.press(key)
        expect(focused).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/groups/*")


def test_the_element_that_tells_the_number_of_matches_stays_so_that_screen_readers_say_it(page: Page) -> None:
    page.goto("/")
    status = page.locator("#results [role=status]")
    status.evaluate("element => { element.isFirst = true }")
    page.get_by_role("searchbox").press_sequentially("Circle")
    expect(status).to_have_text("2 matches.")
    expect(page).to_have_title("Circle · Quintet")
    page.get_by_role("searchbox").press_sequentially("zq")
    expect(status).to_have_text("No match found for “Circlezq”.")
    assert status.evaluate("element => element.isFirst")


def test_while_the_server_can_not_be_reached_the_page_says_so_and_stays(state: BrowserContext) -> None:
    page = state.new_page()
    page.goto("/?q=Circle")
    page.route(re.compile(r"/results"), lambda route: route.abort())
    page.get_by_role("searchbox").press_sequentially(" Ea")
    expect(page.locator("#results [role=status]")).to_contain_text("can’t be reached")
    expect(page.get_by_role("link", name="Circle East")).to_be_visible()
    page.unroute_all()
    page.get_by_role("searchbox").press_sequentially("st")
    expect(page.locator("#results [role=status]")).to_have_text("1 match.")
    page.close()


def test_an_older_answer_does_not_replace_a_newer_one(page: Page) -> None:
    """The first answer is held back until the second is shown."""
    page.goto("/")
    held: list[Route] = []
    page.route(re.compile(r"/results\?q=Ch$"), lambda route: held.append(route))  # noqa: PLW0108  # playwright sets attributes on its handlers
    with page.expect_request(re.compile(r"/results\?q=Ch$")):
        page.get_by_role("searchbox").press_sequentially("Ch")
    page.get_by_role("searchbox").press_sequentially("ess")
    expect(page.get_by_role("link", name="Chess Club")).to_be_visible()
    held[0].fulfill(body="<p>stale</p>")
    expect(page.get_by_text("stale")).to_have_count(0)
    assert page.url.endswith("/?q=Chess")


def test_a_nested_group_is_opened_by_keyboard(page: Page) -> None:
    page.goto("/?q=Company")
    page.get_by_role("link", name="Company").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Product").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Product")).to_be_visible()
    expect(page.get_by_role("heading", name="Groups inside")).to_be_visible()


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for path in ("/?q=R", "/browse", "/?q=" + "x" * 200):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_without_javascript_one_signs_in_finds_and_signs_out(chromium: Browser, url: str) -> None:
    context = chromium.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.get_by_role("searchbox").fill("Chess")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Chess Club").click()
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()
