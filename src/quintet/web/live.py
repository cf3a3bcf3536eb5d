"""Live presence: one event stream for all tabs of a browser, which says by `POST` whom its pages show.

People are named by their handles. The stream's name comes with each snapshot.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from quintet.web.accounts import LONGEST_HANDLE, current_session, ident_of, is_signed_in, may_ask
from quintet.web.event_stream import EventStream
from quintet.web.presence import PresenceSource, PresenceState, PresenceView
from quintet.web.problem import problem, too_many_requests
from quintet.web.security import is_same_origin
from quintet.web.sessions import WebSession
from quintet.web.site import Site

MOST_SHOWN = 500
"""People whose presence one stream tells."""


def presence_routes(site: Site) -> list[BaseRoute]:
    """The stream, and whom it tells of."""
    live = _Live(site)
    return [
        Route("/presence", live.stream, methods=["GET"]),
        Route("/presence", live.show, methods=["POST"]),
    ]


class _ShowDocument(BaseModel):
    """The people whom a browser shows."""

    model_config = ConfigDict(extra="forbid")

    stream: Annotated[str, Field(max_length=64)]
    people: Annotated[list[Annotated[str, Field(max_length=LONGEST_HANDLE)]], Field(max_length=MOST_SHOWN)]


@final
class _Live:
    """The streams of presence, by the names under which their browsers know them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._shown: dict[str, _Shown] = {}

    async def stream(self, request: Request) -> Response:
        """An event stream: `snapshot` with the stream's name and all states, then a `change` for each."""
        source = self._site.presence()
        if source is None or not self._site.web.people_pages:
            return problem(404)
        session = await self._session(request)
        if isinstance(session, Response):
            return session
        shown = _Shown(session, source, self._shown)
        return self._site.streams.open(
            session,
            may_go_on=partial(is_signed_in, self._site, session),
            snapshot=shown.snapshot,
            subscribe=shown.subscribed,
        )

    async def show(self, request: Request) -> Response:
        """Tell of these people in place of those before: a snapshot comes on the stream."""
        if not is_same_origin(request, self._site.web):
            return problem(403)
        session = await self._session(request)
        if isinstance(session, Response):
            return session
        try:
            wanted = _ShowDocument.model_validate_json(await request.body())
        except ValidationError:
            return problem(400)
        shown = self._shown.get(wanted.stream)
        if shown is None or shown.session is not session:
            return problem(404)
        shown.show(wanted.people)
        return Response(status_code=204)

    async def _session(self, request: Request) -> WebSession | Response:
        session = await current_session(self._site, request)
        if session is None:
            return problem(401)
        return session if may_ask(self._site, request, session) else too_many_requests()


@final
class _Shown:
    """Whom one stream tells of. It stands in `streams` under its name while the stream is open."""

    def __init__(self, session: WebSession, source: PresenceSource, streams: dict[str, "_Shown"]) -> None:
        self.session = session
        self._source = source
        self._streams = streams
        self._name = secrets.token_urlsafe(16)
        self._handles: dict[str, str] = {}
        self._stream: EventStream | None = None
        self._view: PresenceView | None = None

    @contextmanager
    def subscribed(self, stream: EventStream) -> Iterator[None]:
        self._stream = stream
        self._view = self._source.view(self.session.person.id, self._changed)
        self._streams[self._name] = self
        try:
            yield
        finally:
            del self._streams[self._name]
            self._view.close()

    def show(self, handles: Iterable[str]) -> None:
        assert self._view is not None, "it stands in `streams`"
        assert self._stream is not None, "it stands in `streams`"
        self._handles = {ident: each for each in handles if (ident := ident_of(each)) is not None}
        self._view.watch(self._handles)
        self._stream.refresh()

    def snapshot(self) -> object:
        seen = self._view.seen if self._view else {}
        people = {self._handles[ident]: _document(state) for ident, state in seen.items()}
        return {"stream": self._name, "people": people}

    def _changed(self, ident: str, state: PresenceState) -> None:
        if self._stream is not None and ident in self._handles:
            self._stream.push("change", {self._handles[ident]: _document(state)})


def _document(state: PresenceState) -> dict[str, Any]:
    return {"state": state.availability.value, "label": state.label, "words": state.words}
