"""What every part of the HTTP front is given: the directory, the cards, the settings, the sessions."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from quintet.cards import ANONYMOUS, AUTHENTICATED, Cards, ids_in_set
from quintet.config import CardSettings, Detail, Settings, WebSettings
from quintet.directory import Directory, LocalAttempts, SignInAttempts
from quintet.web.activity import Activity
from quintet.web.bearer import Tokens
from quintet.web.event_stream import EventStreams
from quintet.web.presence import PresenceSource
from quintet.web.rate_limits import RateLimits
from quintet.web.remembered import RememberedPairs
from quintet.web.security import Observe
from quintet.web.sessions import Sessions, SessionStore

RequestHandler = Callable[[dict[str, Any]], Awaitable[Any]]

PICTURES = ("Photo", "PhotoURL", "ImagePath")
"""The Detail Ids that show a picture (config 5.4)."""

_NO_CARDS = CardSettings(storages=(), sets={})


@final
class _Pictures:
    """The sets that list a picture, found once for the settings in use."""

    def __init__(self) -> None:
        self._settings: CardSettings | None = None
        self._sets: frozenset[int] = frozenset()

    def sets(self, settings: CardSettings) -> frozenset[int]:
        if settings is not self._settings:
            self._settings = settings
            self._sets = frozenset(
                number
                for number in (ANONYMOUS, AUTHENTICATED)
                if not {*PICTURES}.isdisjoint(ids_in_set(settings, number))
            )
        return self._sets


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
    _pictures: _Pictures = field(default_factory=_Pictures)

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
        sets = self._pictures.sets(self._card_settings())
        return ANONYMOUS in sets or (signed_in and AUTHENTICATED in sets)

    def _card_settings(self) -> CardSettings:
        return self.settings().cards or _NO_CARDS
