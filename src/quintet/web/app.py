"""All paths of the HTTP front, put together.

What programs ask for is found by the beginning of the path and answered by a function; only the pages go
through a router, and only the API through FastAPI: their layers cost more than a business card.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from quintet.web import forward_auth, photos, servlet, stwebapi
from quintet.web.api import make_api
from quintet.web.content import Answer
from quintet.web.pages import page_app
from quintet.web.problem import problem
from quintet.web.security import DirectHandler, Guard
from quintet.web.site import Site

API = "/api/v1"
Handler = Callable[[HTTPConnection, Site], Awaitable[Answer]]

_EXACTLY: dict[str, Handler] = {
    servlet.PATH: servlet.servlet,
    "/auth/denied": forward_auth.denied,
    "/stwebapi/quickfind": stwebapi.quickfind,
    "/stwebapi/userinfo": stwebapi.userinfo,
}
_BELOW: tuple[tuple[str, Handler], ...] = (
    (photos.BELOW, photos.photo),
    (forward_auth.NGINX, forward_auth.verify_nginx),
    (forward_auth.FORWARD, forward_auth.verify_forward),
)
_METHODS = ("GET", "HEAD")


def make_app(site: Site) -> Guard:
    """The application for one community."""
    pages = page_app(site)
    api, directly = make_api(site)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(f"{API}/"):
            await api({**scope, "root_path": f"{scope.get('root_path', '')}{API}"}, receive, send)
        else:
            await pages(scope, receive, send)

    def direct(scope: Scope) -> DirectHandler | None:
        path = scope["path"]
        handler = _EXACTLY.get(path) or _handler_below(path)
        if handler is not None:
            return (lambda request: handler(request, site)) if scope["method"] in _METHODS else _not_allowed
        return directly(scope, path.removeprefix(API)) if path.startswith(f"{API}/") else None

    return Guard(app, lambda: site.web, site.observe, direct)


def _handler_below(path: str) -> Handler | None:
    for below, handler in _BELOW:
        if path.startswith(below):
            return handler
    return None


async def _not_allowed(_: HTTPConnection) -> Answer:
    return problem(405, headers={"allow": ", ".join(_METHODS)})
