"""The API under /api/v1 (OpenAPI 3.1 at /api/v1/openapi.json).

Callers sign in with `POST /session` and keep its cookie; programs show a bearer token instead. Every request
that changes something must come from our own origin. Everything but a public business card needs one of them.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from quintet.cards import ANONYMOUS, AUTHENTICATED
from quintet.directory import DirectoryError, UnknownNameError, network_of
from quintet.storage import BearerToken, StorageError, TokenScope
from quintet.web.accounts import (
    LONGEST_HANDLE,
    LONGEST_NAME,
    current_session,
    find_group,
    find_person,
    ident_of,
    may_ask,
    sign_in,
)
from quintet.web.admin_api import add_administration
from quintet.web.bearer import shown_token
from quintet.web.content import Answer, Content, FixedHeaders, query_fields
from quintet.web.documents import (
    CardDocument,
    Document,
    GroupDocument,
    GroupsDocument,
    MembersDocument,
    PageDocument,
    PersonDocument,
    ProblemDocument,
    ResolutionDocument,
    SessionDocument,
    SignInDocument,
)
from quintet.web.problem import (
    MEDIA_TYPE,
    ProblemError,
    problem,
    problem_of,
    sessions_unavailable,
    too_many_requests,
)
from quintet.web.security import (
    DirectHandler,
    client_of,
    is_same_origin,
    may_sign_in_here,
    set_session_cookies,
)
from quintet.web.sessions import SessionsUnavailableError, WebSession
from quintet.web.site import Site

_PAGE_SIZE = 100
_JSON = FixedHeaders((b"content-type", b"application/json"))
_REFUSALS = (ProblemError, SessionsUnavailableError, DirectoryError)

Handle = Annotated[str, Path(min_length=1, max_length=LONGEST_HANDLE, pattern=r"^[A-Za-z0-9_-]+$")]
_HANDLE: TypeAdapter[str] = TypeAdapter(Handle)


class ResolveQuery(BaseModel):
    name: Annotated[str, Query(min_length=1, max_length=LONGEST_NAME)]
    kind: Literal["person", "group"] | None = None


def _demand(token: BearerToken, scope: TokenScope) -> None:
    if scope not in token.scopes:
        headers = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope.value}"'}
        raise ProblemError(problem(403, code="insufficient-scope", headers=headers))


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": "problem", "content": content} for status in statuses}


def make_api(site: Site) -> tuple[ASGIApp, Callable[[Scope, str], DirectHandler | None]]:
    """The API of one community, to be mounted at /api/v1, and what finds handlers by scope and path below.

    Its two most frequent requests are answered without FastAPI, which takes longer for a request than the
    directory, by the functions that FastAPI would call. It gets all others, and those two where a parameter
    is missing, not valid, repeated or unknown.
    """
    api = FastAPI(
        title="Quintet",
        summary="People and groups of a community's directory.",
        version=version("quintet"),
        docs_url=None,
        redoc_url=None,
        responses=_problems(400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 429, 431, 500, 503),
        redirect_slashes=False,
    )
    _add_handlers(api)

    def demand_limits(*, kept: bool) -> None:
        if not kept:
            raise ProblemError(too_many_requests())

    async def signed_in(request: HTTPConnection) -> WebSession:
        session = await current_session(site, request)
        if session is None:
            raise ProblemError(problem(401, code="not-signed-in"))
        demand_limits(kept=may_ask(site, request, session))
        return session

    async def program(request: HTTPConnection) -> BearerToken | None:
        """The token of a request that shows one; it is refused if that is not valid."""
        text = shown_token(request)
        if text is None or site.tokens is None:
            return None
        client = client_of(request, site.web)
        if not may_sign_in_here(client, site.web):
            raise ProblemError(
                problem(403, "tokens are accepted over HTTPS only", code="unencrypted-connection")
            )
        network = network_of(client.address)
        demand_limits(kept=site.limits.network_may_ask(network))
        try:
            token = await site.tokens.find(text)
        except StorageError:
            detail = "the database can't be reached at the moment"
            raise ProblemError(problem(503, detail, code="database-unavailable")) from None
        if token is None:
            headers = {"www-authenticate": 'Bearer error="invalid_token"'}
            raise ProblemError(problem(401, code="invalid-token", headers=headers))
        demand_limits(kept=site.limits.account_may_ask(f"token {token.id}", network))
        return token

    async def reader(request: HTTPConnection) -> WebSession | None:
        """A person with a session, or a program with the scope "people"."""
        token = await program(request)
        if token is None:
            return await signed_in(request)
        _demand(token, TokenScope.PEOPLE)
        return None

    async def administrator(request: HTTPConnection) -> None:
        """An administrator with a session, or a program with the scope "admin"."""
        token = await program(request)
        if token is not None:
            _demand(token, TokenScope.ADMIN)
        elif not (await signed_in(request)).administrator:
            raise ProblemError(problem(403, code="not-an-administrator"))

    async def from_here(request: HTTPConnection) -> None:
        if not is_same_origin(request, site.web):
            raise ProblemError(
                problem(403, "send the header Origin with the URL of this server", code="cross-site")
            )

    by_user = [Depends(reader)]

    @api.post("/session", status_code=201, dependencies=[Depends(from_here)])
    async def begin_session(
        request: HTTPConnection, response: Response, given: SignInDocument
    ) -> SessionDocument:
        """Sign in. The answer sets the session's cookie."""
        client = client_of(request, site.web)
        if not may_sign_in_here(client, site.web):
            raise ProblemError(
                problem(403, "passwords are accepted over HTTPS only", code="unencrypted-connection")
            )
        ident, session = await sign_in(site, request, given.name, given.password.get_secret_value())
        set_session_cookies(response.headers, ident, site.web, secure=client.secure)
        return SessionDocument.of(session)

    @api.get("/session")
    async def read_session(session: Annotated[WebSession, Depends(signed_in)]) -> SessionDocument:
        """Who is signed in."""
        return SessionDocument.of(session)

    @api.delete("/session", status_code=204, dependencies=[Depends(from_here)])
    async def end_session(
        request: HTTPConnection,
        response: Response,
        session: Annotated[WebSession, Depends(signed_in)],
        everywhere: Annotated[bool, Query()] = False,
    ) -> None:
        """Sign out here, or `everywhere`."""
        if everywhere:
            await site.sessions.end_all_of(session.person)
        await site.sessions.end(session)
        set_session_cookies(response.headers, "", site.web, secure=client_of(request, site.web).secure)

    @api.get("/resolve", dependencies=by_user)
    async def resolve(asked: Annotated[ResolveQuery, Query()]) -> ResolutionDocument:
        """People and groups for a name as typed."""
        people, groups = asked.kind != "group", asked.kind != "person"
        found = await site.directory.resolve(asked.name, people=people, groups=groups)
        return ResolutionDocument.of(found)

    @api.get("/people/{handle}", dependencies=by_user)
    async def person(handle: Handle) -> PersonDocument:
        """One person."""
        found = await find_person(site, handle)
        if found is None:
            raise UnknownNameError("no person with this handle")
        return PersonDocument.of(found)

    @api.get("/people/{handle}/card")
    async def card(request: HTTPConnection, handle: Handle) -> CardDocument:
        """The business card: set 1 for those who are signed in, set 0 for others."""
        token = await program(request)
        ident = ident_of(handle)
        if ident is None:
            raise UnknownNameError("not a handle")
        if token is not None:
            _demand(token, TokenScope.PEOPLE)
        known = token is not None or await current_session(site, request) is not None
        set_id = AUTHENTICATED if known else ANONYMOUS
        found = await site.cards.card(ident, set_id=set_id, authenticated=known)
        return CardDocument.of(found)

    @api.get("/people/{handle}/groups", dependencies=by_user)
    async def groups(handle: Handle) -> GroupsDocument:
        """The groups that a person is in, groups around these included."""
        found = await find_person(site, handle)
        if found is None:
            raise UnknownNameError("no person with this handle")
        return GroupsDocument(
            groups=[GroupDocument.of(each) for each in await site.directory.groups_of(found)]
        )

    @api.get("/groups/{handle}/members", dependencies=by_user)
    async def members(handle: Handle) -> MembersDocument:
        """The people in a group, those of the groups inside it included."""
        found = await find_group(site, handle)
        if found is None:
            raise UnknownNameError("no group with this handle")
        return MembersDocument.of(await site.directory.members(found.dn))

    @api.get("/browse", dependencies=by_user)
    async def browse(
        dn: Annotated[str | None, Query(min_length=1, max_length=16_384)] = None,
        page: Annotated[str | None, Query(min_length=1, max_length=4096)] = None,
    ) -> PageDocument:
        """One page of the level below `dn`, or of the top."""
        return PageDocument.of(await site.directory.browse(dn, page_size=_PAGE_SIZE, token=page))

    add_administration(api, site, administrator=administrator, from_here=from_here, program=program)
    _documented(api)

    def directly(scope: Scope, path: str) -> DirectHandler | None:
        query = scope["query_string"]
        match path.split("/")[1:] if scope["method"] == "GET" else ():
            case ["resolve"] if asked := _resolve_query(query):

                async def resolved(request: HTTPConnection) -> Document:
                    await reader(request)
                    return await resolve(asked)

                return partial(_answer, resolved)
            case ["people", handle, "card"] if not query and _is_handle(handle):
                return partial(_answer, partial(card, handle=handle))
        return None

    return api, directly


async def _answer(make: Callable[[HTTPConnection], Awaitable[Document]], request: HTTPConnection) -> Answer:
    try:
        document = await make(request)
    except _REFUSALS as error:
        return _answer_to(error)
    return Content(document.model_dump_json().encode(), _JSON)


def _resolve_query(query: bytes) -> ResolveQuery | None:
    """The parameters, if each that is there is known, valid and given once."""
    try:
        given = query_fields(query, most=2)
        fields = dict(given)
        return ResolveQuery.model_validate(fields, extra="forbid") if len(fields) == len(given) else None
    except ValueError:
        return None


def _is_handle(text: str) -> bool:
    try:
        _HANDLE.validate_python(text)
    except ValidationError:
        return False
    return True


def _answer_to(error: Exception) -> Response:
    """The answer for one of _REFUSALS."""
    match error:
        case ProblemError():
            return error.answer
        case DirectoryError():
            return problem_of(error)
        case _:
            return sessions_unavailable()


def _add_handlers(api: FastAPI) -> None:
    async def refuse(_: Request, error: Exception) -> Response:
        return _answer_to(error)

    for kind in _REFUSALS:
        api.add_exception_handler(kind, refuse)

    @api.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> Response:
        places = (".".join(str(part) for part in each["loc"]) for each in error.errors()[:10])
        return problem(422, f"not valid: {', '.join(places)}", code="invalid-parameter")

    @api.exception_handler(HTTPException)
    async def _(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, headers=dict(error.headers) if error.headers else None)


def _documented(api: FastAPI) -> None:
    """Describes problems once, and without FastAPI's own form of them, which is not used here."""
    document = api.openapi()
    schemas = document["components"]["schemas"]
    schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"]["422"] |= _problems(422)[422]
            operation["responses"]["422"]["content"].pop("application/json", None)
