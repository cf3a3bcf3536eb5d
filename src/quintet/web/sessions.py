"""Who is signed in.

Theory of operation. A session is made by signing in and by nothing else. Its ID is 256 random bits, which
only the browser keeps; the server keeps their SHA-256, so that no dump of its memory or log signs a user
in. It ends (a) by signing out, (b) after IDLE seconds without a request, (c) after LONGEST seconds in any
case, (d) when a recheck finds the person gone, (e) as the oldest of its person or of all when there are too
many. `_by_key` holds the sessions in the order of their beginning; only `begin` and `_drop` change it.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from quintet.directory import Person

IDLE = 30 * 60.0
"""Seconds without a request after which a session ends."""
LONGEST = 12 * 60 * 60.0
"""Seconds after which a session ends, however busy it is."""
RECHECK = 4 * 60.0
"""Seconds after which the next request looks whether the person is still there."""
MOST_PER_PERSON = 20
MOST = 10_000


@dataclass(slots=True)
class WebSession:
    """A person who is signed in. `login` is the name as typed, `key` the hash of the ID. In seconds."""

    key: str
    login: str
    person: Person
    administrator: bool
    form_token: str
    began: float
    used: float
    checked: float


@final
class Sessions:
    """All sessions. `clock` tells seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_key: dict[str, WebSession] = {}

    def begin(self, login: str, person: Person, *, administrator: bool) -> tuple[str, WebSession]:
        """Sign a person in. Returns the ID for the cookie, which is kept nowhere else, and the session."""
        ident, now = secrets.token_urlsafe(32), self._clock()
        self._expire(now)
        same = [each for each in self._by_key.values() if each.person.dn == person.dn]
        for each in same[: len(same) - MOST_PER_PERSON + 1]:
            self._drop(each.key)
        while len(self._by_key) >= MOST:
            self._drop(next(iter(self._by_key)))
        session = WebSession(
            _hashed(ident), login, person, administrator, secrets.token_urlsafe(32), now, now, now
        )
        self._by_key[session.key] = session
        return ident, session

    def find(self, ident: str) -> WebSession | None:
        """The session with this ID, which counts as used; None when it has ended."""
        session, now = self._by_key.get(_hashed(ident)), self._clock()
        if session is None:
            return None
        if _is_over(session, now):
            self._drop(session.key)
            return None
        session.used = now
        return session

    def needs_check(self, session: WebSession) -> bool:
        """Whether the person was last seen in the directory too long ago."""
        return self._clock() - session.checked >= RECHECK

    def seen(self, session: WebSession) -> None:
        """The person was found in the directory just now."""
        session.checked = self._clock()

    def end(self, session: WebSession) -> None:
        self._drop(session.key)

    def end_all_of(self, person: Person) -> int:
        """Sign a person out everywhere. Returns how many sessions ended."""
        keys = [key for key, each in self._by_key.items() if each.person.dn == person.dn]
        for key in keys:
            self._drop(key)
        return len(keys)

    def all(self) -> tuple[WebSession, ...]:
        """The sessions that have not ended, the oldest first."""
        self._expire(self._clock())
        return tuple(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def _expire(self, now: float) -> None:
        for key in [key for key, each in self._by_key.items() if _is_over(each, now)]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._by_key.pop(key, None)


def _is_over(session: WebSession, now: float) -> bool:
    return now - session.used >= IDLE or now - session.began >= LONGEST


def _hashed(ident: str) -> str:
    return hashlib.sha256(ident.encode(errors="replace")).hexdigest()
