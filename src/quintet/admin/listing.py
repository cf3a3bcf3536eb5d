"""What stands in a store, entry by entry, as an administrator wants to know it."""

from dataclasses import dataclass

from quintet.tls.certificates import Facts, facts_of
from quintet.tls.stores import Store


@dataclass(frozen=True, slots=True)
class Row:
    """One entry; `kind` is "trusted" or "key". `java` and `sametime`: whether those can make use of it."""

    alias: str
    kind: str
    facts: Facts
    java: bool
    sametime: bool


def rows_of(store: Store) -> tuple[Row, ...]:
    """All entries, the trusted ones first, each in the order of the file."""
    old = store.encoding.legacy
    return (
        *(
            Row(e.alias, "trusted", facts_of(e.certificate), e.marked, sametime=e.marked and old)
            for e in store.trusted
        ),
        *(Row(e.alias, "key", facts_of(e.certificate), java=True, sametime=old) for e in store.keys),
    )
