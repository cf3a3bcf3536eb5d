"""The entries of the embedded directory: looked up by name, searched by filter, read by attribute."""

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import final

from quintet.embedded.matching import BYTE_VALUED, Normal, attribute_key, compiled, normal
from quintet.ldap import DN, And, Approximate, DNSyntaxError, Entry, Equality, Filter, Or, Scope

_OPERATIONAL = frozenset({"entryuuid", "entrydn", "hassubordinates", "memberof"})
_OF_ROOT = frozenset({"namingcontexts", "vendorname", "vendorversion"})
NEVER_SHOWN = frozenset({"userpassword"})
"""Attributes that no client reads, and that no filter finds."""


@final
class TreeEntry:
    """An entry in its place. `order` is its place in the LDIF."""

    __slots__ = ("_attributes", "_normal", "children", "dn", "name", "order", "parent")

    def __init__(self, entry: Entry, order: int) -> None:
        self.dn = DN.parse(entry.dn)
        self.name = str(self.dn)
        self.order = order
        self.parent: TreeEntry | None = None
        self.children: list[TreeEntry] = []
        self._attributes: dict[str, tuple[str, tuple[bytes, ...]]] = {}
        self._normal: dict[str, tuple[Normal, ...]] = {}
        for spelling, values in entry.attributes.items():
            self.put(spelling, values)

    def put(self, spelling: str, values: Sequence[bytes]) -> None:
        key = attribute_key(spelling)
        known = self._attributes.get(key)
        self._attributes[key] = (known or (spelling,))[0], (known[1] if known else ()) + tuple(values)
        self._normal.pop(key, None)

    def raw(self, key: str) -> tuple[bytes, ...]:
        return self._attributes[key][1] if key in self._attributes else ()

    def values(self, key: str) -> tuple[Normal, ...]:
        found = self._normal.get(key)
        if found is None:
            found = self._normal[key] = tuple(normal(key, value) for value in self.raw(key))
        return found

    def keys(self) -> Collection[str]:
        return self._attributes.keys()

    def has_password(self, password: bytes) -> bool:
        return any(_is_password(stored, password) for stored in self.raw("userpassword"))

    def read(
        self, wanted: Sequence[str], *, hidden: Collection[str] = (), range_limit: int | None = None
    ) -> dict[str, list[bytes]]:
        """The attributes that a search asks for (RFC 4511 4.5.1.8), in the spelling in which they were given.

        Where there are more values than `range_limit`, only so many come, as `name;range=0-N`.
        """
        ranges: dict[str, tuple[int, int | None]] = {}
        keys: set[str] = set()
        for each in wanted or ("*",):
            name, _, bounds = each.partition(";range=")
            key = attribute_key(name)
            keys.add(key)
            if bounds:
                first, _, last = bounds.partition("-")
                if first.isdecimal() and (last == "*" or last.isdecimal()):
                    ranges[key] = int(first), None if last == "*" else int(last)
        shown = {}
        for key, (spelling, values) in self._attributes.items():
            asked = key in keys or ("+" if _is_operational(key) else "*") in keys
            if not asked or key in hidden:
                continue
            label, part = spelling, values
            if key in ranges or (range_limit is not None and len(values) > range_limit):
                bounds, part = _part(values, *ranges.get(key, (0, None)), range_limit)
                label = f"{spelling};range={bounds}"
            shown[label] = list(part)
        return shown


@final
class Tree:
    """All entries. Names without an entry above them are the naming contexts."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.nodes: dict[DN, TreeEntry] = {}
        for order, entry in enumerate(entries):
            node = TreeEntry(entry, order)
            if node.dn in self.nodes:
                raise ValueError(f"there are two entries named {node.name}")
            self.nodes[node.dn] = node
        self.roots: list[TreeEntry] = []
        for node in self.nodes.values():
            node.parent = self.nodes.get(node.dn.parent or DN())
            (node.parent.children if node.parent else self.roots).append(node)
        self._add_operational()
        self.known: set[str] = set(_OPERATIONAL)
        self._index: dict[tuple[str, Normal], list[TreeEntry]] = {}
        for node in self.nodes.values():
            self.known.update(node.keys())
            for key in set(node.keys()) - BYTE_VALUED:
                for value in dict.fromkeys(node.values(key)):
                    self._index.setdefault((key, value), []).append(node)

    def get(self, dn: DN) -> TreeEntry | None:
        return self.nodes.get(dn)

    def nearest(self, dn: DN) -> TreeEntry | None:
        """The entry or the nearest one above it: LDAP's matchedDN."""
        above: DN | None = dn
        while above:
            if (node := self.nodes.get(above)) is not None:
                return node
            above = above.parent
        return None

    def search(
        self, base: TreeEntry | None, scope: int, tree: Filter, *, hidden: Collection[str] = ()
    ) -> Iterator[TreeEntry | None]:
        """Entries that `tree` finds, and None for each other entry looked at.

        Without `base`, everywhere. `hidden` attributes do not exist for this search.
        """
        known = self.known.difference(hidden)
        test = compiled(tree, known)
        candidates = None if scope == Scope.BASE else self._candidates(tree, known)
        nodes = (
            _inside(base, scope, self.roots)
            if candidates is None
            else sorted(candidates, key=lambda n: n.order)
        )
        for node in nodes:
            inside = candidates is None or _is_inside(node, base, scope)
            yield node if inside and test(node) else None

    def _candidates(self, tree: Filter, known: Collection[str]) -> set[TreeEntry] | None:
        """Nodes among which all that the filter finds are, by the index; None when it cannot tell."""
        match tree:
            case Equality(attribute, value) | Approximate(attribute, value):
                key = attribute_key(attribute)
                if key not in known:
                    return set()
                return None if key in BYTE_VALUED else set(self._index.get((key, normal(key, value)), ()))
            case And(filters):
                found = [each for part in filters if (each := self._candidates(part, known)) is not None]
                return min(found, key=len) if found else None
            case Or(filters):
                parts = [self._candidates(part, known) for part in filters]
                if None in parts:
                    return None
                return set[TreeEntry]().union(*(part for part in parts if part is not None))
        return None

    def _add_operational(self) -> None:
        groups: dict[DN, list[bytes]] = {}
        for node in self.nodes.values():
            identity = uuid.uuid5(uuid.NAMESPACE_X500, node.name)
            node.put("entryUUID", (str(identity).encode(),))
            node.put("entryDN", (node.name.encode(),))
            node.put("hasSubordinates", (b"TRUE" if node.children else b"FALSE",))
            for key in ("member", "uniquemember"):
                for value in dict.fromkeys(node.values(key)):
                    if isinstance(value, DN) and value:
                        groups.setdefault(value, []).append(node.name.encode())
        for dn, names in groups.items():
            member = self.nodes.get(dn)
            if member is not None and not member.raw("memberof"):
                member.put("memberOf", names)


def _is_operational(key: str) -> bool:
    return key in _OPERATIONAL or key in _OF_ROOT or key.startswith("supported")


def _inside(base: TreeEntry | None, scope: int, roots: list[TreeEntry]) -> Iterator[TreeEntry]:
    if scope == Scope.BASE:
        yield from (base,) if base else ()
        return
    if scope == Scope.ONE_LEVEL:
        yield from base.children if base else roots
        return
    stack = [base] if base else roots[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _is_inside(node: TreeEntry, base: TreeEntry | None, scope: int) -> bool:
    if scope == Scope.ONE_LEVEL:
        return node.parent is base
    at: TreeEntry | None = node
    while at is not None and at is not base:
        at = at.parent
    return at is base


def _part(
    values: tuple[bytes, ...], first: int, last: int | None, limit: int | None
) -> tuple[str, tuple[bytes, ...]]:
    """Some of the values, and which, as Active Directory says it: the last part ends with `*`."""
    stop = len(values) if last is None else min(last + 1, len(values))
    if limit is not None:
        stop = min(stop, first + limit)
    part = values[first:stop]
    return f"{first}-{'*' if stop >= len(values) else stop - 1}", part


def _is_password(stored: bytes, password: bytes) -> bool:
    scheme, closed, rest = stored.partition(b"}")
    if not (closed and scheme.startswith(b"{")):
        return hmac.compare_digest(stored, password)
    if scheme.upper() not in (b"{SSHA", b"{SHA"):
        return False
    try:
        digest = base64.b64decode(rest, validate=True)
    except binascii.Error:
        return False
    digest, salt = digest[:20], digest[20:]
    return hmac.compare_digest(hashlib.sha1(password + salt, usedforsecurity=False).digest(), digest)


def parsed(name: str) -> DN | None:
    """The name, or None when it is none."""
    try:
        return DN.parse(name)
    except DNSyntaxError:
        return None
