"""The page with which `quintet demo` ends: a newcomer opens it, signs in, and finds people quickly."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from support.command import at_terminal

pytestmark = pytest.mark.real

_INVITATION = re.compile(r"open (\S+)\s+and sign in as (\w+) with the password (\S+)\n.*\nCtrl-C stops it\.$")


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """Signed in with what the demo prints last."""
    with at_terminal("demo") as terminal:
        terminal.until("Ctrl-C stops it.", 60)
        last = "\n".join(line.strip() for line in terminal.lines if line.strip())
        told = _INVITATION.search(last)
        assert told, last
        url, name, password = told.groups()
        context = chromium.new_context(base_url=url)
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        yield page
        context.close()
        terminal.interrupt()
        assert terminal.end() == 130


def test_a_newcomer_signs_in_and_sees_a_card(page: Page) -> None:
    expect(page.get_by_role("heading", name="Find people and groups")).to_be_visible()
    page.get_by_role("searchbox").press_sequentially("jj")
    page.get_by_role("link", name="Jones").first.click()
    expect(page.get_by_role("article")).to_contain_text("Offline")


def test_a_newcomer_sees_the_connections(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Connections").click()
    expect(page.get_by_role("heading", name="Protection: all")).to_be_visible()
    expect(page.locator(".wire.encrypted")).to_have_count(6)
