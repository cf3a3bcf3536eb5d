"""Each people page for those who can't see it, can't use a mouse, or have a narrow or unusual screen.

`accessibility/` has the accessibility tree of each page as a screen reader gets it. With
`QUINTET_RECORD_TREES=1` the files are written anew: read the difference before you commit it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect

from quintet.web.presence import Availability
from support.browser import Served, sign_in
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

TREES = Path(__file__).parent / "accessibility"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NARROWEST = 320  # CSS pixels (WCAG 2.2 1.4.10)
MOST_STOPS = 60  # of one page

# Each page by the path that leads to it, and the link that is followed from there.
PAGES = {
    "sign-in": ("/sign-in", None),
    "search": ("/", None),
    "results": ("/?q=Chess", None),
    "no-results": ("/?q=zz-none", None),
    "browse": ("/browse", None),
    "level": ("/browse?dn=ou%3DAsia%2FPacific%2Cou%3DSales%2Cou%3Dpeople%2Co%3Dexample", None),
    "group": ("/?q=Chess", "Chess Club"),
    "group-with-groups": ("/?q=Circle+East", "Circle East"),
    "card": ("/?q=helpdesk@example.com", "#1 Help Desk"),
    "sessions": ("/sessions", None),
    "not-found": ("/people/YQ", None),
}
SIGNED_OUT = {"sign-in"}
SHOT = pytest.mark.parametrize("name", PAGES)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Iterator[Served]:
    folder = settings_folder(tmp_path_factory.mktemp("trees") / "s", slapd, level="none", account=None)
    served = Served(folder)
    yield served
    assert served.end() == 0


@pytest.fixture(scope="module")
def state(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=served.url)
    sign_in(context.new_page())
    yield context
    context.close()


@pytest.fixture
def page(state: BrowserContext) -> Iterator[Page]:
    page = state.new_page()
    yield page
    page.close()


def go(page: Page, name: str) -> None:
    """Open the page with this name."""
    path, link = PAGES[name]
    page.goto(path)
    if link is not None:
        page.get_by_role("main").get_by_role("link", name=link, exact=True).first.click()
        expect(page.get_by_role("heading", level=1, name=link)).to_be_visible()


@SHOT
def test_the_accessibility_tree_is_as_recorded(page: Page, name: str) -> None:
    go(page, name)
    found = re.sub(r"\d+ min ago", "N min ago", page.locator("body").aria_snapshot()) + "\n"
    path = TREES / f"{name}.yml"
    if os.environ.get("QUINTET_RECORD_TREES") == "1":
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_recorded_tree_is_of_a_page() -> None:
    assert {path.stem for path in TREES.glob("*.yml")} == {*PAGES, "connections"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@SHOT
def test_axe_finds_nothing(page: Page, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    go(page, name)
    # axe-core is put into the page by the debugger, which the page's policy does not bind.
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


@SHOT
def test_nothing_is_wider_than_the_narrowest_screen(page: Page, name: str) -> None:
    page.set_viewport_size({"width": NARROWEST, "height": 640})
    go(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST


@pytest.mark.parametrize("colours", ["none", "active"])
@SHOT
def test_all_is_reached_by_the_tab_key_and_shows_that_it_has_the_focus(
    page: Page, name: str, colours: str
) -> None:
    """From the beginning of the page to its end; the focus is an outline, also in forced colours."""
    page.emulate_media(forced_colors="active" if colours == "active" else "none")
    go(page, name)
    wanted = page.locator("a, button, input:not([type=hidden])").count()
    page.locator(".skip").focus()
    reached = [0]
    while len(reached) < min(wanted, MOST_STOPS):
        page.keyboard.press("Tab")
        nth, outlined = page.evaluate(_FOCUS)
        assert outlined, nth
        reached.append(nth)
    assert reached == list(range(len(reached)))


_FOCUS = """() => {
  const here = document.activeElement;
  const outlined = [null, "::after"].some((part) => {
    const style = getComputedStyle(here, part);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
  return [[...document.querySelectorAll("a, button, input:not([type=hidden])")].indexOf(here), outlined];
}"""


def test_without_motion_nothing_moves(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    go(page, "results")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter((each) =>"
        " parseFloat(getComputedStyle(each).transitionDuration) > 0"
        " || getComputedStyle(each).animationName !== 'none').length"
    )
    assert moving == 0


@pytest.mark.parametrize("colours", ["none", "active"])
def test_each_state_has_a_shape_of_its_own(page: Page, colours: str) -> None:
    """All in one colour, and with the same word, no two states look the same."""
    page.emulate_media(forced_colors="active" if colours == "active" else "none", color_scheme="light")
    go(page, "card")
    shown = page.locator(".presence").first
    shots = set()
    for each in Availability:
        shown.evaluate(
            "(element, state) => { element.dataset.state = state;"
            " document.documentElement.style.setProperty(`--${state}`, 'CanvasText') }",
            each.value,
        )
        shots.add(shown.screenshot())
    assert len(shots) == len(Availability)
