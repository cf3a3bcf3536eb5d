"""Sessions of browsers hold on every node, and are known by none while Valkey is away."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from quintet.cluster.connection import ValkeyConnection
from quintet.cluster.sealing import KeyRing
from quintet.cluster.web_sessions import SharedSessions
from quintet.config import parse_valkey_url
from quintet.directory import Group, Person, VerifiedPerson
from quintet.embedded import sample
from quintet.web.sessions import (
    MOST_PER_PERSON,
    SessionsUnavailableError,
    WebSession,
    hashed,
    verify_id,
)
from support.folder import settings_folder
from support.redis_server import RedisServer
from support.slapd import Slapd
from support.web_site import URL, Web, post_sign_in, web_for

RING = KeyRing([bytes(32)])
ADA = Person("uid=ada,o=example", "uid=ada,o=example", "Ada", "ada@example.com", "one", "text \udce9")
BOB = Person("uid=bob,o=example", "uid=bob,o=example", "Bob", None, "one")
GROUP = Group("cn=g", "cn=g", "G", "one")
Make = Callable[..., SharedSessions]


@pytest.fixture
async def valkey(shared_redis: RedisServer) -> AsyncIterator[ValkeyConnection]:
    async with ValkeyConnection(parse_valkey_url(shared_redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        yield valkey


@pytest.fixture
def node(valkey: ValkeyConnection) -> Make:
    """Another node of a community of the test's own."""
    prefix = f"quintet:{secrets.token_hex(8)}"

    def made(**options: object) -> SharedSessions:
        return SharedSessions(valkey, RING, prefix, **options)  # type: ignore[arg-type]

    return made


async def test_a_session_of_one_node_is_found_on_the_other(node: Make) -> None:
    one, two = node(), node()
    verified = VerifiedPerson(ADA, (GROUP,), {"uid": ("ada", "a")})
    ident, begun = await one.begin("Ada", verified, administrator=True)
    for found in (await two.find(hashed(ident)), await two.find_verified(hashed(verify_id(ident)))):
        assert found is not None
        assert (found.verified, found.login, found.administrator) == (verified, "Ada", True)
        assert (found.key, found.form_token) == (begun.key, begun.form_token)
    assert await two.find(hashed(verify_id(ident))) is None
    assert await two.find_verified(hashed(ident)) is None
    assert (len(one), len(two)) == (1, 1)


async def test_each_node_asks_the_directory_itself_when_it_first_sees_a_session(node: Make) -> None:
    one, two = node(), node()
    ident, begun = await one.begin("Ada", ADA, administrator=True)
    assert not one.needs_check(begun)
    seen = await two.find(hashed(ident))
    assert seen is not None
    assert two.needs_check(seen)
    two.begin_check(seen)
    seen.verified, seen.administrator = VerifiedPerson(ADA, (GROUP,)), False
    await two.keep_check(seen)
    again = await two.find(hashed(ident))
    assert again is seen
    assert not two.needs_check(again)
    changed = await one.find(hashed(ident))
    assert changed is begun
    assert (changed.verified.groups, changed.administrator) == ((GROUP,), False)


async def test_signing_out_on_one_node_ends_the_session_and_its_streams_on_the_other(node: Make) -> None:
    one, two = node(), node()
    ended: list[str] = []
    two.on_end = lambda session: ended.append(session.key)
    ident, begun = await one.begin("Ada", ADA, administrator=False)
    seen = await two.find(hashed(ident))
    assert seen is not None
    assert not await two.has_ended(seen)
    await one.end(begun)
    assert await two.has_ended(seen)
    assert ended == [begun.key]
    assert await two.find(hashed(ident)) is None
    await two.keep_check(seen)
    assert await one.find(hashed(ident)) is None


async def test_everywhere_is_every_node_and_only_this_person(node: Make) -> None:
    one, two = node(), node()
    idents = [(await each.begin("Ada", ADA, administrator=False))[0] for each in (one, two, one)]
    other, _ = await two.begin("Bob", BOB, administrator=False)
    assert await two.end_all_of(ADA) == 3
    assert [await one.find(hashed(each)) for each in idents] == [None] * 3
    assert await one.find(hashed(other)) is not None


async def test_everywhere_is_meant_while_keys_are_changed_too(valkey: ValkeyConnection) -> None:
    prefix = f"quintet:{secrets.token_hex(8)}"
    old, new = bytes(32), bytes([1]) * 32
    before = SharedSessions(valkey, KeyRing([old, new]), prefix)
    after = SharedSessions(valkey, KeyRing([new, old]), prefix)
    idents = [(await each.begin("Ada", ADA, administrator=False))[0] for each in (before, after)]
    assert await after.find(hashed(idents[0])) is not None
    assert await before.end_all_of(ADA) == 2
    assert [await after.find(hashed(each)) for each in idents] == [None, None]


async def test_a_person_has_so_many_sessions_and_a_community_so_many(node: Make) -> None:
    one = node(most=MOST_PER_PERSON + 2)
    idents = [(await one.begin("Ada", ADA, administrator=False))[0] for _ in range(MOST_PER_PERSON + 1)]
    assert await one.find(hashed(idents[0])) is None
    assert await one.find(hashed(idents[1])) is not None
    for _ in range(3):
        await one.begin("Bob", BOB, administrator=False)
    assert await one.find(hashed(idents[1])) is None
    assert [each.person for each in await one.all()][-4:] == [ADA, BOB, BOB, BOB]


async def test_a_session_ends_when_idle_and_after_its_longest_time(redis: RedisServer) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        sessions = SharedSessions(valkey, RING, "quintet")
        for field, seconds in (("used", 1801), ("began", 12 * 3600 + 1)):
            ident, begun = await sessions.begin("Ada", ADA, administrator=False)
            key = f"quintet:w:{begun.key}"
            assert redis.run("TTL", key) == 1800
            assert redis.run("TTL", f"quintet:w:v:{begun.verify_key}") == 1800
            redis.run("HINCRBYFLOAT", key, field, -seconds)
            assert await sessions.find(hashed(ident)) is None
            assert redis.run("EXISTS", key) == 0
        assert all(redis.run("TTL", key) != -1 for key in redis.run("KEYS", "*"))  # type: ignore[attr-defined]


async def test_who_writes_to_valkey_signs_in_no_one(redis: RedisServer) -> None:
    """Neither an old copy, nor another session's data, nor garbage is a session."""
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        sessions = SharedSessions(valkey, RING, "quintet")
        ident, begun = await sessions.begin("Ada", ADA, administrator=False)
        _, other = await sessions.begin("Bob", BOB, administrator=True)
        key, data = f"quintet:w:{begun.key}", redis.run("HGET", f"quintet:w:{other.key}", "data")
        assert isinstance(data, bytes)
        for forged in (data, b"", b"garbage", b"x" * 5_000_000):
            redis.run("HSET", key, "data", forged)
            try:
                assert await sessions.find(hashed(ident)) is None
            except SessionsUnavailableError:
                assert len(forged) > 1_000_000
        redis.run("DEL", key)
        redis.run("SET", key, "not a hash")
        with pytest.raises(SessionsUnavailableError):
            await sessions.find(hashed(ident))


async def test_what_is_in_valkey_names_no_one_and_holds_no_id(redis: RedisServer) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        ident, begun = await SharedSessions(valkey, RING, "quintet").begin("Ada", ADA, administrator=False)
        keys = redis.run("KEYS", "*")
        assert isinstance(keys, list)
        everything = repr([(key, redis.run("DUMP", key)) for key in keys])
        for secret in (ident, verify_id(ident), begun.form_token, "example", "Ada"):
            assert secret not in everything


# Two nodes with browsers.


@asynccontextmanager
async def two_nodes(folder: Path, slapd: Slapd, redis: RedisServer) -> AsyncIterator[tuple[Web, Web]]:
    settings_folder(folder, slapd, level="none", account=None)
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(2):
            valkey = await stack.enter_async_context(ValkeyConnection(parse_valkey_url(redis.url)))
            assert await valkey.first_attempt(5)
            web = await stack.enter_async_context(web_for(folder))
            shared = SharedSessions(valkey, RING, "quintet")
            web.site = replace(web.site, sessions=shared, form_keys=lambda: RING.derived("forms"))
            web.app = web.make_app()
            nodes.append(web)
        yield nodes[0], nodes[1]


async def test_a_form_of_one_node_signs_in_on_the_other_and_the_session_is_that_of_both(
    tmp_path: Path, slapd: Slapd, redis: RedisServer
) -> None:
    async with two_nodes(tmp_path / "s", slapd, redis) as (one, two):
        browser = BalancedBrowser(one, two)
        form = {"name": "jgross", "password": sample.password_of("jgross")}
        async with browser.client as client:
            assert (await post_sign_in(client, form)).status_code == 303
            for _ in range(4):
                assert (await client.get("/api/v1/session")).status_code == 200
            assert (await client.delete("/api/v1/session", headers={"origin": URL})).status_code == 204
            for _ in range(2):
                assert (await client.get("/api/v1/session")).status_code == 401


async def test_while_valkey_is_away_no_request_is_judged(
    tmp_path: Path, slapd: Slapd, redis: RedisServer
) -> None:
    async with (
        two_nodes(tmp_path / "s", slapd, redis) as (one, two),
        one.signed_in("jgross") as browser,
        two.signed_in("jgross") as other,
    ):
        redis.kill()
        for each in (browser, other):
            answer = await each.get("/api/v1/session")
            assert (answer.status_code, answer.json()["code"]) == (503, "sessions-unavailable")
            for path in ("/", "/api/v1/resolve?name=a", "/servlet/UserInfoServlet?operation=2"):
                assert (await each.get(path)).status_code == 503
            assert (await each.delete("/api/v1/session", headers={"origin": URL})).status_code == 503
        form = {"name": "jgross", "password": sample.password_of("jgross")}
        async with one.browser() as stranger:
            assert (await post_sign_in(stranger, form)).status_code == 503


async def test_while_valkey_is_away_signing_out_makes_this_browser_forget_and_says_that_it_is_not_more(
    tmp_path: Path, slapd: Slapd, redis: RedisServer
) -> None:
    async with two_nodes(tmp_path / "s", slapd, redis) as (one, _), one.signed_in("jgross") as browser:
        redis.kill()
        for headers in ({}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            answer = await browser.post("/sign-out", headers=headers)
            assert (answer.status_code, answer.headers.get_list("set-cookie")) == (403, [])
        for form in ({"token": "x"}, {"everywhere": "1"}):
            answer = await browser.post("/sign-out", data=form, headers={"origin": URL})
            assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
            assert "Signed out in this browser only" in answer.text
            assert answer.headers["clear-site-data"] == '"cache", "storage"'
            assert answer.headers["retry-after"].isdecimal()
            (cookie,) = answer.headers.get_list("set-cookie")
            assert cookie.startswith("quintet=;")
            assert "Max-Age=0" in cookie


async def test_a_page_that_lists_sessions_says_in_words_that_it_can_not(
    tmp_path: Path, slapd: Slapd, redis: RedisServer
) -> None:
    """The session was found, and Valkey goes away before its others are."""
    async with two_nodes(tmp_path / "s", slapd, redis) as (one, _), one.signed_in("jgross") as browser:
        find = one.site.sessions.find

        async def found(key: str) -> WebSession | None:
            session = await find(key)
            redis.kill()
            return session

        one.site.sessions.find = found  # type: ignore[method-assign]
        answer = await browser.get("/sessions")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert "Sessions can’t be looked up" in answer.text


class BalancedBrowser:
    """A browser behind a balancer that sends each request to the other node."""

    def __init__(self, *nodes: Web) -> None:
        self._apps = [each.app for each in nodes]
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._next, client=("127.0.0.1", 50_000)), base_url=URL
        )

    async def _next(self, scope: object, receive: object, send: object) -> None:
        self._apps.append(self._apps.pop(0))
        await self._apps[0](scope, receive, send)  # type: ignore[arg-type]
