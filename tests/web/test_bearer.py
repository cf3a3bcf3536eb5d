"""The API for programs with a bearer token."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from quintet.storage import DatabaseAddress, DatabaseKind, TokenScope, TokenStore
from quintet.web.accounts import handle_of
from quintet.web.bearer import Tokens
from quintet.web.rate_limits import RateLimits, RequestLimits
from support.web_site import Web

pytestmark = pytest.mark.real

API = "/api/v1"
PEOPLE, ADMIN = TokenScope.PEOPLE, TokenScope.ADMIN


@pytest.fixture
async def store(web: Web, tmp_path: Path) -> AsyncIterator[TokenStore]:
    """The tokens of the site."""
    address = DatabaseAddress(DatabaseKind.SQLITE, str(tmp_path / "quintet.db"))
    tokens = Tokens(address)
    web.site = replace(web.site, tokens=tokens)
    web.app = web.make_app()
    web.client = web.browser()
    store = await TokenStore.open(address)
    yield store
    await store.close()
    await tokens.close()


async def ask(web: Web, path: str, token: str) -> httpx.Response:
    return await web.client.get(f"{API}/{path}", headers={"authorization": f"Bearer {token}"})


async def test_a_program_may_do_what_the_scope_says(web: Web, store: TokenStore) -> None:
    people, _ = await store.create("a", [PEOPLE], seconds=60)
    admin, _ = await store.create("b", [ADMIN], seconds=60)
    handle = handle_of(web.people["jgross"].id)
    for path in ("resolve?name=Groß", f"people/{handle}", f"people/{handle}/groups", "browse"):
        assert (await ask(web, path, people)).status_code == 200
        answer = await ask(web, path, admin)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope")
        assert 'scope="people"' in answer.headers["www-authenticate"]
    for path in ("connections", "sessions"):
        assert (await ask(web, path, admin)).status_code == 200
        assert (await ask(web, path, people)).status_code == 403
    card = await ask(web, f"people/{handle}/card", people)
    assert "MailAddress" in card.json()["fields"]
    assert (await ask(web, f"people/{handle}/card", admin)).status_code == 403


async def test_each_token_has_the_limits_of_an_account(web: Web, store: TokenStore) -> None:
    web.site = replace(web.site, limits=RateLimits(RequestLimits(account_and_network=2), lambda: 0.0))
    web.app = web.make_app()
    web.client = web.browser()
    one, _ = await store.create("a", [PEOPLE], seconds=60)
    other, _ = await store.create("b", [PEOPLE], seconds=60)
    asked = [await ask(web, "resolve?name=a", text) for text in (one, one, one, other)]
    assert [each.status_code for each in asked] == [200, 200, 429, 200]
    assert asked[2].headers["retry-after"] == "60"


async def test_a_token_is_no_session(web: Web, store: TokenStore) -> None:
    text, _ = await store.create("a", [PEOPLE, ADMIN], seconds=60)
    assert (await ask(web, "session", text)).status_code == 401
    headers = {"authorization": f"Bearer {text}"}
    assert (await web.client.delete(f"{API}/session", headers=headers)).status_code == 403
    assert (await web.client.get("/", headers=headers)).status_code == 303


async def test_a_token_that_is_not_valid_is_refused_also_beside_a_session(
    web: Web, store: TokenStore
) -> None:
    text, made = await store.create("a", [PEOPLE], seconds=60)
    await store.revoke(made.id)
    async with web.signed_in("jgross") as browser:
        for token in (text, "", "x" * 8000, "quintet_aaaaaaaaaaaaaaaa_" + "A" * 43):
            headers = {"authorization": f"Bearer {token}"}
            answer = await browser.get(f"{API}/resolve?name=a", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_token_over_an_unencrypted_connection_is_not_looked_at(web: Web, store: TokenStore) -> None:
    text, _ = await store.create("a", [PEOPLE], seconds=60)
    async with web.browser("192.0.2.1") as client:
        headers = {"authorization": f"Bearer {text}"}
        answer = await client.get(f"{API}/resolve?name=a", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "unencrypted-connection")
    assert (await store.all())[0].used is None


async def test_a_database_that_is_away_is_503(web: Web, tmp_path: Path) -> None:
    missing = DatabaseAddress(DatabaseKind.SQLITE, str(tmp_path / "missing" / "quintet.db"))
    web.site = replace(web.site, tokens=Tokens(missing))
    web.app = web.make_app()
    web.client = web.browser()
    answer = await ask(web, "resolve?name=a", "quintet_aaaaaaaaaaaaaaaa_" + "A" * 43)
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")


async def test_requests_at_the_same_time_open_the_database_once(web: Web, store: TokenStore) -> None:
    text, _ = await store.create("a", [PEOPLE], seconds=60)
    answers = await asyncio.gather(*(ask(web, "resolve?name=Groß", text) for _ in range(10)))
    assert {each.status_code for each in answers} == {200}
