"""What a task asks of servers, told while it asks: for `quintet authenticate --explain`.

`watch` is for one task of an administrator. It is not for logs: a step has names, filters and DNs. No step
has a password. The watcher belongs to the context of the caller (`contextvars`), so that tasks of others,
which run at the same time over the same connections, are not told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from quintet.directory.account_state import AccountState, state_of
from quintet.directory.services import Service
from quintet.ldap import Control, LdapError, ResultError, SearchResult
from quintet.ldap.messages import decode_filter


@dataclass(frozen=True, slots=True)
class Searched:
    """A search. `entries` are the DNs that it found; `error` is why there is no answer, or not all of it.

    `attributes` are the names of those with a value, for each entry. `scope` is LDAP's number (RFC 4511
    section 4.5.1.2). `over` is the service whose connection was used, None for the service's own.
    """

    service: Service
    server: str
    base: str
    scope: int
    filter: str
    entries: tuple[str, ...] = ()
    error: LdapError | None = None
    over: Service | None = None
    attributes: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Took:
    """What a business card took from the entry that the search before found.

    `fields` are its fields by Id, each with the attributes that its value is made of.
    """

    fields: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A bind. `code` and `diagnostic` are the server's words, `state` is what they mean."""

    service: Service
    server: str
    dn: str
    code: int
    diagnostic: str
    state: AccountState


Step = Searched | Bound
Watcher = Callable[[Step | Took], None]

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
    service: Service,
    server: str,
    base: str,
    scope: int,
    tree: bytes,
    outcome: SearchResult | LdapError,
    over: Service | None = None,
) -> None:
    """A search was answered, or was not. `tree` is the filter in BER."""
    if (watcher := _watcher.get()) is None:
        return
    error = outcome if isinstance(outcome, LdapError) else None
    result = getattr(outcome, "partial", None) if error is not None else outcome
    entries = result.entries if isinstance(result, SearchResult) else ()
    dns = tuple([entry.dn for entry in entries])
    names = tuple([tuple([name for name, values in entry.attributes.items() if values]) for entry in entries])
    watcher(Searched(service, server, base, scope, _text(tree), dns, error, over, names))


def tell_card(fields: Callable[[], Mapping[str, tuple[str, ...]]]) -> None:
    """A card took these fields from what the last search found; they are asked for while one watches."""
    if (watcher := _watcher.get()) is not None:
        watcher(Took(fields()))


def tell_bind(server: str, dn: str, answer: ResultError | Sequence[Control]) -> AccountState:
    """A bind was answered: with an error, or with success and these controls. Returns what that means."""
    if isinstance(answer, ResultError):
        code, diagnostic, controls = answer.result_code, answer.diagnostic, answer.controls
    else:
        code, diagnostic, controls = 0, "", tuple(answer)
    state = state_of(code, diagnostic, controls)
    if (watcher := _watcher.get()) is not None:
        watcher(Bound(Service.AUTHENTICATE, server, dn, code, diagnostic, state))
    return state


def _text(tree: bytes) -> str:
    try:
        return str(decode_filter(tree))
    except LdapError:
        return "(a filter that has no text)"
