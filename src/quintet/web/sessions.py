"""Who is signed in.

Theory of operation. A session is made by signing in and by nothing else. Its ID is 256 random bits, which
only the browser keeps; the server keeps their SHA-256, so that no dump of its memory or log signs a user
in. It ends (a) by signing out, (b) after IDLE seconds without a request, (c) after LONGEST seconds in any
case, (d) when a recheck finds the person gone, (e) as the oldest of its person or of all when there are too
many. `_by_key` holds the sessions in the order of their beginning; only `begin` and `_drop` change it.

From its ID another one is derived (`verify_id`), for a cookie that browsers send to other applications. It
finds the session in `find_verified` only, which `/auth/verify` asks; the first does not follow from it.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

from quintet.directory import Person, VerifiedPerson

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
    """A person who is signed in. `login` is the name as typed. Times are in seconds.

    `key` is the hash of the ID, `verify_key` that of the ID for `/auth/verify`.
    """

    key: str
    verify_key: str
    login: str
    verified: VerifiedPerson
    administrator: bool
    form_token: str
    began: float
    used: float
    checked: float

    @property
    def person(self) -> Person:
        return self.verified.person

    @property
    def public_id(self) -> str:
        """What administrators name the session by. Neither the ID nor `key` can be told from it."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:24]


class SessionsUnavailableError(Exception):
    """It is unknown who is signed in: what knows it does not answer."""


class SessionStore(Protocol):
    """All sessions: here in memory, elsewhere for all nodes of a community.

    Where it is unknown whether there is a session, methods raise SessionsUnavailableError.
    """

    on_end: Callable[[WebSession], None]
    """Is called with each session of this process that has ended."""

    async def begin(
        self, login: str, person: Person | VerifiedPerson, *, administrator: bool
    ) -> tuple[str, WebSession]:
        """Sign a person in. Returns the ID for the cookie, which is kept nowhere else, and the session."""

    async def find(self, key: str) -> WebSession | None:
        """The session whose ID has this hash, which counts as used; None when it has ended."""

    async def find_verified(self, key: str) -> WebSession | None:
        """The same by the hash of the ID for `/auth/verify`."""

    async def has_ended(self, session: WebSession) -> bool:
        """Whether a session is over; asking is no use of it."""

    def needs_check(self, session: WebSession) -> bool:
        """Whether the person was last seen in the directory too long ago."""

    def begin_check(self, session: WebSession) -> float:
        """The directory is being asked, so no other request need ask. Returns when it was asked before."""

    async def keep_check(self, session: WebSession) -> None:
        """What the directory said is now in the session; remember it."""

    async def end(self, session: WebSession) -> None:
        """Sign out here."""

    async def end_all_of(self, person: Person) -> int:
        """Sign a person out everywhere. Returns how many sessions ended."""

    async def all(self) -> tuple[WebSession, ...]:
        """The sessions that have not ended, the oldest first."""

    def __len__(self) -> int: ...


def new_session(
    login: str, person: Person | VerifiedPerson, *, administrator: bool, now: float
) -> tuple[str, WebSession]:
    """A session that begins now, and its ID."""
    ident = secrets.token_urlsafe(32)
    verified = VerifiedPerson(person) if isinstance(person, Person) else person
    form_token = secrets.token_urlsafe(32)
    keys = (hashed(ident), hashed(verify_id(ident)))
    return ident, WebSession(*keys, login, verified, administrator, form_token, now, now, now)


@final
class Sessions:
    """The sessions of one process. `clock` tells seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_key: dict[str, WebSession] = {}
        self._by_verify_key: dict[str, WebSession] = {}
        self.on_end: Callable[[WebSession], None] = lambda _: None

    async def begin(
        self, login: str, person: Person | VerifiedPerson, *, administrator: bool
    ) -> tuple[str, WebSession]:
        now = self._clock()
        ident, session = new_session(login, person, administrator=administrator, now=now)
        self._expire(now)
        same = [each for each in self._by_key.values() if each.person.dn == session.person.dn]
        for each in same[: len(same) - MOST_PER_PERSON + 1]:
            self._drop(each.key)
        while len(self._by_key) >= MOST:
            self._drop(next(iter(self._by_key)))
        self._by_key[session.key] = self._by_verify_key[session.verify_key] = session
        return ident, session

    async def find(self, key: str) -> WebSession | None:
        return self._used(self._by_key.get(key))

    async def find_verified(self, key: str) -> WebSession | None:
        return self._used(self._by_verify_key.get(key))

    def _used(self, session: WebSession | None) -> WebSession | None:
        now = self._clock()
        if session is None:
            return None
        if _is_over(session, now):
            self._drop(session.key)
            return None
        session.used = now
        return session

    async def has_ended(self, session: WebSession) -> bool:
        if _is_over(session, self._clock()):
            self._drop(session.key)
        return session.key not in self._by_key

    def needs_check(self, session: WebSession) -> bool:
        return self._clock() - session.checked >= RECHECK

    def begin_check(self, session: WebSession) -> float:
        before, session.checked = session.checked, self._clock()
        return before

    async def keep_check(self, session: WebSession) -> None:
        """The session is where it was changed."""

    async def end(self, session: WebSession) -> None:
        self._drop(session.key)

    async def end_all_of(self, person: Person) -> int:
        keys = [key for key, each in self._by_key.items() if each.person.dn == person.dn]
        for key in keys:
            self._drop(key)
        return len(keys)

    async def all(self) -> tuple[WebSession, ...]:
        self._expire(self._clock())
        return tuple(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def _expire(self, now: float) -> None:
        for key in [key for key, each in self._by_key.items() if _is_over(each, now)]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        session = self._by_key.pop(key, None)
        if session is not None:
            del self._by_verify_key[session.verify_key]
            self.on_end(session)


def verify_id(ident: str) -> str:
    """The ID for `/auth/verify` that belongs to the ID of a session."""
    digest = hmac.digest(ident.encode(errors="replace"), b"/auth/verify", "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _is_over(session: WebSession, now: float) -> bool:
    return now - session.used >= IDLE or now - session.began >= LONGEST


def hashed(ident: str) -> str:
    """What is kept of an ID."""
    return hashlib.sha256(ident.encode(errors="replace")).hexdigest()
