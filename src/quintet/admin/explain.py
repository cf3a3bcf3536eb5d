"""Why a user can, or cannot, sign in: every step of it, for an administrator.

Nothing of the sign-in is repeated here. The steps are those of `Directory.authenticate`, `group_levels`
and `Cards.card` themselves, told by `quintet.directory.steps` while they run, so that an explanation cannot
differ from what happens. What this module adds is the meaning. No step has the password.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quintet.cards import Card, Cards
from quintet.directory import (
    AccountState,
    AuthenticationError,
    Bound,
    Directory,
    DirectoryError,
    GroupLevel,
    Person,
    Searched,
    Service,
    Took,
    watch,
)
from quintet.directory import Step as Told
from quintet.ldap import ClientLimitError, Present, ResultError, Scope, SizeLimitExceeded, printable

_SHOWN = 3
_ANY = str(Present("objectClass"))

SignIn = Callable[[], Awaitable[Person]]
"""Signs a user in with a password. Raises as `Directory.authenticate`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One question to a server and its answer, in words.

    `service` is the task, `server` the configured name, `asked` the filter as filled and the base, or the
    bind. `found` is the number of entries, None for a bind. `result` is the result code with the server's own
    words, or the DNs; `meaning` is what it means for the sign-in.
    """

    service: Service
    server: str
    asked: str
    found: int | None
    result: str
    meaning: str


@dataclass(frozen=True, slots=True)
class CardSource:
    """Where a field of a business card came from: the search, and the attributes that it is made of."""

    search: Searched
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignInExplanation:
    """A sign-in that was tried, or only the lookup of its name.

    `tried`: there was a password. `person` is the user that the name stands for, also if the password is
    refused. `failure` is the error that a user would have got, None if there was none. `told` is what the
    servers were asked. `card_sources` are by the Ids of the card's fields.
    """

    tried: bool
    person: Person | None
    failure: DirectoryError | None
    told: tuple[Told, ...]
    groups: tuple[GroupLevel, ...] = ()
    card: Card | None = None
    card_sources: Mapping[str, CardSource] = field(default_factory=dict)

    @property
    def signed_in(self) -> bool:
        return self.tried and self.failure is None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was asked, in words."""
        known = self._found()
        return tuple(
            _of_search(step) if isinstance(step, Searched) else _of_bind(step, known=step.dn in known)
            for step in self.told
        )

    @property
    def state(self) -> AccountState | None:
        """What the server says about the account; None if none was asked."""
        known = self._found()
        binds = [step for step in self.told if isinstance(step, Bound) and step.dn in known]
        return binds[-1].state if binds else None

    @property
    def verdict(self) -> Literal["succeeded", "failed", "not-tried"]:
        """Whether the sign-in succeeded; a lookup that found the user is no sign-in."""
        if self.failure is not None:
            return "failed"
        return "succeeded" if self.tried else "not-tried"

    @property
    def outcome(self) -> str:
        """What it comes to, in words for an administrator."""
        state = self.state
        if state is not None and (self.failure is None or not state.signs_in):
            allowed = self.signed_in and not state.signs_in
            return state.meaning + (" (QUINTET_ALLOW_EXPIRED_PASSWORDS=1)" if allowed else "")
        reason = getattr(self.failure, "reason", "")
        if self.failure is not None:
            return reason or str(self.failure)
        return AccountState.ACTIVE.meaning if self.tried else "no password was given, so no sign-in was tried"

    def _found(self) -> set[str]:
        return {dn for step in self.told if isinstance(step, Searched) for dn in step.entries}


async def explain(
    directory: Directory, cards: Cards, name: str, sign_in: SignIn | None = None
) -> SignInExplanation:
    """Sign in as `sign_in` does, and tell each step; then the user's groups and card.

    It is a real attempt: a wrong password counts at the server as any other does. Without `sign_in` the name
    is looked up as for one.
    """
    told: list[Told] = []
    sources: dict[str, CardSource] = {}
    person, failure = None, None
    groups: tuple[GroupLevel, ...] = ()

    def watcher(step: Told | Took) -> None:
        if not isinstance(step, Took):
            told.append(step)
        elif told and isinstance(search := told[-1], Searched):
            sources.update({ident: CardSource(search, names) for ident, names in step.fields.items()})

    with watch(watcher):
        try:
            person = await (sign_in() if sign_in else directory.resolve_login(name))
        except DirectoryError as error:
            failure = error
    if person is None and isinstance(failure, AuthenticationError):
        person = await _known(directory, name)
    card = None
    if person is not None:
        with watch(watcher):
            groups = await _groups(directory, person)
            card = await _card(cards, person)
    return SignInExplanation(sign_in is not None, person, failure, tuple(told), groups, card, sources)


async def _known(directory: Directory, name: str) -> Person | None:
    """The user whose password was refused. The search for it was told already."""
    try:
        return await directory.resolve_login(name)
    except DirectoryError:
        return None


async def _groups(directory: Directory, person: Person) -> tuple[GroupLevel, ...]:
    try:
        return await directory.group_levels(person)
    except DirectoryError:
        return ()  # the step says why


async def _card(cards: Cards, person: Person) -> Card | None:
    try:
        return await cards.card(person.id)
    except DirectoryError:
        return None  # the step says why


def _of_bind(step: Bound, *, known: bool) -> Step:
    words = f"{step.code}: {printable(step.diagnostic)}" if step.diagnostic else f"{step.code}"
    meaning = step.state.meaning
    if not known:
        meaning = "no account is meant: this bind makes an unknown name take as long as a wrong password"
    return Step(step.service, step.server, f"bind as {step.dn}", None, words, meaning)


def _of_search(step: Searched) -> Step:
    at_base = step.scope == Scope.BASE
    asked = f"{step.filter} {'at' if at_base else 'below'} {step.base or 'the root'}"
    if step.over is not None:
        asked += f" (over the connection of {step.over.value})"
    count = len(step.entries)
    limited = isinstance(step.error, SizeLimitExceeded | ClientLimitError)
    if step.error is not None and not limited:
        code = f"{step.error.result_code}: " if isinstance(step.error, ResultError) else ""
        words = step.error.diagnostic if isinstance(step.error, ResultError) else step.error.message
        return Step(step.service, step.server, asked, count, f"{code}{printable(words)}", step.error.message)
    return Step(step.service, step.server, asked, count, _dns(step.entries), _meaning(step, more=limited))


def _dns(entries: Sequence[str]) -> str:
    rest = len(entries) - _SHOWN
    return f"0: {', '.join(entries[:_SHOWN])}{f' and {rest} more' if rest > 0 else ''}".rstrip(": ")


def _meaning(step: Searched, *, more: bool) -> str:
    count = len(step.entries)
    match step.service:
        case Service.AUTHENTICATE:
            if step.filter == _ANY:
                return "the entry is there" if count else "the user may not read the entry"
            has = "has" if count else "does not show that it has"
            return f"the entry, read over the encrypted connection of the bind, {has} this login name"
        case Service.RESOLVE_LOGIN:
            if count > 1 or more:
                return "several entries have this login name, so it is refused"
            return "this is the user" if count else "no entry of this server has this login name"
        case Service.GROUP_CONTENT:
            if step.scope == Scope.BASE:
                return "the entry was read, for what groups it names" if count else "there is no such entry"
            return f"it is a member of {count} groups" if count else "it is a member of no group"
        case _:
            if count > 1 or more:
                return "several entries are found, so no business card is shown"
            return "the business card is made from this entry" if count else "no business card here"
