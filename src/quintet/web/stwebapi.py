"""Two paths of Sametime's web API, for clients that were written for its proxy (config 5.4)."""

from urllib.parse import quote

from pybase64 import b64encode_as_string
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from quintet.cards import ANONYMOUS, AUTHENTICATED, Field
from quintet.directory import (
    AmbiguousNameError,
    DirectoryError,
    Group,
    OutOfScopeError,
    Person,
    UnknownNameError,
)
from quintet.web.accounts import current_session
from quintet.web.problem import problem, problem_of
from quintet.web.site import Site

_LONGEST = 1024
_WORDS = {"true": (True, False), "false": (False, True), "": (True, True)}
"""`isUser`: whether people, and whether groups are looked for."""


async def quickfind(request: HTTPConnection, site: Site) -> Response:
    """People and groups for a name as typed; for callers who are signed in."""
    if await current_session(site, request) is None:
        return problem(401, code="not-signed-in")
    name = request.query_params.get("searchString", "")
    kinds = _WORDS.get(request.query_params.get("isUser", "").casefold())
    if not name.strip() or len(name.encode(errors="replace")) > _LONGEST or kinds is None:
        return problem(400, code="invalid-parameter")
    people, groups = kinds
    try:
        found = await site.directory.resolve(name, people=people, groups=groups)
    except DirectoryError as error:
        return problem_of(error)
    result = {
        "Persons": [
            {"userName": each.name, "contactId": each.id}
            for each in found.matches
            if isinstance(each, Person)
        ],
        "Groups": [
            {"id": each.id, "type": "public", "description": each.name}
            for each in found.matches
            if isinstance(each, Group)
        ],
    }
    return JSONResponse({"action": ["quickfind", "find"], "searchString": name, "result": result})


async def userinfo(request: HTTPConnection, site: Site) -> Response:
    """The card of a user: set 0 for anonymous callers, set 1 for those who are signed in."""
    signed_in = await current_session(site, request) is not None
    user = request.query_params.get("userId", "")
    if not user.strip() or len(user.encode(errors="replace")) > _LONGEST:
        return problem(400, code="invalid-parameter")
    try:
        set_id = AUTHENTICATED if signed_in else ANONYMOUS
        card = await site.cards.card(user, set_id=set_id, authenticated=signed_in)
    except (UnknownNameError, AmbiguousNameError, OutOfScopeError):
        return problem(404)
    except DirectoryError as error:
        return problem_of(error)
    info = {name: _text(name, field) for name, field in card.fields.items()}
    headers = {"vary": "Cookie"}
    return JSONResponse({"action": ["user", "info"], "userId": user, "info": info}, headers=headers)


def _text(name: str, field: Field) -> str:
    if isinstance(field.value, bytes):
        return b64encode_as_string(field.value)
    return quote(field.value, safe="") if name == "PhotoURL" else field.value
