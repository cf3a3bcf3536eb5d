"""The people pages: sign in, search, browse, a group, a person's card. They work without JavaScript."""

import asyncio
import hmac
import secrets
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Any, final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from quintet.cards import Card, Field
from quintet.directory import (
    AuthenticationError,
    BrowsingDisabledError,
    DirectoryError,
    InvalidPageTokenError,
    OutOfScopeError,
    TooManyAttemptsError,
    UnknownGroupError,
    UnknownNameError,
)
from quintet.ldap import DN, DNSyntaxError
from quintet.web.accounts import (
    LONGEST_NAME,
    current_session,
    find_group,
    find_person,
    ident_of,
    may_ask,
    sign_in,
)
from quintet.web.admin_documents import OpenSessionDocument
from quintet.web.connections_page import connection_routes
from quintet.web.documents import (
    ContainerDocument,
    GroupDocument,
    MembersDocument,
    PageDocument,
    PersonDocument,
    ResolutionDocument,
)
from quintet.web.links import mail_link, photo_path, telephone_link
from quintet.web.live import presence_routes
from quintet.web.presence import PresenceState, presence_now
from quintet.web.problem import SOON, problem, retry_after, sessions_unavailable
from quintet.web.return_address import return_origin
from quintet.web.security import (
    PAGE_POLICY,
    client_of,
    cookie_of,
    form_cookie,
    form_cookie_name,
    form_fields,
    is_same_origin,
    is_same_secret,
    may_sign_in_here,
    set_session_cookies,
)
from quintet.web.sessions import IDLE, SessionsUnavailableError, WebSession
from quintet.web.site import PICTURES, Site

_PAGE_SIZE = 100
_LONGEST_QUERY = 256
_TINTS = 6
_UNAVAILABLE = "Signing in is not possible at the moment. Try again in a minute."
_WRONG = "The name or the password is wrong."
_LABELS = {"MailAddress": "Mail", "Telephone": "Telephone", "Title": "Title"}
_STYLE, _SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
_STATIC = {
    "style.css": _STYLE,
    "connections.css": _STYLE,
    "connections.js": _SCRIPT,
    "search.js": _SCRIPT,
    "show.js": _SCRIPT,
    "presence.js": _SCRIPT,
    "icon.svg": "image/svg+xml",
}
_NONE = ResolutionDocument(matches=[], exact=False, complete=True, truncated=False)

Page = Callable[[Request, WebSession], Awaitable[Response]]


def page_app(site: Site) -> Starlette:
    """The pages. What they refuse is a page for browsers, and a problem document for others."""
    pages = _Pages(site)
    app = Starlette(
        routes=_routes(site, pages),
        exception_handlers={HTTPException: pages.refused, SessionsUnavailableError: _unavailable},
    )
    app.router.redirect_slashes = False
    return app


def _routes(site: Site, pages: "_Pages") -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/", pages.guarded(pages.search)),
        Route("/results", pages.guarded(pages.results)),
        Route("/browse", pages.guarded(pages.browse)),
        Route("/people/{handle}", pages.guarded(pages.person)),
        Route("/groups/{handle}", pages.guarded(pages.group)),
        Route("/sessions", pages.guarded(pages.sessions), methods=["GET"]),
        Route("/sessions", pages.guarded(pages.end_session), methods=["POST"]),
        Route("/sign-in", pages.sign_in_form, methods=["GET"]),
        Route("/sign-in", pages.sign_in, methods=["POST"]),
        Route("/sign-out", pages.sign_out, methods=["POST"]),
    ]
    routes += presence_routes(site)
    routes += pages.for_administrators()
    return [*routes, *(Route(f"/static/{name}", _static(name, kind)) for name, kind in _STATIC.items())]


@final
class _FormTokens:
    """The token of a form for those without a session: it belongs to a cookie of the same browser.

    The cookie's name binds it to our host, so that another site can set neither (`__Host-`, under TLS).
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def token_for(self, cookie: str) -> str:
        return self._tokens(cookie)[0]

    def is_good(self, token: str, cookie: str) -> bool:
        same = [is_same_secret(token, each) for each in self._tokens(cookie)]
        return bool(cookie) and any(same)

    def _tokens(self, cookie: str) -> list[str]:
        data = cookie.encode(errors="replace")
        return [hmac.digest(key, data, "sha256").hex() for key in self._keys()]


@final
class _Pages:
    """The pages of one community."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._form_tokens = _FormTokens(site.form_keys)
        self._templates = Environment(
            loader=PackageLoader("quintet.web"), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._templates.filters |= {"initials": _initials, "tint": _tint, "level": _level_name}

    def for_administrators(self) -> list[BaseRoute]:
        return connection_routes(self._site, self.guarded, self._page, self._message)

    def guarded(self, page: Page, *, of_people: bool = True) -> Callable[[Request], Awaitable[Response]]:
        """The page for those who are signed in; others are sent to sign in."""

        async def endpoint(request: Request) -> Response:
            if of_people and not self._site.web.people_pages:
                raise HTTPException(404)
            try:
                session = await current_session(self._site, request)
            except SessionsUnavailableError:
                return self._sign_in_page(request, 503, message=_UNAVAILABLE)
            if session is None:
                return RedirectResponse("/sign-in", 303)
            if not may_ask(self._site, request, session):
                page_of_words = self._message(
                    session, 429, "Too many requests", "Wait a minute and try again."
                )
                page_of_words.headers["retry-after"] = SOON
                return page_of_words
            try:
                return await page(request, session)
            except (UnknownNameError, UnknownGroupError, OutOfScopeError, InvalidPageTokenError):
                return self._message(session, 404, "Not found", "There is no such entry.")
            except BrowsingDisabledError:
                return self._message(
                    session, 403, "Browsing is off", "The administrator turned browsing off."
                )
            except SessionsUnavailableError:
                return self._message(
                    session,
                    503,
                    "Sessions can’t be looked up",
                    "Try again in a minute. If this stays, tell your administrator.",
                )
            except DirectoryError:
                return self._message(
                    session,
                    503,
                    "The directory can’t be reached",
                    "Try again in a minute. If this stays, tell your administrator.",
                )

        return endpoint

    async def refused(self, request: Request, error: Exception) -> Response:
        """The answer to a path that there is not, or not with this method."""
        assert isinstance(error, HTTPException)
        if "text/html" not in request.headers.get("accept", ""):
            return problem(error.status_code, headers=dict(error.headers or {}))
        title = HTTPStatus(error.status_code).phrase.capitalize()
        missing = error.status_code == 404
        why = "There is no such page." if missing else "This page does not take such a request."
        answer = self._message(None, error.status_code, title, why)
        answer.headers.update(error.headers or {})
        return answer

    # Signing in and out.

    async def sign_in_form(self, request: Request) -> Response:
        if not self._may_sign_in:
            raise HTTPException(404)
        return self._sign_in_page(request, 200, back=request.query_params.get("return", ""))

    async def sign_in(self, request: Request) -> Response:
        web = self._site.web
        client = client_of(request, web)
        if not self._may_sign_in:
            raise HTTPException(404)
        if not is_same_origin(request, web) or not may_sign_in_here(client, web):
            return self._sign_in_page(request, 403, message="The form was sent from another page. Try again.")
        form = await form_fields(request)
        if not self._form_tokens.is_good(form.get("token", ""), self._form_cookie(request)):
            return self._sign_in_page(request, 403, message="The form is too old. Try again.")
        name, password, back = (form.get(each, "") for each in ("name", "password", "return"))
        back = back if return_origin(back, web.return_origins) else ""
        if not name.strip() or len(name.encode(errors="replace")) > LONGEST_NAME:
            return self._sign_in_page(request, 401, message=_WRONG, back=back)
        try:
            ident, session = await sign_in(self._site, request, name, password)
        except AuthenticationError:
            return self._sign_in_page(request, 401, name, _WRONG, back)
        except TooManyAttemptsError as error:
            page = self._sign_in_page(request, 429, name, "Too many attempts. Wait a few minutes.", back)
            page.headers["retry-after"] = retry_after(error)
            return page
        except SessionsUnavailableError:
            return self._sign_in_page(request, 503, name, _UNAVAILABLE, back)
        except DirectoryError:
            return self._sign_in_page(
                request, 503, name, "The directory can’t be reached. Try again later.", back
            )
        home = "/connections" if session.administrator and not web.people_pages else "/"
        answer = RedirectResponse(back or home, 303)
        set_session_cookies(answer.headers, ident, web, secure=client.secure)
        return answer

    async def sign_out(self, request: Request) -> Response:
        try:
            return await self._signed_out(request)
        except SessionsUnavailableError:
            return self._forgotten(request)

    async def _signed_out(self, request: Request) -> Response:
        web = self._site.web
        session = await current_session(self._site, request)
        if session is not None:
            form = await form_fields(request)
            good = is_same_secret(form.get("token", ""), session.form_token)
            if not (good and is_same_origin(request, web)):
                return self._message(session, 403, "Not signed out", "Use the button of this page.")
            if form.get("everywhere"):
                await self._site.sessions.end_all_of(session.person)
            await self._site.sessions.end(session)
        answer = RedirectResponse("/sign-in", 303)
        set_session_cookies(answer.headers, "", web, secure=client_of(request, web).secure)
        return answer

    def _forgotten(self, request: Request) -> Response:
        """The browser forgets a session that can't be ended at the moment, nor its token be compared.

        So the origin alone says that the request is from a page of ours.
        """
        web = self._site.web
        if not is_same_origin(request, web):
            return self._message(None, 403, "Not signed out", "Use the button of a page.")
        answer = self._message(
            None,
            503,
            "Signed out in this browser only",
            "This browser has forgotten your session. The server can’t end it at the moment; it ends by"
            f" itself {IDLE / 60:g} minutes after its last request. Your sessions in other browsers go on. To"
            " end all of them, sign in again in a few minutes and choose “End all sessions”.",
        )
        answer.headers["retry-after"] = "5"
        set_session_cookies(answer.headers, "", web, secure=client_of(request, web).secure)
        return answer

    def _form_cookie(self, request: Request) -> str:
        web = self._site.web
        return cookie_of(request, form_cookie_name(secure=client_of(request, web).secure)) or ""

    # For those who are signed in.

    async def sessions(self, _: Request, session: WebSession) -> Response:
        mine = [OpenSessionDocument.of(each) for each in await self._sessions_of(session)]
        return self._page("sessions.html", session, mine=mine)

    async def end_session(self, request: Request, session: WebSession) -> Response:
        """End one of the reader's own sessions."""
        form = await form_fields(request)
        good = is_same_secret(form.get("token", ""), session.form_token)
        if not (good and is_same_origin(request, self._site.web)):
            return self._message(session, 403, "Not done", "Use the buttons of this page.")
        for each in await self._sessions_of(session):
            if each.public_id == form.get("session"):
                await self._site.sessions.end(each)
        return RedirectResponse("/sessions", 303)

    async def _sessions_of(self, session: WebSession) -> list[WebSession]:
        return [each for each in await self._site.sessions.all() if each.person.dn == session.person.dn]

    async def search(self, request: Request, session: WebSession) -> Response:
        return await self._found("search.html", request, session)

    async def results(self, request: Request, session: WebSession) -> Response:
        return await self._found("results.html", request, session)

    async def browse(self, request: Request, session: WebSession) -> Response:
        dn, token = request.query_params.get("dn", ""), request.query_params.get("page") or None
        page = await self._site.directory.browse(dn or None, page_size=_PAGE_SIZE, token=token)
        found = PageDocument.of(page)
        servers = self._site.settings().servers
        bases = [base for each in servers for base in (each.person_base, each.group_base)]
        presence = await self._presence(session, found.entries)
        return self._page(
            "browse.html",
            session,
            here="browse",
            dn=dn,
            trail=_trail(dn, bases),
            found=found,
            presence=presence,
        )

    async def person(self, request: Request, session: WebSession) -> Response:
        handle = request.path_params["handle"]
        ident = ident_of(handle)
        if ident is None:
            raise UnknownNameError("not a handle")
        person, card = await asyncio.gather(find_person(self._site, handle), self._card(ident))
        if person is None and card is None:
            raise UnknownNameError("no person with this handle")
        fields = card.fields if card else {}
        found = await self._site.directory.groups_of(person) if person else ()
        groups = sorted(found, key=lambda each: each.name.casefold())
        name = fields.get("Name")
        return self._page(
            "person.html",
            session,
            name=name.value if name else person.name if person else ident,
            photo=photo_path(ident) if "Photo" in fields else None,
            rows=list(_rows(fields)),
            groups=[GroupDocument.of(each) for each in groups],
            handle=handle,
            presence=await self._presence(session, [PersonDocument.of(person)] if person else []),
        )

    async def group(self, request: Request, session: WebSession) -> Response:
        group = await find_group(self._site, request.path_params["handle"])
        if group is None:
            raise UnknownGroupError("no group with this handle")
        found = MembersDocument.of(await self._site.directory.members(group.dn))
        presence = await self._presence(session, found.members)
        return self._page("group.html", session, found=found, presence=presence)

    # Inside.

    async def _found(self, template: str, request: Request, session: WebSession) -> Response:
        """What has the name `q`; without it, the reader."""
        query = request.query_params.get("q", "").strip()[:_LONGEST_QUERY]
        me = PersonDocument.of(session.person)
        found = ResolutionDocument.of(await self._site.directory.resolve(query)) if query else _NONE
        return self._page(
            template,
            session,
            here="search",
            query=query,
            found=found,
            me=me,
            presence=await self._presence(session, found.matches if query else [me]),
        )

    async def _presence(
        self, session: WebSession, found: Iterable[PersonDocument | GroupDocument | ContainerDocument]
    ) -> Mapping[str, PresenceState]:
        """What the reader may see of the people among these, by handle; nothing without a community port."""
        source = self._site.presence()
        people = {each.handle: each.id for each in found if isinstance(each, PersonDocument)}
        return await presence_now(source, session.person.id, people) if source else {}

    async def _card(self, ident: str) -> Card | None:
        """The business card; None where there is none, and while its directory can't be asked."""
        try:
            return await self._site.cards.card(ident)
        except DirectoryError:
            return None

    @property
    def _may_sign_in(self) -> bool:
        """Whether there is a page for signing in: for people, administrators, or other applications."""
        return self._site.web.people_pages or self._site.web.grants

    def _sign_in_page(
        self, request: Request, status: int, name: str = "", message: str = "", back: str = ""
    ) -> Response:
        """The form. `back` is where it leads afterwards, if that is one of the origins in the settings."""
        web = self._site.web
        allowed = may_sign_in_here(client_of(request, web), web)
        origin = return_origin(back, web.return_origins)
        kept = self._form_cookie(request)
        cookie = kept or secrets.token_urlsafe(32)
        answer = self._page(
            "sign_in.html",
            None,
            status,
            token=self._form_tokens.token_for(cookie),
            name=name,
            message=message,
            allowed=allowed,
            back=back if origin else "",
            application=origin or "",
        )
        if not kept:
            answer.headers.append("set-cookie", form_cookie(cookie, secure=client_of(request, web).secure))
        if origin:  # browsers apply form-action to the redirect as well
            answer.headers["content-security-policy"] = PAGE_POLICY.replace(
                "form-action 'self'", f"form-action 'self' {origin}"
            )
        return answer

    def _message(self, session: WebSession | None, status: int, heading: str, message: str) -> Response:
        return self._page("message.html", session, status, heading=heading, message=message)

    def _page(
        self, template: str, session: WebSession | None, status: int = 200, *, here: str = "", **values: Any
    ) -> Response:
        browsing = self._site.settings().directory.browse
        text = self._templates.get_template(template).render(
            session=session,
            here=here,
            browsing=browsing,
            live=session is not None and self._site.presence() is not None,
            **values,
        )
        return HTMLResponse(text, status, {"content-security-policy": PAGE_POLICY})


def _rows(fields: Mapping[str, Field]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """The lines of a card: a label, and texts with a link or without."""
    for name, field in fields.items():
        if name == "Name" or name in PICTURES or isinstance(field.value, bytes):
            continue
        yield _LABELS.get(name, name), _values(name, field)


def _values(name: str, field: Field) -> list[tuple[str, str | None]]:
    assert isinstance(field.value, str), "pictures are no lines"
    if name == "MailAddress":
        return [(field.value, mail_link(field.value))]
    if name == "Telephone":
        return [(each.strip(), telephone_link(each.strip())) for each in field.value.split(" / ")]
    return [(field.value, None)]


def _initials(name: str) -> str:
    """One or two characters that stand for a name where there is no photo."""
    words = [each for each in name.split() if each[0].isalnum()] or [name]
    return "".join(each[0] for each in dict.fromkeys((words[0], words[-1]))).upper()


def _tint(name: str) -> int:
    """Which of the tints in the style sheet a name has, always the same."""
    return zlib.crc32(name.encode(errors="replace")) % _TINTS


def _level_name(dn: str) -> str:
    """What a level is called whose entry has no other name than its DN."""
    trail = _trail(dn, [DN(())])
    return trail[-1][0] if trail else dn


def _trail(dn: str, bases: Iterable[DN]) -> list[tuple[str, str]]:
    """The levels above and with `dn` that can be opened, from the top: name and DN of each."""
    try:
        rdns = DN.parse(dn).rdns
    except DNSyntaxError:
        return []
    levels = [DN(rdns[nth:]) for nth in reversed(range(len(rdns)))]
    return [(str(each.rdn[0][1]), str(each)) for each in levels if any(each.is_under(base) for base in bases)]


async def _unavailable(_: Request, __: Exception) -> Response:
    return sessions_unavailable()


def _static(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files("quintet.web") / "static" / name).read_bytes()

    async def endpoint(_: Request) -> Response:
        return Response(content, headers={"content-type": kind, "cache-control": "public, max-age=3600"})

    return endpoint
