"""Searches that are encoded once and sent many times: only the filter, or only the entry's name, changes."""

from collections.abc import Sequence
from typing import NamedTuple, final

from quintet.ldap._fast_codec import ReadFrame, SearchFrame
from quintet.ldap.errors import NO_TEXT, LocalProtocolError
from quintet.ldap.filter_tree import Filter
from quintet.ldap.messages import BASE_OBJECT


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
