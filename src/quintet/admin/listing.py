"""What a store holds, entry by entry, and which programs see it."""

from dataclasses import dataclass

from quintet.tls import Facts, Store, facts_of, seen_by_java, seen_by_sametime


@dataclass(frozen=True, slots=True)
class Row:
    """One entry; `kind` is "trusted" or "key". `java` and `sametime`: whether those see it and can use it."""

    alias: str
    kind: str
    facts: Facts
    java: bool
    sametime: bool


def rows_of(store: Store) -> tuple[Row, ...]:
    """All entries that can be read, the trusted ones first, each in the order of the file."""
    java, sametime = seen_by_java(store), seen_by_sametime(store)
    kinds = [("trusted", each) for each in store.trusted] + [("key", each) for each in store.keys]
    return tuple(
        Row(each.alias, kind, facts_of(each.certificate), each.alias in java, each.alias in sametime)
        for kind, each in kinds
    )
