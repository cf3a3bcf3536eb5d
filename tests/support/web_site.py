"""The application in front of a real slapd with the sample organisation, asked without sockets."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from quintet.cards.cards import Cards
from quintet.config.load import load
from quintet.config.settings import Settings
from quintet.directory.directory import Directory
from quintet.directory.errors import UnknownNameError
from quintet.web.app import make_app
from quintet.web.site import Site

URL = "http://localhost:8080"
HERE = {"origin": URL}
"""The headers of a request from a page of ours."""
SCRIPT = b"""
dn: uid=script,ou=people,o=example
objectClass: inetOrgPerson
uid: script
cn: <script>alert(1)</script>
sn: " onmouseover="alert(1)
mail: <img src=x onerror=alert(1)>@example.com
title: javascript:alert(1)
telephoneNumber: +49 30 1234
userPassword: script-secret
"""
"""A person whose values are markup, in LDIF."""


class Web:
    """The application, and a browser at `client`; `settings` may be replaced while it runs."""

    def __init__(self, settings: Settings, directory: Directory, cards: Cards) -> None:
        self.settings = settings
        self.site = Site(directory, cards, lambda: self.settings)
        self.app = self.make_app()
        self.client = self.browser()
        self.people: dict[str, Any] = {}

    def make_app(self) -> ASGIApp:
        """The application of the site as it is now."""
        return make_app(self.site)

    def browser(self, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        """A browser of its own, at that address."""
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        options.setdefault("base_url", URL)
        return httpx.AsyncClient(transport=transport, **options)

    def change(self, **web: Any) -> None:
        self.settings = replace(self.settings, web=replace(self.settings.web, **web))

    @asynccontextmanager
    async def signed_in(
        self, uid: str, address: str = "127.0.0.1", **options: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A browser with a session of the sample person with this `uid`, made without a password."""
        person = self.people[uid]
        ident, _ = await self.site.sessions.begin(uid, person, administrator=False)
        async with self.browser(address, cookies={"quintet": ident}, **options) as browser:
            yield browser


async def post_sign_in(
    browser: httpx.AsyncClient, form: Mapping[str, str], *, origin: str = URL
) -> httpx.Response:
    """What the server answers when a browser fetches the form for signing in and sends it filled."""
    page = await browser.get("/sign-in")
    token = re.search(r'name="token" value="(\w+)"', page.text)
    assert token is not None
    return await browser.post("/sign-in", data={"token": token[1], **form}, headers={"origin": origin})


@asynccontextmanager
async def web_for(folder: Path, *, login: str = "jgross") -> AsyncIterator[Web]:
    settings = load(folder, {})
    assert settings.cards is not None
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(Directory(settings))
        cards = await stack.enter_async_context(Cards(settings))
        web = Web(settings, directory, cards)
        with suppress(UnknownNameError):
            web.people[login] = await directory.resolve_login(login)
        yield web
