"""Data flow 3: one level of the directory, page by page, containers first, then groups, then people.

Each kind is a paged search of its own (RFC 2696), so that no level has to fit into memory to be put in order.
A token says where the next page begins. The server's cookie belongs to a connection and may be lost: then
the level is walked again from its start, and the page is the same.
"""

import asyncio
import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final
from weakref import WeakKeyDictionary

from quintet.directory.entries import (
    ANY_ENTRY,
    NO_ATTRIBUTES,
    group,
    group_attributes,
    identity,
    lies_under,
    of_class,
    parsed,
    person,
    person_attributes,
    rdn_value,
    texts,
)
from quintet.directory.errors import (
    BrowsingDisabledError,
    DirectoryUnavailableError,
    InvalidPageTokenError,
    OutOfScopeError,
    UnknownNameError,
    UnreachableReason,
)
from quintet.directory.kinds import of_group_class, people_of
from quintet.directory.queries import LONGEST_NAME, Pauses, answered_badly, is_name, query_servers
from quintet.directory.records import Container, Group, Page, Person
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.ldap import (
    DN,
    AdminLimitExceeded,
    And,
    ClientLimitError,
    Connection,
    Entry,
    InvalidDNSyntax,
    LdapError,
    NoSuchObject,
    Not,
    OperationTimeoutError,
    Or,
    ResultError,
    Scope,
    SizeLimitExceeded,
    TimeLimitExceeded,
    UnavailableCriticalExtension,
)
from quintet.ldap.messages import MAX_INT

LARGEST_PAGE = 1000
_COOKIES_KEPT = 256
_COOKIE_AGE = 300.0
_KINDS = 3
_LONGEST_TOKEN = 2 * LONGEST_NAME
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
class _Level:
    """One kind of entries below one entry: the search whose pages are walked."""

    dn: str
    filter: bytes
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Entries of one level; whether there are `more`; `cut` when a limit of the server keeps the rest."""

    entries: Sequence[Entry]
    more: bool
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Roots:
    """What is at the top of a server, which of its bases are missing, and whether there is more."""

    entries: Sequence[Container | Group]
    missing: Sequence[str] = ()
    cut: bool = False


@final
class Browsing:
    """Remembers for each connection what pages were begun on it."""

    def __init__(self) -> None:
        self._pagings: WeakKeyDictionary[Connection, _Paging] = WeakKeyDictionary()

    async def browse(self, snapshot: Snapshot, dn: str | None, *, page_size: int, token: str | None) -> Page:
        """One page of the level below `dn`, or of the bases of all servers.

        Raises BrowsingDisabledError, OutOfScopeError, UnknownNameError, InvalidPageTokenError,
        DirectoryUnavailableError and its kin.
        """
        if not snapshot.directory.browse:
            raise BrowsingDisabledError(
                "browsing is turned off",
                service=Service.BROWSE,
                fix="To turn it on, remove VPDIR_IGNORE_BROWSE=1 from [Debug] of sametime.ini",
            )
        if not 1 <= page_size <= LARGEST_PAGE:
            raise InvalidPageTokenError(f"a page holds 1 to {LARGEST_PAGE} entries", service=Service.BROWSE)
        place = None if token is None else _read_token(token)
        if dn is None:
            return await _top(snapshot, page_size, place)
        name = parsed(dn) if is_name(dn) else None
        if name is None or not name:
            raise UnknownNameError(f"{_shown(dn)} is no distinguished name", service=Service.BROWSE)
        is_first = place is None
        if place is None:
            place = _Place(await _server_of(snapshot, name), dn, 0, 0)
        elif (
            parsed(place.dn) != name
            or not 0 <= place.server < len(snapshot.servers)
            or not lies_under(name, snapshot.servers[place.server].bases)
        ):
            raise InvalidPageTokenError("the token belongs to another level", service=Service.BROWSE)
        server = snapshot.servers[place.server]
        try:
            page = await self._page(server, place, page_size)
            if (
                is_first
                and not page.entries
                and not await server.read(Service.BROWSE, dn, ANY_ENTRY, NO_ATTRIBUTES)
            ):
                raise _unknown(dn, server)
        except (NoSuchObject, InvalidDNSyntax) as error:
            raise _unknown(dn, server) from error
        except LdapError as error:
            raise answered_badly(error, server, Service.BROWSE) from error
        return page

    async def _page(self, server: Server, place: _Place, page_size: int) -> Page:
        """A page, in the time of one operation, waiting for others on the connection included."""
        pool = server.pools[Service.BROWSE]

        async def operation(connection: Connection) -> Page:
            paging = self._pagings.setdefault(connection, _Paging())
            seconds = pool.endpoint.pool.limits.timeout
            began = turn = _now()
            try:
                async with asyncio.timeout_at(began + seconds):
                    turn += seconds
                    async with paging.turn:
                        turn = _now()
                        return await _filled(paging, connection, server, place, page_size)
            except TimeoutError as error:
                if turn - began > seconds / 2:  # the time went by before the turn came
                    raise DirectoryUnavailableError.because(
                        UnreachableReason.OVERLOADED,
                        "a connection brings one page at a time, and others took all of it",
                        service=Service.BROWSE,
                        server=server.label,
                        address=str(connection.address),
                        fix="Raise ST_DB_LDAP_CONNECTIONS_NUMBER in [Directory] of sametime.ini",
                    ) from error
                raise OperationTimeoutError(
                    "the page did not come in time",
                    server=str(connection.address),
                    operation="search",
                    dn=place.dn,
                ) from error

        return await pool.run(operation, "browse")


@final
class _Paging:
    """The pages on one connection: one walk at a time, as some servers keep one cookie for each connection.

    Cookies are remembered, a bounded number for a bounded time. `possible` is whether the server has pages.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.possible = True
        self._cookies: OrderedDict[tuple[_Level, int], tuple[bytes, float]] = OrderedDict()

    async def part(self, connection: Connection, level: _Level, shown: int, wanted: int) -> _Part:
        """Up to `wanted` entries after the first `shown`."""
        if not self.possible:
            return await _without_pages(connection, level, shown, wanted)
        cookie, at = self._cookies.pop((level, shown), (b"", 0.0))
        if cookie and _now() - at < _COOKIE_AGE:
            with suppress(ResultError):
                return await self._walk(connection, level, shown, wanted, cookie)
        return await self._walk(connection, level, shown, wanted)

    async def _walk(
        self, connection: Connection, level: _Level, shown: int, wanted: int, cookie: bytes = b""
    ) -> _Part:
        """From the cookie on; without one from the start, past what was shown."""
        skip = 0 if cookie else shown
        taken: list[Entry] = []
        empty = 0
        while True:
            size = min(skip, wanted) if skip else wanted - len(taken)
            try:
                page = await connection.search_page(
                    level.dn, Scope.ONE_LEVEL, level.filter, level.attributes, page_size=size, cookie=cookie
                )
            except (SizeLimitExceeded, TimeLimitExceeded, AdminLimitExceeded, ClientLimitError) as error:
                partial = error.partial.entries if error.partial else []
                if not (partial or cookie):
                    raise
                taken += partial[skip:]
                return _Part(taken[:wanted], more=len(taken) > wanted, cut=len(taken) <= wanted)
            cookie = page.cookie
            empty = 0 if page.entries else empty + 1
            if empty > _MOST_EMPTY_PAGES:
                raise ClientLimitError(f"more than {_MOST_EMPTY_PAGES} empty pages one after the other")
            # A server may send larger pages than asked for, or all at once.
            taken += page.entries[skip:]
            skip = max(0, skip - len(page.entries))
            if not cookie or len(taken) >= wanted:
                break
        if cookie and len(taken) == wanted:
            self._keep((level, shown + wanted), cookie)
        return _Part(taken[:wanted], more=bool(cookie) or len(taken) > wanted)

    def _keep(self, at: tuple[_Level, int], cookie: bytes) -> None:
        now = _now()
        self._cookies[at] = cookie, now
        while len(self._cookies) > _COOKIES_KEPT or (
            self._cookies and next(iter(self._cookies.values()))[1] < now - _COOKIE_AGE
        ):
            self._cookies.popitem(last=False)


async def _without_pages(connection: Connection, level: _Level, shown: int, wanted: int) -> _Part:
    """The same from a server that has no pages: each time from the start, up to its own limit."""
    most = min(shown + wanted + 1, MAX_INT)
    cut = False
    try:
        search = connection.search(
            level.dn, Scope.ONE_LEVEL, level.filter, level.attributes, size_limit=most, max_entries=most
        )
        entries = (await search).entries
    except (SizeLimitExceeded, TimeLimitExceeded, AdminLimitExceeded, ClientLimitError) as error:
        entries = error.partial.entries if error.partial else []
        if not entries:
            raise
        cut = len(entries) < most
    return _Part(entries[shown : shown + wanted], more=len(entries) > shown + wanted, cut=cut)


async def _filled(
    paging: _Paging, connection: Connection, server: Server, place: _Place, page_size: int
) -> Page:
    """Fill a page, from as many kinds as it takes."""
    records: list[Container | Group | Person] = []
    pauses = Pauses()
    kind, shown, cut = place.kind, place.shown, False
    while kind < _KINDS and len(records) < page_size:
        level = _level(server, place.dn, kind)
        try:
            part = await paging.part(connection, level, shown, page_size - len(records))
        except UnavailableCriticalExtension:
            if not paging.possible:
                raise
            paging.possible = False
            server.warn_once(
                Service.BROWSE, "it has no paged results (RFC 2696), so a level is shown up to its own limit"
            )
            continue
        for entry in part.entries:
            records.append(_record(entry, kind, server))
            await pauses.after(len(entry.dn))
        cut = cut or part.cut
        if part.more:
            shown += len(part.entries)
        else:
            kind, shown = kind + 1, 0
    following = _token(_Place(place.server, place.dn, kind, shown)) if kind < _KINDS else None
    return Page(tuple(records), following, complete=not cut, truncated=cut)


async def _top(snapshot: Snapshot, page_size: int, place: _Place | None) -> Page:
    """The bases of all servers; the naming contexts where a base is the whole directory."""
    if place is not None and place.dn:
        raise InvalidPageTokenError("the token belongs to another level", service=Service.BROWSE)
    answers = await query_servers(snapshot.servers, _roots)
    once: dict[str, Container | Group] = {}
    missing: list[str] = []
    cut = False
    for _, roots in answers.given:
        missing += roots.missing
        cut = cut or roots.cut
        for entry in roots.entries:
            once.setdefault(identity(entry.dn), entry)
    begin = place.shown if place else 0
    shown = tuple(once.values())[begin : begin + page_size]
    following = begin + len(shown)
    return Page(
        shown,
        _token(_Place(0, "", 0, following)) if following < len(once) else None,
        complete=not (answers.failures or missing or cut),
        truncated=cut,
        unavailable=answers.unavailable,
        missing_bases=tuple(missing),
    )


async def _roots(server: Server) -> _Roots:
    """What is at the top of a server: its bases, or where one is the whole directory, all there is."""
    if all(server.bases):
        return await _bases(server)
    root = await server.search(Service.BROWSE, "", Scope.BASE, ANY_ENTRY, ("namingContexts",), limit=1)
    contexts = [text for entry in root.entries for text in texts(entry, "namingContexts")]
    names = [name for text in contexts if (name := parsed(text.strip("\0 ")))]
    if len(names) < max(1, len(contexts)):
        return await _children_of_root(server)
    return _Roots([Container(str(name), str(name), server.label) for name in names])


async def _bases(server: Server) -> _Roots:
    """The bases that exist, without those below others. They are read, to notice a server that is down."""
    there: list[DN] = []
    missing: list[str] = []
    for base in server.bases:
        if await server.read(Service.BROWSE, base, ANY_ENTRY, NO_ATTRIBUTES):
            there.append(base)
        else:
            missing.append(server.missing_base(Service.BROWSE, base))
    names = [name for name in there if not any(name != other and name.is_under(other) for other in there)]
    return _Roots([Container(str(name), str(name), server.label) for name in names], missing)


async def _children_of_root(server: Server) -> _Roots:
    """Where the root itself is the naming context, as in Domino: what is below it, flat groups included."""
    entries: list[Container | Group] = []
    pauses = Pauses()
    cut = False
    for kind in (0, 1):
        level = _level(server, "", kind)
        found = await server.search(
            Service.BROWSE, "", Scope.ONE_LEVEL, level.filter, level.attributes, limit=LARGEST_PAGE
        )
        cut = cut or found.cut
        for entry in found.entries:
            await pauses.after(len(entry.dn))
            record = _record(entry, kind, server) if parsed(entry.dn) else None
            if isinstance(record, Container | Group):
                entries.append(record)
    return _Roots(entries, cut=cut)


async def _server_of(snapshot: Snapshot, name: DN) -> int:
    """The first server that has this entry under its bases. Raises OutOfScopeError, UnknownNameError."""
    candidates = [nth for nth, server in enumerate(snapshot.servers) if lies_under(name, server.bases)]
    if not candidates:
        raise OutOfScopeError(
            f"{_shown(str(name))} lies under none of the configured bases",
            service=Service.BROWSE,
            fix="Browse from the top, without a name",
        )
    if len(candidates) == 1:
        return candidates[0]
    by_server = {id(snapshot.servers[nth]): nth for nth in candidates}

    async def question(server: Server) -> bool:
        try:
            return await server.read(Service.BROWSE, name, ANY_ENTRY, NO_ATTRIBUTES) is not None
        except InvalidDNSyntax:
            return False

    answers = await query_servers([snapshot.servers[nth] for nth in candidates], question)
    for server, there in answers.given:
        if there:
            return by_server[id(server)]
    if answers.failures:
        raise answers.failures[0][1]
    raise UnknownNameError(f"there is no {_shown(str(name))}", service=Service.BROWSE)


def _unknown(dn: str, server: Server) -> UnknownNameError:
    return UnknownNameError(f"there is no {_shown(dn)}", service=Service.BROWSE, server=server.label)


def _level(server: Server, dn: str, kind: int) -> _Level:
    settings = server.settings
    people, groups = of_class(settings.person_class), of_group_class(settings.group_class)
    if kind == 0:
        containers = Or(tuple(of_class(name) for name in _CONTAINER_CLASSES))
        return _Level(dn, And((containers, Not(people), Not(groups))).encode(), NO_ATTRIBUTES)
    if kind == 1:
        return _Level(dn, groups.encode(), group_attributes(settings))
    return _Level(dn, And((people_of(settings), Not(groups))).encode(), person_attributes(settings))


def _record(entry: Entry, kind: int, server: Server) -> Container | Group | Person:
    if kind == 1:
        return group(entry, server.settings)
    if kind == 2:
        return person(entry, server.settings)
    return Container(entry.dn, rdn_value(entry.dn), server.label)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _MOST_SHOWN else name[: _MOST_SHOWN - 1] + "…")


def _now() -> float:
    return asyncio.get_running_loop().time()


_TOKEN = re.compile(rb"(\d{1,4}) ([0-2]) (\d{1,10}) (.*)", re.DOTALL)


def _token(place: _Place) -> str:
    text = f"{place.server} {place.kind} {place.shown} {place.dn}".encode("utf-8", "surrogateescape")
    return base64.urlsafe_b64encode(_check(text) + text).decode().rstrip("=")


def _read_token(token: str) -> _Place:
    """Raises InvalidPageTokenError. The check finds damage; the bases decide what may be shown."""
    data = b""
    if len(token) <= _LONGEST_TOKEN and token.isascii():
        with suppress(ValueError):
            data = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    found = _TOKEN.fullmatch(data, 6) if data[:6] == _check(data[6:]) else None
    if found is None:
        raise InvalidPageTokenError(
            "the token for the next page is damaged",
            service=Service.BROWSE,
            fix="Begin with the first page",
        )
    server, kind, shown, dn = found.groups()
    return _Place(int(server), dn.decode("utf-8", "surrogateescape"), int(kind), int(shown))


def _check(text: bytes) -> bytes:
    return hashlib.sha256(b"quintet page " + text).digest()[:6]
