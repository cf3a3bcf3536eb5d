"""Presence on the people pages, with a community of the tests' own in place of the port."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, final

import httpx
import pytest

from quintet.directory import Person
from quintet.runtime.web_presence import state_of
from quintet.sametime.serving import StatusCode, StatusFlag, UserStatus
from quintet.web.accounts import handle_of
from quintet.web.live import MOST_SHOWN
from quintet.web.presence import Availability, PresenceState
from support.event_streams import Reader
from support.web_site import HERE, Web

pytestmark = pytest.mark.real

AWAY = PresenceState(Availability.AWAY, "<b>lunch</b>\u202e")


@final
class Community:
    """States by ID, except of those who are hidden from a reader.

    Those `elsewhere` are seen when other nodes were asked.
    """

    def __init__(self) -> None:
        self.states: dict[str, PresenceState] = {}
        self.elsewhere: dict[str, PresenceState] = {}
        self.hidden: set[tuple[str, str]] = set()
        self.views: list[View] = []

    def view(self, reader: str, changed: Callable[[str, PresenceState], None]) -> "View":
        self.views.append(View(self, reader, changed))
        return self.views[-1]

    async def find(self, ids: Iterable[str]) -> None:
        self.states |= {each: self.elsewhere[each] for each in ids if each in self.elsewhere}

    def set(self, ident: str, state: PresenceState) -> None:
        self.states[ident] = state
        for each in self.views:
            if ident in each.watched:
                each.changed(ident, each.seen[ident])


@final
class View:
    def __init__(
        self, community: Community, reader: str, changed: Callable[[str, PresenceState], None]
    ) -> None:
        self.community = community
        self.reader = reader
        self.changed = changed
        self.watched: list[str] = []

    @property
    def seen(self) -> Mapping[str, PresenceState]:
        found = self.community
        return {
            each: PresenceState()
            if (self.reader, each) in found.hidden
            else found.states.get(each, PresenceState())
            for each in self.watched
        }

    def watch(self, ids: Iterable[str]) -> None:
        self.watched = list(ids)

    def close(self) -> None:
        self.community.views.remove(self)


@pytest.fixture
def community(web: Web) -> Community:
    community = Community()
    object.__setattr__(web.site, "presence", lambda: community)
    web.app = web.make_app()
    return community


@pytest.fixture
def me(web: Web) -> Person:
    person = web.people["jgross"]
    assert isinstance(person, Person)
    return person


def cookies(browser: httpx.AsyncClient) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


@asynccontextmanager
async def live(web: Web, browser: httpx.AsyncClient) -> AsyncIterator[Reader]:
    """A stream of this browser."""
    reader = Reader()
    headers = [(b"host", b"localhost:8080"), (b"cookie", cookies(browser).encode())]
    scope: dict[str, Any] = {
        "path": "/presence",
        "raw_path": b"/presence",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 8080),
        "http_version": "1.1",
    }
    async with reader.reads(web.app, **scope):
        yield reader


async def show(browser: httpx.AsyncClient, stream: str, people: list[str], **headers: str) -> int:
    body = {"stream": stream, "people": people}
    return (await browser.post("/presence", json=body, headers=HERE | headers)).status_code


async def test_states_at_page_load_are_text(web: Web, community: Community, me: Person) -> None:
    community.states[me.id] = AWAY
    async with web.signed_in("jgross") as browser:
        row = (await browser.get("/")).text
        card = (await browser.get(f"/people/{handle_of(me.id)}")).text
    assert re.search(r'data-state="away"><span class="label">Away</span></span>', row)
    assert '<span class="words">&lt;b&gt;lunch&lt;/b&gt;</span>' in card
    assert community.views == []


@pytest.mark.parametrize("path", ["/", "/?q=jgross", "/results?q=jgross", "/people/{}"])
async def test_a_page_asks_other_nodes_before_it_shows_states(
    web: Web, community: Community, me: Person, path: str
) -> None:
    community.elsewhere[me.id] = AWAY
    async with web.signed_in("jgross") as browser:
        page = (await browser.get(path.format(handle_of(me.id)))).text
    assert ('data-state="away"' in page, 'data-state="offline"' in page) == (True, False)


async def test_a_page_shows_no_more_than_its_reader_may_see(
    web: Web, community: Community, me: Person
) -> None:
    community.states[me.id] = AWAY
    async with web.signed_in("jgross") as browser:
        open_to_all = (await browser.get("/?q=jgross")).text
        community.hidden.add((me.id, me.id))
        hidden = (await browser.get("/?q=jgross")).text
    assert ("Away" in open_to_all, "Offline" in open_to_all) == (True, False)
    assert ("Away" in hidden, "Offline" in hidden) == (False, True)


async def test_without_the_port_there_is_no_presence_and_no_stream(web: Web) -> None:
    async with web.signed_in("jgross") as browser:
        page = (await browser.get("/?q=jgross")).text
        assert (await browser.get("/presence")).status_code == 404
    assert "presence.js" not in page
    assert "data-person" not in page


async def test_a_stream_tells_of_those_who_are_shown(web: Web, community: Community, me: Person) -> None:
    handle = handle_of(me.id)
    async with web.signed_in("jgross") as browser, live(web, browser) as reader:
        _, first = await reader.event()
        assert first["people"] == {}
        assert await show(browser, first["stream"], [handle, "!", handle_of("cn=other")]) == 204
        event, snapshot = await reader.event()
        community.set(me.id, AWAY)
        assert await reader.event() == (
            "change",
            {handle: {"state": "away", "label": "Away", "words": "<b>lunch</b>"}},
        )
    assert (event, snapshot["stream"]) == ("snapshot", first["stream"])
    assert snapshot["people"].keys() == {handle, handle_of("cn=other")}
    assert (community.views, len(web.site.streams)) == ([], 0)


async def test_after_a_reconnect_a_new_snapshot_comes(web: Web, community: Community, me: Person) -> None:
    async with web.signed_in("jgross") as browser:
        names = []
        for _ in range(2):
            async with live(web, browser) as reader:
                event, first = await reader.event()
                names.append(first["stream"])
                assert (event, first["people"]) == ("snapshot", {})
                await show(browser, first["stream"], [handle_of(me.id)])
                assert (await reader.event())[1]["people"].keys() == {handle_of(me.id)}
        assert await show(browser, names[0], []) == 404
    assert names[0] != names[1]


async def test_a_stream_belongs_to_its_session(web: Web, community: Community, me: Person) -> None:
    async with web.signed_in("jgross") as browser, live(web, browser) as reader:
        _, first = await reader.event()
        async with web.signed_in("jgross") as other:
            assert await show(other, first["stream"], [handle_of(me.id)]) == 404
        assert await show(web.client, first["stream"], []) == 401
    assert community.views == []


async def test_signing_out_ends_the_stream_and_no_other_opens(web: Web, community: Community) -> None:
    async with web.signed_in("jgross") as browser:
        async with live(web, browser) as reader:
            await reader.event()
            await web.site.sessions.end_all_of(web.people["jgross"])
            await reader.ended.wait()
        assert (await browser.get("/presence")).status_code == 401
        assert (await browser.head("/presence")).status_code == 401
    assert community.views == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"stream": "x"}',
        b'{"stream": 1, "people": []}',
        b'{"stream": "x", "people": ["a"], "more": 1}',
        json.dumps({"stream": "x", "people": ["YQ"] * (MOST_SHOWN + 1)}).encode(),
        json.dumps({"stream": "x", "people": ["Y" * 10_000]}).encode(),
        b'{"stream": "\xff", "people": []}',
    ],
)
async def test_bad_requests_are_refused(web: Web, community: Community, body: bytes) -> None:
    async with web.signed_in("jgross") as browser:
        assert (await browser.post("/presence", content=body, headers=HERE)).status_code == 400
    assert community.views == []


async def test_another_site_changes_nothing(web: Web, community: Community) -> None:
    async with web.signed_in("jgross") as browser, live(web, browser) as reader:
        _, first = await reader.event()
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert await show(browser, first["stream"], [handle_of("cn=x")], **headers) == 403
        assert [each.watched for each in community.views] == [[]]


async def test_people_pages_that_are_off_have_no_stream(web: Web, community: Community) -> None:
    web.change(people_pages=False)
    async with web.signed_in("jgross") as browser:
        assert (await browser.get("/presence")).status_code == 404
        assert await show(browser, "x", []) == 404
    assert community.views == []


@pytest.mark.parametrize(
    ("status", "label"),
    [
        (0, "Offline"),
        (StatusCode.ACTIVE, "Available"),
        (StatusCode.IDLE, "Idle"),
        (StatusCode.AWAY, "Away"),
        (StatusCode.IN_MEETING, "In a meeting"),
        (StatusCode.DO_NOT_DISTURB, "Do not disturb"),
        (StatusCode.ACTIVE | StatusFlag.MOBILE, "Available (mobile)"),
        (0x1001, "Do not disturb"),
    ],
)
def test_every_status_has_a_word(status: int, label: str) -> None:
    assert state_of(UserStatus(status)).label == label


@pytest.mark.parametrize(
    ("text", "words"),
    [("  lunch\r\nback at 3\0 ", "lunch  back at 3"), ("x" * 70_000, "x" * 200), ("\u202eabc", "abc")],
)
def test_words_are_one_short_line(text: str, words: str) -> None:
    assert PresenceState(Availability.AWAY, text).words == words
