"""Walk 1: a login name and a password become a person, or a refusal that says nothing more.

Only the configured filter decides who may log in. Sametime's shortcut, which searches mail-like names in the
mail attribute alone, is left out: it goes past a filter that bars people (reference 2.9). So are DNs as login
names, unless the filter finds them.
"""

import secrets
import time
from contextlib import suppress

from quintet.directory.account_state import AccountState
from quintet.directory.constant_time import ConstantTimeRefusal
from quintet.directory.entries import person, person_attributes
from quintet.directory.errors import AmbiguousNameError, AuthenticationError, DirectoryError, UnknownNameError
from quintet.directory.events import SignedIn
from quintet.directory.login_names import without_domain
from quintet.directory.name_filter import name_filter
from quintet.directory.queries import answered_badly
from quintet.directory.records import Person
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.ldap.dn import DN
from quintet.ldap.errors import LdapError

_LONGEST_PASSWORD = 4096

# What a server answers to a bind that it will not take from this person (RFC 4511 appendix A): not held here
# (referral), constraint violation (locked), no such entry, a name that is none, no password there, wrong, no
# access, unwilling. Some refer those whom they do not know elsewhere, which must not tell who they are.
_NO = frozenset({10, 19, 32, 34, 48, 49, 50, 53})


async def resolve_login(view: Snapshot, name: str) -> Person:
    """The one person with this login name, at the first server that has it.

    Raises UnknownNameError, AmbiguousNameError; DirectoryUnavailableError when nobody was found and a server could not be asked.
    """
    server, found = await _find(view, name)
    if found is None or server is None:
        raise UnknownNameError("nobody has this login name", task=Service.RESOLVE_LOGIN.value)
    return found


async def authenticate(view: Snapshot, pace: ConstantTimeRefusal, name: str, password: str) -> Person:
    """The person, if the password is theirs.

    Raises Refused for whatever is wrong with name or password, in the same words and, as far as it is up to
    us, after the same time: for a name that nobody has, a bind is made for an entry that does not exist, and
    its answer is held back for as long as one for somebody takes. Raises DirectoryUnavailableError and its kin when the
    directory could not tell.
    """
    started = time.perf_counter()
    try:
        found = await _sign_in(view, pace, name, password)
    except AuthenticationError as error:
        _tell(view, "refused", error.reason, started)
        raise
    except DirectoryError as error:
        _tell(view, "unreachable", str(error), started)
        raise
    _tell(view, "ok", "", started)
    return found


async def _sign_in(view: Snapshot, pace: ConstantTimeRefusal, name: str, password: str) -> Person:
    if not _may_be_sent(password):
        raise AuthenticationError(reason="an empty or impossible password")
    if not name.strip():
        raise AuthenticationError(reason="an empty name")
    reason = "nobody has this name"
    try:
        server, found = await _find(view, name)
    except AmbiguousNameError:
        server, found, reason = None, None, "several people have this name"
    began = pace.now()
    if found is None or server is None:
        await bind_nobody(view.servers[0], password)
        await pace.nobody(began)
        raise AuthenticationError(reason=reason)
    state = await _bind(server, found.dn, password)
    if not _may_sign_in(state, view):
        await pace.refused(began)
        await _ask_the_rest(view, server, name)
        raise AuthenticationError(reason=state.meaning, state=state)
    pace.accepted(began)
    return found


async def _bind(server: Server, dn: str, password: str) -> AccountState:
    """What the server says about the account. Raises DirectoryError where that is about something else."""
    try:
        state, error = await server.bind(dn, password)
    except LdapError as failure:
        raise answered_badly(failure, server, Service.AUTHENTICATE.value) from failure
    if error is not None and error.result_code not in _NO:
        raise answered_badly(error, server, Service.AUTHENTICATE.value) from error
    return state


def _may_sign_in(state: AccountState, view: Snapshot) -> bool:
    """A password that has expired or must be changed is proven right, and does only if the settings say so."""
    return state.signs_in or (view.directory.allow_expired_passwords and state.password_was_right)


async def bind_nobody(server: Server, password: str) -> None:
    """A bind that is refused at nobody's expense: nobody's account counts a failure."""
    base = server.settings.person_base
    nobody = DN(((("cn", f"nobody-{secrets.token_hex(12)}"),), *base.rdns))
    await _bind(server, str(nobody), password)


async def _ask_the_rest(view: Snapshot, server: Server, name: str) -> None:
    """Look the name up where an unknown one would have been, too, so that a refusal takes as long."""
    for other in view.servers[view.servers.index(server) + 1 :]:
        with suppress(DirectoryError):
            await _find_at(other, name)


async def _find(view: Snapshot, name: str) -> tuple[Server | None, Person | None]:
    """The server and the person with this login name; None when no server has it."""
    failure: DirectoryError | None = None
    name = without_domain(name, view.directory.login_domains)
    for server in view.servers:
        try:
            found = await _find_at(server, name)
        except AmbiguousNameError:
            await _ask_the_rest(view, server, name)
            raise
        except DirectoryError as error:
            failure = failure or error
            continue
        if found is not None:
            return server, found
    if failure is not None:
        raise failure
    return None, None


async def _find_at(server: Server, name: str) -> Person | None:
    settings = server.settings
    filled = name_filter(settings.login_filter.encode, name)
    if filled is None:
        return None
    try:
        found = await server.search(
            Service.RESOLVE_LOGIN,
            settings.person_base,
            settings.person_scope.value,
            filled,
            person_attributes(settings),
            limit=2,
        )
    except LdapError as error:
        raise answered_badly(error, server, Service.RESOLVE_LOGIN.value) from error
    if len(found.entries) > 1 or found.cut:
        raise AmbiguousNameError(
            "several entries have this login name",
            task=Service.RESOLVE_LOGIN.value,
            server=server.label,
            fix="UserDnSearchFilter must find exactly one entry for each person",
        )
    return person(found.entries[0], settings) if found.entries else None


def _may_be_sent(password: str) -> bool:
    """RFC 4513 5.1.2: an empty password would succeed as nobody. A NUL ends a text for some servers."""
    try:
        return 0 < len(password.encode()) <= _LONGEST_PASSWORD and "\0" not in password
    except UnicodeEncodeError:
        return False


def _tell(view: Snapshot, outcome: str, reason: str, started: float) -> None:
    if view.trace:
        view.trace(SignedIn(outcome, reason, time.perf_counter() - started))
