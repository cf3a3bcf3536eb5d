"""The connections page for administrators. It shows; settings are changed on the command line.

It works without JavaScript. With it, the drawing and the table are replaced whenever they change: the server
renders them once a second, for all browsers that watch, and only while one does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Protocol, final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from quintet.directory import TooManyAttemptsError
from quintet.tls import EXPIRES_SOON
from quintet.web.accounts import LONGEST_NAME, ident_of, is_signed_in
from quintet.web.activity import MEANING, account_is_readable
from quintet.web.admin_documents import ServiceDocument
from quintet.web.administration import (
    diagnostics,
    end_session,
    end_sessions_of,
    open_sessions,
    watched_lines,
)
from quintet.web.event_stream import EventStream
from quintet.web.problem import retry_after
from quintet.web.security import (
    client_of,
    form_fields,
    is_same_origin,
    is_same_secret,
    may_sign_in_here,
)
from quintet.web.sessions import WebSession
from quintet.web.site import Site
from quintet.web.trial import Trial, try_person
from quintet.web.without_names import report

EVERY = 1.0
"""Seconds between two looks at the connections."""
MOST_SESSIONS = 200
"""Sessions that are listed; the API has them all."""

Page = Callable[[Request, WebSession], Awaitable[Response]]


class Guarded(Protocol):
    """Makes an endpoint for those who are signed in."""

    def __call__(self, page: Page, *, of_people: bool) -> Callable[[Request], Awaitable[Response]]: ...


class Render(Protocol):
    """Fills a template."""

    def __call__(
        self, template: str, session: WebSession | None, status: int = 200, *, here: str = "", **values: Any
    ) -> Response: ...


Message = Callable[[WebSession | None, int, str, str], Response]


def connection_routes(site: Site, guarded: Guarded, render: Render, message: Message) -> list[BaseRoute]:
    """The routes of the page."""
    page = _ConnectionsPage(site, render, message)

    def route(path: str, shown: Page, method: str) -> Route:
        return Route(path, guarded(page.for_administrators(shown), of_people=False), methods=[method])

    return [
        route("/connections", page.show, "GET"),
        route("/connections/events", page.events, "GET"),
        route("/connections/try", page.try_person, "POST"),
        route("/connections/end", page.end, "POST"),
    ]


@final
class _ConnectionsPage:
    """The page of one community. `_watching` are the streams that `_ticking` keeps up to date."""

    def __init__(self, site: Site, render: Render, message: Message) -> None:
        self._site = site
        self._render = render
        self._message = message
        self._watching: set[EventStream] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._shown = ""

    def for_administrators(self, page: Page) -> Page:
        """The page; a message for others. What changes something must come from a form of ours."""

        async def shown(request: Request, session: WebSession) -> Response:
            if not session.administrator:
                return self._message(
                    session, 403, "For administrators", "Only members of QUINTET_ADMIN_GROUP see this page."
                )
            if request.method == "POST":
                form = await form_fields(request)
                is_ours = is_same_secret(form.get("token", ""), session.form_token)
                if not (is_ours and is_same_origin(request, self._site.web)):
                    return self._message(session, 403, "Not done", "Use the forms of the connections page.")
            return await page(request, session)

        return shown

    # Pages

    async def show(self, request: Request, session: WebSession) -> Response:
        return await self._page(request, session, 200)

    async def try_person(self, request: Request, session: WebSession) -> Response:
        form = await form_fields(request)
        name, password = form.get("name", "").strip(), form.get("password") or None
        if not name or len(name.encode(errors="replace")) > LONGEST_NAME:
            return await self._page(request, session, 422, alert="Type the login name of one person.")
        if password is not None and not self._takes_passwords(request):
            alert = "No password is accepted over an unencrypted connection."
            return await self._page(request, session, 403, alert=alert)
        try:
            trial = await try_person(self._site, request, name, password)
        except TooManyAttemptsError as error:
            page = await self._page(
                request, session, 429, alert="Too many attempts have failed. Wait a few minutes.", name=name
            )
            page.headers["retry-after"] = retry_after(error)
            return page
        return self._render(
            "trial.html",
            session,
            here="connections",
            trial=trial,
            found=trial.explanation,
            takes_passwords=self._takes_passwords(request),
            without_names=self._report(trial),
        )

    async def end(self, request: Request, session: WebSession) -> Response:
        form = await form_fields(request)
        person = ident_of(form.get("person", ""))
        ended = (
            await end_session(self._site, form.get("session", ""))
            if person is None
            else await end_sessions_of(self._site, person)
        )
        if not ended:
            return self._message(session, 404, "Not found", "There is no such session.")
        return RedirectResponse("/connections#sessions", 303)

    async def _page(
        self, request: Request, session: WebSession, status: int, *, alert: str = "", name: str = ""
    ) -> Response:
        sessions = await open_sessions(self._site)
        return self._render(
            "connections.html",
            session,
            status,
            here="connections",
            alert=alert,
            name=name,
            takes_passwords=self._takes_passwords(request),
            sessions=sessions,
            most=MOST_SESSIONS,
            found=diagnostics(self._site),
            without_names=self._report(),
            **self._state(),
        )

    def _takes_passwords(self, request: Request) -> bool:
        return may_sign_in_here(client_of(request, self._site.web), self._site.web)

    def _report(self, trial: Trial | None = None) -> str:
        site = self._site
        return report(site.directory.protection, watched_lines(site), site.settings().problems, trial)

    def _state(self) -> dict[str, Any]:
        """What the drawing and the table show."""
        services = [ServiceDocument.of(line) for line in watched_lines(self._site)]
        by_server = groupby(sorted(services, key=_server), key=_server)
        return {
            "level": self._site.directory.protection.name.lower(),
            "meaning": MEANING[self._site.directory.protection],
            "account_readable": account_is_readable(self._site.settings()),
            "services": services,
            "soon": EXPIRES_SOON,
            "servers": [(server, list(found)) for server, found in by_server],
        }

    # Events

    async def events(self, _: Request, session: WebSession) -> Response:
        async def may_go_on() -> bool:
            return await is_signed_in(self._site, session) and session.administrator

        return self._site.streams.open(
            session, may_go_on=may_go_on, snapshot=lambda: {"html": self._shown}, subscribe=self._subscribed
        )

    @contextmanager
    def _subscribed(self, stream: EventStream) -> Iterator[None]:
        self._shown = self._fragment()
        self._watching.add(stream)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            self._watching.discard(stream)
            if not self._watching and self._ticking is not None:
                self._ticking.cancel()
                self._ticking = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            shown = self._fragment()
            if shown != self._shown:
                self._shown = shown
                for stream in self._watching:
                    stream.refresh()

    def _fragment(self) -> str:
        return bytes(self._render("connections_live.html", None, **self._state()).body).decode()


def _server(service: ServiceDocument) -> str:
    return service.server
