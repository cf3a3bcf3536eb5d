"""All values of an attribute that comes in parts, as in Active Directory: `member;range=0-1499`."""

import re
from collections.abc import AsyncIterator, Sequence

from quintet.directory.entries import ANY_ENTRY
from quintet.directory.services import Service
from quintet.directory.snapshot import Server
from quintet.ldap import ClientLimitError, Entry
from quintet.ldap.dn import type_key

_MOST_PARTS = 1000
_RANGE = re.compile(r"range=(\d{1,9})-(\d{1,9}|\*)", re.IGNORECASE)


async def all_values(
    server: Server, service: Service, entry: Entry, attribute: str
) -> AsyncIterator[Sequence[bytes]]:
    """The values in the entry, then those to be asked for, part by part.

    A server that repeats itself is not followed.

    Raises ClientLimitError for one that does not come to an end.
    """
    expected = 0
    asked_for = 0
    at: Entry | None = entry
    while at is not None:
        plain, ranged, last = _parts(at, attribute)
        if not expected and plain:
            yield plain
        if ranged is None or (expected and not ranged):
            return
        yield ranged
        if last is None or last < expected:
            return
        asked_for += 1
        if asked_for > _MOST_PARTS:
            raise ClientLimitError(f"{attribute} of {entry.dn!r} comes in more than {_MOST_PARTS} parts")
        expected = last + 1
        asked = f"{attribute};range={expected}-*"
        at = await server.read(service, entry.dn, ANY_ENTRY, (asked,))


def _parts(entry: Entry, attribute: str) -> tuple[list[bytes], list[bytes] | None, int | None]:
    """The values without a range, those with one, and the range's last number; None at the end."""
    wanted = type_key(attribute)
    plain: list[bytes] = []
    for name, values in entry.attributes.items():
        kind, _, options = name.partition(";")
        if type_key(kind) != wanted:
            continue
        found = _RANGE.search(options)
        if found is None:
            plain += values
        else:
            return plain, values, None if found[2] == "*" else int(found[2])
    return plain, None, None
