"""A browser that reads an event stream of an ASGI application, without a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp

Event = tuple[str, Any]
SCOPE = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}}


class Reader:
    """A browser that reads a stream. While `reading` is not set, it leaves all bytes unread."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.reading.wait()
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body", False):
            self.ended.set()

    @asynccontextmanager
    async def reads(self, app: ASGIApp, method: str = "GET", **scope: Any) -> AsyncIterator[None]:
        """Reads while the context is open, and closes the connection then."""
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(self._answered(app, SCOPE | {"method": method} | scope))
            yield
            self.gone.set()

    async def _answered(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        await app(scope, self.receive, self.send)

    async def chunk(self) -> str:
        async with asyncio.timeout(5):
            return (await self._chunks.get()).decode()

    async def event(self) -> Event:
        """The next event; what is not one is passed over."""
        while True:
            lines = dict(line.split(": ", 1) for line in (await self.chunk()).splitlines() if line)
            if "event" in lines:
                return lines["event"], json.loads(lines["data"])
