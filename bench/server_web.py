"""Quintet's HTTP front and two empty applications beside it, in one process: server_web.py TARGET.

Some people have sessions, in which all the others are asked about. Answers each order with what the process
has used of its processor, in seconds.
"""

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from people import GROUPS, group, group_dn, uid
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from worker import Target

from quintet.cards.cards import Cards
from quintet.config import Settings
from quintet.config.applications import ApplicationSettings, group_name
from quintet.config.load import load
from quintet.directory import Group, VerifiedPerson
from quintet.directory.directory import Directory
from quintet.runtime.application import rare_collections
from quintet.web.app import make_app
from quintet.web.monitoring import Metrics
from quintet.web.rate_limits import RateLimits, RequestLimits
from quintet.web.server import listening
from quintet.web.sessions import Sessions, verify_id
from quintet.web.site import Site

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SESSIONS = "sessions.json"
"""Beside the settings: the ports by name, and for each session the uid of its person and the two cookies."""
_SESSIONS = 500
_LIMITS = RateLimits(RequestLimits(*3 * (10_000_000,)))
"""No person and no address asks as much as here. Requests are counted as others are."""


def starlette_app() -> Starlette:
    async def empty(_: Request) -> Response:
        return Response()

    return Starlette(routes=[Route("/empty", empty)])


def fastapi_app() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/empty")
    async def empty() -> dict[str, str]:
        return {}

    return app


async def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    target = Target(**json.loads(sys.argv[1]))
    settings = _with_application(load(Path(target.folder), {}))
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(Directory(settings))
        cards = await stack.enter_async_context(Cards(settings))
        await directory.connect_all()
        await cards.connect_all()
        sessions = Sessions(lambda: 0.0)  # no session ends, and none is due to be checked again
        metrics = Metrics(lambda: (), sessions)
        site = Site(directory, cards, lambda: settings, sessions, observe=metrics.observe, limits=_LIMITS)
        cookies = [await _session(directory, sessions, uid(number)) for number in range(_SESSIONS)]
        guard = make_app(site)
        apps: dict[str, ASGIApp] = {
            "quintet": guard,
            "starlette": starlette_app(),
            "fastapi": fastapi_app(),
        }
        ports = {
            name: (
                await stack.enter_async_context(
                    listening(app, "127.0.0.1", 0, name, direct=guard.answer if app is guard else None)
                )
            ).port
            for name, app in apps.items()
        }
        found = {"ports": ports, "cookies": cookies}
        (Path(target.folder) / SESSIONS).write_text(json.dumps(found), encoding="ascii")
        stack.enter_context(rare_collections())
        print(json.dumps({"ready": True}), flush=True)
        orders = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while await orders.readline():
            print(json.dumps({"cpu": time.process_time()}), flush=True)


def _with_application(settings: Settings) -> Settings:
    """An application that requires a group and is told of all."""
    names = tuple(group_name(group(uid(number))) for number in range(GROUPS))
    application = ApplicationSettings("wiki", required=names, sent=names)
    return replace(settings, web=replace(settings.web, applications=(application,)))


async def _session(directory: Directory, sessions: Sessions, name: str) -> tuple[str, str, str]:
    person = await directory.resolve_login(name)
    own = Group(group_dn(group(name)), group_dn(group(name)), group(name), person.server)
    verified = VerifiedPerson(person, (own,), {"uid": (name,)})
    ident, _ = await sessions.begin(name, verified, administrator=False)
    return name, ident, verify_id(ident)


if __name__ == "__main__":
    asyncio.run(main())
