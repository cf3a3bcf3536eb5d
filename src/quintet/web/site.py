"""What every part of the HTTP front is given: the directory, the cards, the settings, the sessions."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from quintet.cards import ANONYMOUS, AUTHENTICATED, Cards, ids_in_set
from quintet.config import CardSettings, Detail, Settings, WebSettings
from quintet.directory import Directory, LocalAttempts, SignInAttempts
from quintet.web.activity import Activity
from quintet.web.bearer import Tokens
from quintet.web.event_stream import EventStreams
from quintet.web.presence import PresenceSource
from quintet.web.remembered import RememberedPairs
from quintet.web.security import Observe
from quintet.web.sessions import Sessions, SessionStore

RequestHandler = Callable[[dict[str, Any]], Awaitable[Any]]

PICTURES = ("Photo", "PhotoURL", "ImagePath")
"""The Detail Ids that show a picture (config 5.4)."""

_NO_CARDS = CardSettings(storages=(), sets={})


PER_SESSION = parse("600 per minute")
"""Requests of one session to the API and the pages."""


@final
class RateLimits:
    """The counters. Their size is fixed, whatever is sent."""

    def __init__(self) -> None:
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def may_ask(self, session: str) -> bool:
        """Count a request of this session, and say whether it is within the limit."""
        return await self._windows.hit(PER_SESSION, "session", session)


@dataclass(frozen=True, slots=True)
class Site:
    """One community over HTTP. `settings` returns those in use, which a reload replaces.

    `attempts` limits failed sign-ins, together with those at other ports. `observe` gets path, method, status
    and seconds of every request. `activity` counts LDAP operations, where it learns of them. `requests` are
    what the running server does for administrators, as at its status socket; `rejected` says why new settings
    are not in use. `form_keys` returns keys for forms of those without a session: the first signs,
    all are accepted.
    `presence` returns that of the community port, None while there is none.
    """

    directory: Directory
    cards: Cards
    settings: Callable[[], Settings]
    sessions: SessionStore = field(default_factory=Sessions)
    limits: RateLimits = field(default_factory=RateLimits)
    attempts: SignInAttempts = field(default_factory=LocalAttempts)
    pairs: RememberedPairs = field(default_factory=RememberedPairs)
    tokens: Tokens | None = None
    observe: Observe | None = None
    form_keys: Callable[[], Sequence[bytes]] = field(default_factory=lambda: [secrets.token_bytes(32)].copy)
    activity: Activity = field(default_factory=Activity)
    requests: Mapping[str, RequestHandler] = field(default_factory=dict)
    rejected: Callable[[], str] = str
    streams: EventStreams = field(default_factory=EventStreams)
    presence: Callable[[], PresenceSource | None] = lambda: None

    def __post_init__(self) -> None:
        self.sessions.on_end = self.streams.session_ended

    @property
    def web(self) -> WebSettings:
        return self.settings().web

    def details_of_set(self, set_id: int) -> tuple[Detail, ...]:
        """The details that a set shows, in its order. Set 0 is never computed (row C71)."""
        settings = self._card_settings()
        known = {detail.id: detail for storage in reversed(settings.storages) for detail in storage.details}
        return tuple(known[each] for each in ids_in_set(settings, set_id))

    def shows_pictures(self, *, signed_in: bool) -> bool:
        """Whether a caller may see a photo: a set of theirs must list a picture (config 5.4)."""
        settings = self._card_settings()
        sets = (ANONYMOUS, AUTHENTICATED) if signed_in else (ANONYMOUS,)
        return any(each in PICTURES for number in sets for each in ids_in_set(settings, number))

    def _card_settings(self) -> CardSettings:
        return self.settings().cards or _NO_CARDS
