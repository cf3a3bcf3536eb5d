"""The control for results in pages (RFC 2696)."""

from collections.abc import Sequence
from typing import Final

from quintet.ldap import ber
from quintet.ldap.messages import Control

PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"


def paged(size: int, cookie: bytes = b"", *, critical: bool = True) -> Control:
    """Ask for a page of `size` entries, the one after that which brought `cookie`."""
    return Control(PAGED_RESULTS, critical, ber.sequence(ber.integer(size), ber.octets(cookie)))


def read_paged(controls: Sequence[Control]) -> tuple[int, bytes] | None:
    """The estimate and the cookie that the server sent (or the size and the cookie that a client did).

    None where there is no such control. Raises BerError for one that is broken.
    """
    for control in controls:
        if control.oid == PAGED_RESULTS:
            reader = ber.Reader(control.value or b"").inside()
            return reader.integer(), reader.octets()
    return None
