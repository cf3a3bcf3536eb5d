"""All paths of the HTTP front, put together."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from quintet.web import forward_auth, photos, servlet, stwebapi
from quintet.web.api import make_api
from quintet.web.pages import page_routes
from quintet.web.problem import problem, sessions_unavailable
from quintet.web.security import Guard
from quintet.web.sessions import SessionsUnavailableError
from quintet.web.site import Site

API = "/api/v1"
Handler = Callable[[Request, Site], Awaitable[Response]]


def make_app(site: Site) -> ASGIApp:
    """The application for one community."""

    def get(path: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            return await handler(request, site)

        return Route(path, endpoint, methods=["GET"])

    routes: list[BaseRoute] = [
        get(servlet.PATH, servlet.servlet),
        get("/photos/{ident:path}", photos.photo),
        get("/auth/verify/nginx/{application}", forward_auth.verify_nginx),
        get("/auth/verify/forward/{application}", forward_auth.verify_forward),
        get("/auth/denied", forward_auth.denied),
        get("/stwebapi/quickfind", stwebapi.quickfind),
        get("/stwebapi/userinfo", stwebapi.userinfo),
        *page_routes(site),
    ]
    pages = Starlette(
        routes=routes, exception_handlers={HTTPException: _refused, SessionsUnavailableError: _unavailable}
    )
    pages.router.redirect_slashes = False
    api = make_api(site)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """The API is mounted by hand: through a router, its requests would pass two stacks of middleware."""
        if scope["path"].startswith(f"{API}/"):
            await api({**scope, "root_path": f"{scope.get('root_path', '')}{API}"}, receive, send)
        else:
            await pages(scope, receive, send)

    return Guard(app, lambda: site.web, site.observe)


async def _unavailable(_: Request, __: Exception) -> Response:
    return sessions_unavailable()


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, headers=headers)
