"""Searches that are encoded once and sent many times: only the filter, or only the entry's name, changes."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, final

from quintet.ldap._fast_codec import ReadFrame, SearchFrame
from quintet.ldap.connection import Connection
from quintet.ldap.errors import NO_TEXT, LdapError, LocalProtocolError
from quintet.ldap.filter_tree import Filter
from quintet.ldap.messages import BASE_OBJECT
from quintet.ldap.operations import BatchedSearch, SearchBatch
from quintet.ldap.results import SearchResult


class Query(NamedTuple):
    """One search, ready to be sent. Made by `PreparedSearch.query` and `PreparedRead.query`.

    `part` is what the frame lacks, `dn` the base for error messages, `max_entries` the most entries to accept
    (None: the connection's own limit).
    """

    frame: SearchFrame | ReadFrame
    part: bytes
    dn: str
    max_entries: int | None


@final
class PreparedSearch:
    """A search but for its filter.

    `scope` and `attributes` are as in `Connection.search`. With `limit`, the server is asked for that many
    entries at most, and no more are accepted.
    """

    __slots__ = ("_frame", "_limit", "base", "scope")

    def __init__(self, base: str, scope: int, attributes: Sequence[str], *, limit: int = 0) -> None:
        self.base = base
        self.scope = scope
        self._limit = limit or None
        try:
            self._frame = SearchFrame(base, scope, tuple(attributes), size_limit=limit)
        except UnicodeError as error:
            raise LocalProtocolError(NO_TEXT, operation="search") from error

    def query(self, tree: bytes) -> Query:
        """The search with this filter in BER (`Filter.encode`, `Template.encode`)."""
        return Query(self._frame, tree, self.base, self._limit)


@final
class PreparedRead:
    """A read of one entry but for its name: the entry is returned if the filter matches it."""

    __slots__ = ("_frame",)

    scope = BASE_OBJECT

    def __init__(self, tree: Filter | bytes, attributes: Sequence[str]) -> None:
        encoded = tree if isinstance(tree, bytes) else tree.encode()
        self._frame = ReadFrame(encoded, tuple(attributes))

    def query(self, dn: str) -> Query:
        """The read of this entry. Raises LocalProtocolError for text that UTF-8 cannot represent."""
        try:
            return Query(self._frame, dn.encode("utf-8", "surrogateescape"), dn, 1)
        except UnicodeError as error:
            raise LocalProtocolError(NO_TEXT, operation="search") from error


@final
class ConnectionSearcher:
    """Sends prepared searches over one connection, as a pool sends them over several; it repeats none."""

    def __init__(self, connection: Connection) -> None:
        self._protocol = connection.protocol

    async def find_all(self, queries: Sequence[Query]) -> list[SearchResult | LdapError]:
        """The outcome of each of these searches, in their order. They are sent together."""
        protocol, loop = self._protocol, asyncio.get_running_loop()
        outcomes: list[Any] = [None] * len(queries)
        if not queries:
            return outcomes
        limits, now = protocol.limits, loop.time()
        protocol.last_used = now
        batch = SearchBatch(loop.create_future(), outcomes, len(queries))
        begun: list[BatchedSearch] = []
        for nth, (frame, part, dn, most) in enumerate(queries):
            entries = limits.entries if most is None else most
            operation = BatchedSearch(
                batch, nth, protocol.server, dn, now + limits.timeout, frame, part, entries, limits.collected
            )
            begun.append(operation)
            try:
                protocol.begin(operation)
            except LdapError as error:
                operation.fail(error)
        try:
            await batch.future
        except asyncio.CancelledError:
            for operation in begun:
                protocol.give_up(operation)
            raise
        return outcomes
