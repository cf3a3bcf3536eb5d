"""Fast paths through the codec for what happens thousands of times a second: searches, entries, simple binds.

Each does exactly what `messages` does, for the common shapes only. `messages` is the authority: what these
readers do not expect they leave to it, errors included, and property tests compare the two.
"""

from functools import lru_cache
from typing import Final, final

from quintet.ldap.arguments import check_search
from quintet.ldap.ber import ELEMENTS, boolean, enumerated, head, integer, octet_string
from quintet.ldap.errors import NO_TEXT, InvalidCredentials, LocalProtocolError
from quintet.ldap.messages import (
    SUCCESS,
    BindResponse,
    Message,
    Result,
    SearchResultDone,
    SearchResultEntry,
    attribute_list,
    encode,
    utf8,
)

SUCCESSFUL: Final = SearchResultDone(Result())
SUCCESSFUL_BER: Final = b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00"

BIND_RESPONSES: Final = {
    encode(Message(0, response))[5:]: response
    for response in (BindResponse(Result(SUCCESS)), BindResponse(Result(InvalidCredentials.code)))
}
"""The two answers to nearly all binds, by their BER (without message id and controls)."""

_LONGEST_CACHED_BASE = 1024
_MOST_OPENINGS = 256
_MOST_NAMES = 4096


@final
class SearchFrame:
    """A search request but for its filter. Programs send the same few again and again."""

    __slots__ = ("_after", "_before", "_openings")

    _openings: dict[int, tuple[bytes, int]]

    def __init__(
        self,
        base: str,
        scope: int,
        attributes: tuple[str, ...],
        deref: int = 0,
        size_limit: int = 0,
        time_limit: int = 0,
        types_only: bool = False,
    ) -> None:
        check_search(base, scope, attributes, deref, size_limit, time_limit, types_only)
        self._before = b"".join(
            (
                octet_string(utf8(base)),
                enumerated(scope),
                enumerated(deref),
                integer(size_limit),
                integer(time_limit),
                boolean(types_only),
            )
        )
        self._after = attribute_list(attributes)
        self._openings = {}

    def message(self, number: bytes, tree: bytes, controls: bytes = b"") -> bytes:
        """The whole message, from its id, filter and controls in BER."""
        opening, length = self._openings.get(len(tree)) or self._opening(len(tree))
        length += len(number) + len(controls)
        return b"".join((head(0x30, length), number, opening, tree, self._after, controls))

    def _opening(self, tree: int) -> tuple[bytes, int]:
        """What stands before a filter of `tree` bytes, and the length of the request around it."""
        length = len(self._before) + tree + len(self._after)
        opening = head(0x63, length) + self._before
        found = opening, len(opening) + tree + len(self._after)
        if len(self._openings) < _MOST_OPENINGS:
            self._openings[tree] = found
        return found


_cached_frame = lru_cache(512)(SearchFrame)


def search_frame(
    base: str,
    scope: int,
    attributes: tuple[str, ...],
    deref: int = 0,
    size_limit: int = 0,
    time_limit: int = 0,
    types_only: bool = False,
) -> SearchFrame:
    """The frame of a search: the one that was made for such a search before, where it was kept.

    Raises LocalProtocolError for text that UTF-8 cannot carry.
    """
    make = _cached_frame if len(base) <= _LONGEST_CACHED_BASE and len(attributes) <= 64 else SearchFrame
    try:
        return make(base, scope, attributes, deref, size_limit, time_limit, types_only)
    except UnicodeError as error:
        raise LocalProtocolError(NO_TEXT, operation="search") from error


@final
class ReadFrame:
    """A search for one entry (scope base) but for the name of the entry."""

    __slots__ = ("_after",)

    def __init__(self, tree: bytes, attributes: tuple[str, ...]) -> None:
        fixed = (enumerated(0), enumerated(0), integer(0), integer(0), boolean(False))
        self._after = b"".join((*fixed, tree, attribute_list(attributes)))

    def message(self, number: bytes, name: bytes, controls: bytes = b"") -> bytes:
        """The whole message, from its id, the DN in UTF-8, and controls in BER."""
        opening, after = head(0x04, len(name)), self._after
        length = len(opening) + len(name) + len(after)
        inner = head(0x63, length)
        outer = head(0x30, len(number) + len(inner) + length + len(controls))
        return b"".join((outer, number, inner, opening, name, after, controls))


def bind_request(number: bytes, name: bytes, password: bytes, controls: bytes = b"") -> bytes:
    """A whole simple bind, from its message id in BER, the DN in UTF-8, the password and encoded controls.

    Raises LocalProtocolError for an empty name or password: servers take such a bind for an anonymous one and
    answer with success (RFC 4513 5.1.1, 5.1.2). This is the last place that a bind passes, so no caller can
    forget the check.
    """
    if not name or not password:
        raise LocalProtocolError(NO_CREDENTIALS, operation="bind")
    opening, secret = head(0x04, len(name)), head(0x80, len(password))
    length = 3 + len(opening) + len(name) + len(secret) + len(password)
    inner = head(0x60, length)
    outer = head(0x30, len(number) + len(inner) + length + len(controls))
    return b"".join((outer, number, inner, b"\x02\x01\x03", opening, name, secret, password, controls))


NO_CREDENTIALS: Final = "a simple bind needs a name and a password"

_names: dict[bytes, str] = {}

_LONE_VALUES: Final = tuple(
    bytes((0x31, n - 2, 0x04, n - 4)) if 4 <= n < 0x80 else None for n in range(0x200)
)
"""By how many bytes are left of an attribute after its name: how they begin when they are one short value.

As long as it is, there is nothing at the indexes that lengths which lie come to, negative ones among them.
"""


_ATTRIBUTE_COUNTS: Final = 64
"""As how many elements an attribute counts: it takes so much longer than a value, here and later."""


def read_entry(data: bytes, at: int, end: int, most: int = ELEMENTS) -> SearchResultEntry | None:
    """The search result entry that begins at `at` and fills the bytes up to `end`.

    None when `messages` should look at it, as it does at an entry of more than `most` elements.

    Nothing is checked on the way but tags. Every element must end where its holder says, and that is checked
    once it has been read: what ran past its end never ends there.
    """
    names, lone_values = _names, _LONE_VALUES
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
        stop = at + length
        dn = data[at:stop].decode("utf-8", "surrogateescape")
        if data[stop] != 0x30:
            return None
        length = data[stop + 1]
        at = stop + 2
        if length >= 0x80:
            length, at = _long(data, at, length)
        if at + length != end:
            return None
        attributes: dict[str, list[bytes]] = {}
        while at < end:
            most -= _ATTRIBUTE_COUNTS
            if data[at] != 0x30 or most < 0:
                return None
            length = data[at + 1]
            at += 2
            if length >= 0x80:
                length, at = _long(data, at, length)
            stop = at + length
            value_at = at + 2 + data[at + 1]
            name = names.get(data[at:value_at]) or _name(data[at:value_at])
            if name is None or name in attributes:
                return None
            if length < 0x80 and data[value_at : value_at + 4] == lone_values[stop - value_at]:
                attributes[name] = [data[value_at + 4 : stop]]
                at = stop
                continue
            if data[value_at] != 0x31:
                return None
            length = data[value_at + 1]
            at = value_at + 2
            if length >= 0x80:
                length, at = _long(data, at, length)
            if at + length != stop:
                return None
            values: list[bytes] = []
            few = length <= 2 * most
            while at < stop:
                if data[at] != 0x04 or not (few or len(values) < most):
                    return None
                length = data[at + 1]
                at += 2
                if length >= 0x80:
                    length, at = _long(data, at, length)
                values.append(data[at : at + length])
                at += length
            if at != stop:
                return None
            attributes[name] = values
            most -= len(values)
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


def _name(element: bytes) -> str | None:
    """The name of an attribute, one and the same string each time: servers send few of them, often."""
    if element[0] != 0x04 or element[1] >= 0x80 or element[1] != len(element) - 2:
        return None
    name = element[2:].decode("utf-8", "surrogateescape")
    if len(_names) < _MOST_NAMES:
        _names[element] = name
    return name
