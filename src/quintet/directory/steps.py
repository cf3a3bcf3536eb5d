"""What a task asks of servers, told while it asks: for `quintet authenticate --explain`.

`watch` is for one task of an administrator. It is not for logs: a step has names, filters and DNs. No step
has a password. The watcher belongs to the context of the caller (`contextvars`), so that tasks of others,
which run at the same time over the same connections, are not told.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from quintet.directory.account_state import AccountState, state_of
from quintet.ldap import Control, Entry, Filter, LdapError, LdapSyntaxError, ResultError
from quintet.ldap.filters import decode


@dataclass(frozen=True, slots=True)
class Searched:
    """A search. `entries` are the DNs that it found; `error` is why there is no answer, or not all of it.

    `scope` is LDAP's number (RFC 4511 section 4.5.1.2).
    """

    service: str
    server: str
    base: str
    scope: int
    filter: str
    entries: tuple[str, ...] = ()
    error: LdapError | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A bind. `code` and `diagnostic` are the server's words, `state` is what they mean."""

    service: str
    server: str
    dn: str
    code: int
    diagnostic: str
    state: AccountState


Step = Searched | Bound
Watcher = Callable[[Step], None]

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` each step of what is awaited inside."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell_search(
    service: str,
    server: str,
    base: str,
    scope: int,
    filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
    entries: Sequence[Entry] = (),
    error: LdapError | None = None,
) -> None:
    """A search was answered, or was not."""
    if (watcher := _watcher.get()) is not None:
        dns = tuple(entry.dn for entry in entries)
        watcher(Searched(service, server, base, scope, _text(filter), dns, error))


def tell_bind(service: str, server: str, dn: str, answer: ResultError | Sequence[Control]) -> AccountState:
    """A bind was answered: with an error, or with success and these controls. Returns what that means."""
    if isinstance(answer, ResultError):
        code, diagnostic, controls = answer.result_code, answer.diagnostic, answer.controls
    else:
        code, diagnostic, controls = 0, "", tuple(answer)
    state = state_of(code, diagnostic, controls)
    if (watcher := _watcher.get()) is not None:
        watcher(Bound(service, server, dn, code, diagnostic, state))
    return state


def _text(tree: Filter | bytes) -> str:
    try:
        return str(decode(tree)) if isinstance(tree, bytes) else str(tree)
    except (LdapSyntaxError, LdapError):
        return "(a filter that has no text)"
