"""Searches that cost a directory little: each has a limit of entries and of time."""

import asyncio
from dataclasses import dataclass

from quintet.ldap import (
    DN,
    And,
    ClientLimitError,
    Connection,
    Entry,
    Equality,
    Filter,
    Referral,
    Scope,
    SizeLimitExceeded,
)

SECONDS = 8
"""The time limit of one search, at the server and here."""

NO_ATTRIBUTES = ("1.1",)


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a search brought. `more`: the limit was reached. `seconds` is how long it took."""

    entries: tuple[Entry, ...]
    references: tuple[str, ...] = ()
    more: bool = False
    seconds: float = 0.0


async def ask(
    connection: Connection,
    base: DN | str,
    scope: Scope,
    wanted: Filter | bytes,
    attributes: tuple[str, ...] = NO_ATTRIBUTES,
    *,
    limit: int,
) -> SearchOutcome:
    """At most `limit` entries. Raises LdapError; that there are more is no error."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    more = False
    try:
        result = await connection.search(
            str(base),
            scope,
            wanted,
            attributes,
            size_limit=limit,
            time_limit=SECONDS,
            timeout=SECONDS + 1,
            max_entries=limit + 1,
        )
        entries, references = result.entries, result.references
    except (SizeLimitExceeded, ClientLimitError) as error:
        entries = error.partial.entries if error.partial else []
        references = error.partial.references if error.partial else []
        more = True
    except Referral as error:
        entries, references = [], list(error.referrals)
    return SearchOutcome(tuple(entries[:limit]), tuple(references), more, loop.time() - began)


def of_class(name: str) -> Equality:
    return Equality("objectClass", name.encode())


def both(*filters: Filter) -> And:
    return And(filters)


def listed(items: list[str], most: int = 5) -> str:
    """Some of the items in words: the first, and how many more."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"
