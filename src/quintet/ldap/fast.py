"""Quick ways through the codec for what happens thousands of times a second: a search out, an entry in.

Each does just what `messages` does, for the common shapes only. `messages` is the authority: whatever these
readers do not expect they leave to it, errors included.
"""

from functools import lru_cache
from typing import Final

from quintet.ldap.ber import boolean, enumerated, head, integer, octets
from quintet.ldap.messages import Result, SearchResultDone, SearchResultEntry, attribute_list, utf8

SUCCESSFUL: Final = SearchResultDone(Result())
_SUCCESSFUL_BER: Final = b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00"

_LONGEST_CACHED_BASE = 1024
_LONGEST_CACHED_FRAME = 4096
_MOST_NAMES = 4096


def search_frame(
    base: str,
    scope: int,
    attributes: tuple[str, ...],
    deref: int = 0,
    size_limit: int = 0,
    time_limit: int = 0,
    types_only: bool = False,
) -> tuple[bytes, bytes]:
    """What stands before and after the filter of a search request, kept: programs ask the same few."""
    make = _cached_frame if len(base) <= _LONGEST_CACHED_BASE and len(attributes) <= 64 else _frame
    return make(base, scope, attributes, deref, size_limit, time_limit, types_only)


def _frame(
    base: str,
    scope: int,
    attributes: tuple[str, ...],
    deref: int,
    size_limit: int,
    time_limit: int,
    types_only: bool,
) -> tuple[bytes, bytes]:
    before = b"".join(
        (
            octets(utf8(base)),
            enumerated(scope),
            enumerated(deref),
            integer(size_limit),
            integer(time_limit),
            boolean(types_only),
        )
    )
    return before, attribute_list(attributes)


_cached_frame = lru_cache(512)(_frame)


def search_message(message_id: int, frame: tuple[bytes, bytes], tree: bytes, controls: bytes = b"") -> bytes:
    """The message for a search; `tree` is the filter in BER, `controls` the encoded controls."""
    opened = _cached_opening if len(frame[0]) <= _LONGEST_CACHED_FRAME else _opening
    before, after = opened(frame, len(tree))
    number = (
        (0x02020000 | message_id).to_bytes(4, "big") if 0x80 <= message_id < 0x8000 else integer(message_id)
    )
    length = len(number) + len(before) + len(tree) + len(after) + len(controls)
    return b"".join((head(0x30, length), number, before, tree, after, controls))


def _opening(frame: tuple[bytes, bytes], tree: int) -> tuple[bytes, bytes]:
    """The frame with the head of the request before it, for a filter of `tree` octets."""
    before, after = frame
    return head(0x63, len(before) + tree + len(after)) + before, after


_cached_opening = lru_cache(1024)(_opening)


def read_done(data: bytes, at: int, stop: int) -> SearchResultDone | None:
    """The plain success at `data[at:stop]`; None when it is anything else."""
    return SUCCESSFUL if data[at:stop] == _SUCCESSFUL_BER else None


_names: dict[bytes, str] = {}


def read_entry(data: bytes, at: int, end: int) -> SearchResultEntry | None:
    """The search result entry that begins at `at` and fills the octets up to `end`.

    None when `messages` should look at it.

    Nothing is checked on the way but tags. Every element must end where its holder says, and that is checked
    once it has been read: what ran past its end never ends there.
    """
    try:
        length = data[at + 1]
        at += 2
        if length >= 0x80:
            length, at = _long(data, at, length)
        if at + length != end or data[at] != 0x04:
            return None
        length = data[at + 1]
        at += 2
        if length >= 0x80:
            length, at = _long(data, at, length)
        dn = data[at : at + length].decode("utf-8", "surrogateescape")
        at += length
        if data[at] != 0x30:
            return None
        length = data[at + 1]
        at += 2
        if length >= 0x80:
            length, at = _long(data, at, length)
        if at + length != end:
            return None
        attributes: dict[str, list[bytes]] = {}
        while at < end:
            if data[at] != 0x30:
                return None
            length = data[at + 1]
            at += 2
            if length >= 0x80:
                length, at = _long(data, at, length)
            stop = at + length
            if data[at] != 0x04:
                return None
            length = data[at + 1]
            at += 2
            if length >= 0x80:
                return None
            octets_of_name = data[at : at + length]
            at += length
            if data[at] != 0x31:
                return None
            length = data[at + 1]
            at += 2
            if length >= 0x80:
                length, at = _long(data, at, length)
            if at + length != stop:
                return None
            values = []
            while at < stop:
                if data[at] != 0x04:
                    return None
                length = data[at + 1]
                at += 2
                if length >= 0x80:
                    length, at = _long(data, at, length)
                values.append(data[at : at + length])
                at += length
            if at != stop:
                return None
            name = _names.get(octets_of_name) or _name(octets_of_name)
            if name in attributes:
                return None
            attributes[name] = values
        if at != end:
            return None
    except IndexError:
        return None
    return SearchResultEntry(dn, attributes)


def _long(data: bytes, at: int, first: int) -> tuple[int, int]:
    if first == 0x81:
        return data[at], at + 1
    if first == 0x82:
        return data[at] << 8 | data[at + 1], at + 2
    count = first & 0x7F
    if not 0 < count <= 4:
        raise IndexError
    return int.from_bytes(data[at : at + count], "big"), at + count


def _name(octets_of_name: bytes) -> str:
    """The name of an attribute, one and the same string each time: servers send few of them, often."""
    name = octets_of_name.decode("utf-8", "surrogateescape")
    if len(_names) < _MOST_NAMES:
        _names[octets_of_name] = name
    return name
