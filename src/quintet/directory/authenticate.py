"""Data flow 1: a login name and a password become a person, or a refusal that says nothing more.

Where the lookup of the name is not encrypted, it is not believed: an attacker who can change it could name an
entry whose password they know. So the entry that was bound is read back over the encrypted connection of the
bind. It must match the login filter for the name, and the person is made from it.

Only the configured filter decides who may log in, also by a DN or an ID (`login_lookup`). Sametime's
shortcut, which searches mail-like names in the mail attribute alone, is left out: it goes past a filter that
bars people (config 2.9).
"""

import asyncio
import math
import random
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import final

from quintet.directory.account_state import AccountState
from quintet.directory.entries import ANY_ENTRY, identity, is_below, person, person_attributes
from quintet.directory.errors import (
    AmbiguousNameError,
    AuthenticationError,
    DirectoryError,
    DirectoryUnavailableError,
    UnknownNameError,
    UnreachableReason,
)
from quintet.directory.events import SignedIn
from quintet.directory.login_lookup import find_login, proofs
from quintet.directory.queries import answered_badly
from quintet.directory.records import Person
from quintet.directory.service_pool import ServicePool
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.directory.steps import tell_bind, tell_search
from quintet.ldap import (
    DN,
    Connection,
    Control,
    Entry,
    InsufficientAccessRights,
    LdapError,
    NoSuchObject,
    ResultError,
    Scope,
)

FIRST_REFUSALS = 0.3
"""Seconds for every refusal until a user has signed in: until then it is unknown what a password costs."""

_REMEMBERED = 64

_STEP = 0.01
"""Seconds. Refusals are held to a whole step after they began, and for a part of one more, drawn by lot.

A timer wakes at whole milliseconds after it was set, so without the lot its lateness, the same at each try,
would tell when the server had answered. With it, refusals take as long on average wherever that was.
"""
_MARGIN = 1.5
"""How many times longer than three of four sign-ins a refusal takes at least."""
_HASHED = 0.25
"""The part of the least time of a refusal that an answer takes for which the server has hashed a password."""
_LONGEST_HOLD = 5.0
_RECENT = 60.0
"""Seconds for which a late answer is imitated: it was late because of the load of the moment."""
_LONGEST_PASSWORD = 4096

# What a server answers to a bind that it does not accept from this user (RFC 4511 appendix A): not held here
# (referral), constraint violation (locked), no such entry, an invalid name, no password there, wrong, no
# access, unwilling. Some refer those whom they do not know elsewhere, which must not tell who they are.
_NO = frozenset({10, 19, 32, 34, 48, 49, 50, 53})


@final
class ConstantTimeRefusal:
    """How long a refusal takes: as long whatever the reason.

    A server hashes nothing for an entry that does not exist, for a locked or disabled account, or where a
    control refuses the bind, so these answers would come sooner, and tell. So every refusal is held until it
    is clearly later than sign-ins of real users succeed: only they show what a password costs, and who has no
    account adds nothing to them. Some answers to wrong passwords come later still. They are remembered, and
    an answer that came too early to be one of them is held back as long as a recent one, drawn by lot.
    Times are of `now`, in seconds, and include the lookup of the name; `lot` draws from 0 to below 1.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        lot: Callable[[], float] = random.random,
    ) -> None:
        self.now = now
        self._sleep = sleep
        self._lot = lot
        self._accepted: deque[float] = deque(maxlen=_REMEMBERED)
        self._refused: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)  # with the time of each

    def accepted(self, began: float) -> None:
        """A sign-in that began then has succeeded."""
        self._accepted.append(self.now() - began)

    async def refused(self, began: float) -> None:
        """A sign-in that began then is refused. Returns when the user may know."""
        now = self.now()
        took = seconds = now - began
        least = self._least()
        while self._refused and self._refused[0][0] < now - _RECENT:
            self._refused.popleft()
        if took >= least * _HASHED:
            self._refused.append((now, took))
        elif self._refused:
            seconds = random.choice(self._refused)[1]  # noqa: S311 (one of many, not a secret)
        steps = math.ceil(max(seconds, took, least) / _STEP - 1e-6)
        await self._sleep(began + (steps + self._lot()) * _STEP - self.now())

    def _least(self) -> float:
        """What nearly all wrong passwords take less than."""
        if not self._accepted:
            return FIRST_REFUSALS
        usual = sorted(self._accepted)[len(self._accepted) * 3 // 4]
        return min(_MARGIN * usual, _LONGEST_HOLD)


async def resolve_login(snapshot: Snapshot, name: str) -> Person:
    """The one person with this login name, at the first server that has it.

    Raises UnknownNameError, AmbiguousNameError; DirectoryUnavailableError when no person was found and a
    server could not be asked.
    """
    name = without_domain(name, snapshot.directory.login_domains)
    server, found = await _find(snapshot, name)
    if found is None or server is None:
        raise UnknownNameError("no person has this login name", service=Service.RESOLVE_LOGIN)
    return found


WhileBound = Callable[[Server, Connection, Person], Awaitable[None]]
"""Is awaited with an encrypted connection that is bound as the person."""


async def authenticate(
    snapshot: Snapshot,
    refusals: ConstantTimeRefusal,
    name: str,
    password: str,
    *,
    while_bound: WhileBound | None = None,
) -> Person:
    """The person, if the password is theirs.

    `while_bound` reads more as the person, where logins are encrypted and lookups are not.

    Raises AuthenticationError for whatever is wrong with name or password, in the same words and, as far as
    it is up to us, after the same time: for an unknown name, a bind is made for an entry that does not exist,
    and every refusal is held back by `refusals`. Raises DirectoryUnavailableError,
    UntrustedServerError and UnencryptedBindError when the directory could not tell.
    """
    started = time.perf_counter()
    try:
        found = await _sign_in(snapshot, refusals, name, password, while_bound)
    except AuthenticationError as error:
        _tell(snapshot, "refused", error.reason, started)
        raise
    except DirectoryError as error:
        _tell(snapshot, "unreachable", str(error), started)
        raise
    if snapshot.trace:
        _tell(snapshot, "ok", "", started)
    return found


async def _sign_in(
    snapshot: Snapshot,
    refusals: ConstantTimeRefusal,
    name: str,
    password: str,
    while_bound: WhileBound | None,
) -> Person:
    if not _may_be_sent(password):
        raise AuthenticationError(reason="an empty or impossible password")
    if not name.strip():
        raise AuthenticationError(reason="an empty name")
    began = refusals.now()
    name = without_domain(name, snapshot.directory.login_domains)
    reason = "no person has this name"
    try:
        server, found = await _find(snapshot, name)
    except AmbiguousNameError:
        server, found, reason = None, None, "several people have this name"
    if found is None or server is None:
        await bind_unknown(snapshot.servers[0], password)
        await refusals.refused(began)
        raise AuthenticationError(reason=reason)
    allow = snapshot.directory.allow_expired_passwords
    bound = await _bind(server, found, name, password, while_bound, allow=allow)
    if isinstance(bound, Person):
        refusals.accepted(began)
        return bound
    await _ask_the_rest(snapshot, server, name)
    await refusals.refused(began)
    if isinstance(bound, AccountState):
        raise AuthenticationError(reason=bound.meaning, state=bound)
    raise AuthenticationError(reason=bound)


async def _bind(
    server: Server, found: Person, name: str, password: str, while_bound: WhileBound | None, *, allow: bool
) -> Person | AccountState | str:
    """The person whose password this is, or why it is refused.

    A password that has expired or must be changed is proven right, and signs in only with `allow`.
    """
    pool = server.pools[Service.AUTHENTICATE]
    try:
        if server.pools[Service.RESOLVE_LOGIN].endpoint.encrypted or not pool.endpoint.encrypted:
            state = tell_bind(server.label, found.dn, await pool.bind(found.dn, password))
            return found if state.signs_in or allow else state
        return await _bind_and_read_back(server, pool, found, name, password, while_bound)
    except ResultError as error:
        if error.operation == "bind" and error.result_code in _NO:
            state = tell_bind(server.label, found.dn, error)
            verified = server.pools[Service.RESOLVE_LOGIN].endpoint.encrypted or not pool.endpoint.encrypted
            return found if allow and verified and state.password_was_right else state
        raise answered_badly(error, server, Service.AUTHENTICATE) from error
    except LdapError as error:
        raise answered_badly(error, server, Service.AUTHENTICATE) from error


async def _bind_and_read_back(
    server: Server,
    pool: ServicePool,
    found: Person,
    name: str,
    password: str,
    while_bound: WhileBound | None,
) -> Person | AccountState | str:
    settings = server.settings
    ways = proofs(server, name, found.dn)
    if not ways or not is_below(identity(found.dn), (server.person_base_key,)):
        await bind_unknown(server, password)
        return _suspicious(server, "the entry found is not below the base")

    async def read(connection: Connection, tree: bytes) -> Entry | None:
        asked = connection.search(found.dn, Scope.BASE, tree, person_attributes(settings), max_entries=1)
        try:
            answer = await asked
        except (NoSuchObject, InsufficientAccessRights) as error:
            tell_search(Service.AUTHENTICATE, server.label, found.dn, Scope.BASE, tree, error)
            return None
        tell_search(Service.AUTHENTICATE, server.label, found.dn, Scope.BASE, tree, answer)
        return next(iter(answer.entries), None)

    async def read_back(connection: Connection, controls: tuple[Control, ...]) -> Person | AccountState | str:
        state = tell_bind(server.label, found.dn, controls)
        if not state.signs_in:
            return state  # the server answers nothing more until the password is changed (row S128)
        for way in ways:
            entry = await read(connection, way)
            if entry is not None:
                bound = person(entry, settings)
                if while_bound is not None:
                    await while_bound(server, connection, bound)
                return bound
        if await read(connection, ANY_ENTRY) is not None:
            return _suspicious(server, "the entry found does not match the name")
        server.warn_once(
            Service.AUTHENTICATE,
            "users may not read their own entries, so no sign-in can be verified at this protection level",
        )
        raise DirectoryUnavailableError.because(
            UnreachableReason.ANSWER,
            "users may not read their own entries, so an unencrypted lookup cannot be verified",
            service=Service.AUTHENTICATE,
            server=server.label,
            address=str(connection.address),
            fix="Let users read their own entries, or encrypt all (quintet protect all)",
        )

    return await pool.bind_and_run(found.dn, password, read_back)


def _suspicious(server: Server, what: str) -> str:
    server.warn(Service.AUTHENTICATE, f"{what}: the unencrypted lookup of a name may have been tampered with")
    return what


async def bind_unknown(server: Server, password: str) -> None:
    """A bind that is refused without a failure counted for any account: the entry does not exist."""
    base = server.settings.person_base
    unknown = DN(((("cn", f"unknown-{secrets.token_hex(12)}"),), *base.rdns))
    try:
        await server.pools[Service.AUTHENTICATE].bind(str(unknown), password)
    except LdapError as error:
        if not (isinstance(error, ResultError) and error.result_code in _NO):
            raise answered_badly(error, server, Service.AUTHENTICATE) from error
        tell_bind(server.label, str(unknown), error)


async def _ask_the_rest(snapshot: Snapshot, server: Server, name: str) -> None:
    """Look the name up where an unknown one would have been, too, so that a refusal takes as long."""
    for other in snapshot.servers[snapshot.servers.index(server) + 1 :]:
        with suppress(DirectoryError):
            await find_login(other, name)


async def _find(snapshot: Snapshot, name: str) -> tuple[Server | None, Person | None]:
    """The server and the person with this login name; None when no server has it."""
    failure: DirectoryError | None = None
    for server in snapshot.servers:
        try:
            found = await find_login(server, name)
        except AmbiguousNameError:
            await _ask_the_rest(snapshot, server, name)
            raise
        except DirectoryError as error:
            failure = failure or error
            continue
        if found is not None:
            return server, found
    if failure is not None:
        raise failure
    return None, None


def _may_be_sent(password: str) -> bool:
    """RFC 4513 5.1.2: an empty password would make an anonymous bind. A NUL ends a text for some servers."""
    try:
        return 0 < len(password.encode()) <= _LONGEST_PASSWORD and "\0" not in password
    except UnicodeEncodeError:
        return False


def _tell(snapshot: Snapshot, outcome: str, reason: str, started: float) -> None:
    if snapshot.trace:
        snapshot.trace(SignedIn(outcome, reason, time.perf_counter() - started))


def without_domain(name: str, domains: Collection[str]) -> str:
    r"""The name without one of the domains before a backslash, as people at Windows machines type it.

    Active Directory compares `sAMAccountName` without the domain (row S19), so no filter finds `CORP\ada`.
    The domains in `QUINTET_LOGIN_DOMAINS` are taken off; any other is left, since it may be the domain of
    other people.

    Args:
        name: A login name as typed.
        domains: The domains, in lower case. They are compared without regard to case.

    Returns:
        `ada` for `CORP\ada`; the name itself if it has another domain, or none, or nothing after it.
    """
    domain, found, rest = name.strip().partition("\\")
    if found and rest.strip() and domain.casefold() in domains:
        return rest.strip()
    return name
