"""What a search brings when it is over."""

from dataclasses import dataclass, field

from quintet.ldap.messages import Control, Result, SearchResultEntry


@dataclass(slots=True)
class SearchResult:
    """The entries in the order in which they came; `references` are URLs of where else to look."""

    entries: list[SearchResultEntry] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    result: Result = field(default_factory=Result)
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page (RFC 2696). The last has an empty `cookie`; `estimate` is the server's, 0 when it has none."""

    entries: list[SearchResultEntry]
    cookie: bytes
    references: list[str]
    estimate: int = 0
