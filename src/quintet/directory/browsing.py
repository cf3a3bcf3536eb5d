"""Walk 3: one level of the directory, page by page, containers first, then groups, then people.

Each kind is a paged search of its own (RFC 2696), so that no level has to fit into memory to be put in order.
A token says where the next page begins. The server's cookie belongs to a connection and may be lost: then
the level is walked again from its start, and the page is the same.
"""

import asyncio
import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from quintet.config.settings import Scope
from quintet.directory.asking import answered_badly, ask_all
from quintet.directory.entries import group, lies_under, parsed, person, person_attributes, rdn_value, texts
from quintet.directory.errors import BadPage, BrowsingOff, OutsideBases, UnknownName
from quintet.directory.link import Link
from quintet.directory.opening import ANYTHING
from quintet.directory.records import Container, Group, Page, Person
from quintet.directory.tasks import Task
from quintet.directory.view import Server, View
from quintet.ldap.connection import Connection
from quintet.ldap.dn import DN
from quintet.ldap.errors import InvalidDnSyntax, LdapError, LimitReached, NoSuchObject, ResultError
from quintet.ldap.filters import And, Equality, Filter, Not, Or
from quintet.ldap.messages import BASE_OBJECT, SearchResultEntry

LARGEST_PAGE = 1000
_COOKIES_KEPT = 256
_COOKIE_AGE = 300.0
_KINDS = 3
_LONGEST_TOKEN = 8192
_MOST_EMPTY_PAGES = 100
_MOST_SHOWN = 300

_CONTAINER_CLASSES = (
    "organizationalUnit",
    "organization",
    "country",
    "locality",
    "domain",
    "dcObject",
    "container",
    "builtinDomain",
    "nsContainer",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: so many entries of a kind at this level of a server were shown."""

    server: int
    dn: str
    kind: int
    shown: int


@dataclass(frozen=True, slots=True)
class _Cookie:
    connection: Connection
    value: bytes
    at: float


@final
class Browsing:
    """Remembers cookies, a bounded number for a bounded time."""

    def __init__(self) -> None:
        self._cookies: OrderedDict[_Place, _Cookie] = OrderedDict()
        self._walks: dict[int, asyncio.Lock] = {}

    async def browse(self, view: View, dn: str | None, *, page_size: int, token: str | None) -> Page:
        """One page of the level below `dn`, or of the bases of all servers.

        Raises BrowsingOff, OutsideBases, UnknownName, BadPage, Unreachable and its kin.
        """
        if not view.directory.browse:
            raise BrowsingOff(
                "browsing is turned off",
                task=Task.BROWSE.value,
                cure="VPDIR_IGNORE_BROWSE=1 in sametime.ini does that",
            )
        if not 1 <= page_size <= LARGEST_PAGE:
            raise BadPage(f"a page holds 1 to {LARGEST_PAGE} entries", task=Task.BROWSE.value)
        place = None if token is None else _read_token(token)
        if dn is None:
            return await _top(view, page_size, place)
        name = parsed(dn)
        if name is None or not name:
            raise UnknownName(f"{_shown(dn)} is no distinguished name", task=Task.BROWSE.value)
        if place is None:
            place = _Place(await _server_of(view, name), dn, 0, 0)
        elif (
            parsed(place.dn) != name
            or not 0 <= place.server < len(view.servers)
            or not lies_under(name, view.servers[place.server].bases)
        ):
            raise BadPage("the token belongs to another level", task=Task.BROWSE.value)
        server = view.servers[place.server]
        try:
            return await self._page(server, place, page_size)
        except (NoSuchObject, InvalidDnSyntax) as error:
            raise UnknownName(
                f"there is no {_shown(dn)}", task=Task.BROWSE.value, server=server.label
            ) from error
        except LdapError as error:
            raise answered_badly(error, server, Task.BROWSE.value) from error

    async def _page(self, server: Server, place: _Place, page_size: int) -> Page:
        """Fill a page, from as many kinds as it takes.

        Walks at one server go one by one: some servers keep one cookie for each connection.
        """
        records: list[Container | Group | Person] = []
        lock = self._walks.setdefault(place.server, asyncio.Lock())
        kind, shown, more = place.kind, place.shown, False
        async with lock:
            while kind < _KINDS and len(records) < page_size:
                at = _Place(place.server, place.dn, kind, shown)
                found, more = await self._part(server, at, page_size - len(records))
                records += (_record(entry, kind, server) for entry in found)
                if more and len(records) >= page_size:
                    shown += len(found)
                    break
                kind, shown = kind + 1, 0
        following = None
        if kind < _KINDS:
            following = _token(_Place(place.server, place.dn, kind, shown))
        return Page(tuple(records), following)

    async def _part(
        self, server: Server, place: _Place, wanted: int
    ) -> tuple[Sequence[SearchResultEntry], bool]:
        """Up to `wanted` entries of one kind, and whether there are more."""
        now = asyncio.get_running_loop().time()
        kept = self._cookies.pop(place, None)
        filters = _filter(server, place.kind)
        attributes = _attributes(server, place.kind)

        async def operation(link: Link) -> tuple[Sequence[SearchResultEntry], bool]:
            cookie, skip = b"", place.shown
            if kept is not None and kept.connection is link.connection and now - kept.at < _COOKIE_AGE:
                cookie, skip = kept.value, 0
            try:
                return await walk(link.connection, cookie, skip)
            except ResultError:
                if not cookie:
                    raise
            return await walk(link.connection, b"", place.shown)

        async def walk(
            connection: Connection, cookie: bytes, skip: int
        ) -> tuple[Sequence[SearchResultEntry], bool]:
            taken: list[SearchResultEntry] = []
            empty = 0
            while True:
                size = min(skip, LARGEST_PAGE) if skip else wanted - len(taken)
                page = await connection.search_page(
                    place.dn, Scope.ONE.value, filters, attributes, page_size=size, cookie=cookie
                )
                cookie = page.cookie
                empty = 0 if page.entries else empty + 1
                if empty > _MOST_EMPTY_PAGES:
                    raise LimitReached(f"more than {_MOST_EMPTY_PAGES} empty pages one after the other")
                if skip:
                    skip_now = min(skip, len(page.entries))
                    skip -= skip_now
                    taken += page.entries[skip_now:]
                else:
                    taken += page.entries
                if not cookie or len(taken) >= wanted:
                    break
            if cookie:
                self._keep(place, len(taken), _Cookie(connection, cookie, now))
            return taken, bool(cookie)

        return await server.pools[Task.BROWSE].run(operation, "browse")

    def _keep(self, place: _Place, more: int, cookie: _Cookie) -> None:
        self._cookies[_Place(place.server, place.dn, place.kind, place.shown + more)] = cookie
        while len(self._cookies) > _COOKIES_KEPT or (
            self._cookies and next(iter(self._cookies.values())).at < cookie.at - _COOKIE_AGE
        ):
            self._cookies.popitem(last=False)

    def forget(self) -> None:
        """After a reload servers may have changed places."""
        self._cookies.clear()


async def _top(view: View, page_size: int, place: _Place | None) -> Page:
    """The bases of all servers; the naming contexts where a base is the whole directory."""
    if place is not None and place.dn:
        raise BadPage("the token belongs to another level", task=Task.BROWSE.value)
    answers = await ask_all(view.servers, _roots)
    once: dict[DN, Container] = {}
    for _, containers in answers.given:
        for container in containers:
            once.setdefault(DN.parse(container.dn), container)
    begin = place.shown if place else 0
    shown = tuple(once.values())[begin : begin + page_size]
    following = begin + len(shown)
    return Page(
        shown,
        _token(_Place(0, "", 0, following)) if following < len(once) else None,
        complete=not answers.failures,
        unavailable=answers.unavailable,
    )


async def _roots(server: Server) -> tuple[Container, ...]:
    bases = [base for base in server.bases if base]
    outer = [base for base in bases if not any(base != other and base.is_under(other) for other in bases)]
    if all(server.bases):
        # Asked all the same, so that a server that is down is told.
        names = [name for name in outer if await server.read(Task.BROWSE, name, ANYTHING, ("1.1",))]
    else:
        root = await server.search(Task.BROWSE, "", BASE_OBJECT, ANYTHING, ("namingContexts",), limit=1)
        names = [
            name
            for entry in root.entries
            for text in texts(entry, "namingContexts")
            if (name := parsed(text))
        ]
    return tuple(Container(str(name), str(name), server.label) for name in names)


async def _server_of(view: View, name: DN) -> int:
    """The first server that has this entry under its bases. Raises OutsideBases, UnknownName."""
    candidates = [nth for nth, server in enumerate(view.servers) if lies_under(name, server.bases)]
    if not candidates:
        raise OutsideBases(
            f"{_shown(str(name))} lies under none of the configured bases",
            task=Task.BROWSE.value,
            cure="Browse from the top, without a name",
        )
    if len(candidates) == 1:
        return candidates[0]
    by_server = {id(view.servers[nth]): nth for nth in candidates}

    async def question(server: Server) -> bool:
        try:
            return await server.read(Task.BROWSE, name, ANYTHING, ("1.1",)) is not None
        except InvalidDnSyntax:
            return False

    answers = await ask_all([view.servers[nth] for nth in candidates], question)
    for server, there in answers.given:
        if there:
            return by_server[id(server)]
    if answers.failures:
        raise answers.failures[0][1]
    raise UnknownName(f"there is no {_shown(str(name))}", task=Task.BROWSE.value)


def _filter(server: Server, kind: int) -> Filter:
    people = _of_class(server.settings.person_class)
    groups = _of_class(server.settings.group_class)
    if kind == 0:
        containers = Or(tuple(_of_class(name) for name in _CONTAINER_CLASSES))
        return And((containers, Not(people), Not(groups)))
    return groups if kind == 1 else And((people, Not(groups)))


def _of_class(name: str) -> Filter:
    return Equality("objectClass", name.encode())


def _attributes(server: Server, kind: int) -> tuple[str, ...]:
    if kind == 0:
        return ("1.1",)
    if kind == 1:
        return (server.settings.group_name_attribute,)
    return person_attributes(server.settings)


def _record(entry: SearchResultEntry, kind: int, server: Server) -> Container | Group | Person:
    if kind == 1:
        return group(entry, server.settings)
    if kind == 2:
        return person(entry, server.settings)
    return Container(entry.dn, rdn_value(entry.dn), server.label)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _MOST_SHOWN else name[: _MOST_SHOWN - 1] + "…")


def _token(place: _Place) -> str:
    text = json.dumps([place.server, place.dn, place.kind, place.shown], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(text) + text).decode().rstrip("=")


def _read_token(token: str) -> _Place:
    """Raises BadPage. The check finds damage; what may be shown is decided by the bases, not by the token."""
    data = b""
    if len(token) <= _LONGEST_TOKEN and token.isascii():
        with suppress(ValueError):
            data = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    if data[:6] == _check(data[6:]):
        with suppress(ValueError):
            match json.loads(data[6:]):
                case [int(server), str(dn), int(kind), int(shown)] if (
                    server >= 0 and 0 <= kind < _KINDS and shown >= 0
                ):
                    return _Place(server, dn, kind, shown)
    raise BadPage(
        "the token for the next page is damaged", task=Task.BROWSE.value, cure="Begin with the first page"
    )


def _check(text: bytes) -> bytes:
    return hashlib.sha256(b"quintet page " + text).digest()[:6]
