"""The business cards: whether each field has something to show, photos fit, and people get a card."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.people import sees_attribute
from quintet.admin.doctor.queries import SearchOutcome, ask, listed
from quintet.admin.doctor.sites import DirectorySite
from quintet.cards import PhotoError, by_user, photo_type
from quintet.config import CardServer, CardStorage, Detail
from quintet.diagnostics import Code, Finding, Pitfall, Severity
from quintet.directory import BIND_REQUIRED, texts, values
from quintet.ldap import (
    AdminLimitExceeded,
    Connection,
    InsufficientAccessRights,
    LdapError,
    NoSuchObject,
    Present,
    Scope,
    UnwillingToPerform,
)

_PHOTOS = 10
_URLS = ("PhotoURL", "ImagePath")


@dataclass(frozen=True, slots=True)
class CheckedCardServer:
    """A server of the cards. `bound` is a connection with an account to the same host, if there is one."""

    site: DirectorySite
    card: CardServer
    storage: CardStorage
    connection: Connection
    anonymous: bool
    bound: Connection | None
    checks: Checks

    def add(self, code: Code, message: str, fix: str | None = None, *, key: str | None = None) -> None:
        """Adds a problem of the server, at the place of the setting `key` if given."""
        place = self.card.place if key is None else self.card.place_of(key)
        self.checks.add(code, place, message, fix, key=key)


async def examine(cards: CheckedCardServer, people: Sequence[tuple[str, str]]) -> list[str]:
    """D18, D31, D33 and Q20; returns the fields for which no user has a value.

    `people` are ID and DN of some users that the five tasks find. Raises LdapError.
    """
    if not await _base_is_readable(cards):
        return []
    absent = await _check_fields(cards)
    for detail in cards.storage.details:
        if detail.type.startswith("image/"):
            await _check_photos(cards, detail)
        elif detail.id in _URLS:
            await _check_urls(cards, detail)
    await _check_people(cards, people)
    return absent


async def _base_is_readable(cards: CheckedCardServer) -> bool:
    base = cards.card.base
    if not base and cards.checks.has(Pitfall.D19):
        return False
    scope = Scope.BASE if base else cards.card.scope  # the root itself can always be read
    try:
        found = await ask(cards.connection, base, scope, Present("objectClass"), limit=1)
        what = None if found.entries else "the server shows no entry"
    except BIND_REQUIRED as error:
        if not cards.anonymous:
            raise
        message = f"{cards.card.host} refuses to be searched by anonymous clients: {error.message}"
        fix = "set UserName and Password, or UserEncodedAuth, to an account that may read"
        cards.add(Finding.Q31, message, fix, key="UserName")
        return False
    except (NoSuchObject, InsufficientAccessRights) as error:
        what = error.message
    if what is not None:
        name = repr(str(base)) if base else "is empty, and the root"
        cards.add(Finding.Q20, f"BaseDN {name} cannot be read: {what}", "correct BaseDN", key="BaseDN")
    return what is None


async def _check_fields(cards: CheckedCardServer) -> list[str]:
    """Fields that no user has; those that are only hidden are reported."""
    hidden: list[str] = []
    absent: list[str] = []
    details = cards.storage.details
    for detail, seen in zip(details, await _all_seen(cards, cards.connection, details), strict=True):
        if seen is not False:
            continue
        names = f"{detail.id} ({', '.join(detail.attributes)})"
        shown = cards.bound is not None and await _seen(cards, cards.bound, detail)
        (hidden if shown and cards.anonymous else absent).append(names)
    if hidden:
        cards.add(
            Pitfall.D18,
            f"anonymous clients do not see {listed(hidden, 10)}; the account of the other connections does",
            'set UserName and Password of an account that may read; or let "Anonymous users can query"'
            " (Domino)"
            " include these attributes",
            key="UserName",
        )
    return absent


def report_absent(looked_at: Sequence[tuple[CheckedCardServer, Sequence[str]]], checks: Checks) -> None:
    """Q23 for fields for which no server of a Storage has a value."""
    storages = {id(cards.storage): cards for cards, _ in looked_at}
    for key, cards in storages.items():
        missing = [set(absent) for other, absent in looked_at if id(other.storage) == key]
        fields = sorted(set.intersection(*missing))
        if not fields:
            continue
        severity = Severity.WARNING if len(fields) == len(cards.storage.details) else Severity.NOTE
        place = cards.site.place
        checks.add(
            Finding.Q23,
            place,
            f"no user below {str(cards.card.base) or 'the root'!r} shows {listed(fields, 10)}",
            f"correct FieldName of these Details in {place.file}, or remove them",
            severity=severity,
        )


async def _all_seen(
    cards: CheckedCardServer, connection: Connection, details: Sequence[Detail]
) -> list[bool | None]:
    return list(await asyncio.gather(*(_seen(cards, connection, detail) for detail in details)))


async def _seen(cards: CheckedCardServer, connection: Connection, detail: Detail) -> bool | None:
    """Whether any user has any of the attributes of a field; None when the server does not tell."""
    answers = [
        await sees_attribute(connection, str(cards.card.base), cards.card.scope, attribute)
        for attribute in detail.attributes
    ]
    return True if any(answers) else None if None in answers else False


async def _with_values(cards: CheckedCardServer, attribute: str) -> SearchOutcome:
    """A few users who have the attribute."""
    base, scope = cards.card.base, cards.card.scope
    return await ask(cards.connection, base, scope, Present(attribute), (attribute,), limit=_PHOTOS)


async def _check_photos(cards: CheckedCardServer, detail: Detail) -> None:
    unfit: list[str] = []
    for attribute in detail.attributes:
        try:
            found = await _with_values(cards, attribute)
        except (AdminLimitExceeded, UnwillingToPerform):
            return
        for entry in found.entries:
            for value in values(entry, attribute)[:1]:
                try:
                    photo_type(value)
                except PhotoError as error:
                    unfit.append(f"{entry.dn}: {error}")
    if unfit:
        message = f"of at most {_PHOTOS} photos ({detail.id}), {len(unfit)} are not shown: {listed(unfit, 3)}"
        cards.add(Pitfall.D31, message)


async def _check_urls(cards: CheckedCardServer, detail: Detail) -> None:
    secure: list[str] = []
    for attribute in detail.attributes:
        try:
            found = await _with_values(cards, attribute)
        except (AdminLimitExceeded, UnwillingToPerform):
            return
        secure += [
            text for entry in found.entries for text in texts(entry, attribute) if text.startswith("https:")
        ]
    if secure:
        cards.add(
            Pitfall.D31,
            f"{detail.id} has addresses that begin with https, such as {secure[0]}",
            "serve the photos by http; or add the web server's CA to the proxy's trust store"
            " proxytruststore.p12",
        )


async def _check_people(cards: CheckedCardServer, people: Sequence[tuple[str, str]]) -> None:
    """D33: a user that the five tasks find must have a card."""
    tried: list[str] = []
    for ident, dn in people:
        questions = by_user(cards.card, ident)
        count = 0
        for question in questions:
            try:
                found = await ask(cards.connection, question.base, question.scope, question.filter, limit=2)
            except LdapError:
                continue
            if len(found.entries) == 1 and not found.more:
                return
            count = max(count, len(found.entries))
        if questions:
            tried.append(f"{dn} (as {ident!r}: {count} entries)" if ident != dn else dn)
    if tried and not cards.checks.has(Pitfall.D20, Finding.Q20, Pitfall.D19):
        cards.add(
            Pitfall.D33,
            f"operation 3 for {listed(tried, 2)} finds no card; the search is {_search(cards)}",
            key="SearchFilter",
        )


def _search(cards: CheckedCardServer) -> str:
    return f"base {str(cards.card.base)!r}, scope {cards.card.scope.value}, {cards.card.filter.text}"
