"""How much a connection accepts, sends and waits for."""

from dataclasses import dataclass

from quintet.ldap.address import Address
from quintet.ldap.ber import ELEMENTS, NESTING
from quintet.ldap.session import MESSAGE_SIZE

__all__ = ["Address", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a connection accepts, sends and waits for. Sizes are in bytes, times in seconds.

    Attributes:
        message_size: The largest message that the server may send. A larger one closes the connection.
        nesting: How deep the elements of a message may nest.
        elements: How many elements a message of more than 256 KiB may have.
        pending_high: With so many operations in flight, new ones wait ...
        pending_low: ... until there are no more than this. Both are Sametime's own numbers.
        timeout: The time for an operation that has no `timeout` of its own.
        entries: The most entries that one search collects, unless it has `max_entries`.
        collected: The most bytes that one search collects; each attribute counts as 100 more than it has.
        stream_buffer: With so many unread bytes, a stream that is alone on its connection stops reading ...
        stream_most: ... and with so many if other operations wait for answers behind it.
        close: The time for an orderly close.

    Raises:
        ValueError: `pending_low` is negative or not below `pending_high`.
    """

    message_size: int = MESSAGE_SIZE
    nesting: int = NESTING
    elements: int = ELEMENTS
    """How many elements an entry may have; other messages may have a sixth of that."""

    pending_high: int = 60
    pending_low: int = 30
    timeout: float = 30.0
    entries: int = 100_000
    collected: int = 256 * 1024 * 1024
    stream_buffer: int = 1024 * 1024
    stream_most: int = 16 * 1024 * 1024
    close: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.pending_low < self.pending_high:
            raise ValueError("pending_low must be below pending_high, and not below 0")
