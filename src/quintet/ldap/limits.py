"""Where a connection goes, and how much it lets come and go."""

from dataclasses import dataclass

from quintet.ldap.ber import ELEMENTS, NESTING
from quintet.ldap.session import MESSAGE_SIZE


@dataclass(frozen=True, slots=True)
class Address:
    """A server, as configured: certificates are checked against `host`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes count octets, times seconds."""

    message_size: int = MESSAGE_SIZE
    """The largest message that the server may send. A larger one closes the connection."""

    nesting: int = NESTING
    """How deep the elements of a message may nest."""

    elements: int = ELEMENTS
    """How many elements an entry may have; other messages may have a sixth of that."""

    pending_high: int = 60
    """At so many operations in flight new ones wait..."""

    pending_low: int = 30
    """... until there are no more than this. Sametime's own numbers."""

    timeout: float = 30.0
    """The time for an operation that brings none of its own."""

    entries: int = 100_000
    """The most entries that one search collects, unless it brings its own limit."""

    collected: int = 256 * 1024 * 1024
    """The most octets that one search collects. Each attribute counts as some more than it has."""

    stream_buffer: int = 1024 * 1024
    """A stream whose reader is so far behind stops reading from the server, while it is alone..."""

    stream_most: int = 16 * 1024 * 1024
    """... and here, while other operations wait for answers behind it."""

    close: float = 2.0
    """How long an orderly close may take."""

    def __post_init__(self) -> None:
        if not 0 <= self.pending_low < self.pending_high:
            raise ValueError("pending_low must be below pending_high, and not below 0")
