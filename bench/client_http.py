"""The load on a `server_web.py`: 64 connections that stay open, each with one request at a time.

Each is that of one person with a session; but a proxy asks about the sessions of all.

client_http.py TARGET. Every answer is checked. It is made to be cheap, and runs on uvloop.
"""

import asyncio
import base64
import importlib
import itertools
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from people import dn, full_name, mail
from server_web import SESSIONS
from worker import Target, WrongAnswerError, in_callers, serve

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_KEPT = 10.0
_LOOP: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop


class _Connection(asyncio.Protocol):
    """One request at a time; the answer has a Content-Length. `cookie` is that of its person."""

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie
        self._received = b""
        self._waiting: asyncio.Future[bytes] | None = None
        self._transport: Any = None
        self._used = time.monotonic()
        self._open = True

    @property
    def usable(self) -> bool:
        """Whether it is open, and was used so lately that the server does not close it now."""
        return self._open and time.monotonic() < self._used + _KEPT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n") if blank else None
        if length is not None and len(body) >= int(length[1]):
            waiting, self._waiting, self._received = self._waiting, None, b""
            assert waiting is not None
            waiting.set_result(head + blank + body)

    def connection_lost(self, error: Exception | None) -> None:
        self._open = False
        if self._waiting is not None:
            self._waiting.set_exception(error or ConnectionResetError())

    async def ask(self, request: bytes) -> bytes:
        self._used = time.monotonic()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self._transport.close()


class Http:
    """Requests to the routes of Quintet, and to empty handlers, by name."""

    def __init__(self, target: Target) -> None:
        found = json.loads((Path(target.folder) / SESSIONS).read_text(encoding="ascii"))
        self._ports, self._cookies = found["ports"], itertools.cycle(found["cookies"])
        self._runner = asyncio.Runner(loop_factory=_LOOP)
        self._free: dict[str, list[_Connection]] = {name: [] for name in self._ports}
        self.works = {name: in_callers(self._runner, getattr(self, f"_{name}")) for name in WORKS}

    async def _servlet(self, name: str) -> None:
        path = f"/servlet/UserInfoServlet?operation=3&userId={mail(name)}&setid=1"
        await self._get("quintet", path, f">{mail(name)}<")

    async def _photo(self, name: str) -> None:
        await self._get("quintet", f"/photos/{dn(name)}", f"{name}-end-of-photo")

    async def _verify(self, _: str) -> None:
        user, _, ident = next(self._cookies)
        path = "/auth/verify/nginx/wiki"
        await self._get("quintet", path, f"remote-user: {user}", f"quintet-verify={ident}")

    async def _resolve(self, name: str) -> None:
        path = f"/api/v1/resolve?name={full_name(name).replace(' ', '%20')}"
        await self._get("quintet", path, f'"{mail(name)}"')

    async def _card(self, name: str) -> None:
        handle = base64.urlsafe_b64encode(dn(name).encode()).decode().rstrip("=")
        await self._get("quintet", f"/api/v1/people/{handle}/card", f'"{mail(name)}"')

    async def _starlette(self, _: str) -> None:
        await self._get("starlette", "/empty", "")

    async def _fastapi(self, _: str) -> None:
        await self._get("fastapi", "/empty", "{}")

    async def _get(self, server: str, path: str, expected: str, cookie: str = "") -> None:
        free = self._free[server]
        while free and not free[-1].usable:
            free.pop().close()
        connection = free.pop() if free else await self._connected(self._ports[server])
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie or connection.cookie}\r\n"
        answer = await connection.ask(f"{head}Accept: */*\r\n\r\n".encode())
        free.append(connection)
        if not answer.startswith(b"HTTP/1.1 200 ") or expected.encode() not in answer:
            raise WrongAnswerError(f"{path}: {answer[:200]!r}; expected {expected!r}")

    async def _connected(self, port: int) -> _Connection:
        cookie = f"quintet={next(self._cookies)[1]}"
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: _Connection(cookie), "127.0.0.1", port))[1]

    def close(self) -> None:
        self._runner.close()


WORKS = ("servlet", "photo", "verify", "resolve", "card", "starlette", "fastapi")

if __name__ == "__main__":
    serve(Http, processor=min(os.sched_getaffinity(0)))
