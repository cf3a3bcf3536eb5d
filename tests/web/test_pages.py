"""The people pages as a browser without JavaScript sees them."""

import re
from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import Route

from quintet.embedded import sample
from quintet.web.accounts import handle_of
from quintet.web.links import mail_link, telephone_link
from quintet.web.pages import page_app
from support import small
from support.folder import settings_folder
from support.slapd import Slapd
from support.web_site import HERE, SCRIPT, Web, post_sign_in, web_for

pytestmark = pytest.mark.real


class Document(HTMLParser):
    """What a page holds: texts, links by their text, tags and hidden fields."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.links: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._href: str | None = None
        self._label = ""
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "a":
            self._href, self._label = given.get("href"), ""
        if tag == "input":
            self.fields[str(given["name"])] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text += data
        self._label += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href is not None:
            self.links[" ".join(self._label.split())] = self._href
            self._href = None


def link(page: Document, name: str) -> str:
    return next(href for label, href in page.links.items() if name in label)


@pytest.fixture
async def browser(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that signed in by the form."""
    async with web.browser(follow_redirects=True) as browser:
        form = {"name": "jgross", "password": sample.password_of("jgross")}
        answer = await post_sign_in(browser, form)
        assert (answer.status_code, answer.url.path) == (200, "/")
        yield browser


async def shown(browser: httpx.AsyncClient, path: str) -> Document:
    answer = await browser.get(path)
    assert answer.status_code == 200
    return Document(answer)


async def test_a_search_asks_the_directory_as_little_for_many_matches_as_for_none(web: Web) -> None:
    """At each key that is typed: one search for people and one for groups, whatever they find."""

    def asked() -> int:
        return sum(row.operations for row in web.site.directory.status())

    async with web.signed_in("jgross") as browser:
        for query, few in (("zq", 0), ("jo", 5), ("a", 50)):
            await web.site.directory.connect_all()
            before = asked()
            page = await browser.get("/results", params={"q": query})
            assert asked() - before == 2, query
            assert page.text.count("<li>") >= few


async def test_a_search_leads_to_a_card_with_photo_links_and_groups(browser: httpx.AsyncClient) -> None:
    results = await shown(browser, "/?q=%231+Help+Desk")
    assert results.fields["q"] == "#1 Help Desk"
    card = await shown(browser, link(results, "#1 Help Desk"))
    (image,) = (given for tag, given in card.tags if tag == "img")
    assert image["alt"] == "Photo of #1 Help Desk"
    assert (await browser.get(str(image["src"]))).headers["content-type"] == "image/jpeg"
    assert card.links["helpdesk@example.com"] == "mailto:helpdesk@example.com"
    assert [each for each in card.links.values() if each.startswith("tel:+44")]
    assert "Everyone" not in card.text
    assert link(card, "All Staff").startswith("/groups/")


async def test_a_group_shows_its_members_and_the_groups_inside_which_open(browser: httpx.AsyncClient) -> None:
    group = await shown(browser, link(await shown(browser, "/?q=Company"), "Company"))
    inside = await shown(browser, link(group, "Product"))
    assert "Groups inside" in inside.text
    assert link(inside, "Engineering Team")


async def test_the_tree_is_browsed_level_by_level(browser: httpx.AsyncClient) -> None:
    level = await shown(browser, f"/browse?dn={quote('ou=people,o=example')}")
    below = await shown(browser, link(level, "Zürich Branch"))
    assert link(below, "Jürgen Groß").startswith("/people/")
    assert list(below.links)[-1] != "Top"
    assert below.links["people"].startswith("/browse?dn=")


async def test_every_level_above_can_be_opened(folder: Path) -> None:
    """Also where the bases are below the root of the tree."""
    community = folder / "StCommunityConfig.xml"
    text = community.read_text().replace(
        'PersonResolveBase="o=example"', 'PersonResolveBase="ou=people,o=example"'
    )
    community.write_text(
        text.replace('GroupResolveBase="o=example"', 'GroupResolveBase="ou=groups,o=example"')
    )
    async with web_for(folder) as web, web.signed_in("jgross") as browser:
        top = await shown(browser, "/browse")
        level = await shown(browser, link(await shown(browser, link(top, "people")), "Sales"))
        trail = [each for each in level.links if each in ("Top", "example", "people", "Sales")]
        for each in trail:
            await shown(browser, level.links[each])
    assert trail == ["Top", "people", "Sales"]


async def test_signing_out_needs_the_forms_token(web: Web, browser: httpx.AsyncClient) -> None:
    token = (await shown(browser, "/")).fields["token"]
    assert (await browser.post("/sign-out", data={"token": "x"}, headers=HERE)).status_code == 403
    assert (await browser.post("/sign-out", data={"token": token})).status_code == 403
    assert len(web.site.sessions) == 1
    answer = await browser.post("/sign-out", data={"token": token}, headers=HERE)
    assert (answer.url.path, len(web.site.sessions)) == ("/sign-in", 0)


async def test_signing_in_needs_the_forms_token_and_its_cookie(web: Web) -> None:
    form = {"name": "jgross", "password": sample.password_of("jgross")}
    page = Document(await web.client.get("/sign-in"))
    for token in ("", "x", page.fields["token"][:-1]):
        answer = await web.client.post("/sign-in", data=form | {"token": token}, headers=HERE)
        assert answer.status_code == 403
    async with web.browser() as other:
        await other.get("/sign-in")
        stolen = form | {"token": page.fields["token"]}
        assert (await other.post("/sign-in", data=stolen, headers=HERE)).status_code == 403
    assert not len(web.site.sessions)
    assert (await post_sign_in(web.client, form)).status_code == 303


async def test_all_sessions_are_ended_by_one_button(web: Web, browser: httpx.AsyncClient) -> None:
    async with web.signed_in("jgross") as other:
        page = await shown(browser, "/sessions")
        assert "signed in 2 times" in page.text
        form = {"token": page.fields["token"], "everywhere": page.fields["everywhere"]}
        await browser.post("/sign-out", data=form, headers=HERE)
        assert not len(web.site.sessions)
        assert (await other.get("/")).status_code == 303


async def test_one_of_ones_own_sessions_is_ended_and_no_other(web: Web, browser: httpx.AsyncClient) -> None:
    person = await web.site.directory.resolve_login("helpdesk")
    _, foreign = await web.site.sessions.begin("helpdesk", person, administrator=False)
    async with web.signed_in("jgross") as other:
        page = await shown(browser, "/sessions")
        assert foreign.public_id not in str(page.tags)
        form = {"token": page.fields["token"], "session": page.fields["session"]}
        for bad in (
            await browser.post("/sessions", data={**form, "token": "x"}, headers=HERE),
            await browser.post("/sessions", data=form, headers={"origin": "https://evil.example"}),
        ):
            assert bad.status_code == 403
        await browser.post("/sessions", data={**form, "session": foreign.public_id}, headers=HERE)
        assert len(web.site.sessions) == 3
        answer = await browser.post("/sessions", data=form, headers=HERE)
        assert (answer.status_code, answer.url.path) == (200, "/sessions")
        assert (await other.get("/")).status_code == 303
    assert [each.login for each in await web.site.sessions.all()] == ["jgross", "helpdesk"]


@pytest.mark.parametrize("path", ["/", "/sessions", "/results?q=a", "/browse", "/people/eA", "/groups/eA"])
async def test_without_a_session_every_page_leads_to_sign_in(web: Web, path: str) -> None:
    answer = await web.client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"name": "jgross", "password": "wrong"}, 401),
        ({"name": "nobody-here", "password": "wrong"}, 401),
        ({"name": "", "password": ""}, 401),
        ({"name": "x" * 5000, "password": "x"}, 401),
        ({}, 401),
    ],
)
async def test_a_refused_sign_in_says_the_same_whatever_was_wrong(
    web: Web, form: dict[str, str], status: int
) -> None:
    answer = await post_sign_in(web.client, form)
    page = Document(answer)
    assert answer.status_code == status
    assert "The name or the password is wrong." in page.text
    assert "set-cookie" not in answer.headers
    assert page.fields["password"] == ""


async def test_a_form_from_another_site_is_refused(web: Web) -> None:
    form = {"name": "jgross", "password": sample.password_of("jgross")}
    answer = await web.client.post("/sign-in", data=form, headers={"origin": "https://evil.example"})
    assert (answer.status_code, len(web.site.sessions)) == (403, 0)


async def test_over_an_unencrypted_connection_there_is_no_password_field(web: Web) -> None:
    async with web.browser("192.0.2.1") as remote:
        page = Document(await remote.get("/sign-in"))
        form = {"name": "jgross", "password": sample.password_of("jgross")}
        refused = await remote.post("/sign-in", data=form, headers=HERE)
    assert "password" not in page.fields
    assert (refused.status_code, len(web.site.sessions)) == (403, 0)


async def test_values_are_never_markup(tmp_path: Path, make_slapd: Callable[..., Slapd]) -> None:
    folder = settings_folder(tmp_path / "s", make_slapd(small.LDIF + SCRIPT), level="none", account=None)
    async with web_for(folder, login="alice") as web, web.signed_in("alice") as browser:
        results = await shown(browser, "/?q=" + quote("<script>alert(1)</script>"))
        card = await shown(browser, link(results, "<script>"))
        level = await shown(browser, f"/browse?dn={quote(small.PEOPLE)}")
    assert "<script>alert(1)</script>" in card.text
    assert not [tag for tag, _ in (*card.tags, *level.tags) if tag == "script"]
    assert not [given for _, given in card.tags if any(name.startswith("on") for name in given)]
    assert not [href for href in card.links.values() if href.startswith("javascript:")]


async def test_pages_allow_no_inline_code_and_no_framing(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/?q=a")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", answer.text)


async def test_unknown_entries_are_pages_that_say_so(web: Web, browser: httpx.AsyncClient) -> None:
    nobody = handle_of("cn=nobody,o=example")
    for path in (f"/people/{nobody}", f"/groups/{nobody}", "/people/!", "/browse?dn=o%3Delsewhere"):
        answer = await browser.get(path)
        assert (answer.status_code, "no such entry" in answer.text) == (404, True)


async def test_a_path_that_there_is_not_is_a_page_for_browsers_and_a_problem_for_programs(web: Web) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/sign-in", 405)):
        page = await web.client.request(method, path, headers={"accept": "text/html,*/*;q=0.8", **HERE})
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert ("There is no such page" in page.text) is (status == 404)
        answer = await web.client.request(method, path, headers=HERE)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert page.headers.get("allow") == answer.headers.get("allow")


async def test_the_pages_can_be_switched_off(web: Web) -> None:
    """Every one of them, also for those who are signed in."""
    routes = [each for each in page_app(web.site).routes if isinstance(each, Route)]
    paths = {
        each.path.replace("{handle}", "YQ")
        for each in routes
        if "GET" in (each.methods or ()) and not each.path.startswith(("/static", "/connections"))
    }
    assert {"/", "/sign-in", "/browse", "/people/YQ", "/presence"} <= paths
    web.change(people_pages=False)
    async with web.signed_in("jgross") as browser:
        answers = {path: (await browser.get(path)).status_code for path in paths}
        answers |= {path: (await web.client.get(path)).status_code for path in paths}
    assert set(answers.values()) == {404}


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("ada@example.com", "mailto:ada@example.com"),
        ("a?cc=b@example.com", "mailto:a%3Fcc%3Db@example.com"),
        ("javascript:alert(1)", None),
        ("a b@example.com", None),
        ("a\udcff@example.com", None),
        ("a@example.\udcff", None),
    ],
)
def test_mail_links(text: str, link: str | None) -> None:
    assert mail_link(text) == link


@pytest.mark.parametrize(
    ("text", "link"), [("+49 (30) 12-34", "tel:+49301234"), ("javascript:1", None), ("+1;x=1", None)]
)
def test_telephone_links(text: str, link: str | None) -> None:
    assert telephone_link(text) == link
