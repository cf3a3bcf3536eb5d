"""Server-sent events for pages that stay up to date (the HTML standard's `text/event-stream`).

Theory of operation. A stream tells the browser a snapshot first, and after it only changes. What waits to be
sent is bounded: when a browser reads too slowly, all that waits is dropped and a new snapshot takes its
place, so what a page shows is late but never wrong. A reconnect is a new stream, and so begins with a
snapshot, too.

A stream is counted from its first byte to its last. It ends (a) when the browser closes it or does not read
for SEND_WITHIN, (b) with its session, at once, (c) at a check of the session, which comes with every
keep-alive comment, (d) when the server stops. It does not count as a use of the session.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import final

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from quintet.web.problem import problem
from quintet.web.sessions import WebSession

KEEP_ALIVE = 15.0
"""Seconds between two comments that keep proxies from closing a quiet stream."""
SEND_WITHIN = 30.0
"""Seconds that a browser may leave bytes unread before its stream ends."""
MOST_WAITING = 128
"""Events that wait for a slow browser."""
MOST_PER_SESSION = 6
"""As many connections as browsers open to one host."""
MOST_PER_ACCOUNT = 24
MOST = 1000
"""Below `MOST_CONNECTIONS`: streams leave room for other requests."""

_RECONNECT = (1000, 4000)
"""Milliseconds until a browser reconnects, at random: all do when the server restarts."""


@final
class EventStream(EventSourceResponse):
    """One stream of one browser. Made by `EventStreams.open`."""

    def __init__(
        self,
        streams: "EventStreams",
        session: WebSession,
        *,
        may_go_on: Callable[[], Awaitable[bool]],
        snapshot: Callable[[], object],
        subscribe: "Subscribe",
    ) -> None:
        super().__init__(self._chunks(), headers={"x-accel-buffering": "no", "cache-control": "no-store"})
        self.session = session
        self._streams = streams
        self._may_go_on = may_go_on
        self._snapshot = snapshot
        self._subscribe = subscribe
        self._waiting: deque[bytes] = deque()
        self._snapshot_due = True
        self._ended = False
        self._wake = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await Response(headers=dict(self.headers))(scope, receive, send)
            return

        async def bounded(message: Message) -> None:
            async with asyncio.timeout(SEND_WITHIN):
                await send(message)

        with self._streams.counted(self), self._subscribe(self):
            await super().__call__(scope, receive, bounded)

    def push(self, event: str, data: object) -> None:
        """Tell the browser a change: `data` is what JSON can express. Never waits."""
        if self._snapshot_due or self._ended:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.refresh()
        else:
            self._waiting.append(_encoded(event, data))
            self._wake.set()

    def refresh(self) -> None:
        """Tell the browser a new snapshot, in place of all that waits."""
        self._waiting.clear()
        self._snapshot_due = True
        self._wake.set()

    def end(self) -> None:
        """No more events."""
        self._ended = True
        self._wake.set()

    async def _chunks(self) -> AsyncIterator[bytes]:
        yield format_sse_event(retry=random.randint(*_RECONNECT))  # noqa: S311  # spreads load, no secret
        now = asyncio.get_running_loop().time
        check_at = now() + KEEP_ALIVE
        while not self._ended:
            if now() >= check_at:  # also where events never cease
                if not await self._may_go_on():
                    return
                check_at = now() + KEEP_ALIVE
                yield KEEPALIVE_COMMENT
            elif self._snapshot_due:
                self._snapshot_due = False
                yield _encoded("snapshot", self._snapshot())
            elif self._waiting:
                yield self._waiting.popleft()
            else:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(check_at):
                        await self._wake.wait()


Subscribe = Callable[[EventStream], AbstractContextManager[object]]
"""What calls `push` of a stream while the context is open."""


@final
class EventStreams:
    """All open streams of the HTTP front."""

    def __init__(self) -> None:
        self._open: set[EventStream] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        session: WebSession,
        *,
        may_go_on: Callable[[], Awaitable[bool]],
        snapshot: Callable[[], object],
        subscribe: Subscribe,
    ) -> Response:
        """A response that begins with the event `snapshot` and goes on with what `subscribe` pushes.

        `may_go_on` says every KEEP_ALIVE seconds whether the session may still see it. With too many streams
        the response is 429, and 503 while the server stops.
        """
        if self._closed:
            return problem(503)
        same_session = sum(each.session is session for each in self._open)
        same_account = sum(each.session.person.dn == session.person.dn for each in self._open)
        if same_session >= MOST_PER_SESSION or same_account >= MOST_PER_ACCOUNT or len(self._open) >= MOST:
            return problem(429, code="too-many-streams", headers={"retry-after": "10"})
        return EventStream(self, session, may_go_on=may_go_on, snapshot=snapshot, subscribe=subscribe)

    @contextmanager
    def counted(self, stream: EventStream) -> Iterator[None]:
        """Count a stream while the context is open."""
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)

    def session_ended(self, session: WebSession) -> None:
        """End the streams of a session."""
        for each in self._open:
            if each.session is session:
                each.end()

    def close(self) -> None:
        """End all streams, and open no more."""
        self._closed = True
        for each in self._open:
            each.end()


def _encoded(event: str, data: object) -> bytes:
    return format_sse_event(event=event, data_str=json.dumps(data, separators=(",", ":")))
