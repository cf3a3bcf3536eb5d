"""Event streams as an ASGI server sees them, and in the running server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from quintet.directory import Person
from quintet.web import event_stream
from quintet.web.event_stream import (
    MOST_PER_ACCOUNT,
    MOST_PER_SESSION,
    MOST_WAITING,
    EventStream,
    EventStreams,
)
from quintet.web.sessions import IDLE, Sessions, WebSession
from support.event_streams import SCOPE, Reader


class Source:
    """A number; its changes are told to all streams."""

    def __init__(self) -> None:
        self.value = 0
        self.subscribed: list[EventStream] = []

    @contextmanager
    def subscribe(self, stream: EventStream) -> Iterator[None]:
        self.subscribed.append(stream)
        try:
            yield
        finally:
            self.subscribed.remove(stream)

    def change(self) -> None:
        self.value += 1
        for each in self.subscribed:
            each.push("change", self.value)


class Scene:
    """Streams of `source` for sessions of people."""

    def __init__(self) -> None:
        self.now = 0.0
        self.source = Source()
        self.streams = EventStreams()
        self.sessions = Sessions(lambda: self.now)
        self.sessions.on_end = self.streams.session_ended

    async def session(self, name: str = "ada") -> WebSession:
        person = Person(f"cn={name},o=example", f"cn={name},o=example", name, None, "one")
        return (await self.sessions.begin(name, person, administrator=False))[1]

    def response(self, session: WebSession) -> Any:
        async def may_go_on() -> bool:
            return not await self.sessions.has_ended(session)

        return self.streams.open(
            session,
            may_go_on=may_go_on,
            snapshot=lambda: self.source.value,
            subscribe=self.source.subscribe,
        )

    @asynccontextmanager
    async def reading(self, session: WebSession, method: str = "GET") -> AsyncIterator[Reader]:
        """A browser that reads; the context ends when the stream has."""
        reader = Reader()
        async with reader.reads(self.response(session), method):
            yield reader


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_snapshot_comes_first_and_then_changes(scene: Scene) -> None:
    async with scene.reading(await scene.session()) as reader:
        first = await reader.event()
        scene.source.change()
        scene.source.change()
        assert [first, await reader.event(), await reader.event()] == [
            ("snapshot", 0),
            ("change", 1),
            ("change", 2),
        ]
        assert reader.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reader.headers["cache-control"] == "no-store"
    assert (scene.source.subscribed, len(scene.streams)) == ([], 0)


async def test_a_browser_that_reads_slowly_gets_a_new_snapshot_and_no_backlog(scene: Scene) -> None:
    async with scene.reading(await scene.session()) as reader:
        await reader.event()
        reader.reading.clear()
        for _ in range(10 * MOST_WAITING):
            scene.source.change()
        await asyncio.sleep(0)
        reader.reading.set()
        events = [await reader.event()]
        while events[-1][0] != "snapshot":
            events.append(await reader.event())
        assert events[-1] == ("snapshot", 10 * MOST_WAITING)
        assert len(events) <= MOST_WAITING
        scene.source.change()
        assert await reader.event() == ("change", 10 * MOST_WAITING + 1)


async def test_a_browser_that_stops_reading_is_cut_off(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SEND_WITHIN", 0.01)
    reader = Reader()
    reader.reading.clear()
    with pytest.raises(TimeoutError):
        await scene.response(await scene.session())(SCOPE, reader.receive, reader.send)
    assert (scene.source.subscribed, len(scene.streams)) == ([], 0)


async def test_a_quiet_stream_has_comments_that_keep_it_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE", 0.01)
    async with scene.reading(await scene.session()) as reader:
        await reader.event()
        assert (await reader.chunk()).startswith(":")
        scene.source.change()
        assert await reader.event() == ("change", 1)


async def close(scene: Scene, _: WebSession) -> None:
    scene.streams.close()


@pytest.mark.parametrize(
    "end",
    [
        lambda scene, session: scene.sessions.end(session),
        lambda scene, session: scene.sessions.end_all_of(session.person),
        close,
    ],
    ids=["signed out", "signed out everywhere", "drained"],
)
async def test_a_stream_ends_at_once_with_its_session_and_with_the_server(
    scene: Scene, end: Callable[[Scene, WebSession], Awaitable[object]]
) -> None:
    session = await scene.session()
    async with scene.reading(session) as reader:
        await reader.event()
        await end(scene, session)
        await reader.ended.wait()
        assert not reader.gone.is_set()


async def test_a_stream_is_no_use_of_its_session(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE", 0.001)
    async with scene.reading(await scene.session()) as reader:
        await reader.event()
        scene.now = IDLE
        await reader.ended.wait()
    assert len(scene.sessions) == 0


async def test_a_stream_that_is_never_quiet_ends_with_its_session_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE", 0.01)
    async with scene.reading(await scene.session()) as reader:
        await reader.event()
        scene.now = IDLE
        while not reader.ended.is_set():
            scene.source.change()
            await asyncio.wait((asyncio.ensure_future(reader.ended.wait()),), timeout=0.001)
    assert len(scene.sessions) == 0


async def test_sessions_and_accounts_have_a_limited_number_of_streams(scene: Scene) -> None:
    session, other = await scene.session(), await scene.session("bob")
    async with asyncio.TaskGroup() as group:
        readers, tasks = [], []
        for _ in range(MOST_PER_ACCOUNT // MOST_PER_SESSION):
            for _ in range(MOST_PER_SESSION):
                reader = Reader()
                readers.append(reader)
                response = scene.response(session)
                tasks.append(group.create_task(response(SCOPE, reader.receive, reader.send)))
                await reader.event()
            assert scene.response(session).status_code == 429
            session = await scene.session()
        assert scene.response(session).status_code == 429
        assert scene.response(other).status_code == 200
        readers[0].gone.set()
        await tasks[0]
        assert scene.response(session).status_code == 200
        scene.streams.close()
    assert scene.response(other).status_code == 503


async def test_head_has_headers_and_no_stream(scene: Scene) -> None:
    async with scene.reading(await scene.session(), "HEAD") as reader:
        await reader.ended.wait()
        assert (reader.status, scene.source.subscribed) == (200, [])
