"""DIRECTORY: address books, over the task `BROWSE` (P83 to P85).

One book for each base of the directory. Listing and opening are what clients know; reading pages is in a
layout of Quintet's own, experimental, and off unless `SametimeSettings.browse_pages`: each use is reported.

A book is read in the order in which the directory shows it: the entries of a level, then of the levels below,
one after the other. A client that has a book open holds a cursor, which remembers where each page began.
"""

from dataclasses import dataclass, field
from typing import Final, final

from quintet.directory import BrowsingDisabledError, Container, DirectoryError, Group, Person, Service
from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.reason import DirectoryCode, ReasonCode
from quintet.sametime.services.catalog import ServiceId, service_name
from quintet.sametime.services.directory import (
    AddressBook,
    BookList,
    BookOpened,
    CloseBook,
    DirectoryMember,
    DirectoryPage,
    DirectoryResponse,
    ListBooks,
    MemberType,
    OpenBook,
    PageMode,
    ReadPage,
    decode_request,
)
from quintet.sametime.trace import ExperimentalUsed, ServiceRefused
from quintet.sametime.wire.codec import clip
from quintet.sametime.wire.messages import ChannelCreate

_MOST_BOOKS: Final = 200
_MOST_OPEN: Final = 8
_LARGEST_PAGE: Final = 100
_MOST_PAGES_SEARCHED: Final = 50
_LONGEST_TEXT: Final = 1024


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a page begins: levels still to be read, and how far the first of them was."""

    levels: tuple[str, ...]
    token: str | None
    offset: int


@dataclass(slots=True)
class _Cursor:
    """An open book. `pages` has the beginning of each page that was read, `at` the number of the last one."""

    pages: list[_Position]
    at: int = -1


@dataclass(slots=True)
class _Books:
    """What one client has open."""

    dns: dict[int, str] = field(default_factory=dict)
    cursors: dict[int, _Cursor] = field(default_factory=dict)
    last: int = 0


@final
class AddressBookHandler:
    """The address books of the directory."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._open: dict[tuple[str, int], _Books] = {}

    def open(self, client: Client, channel: int, create: ChannelCreate) -> None:
        """Refused where browsing is switched off."""
        if not self._context.settings.browse:
            self._refuse(client, channel, ReasonCode.SERVICE_NOT_SUPPORTED, service_name(create.service))
        elif client.session.channels.accept(channel):
            client.hosted[channel] = self
            self._open[client.id, channel] = _Books()

    def closed(self, client: Client, channel: int) -> None:
        self._open.pop((client.id, channel), None)

    def receive(self, client: Client, channel: int, message_type: int, data: bytes) -> None:
        """P83, P84."""
        books = self._open[client.id, channel]
        match decode_request(message_type, data):
            case ListBooks(number):
                self._context.request(client, "list books", self._list(client, channel, books, number))
            case OpenBook(number, book_id, _):
                self._say(client, channel, self._open_book(books, number, book_id))
            case CloseBook(_, directory_id):
                books.cursors.pop(directory_id, None)
            case ReadPage() as request if self._context.settings.browse_pages:
                self._context.tell(
                    ExperimentalUsed("pages of an address book", client.connection.client_type)
                )
                self._context.request(client, "read page", self._read(client, channel, books, request))
            case ReadPage():
                name = f"{service_name(ServiceId.DIRECTORY)}: pages"
                self._refuse(client, channel, ReasonCode.NOT_IMPLEMENTED, name)

    def _refuse(self, client: Client, channel: int, reason: ReasonCode, name: str) -> None:
        self._context.tell(ServiceRefused(name, client.connection.client_type, reason.name))
        client.hosted.pop(channel, None)
        self.closed(client, channel)
        client.session.channels.close(channel, reason)

    @staticmethod
    def _say(client: Client, channel: int, response: DirectoryResponse) -> None:
        client.session.channels.send(channel, response.TYPE, response.encode())

    async def _list(self, client: Client, channel: int, books: _Books, number: int) -> None:
        client.tasks[Service.BROWSE] += 1
        try:
            top = await self._context.directory.browse(page_size=_MOST_BOOKS)
        except DirectoryError as error:
            disabled = isinstance(error, BrowsingDisabledError)
            code = DirectoryCode.BOOK_NOT_AVAILABLE if disabled else DirectoryCode.DIRECTORY_FAILED
            self._say(client, channel, BookList(number, code=code))
            return
        containers = [each for each in top.entries if isinstance(each, Container)]
        books.dns = {book_id: each.dn for book_id, each in enumerate(containers, 1)}
        names = [clip(each.name, _LONGEST_TEXT) or "-" for each in containers]
        listed = tuple([AddressBook(book_id, name) for book_id, name in enumerate(names, 1)])
        self._say(client, channel, BookList(number, listed))

    @staticmethod
    def _open_book(books: _Books, number: int, book_id: int) -> BookOpened:
        dn = books.dns.get(book_id)
        if dn is None or len(books.cursors) >= _MOST_OPEN:
            return BookOpened(number, code=DirectoryCode.BOOK_NOT_AVAILABLE)
        books.last += 1
        books.cursors[books.last] = _Cursor([_Position((dn,), None, 0)])
        return BookOpened(number, books.last)

    async def _read(self, client: Client, channel: int, books: _Books, request: ReadPage) -> None:
        number = request.request_id
        cursor = books.cursors.get(request.directory_id)
        if cursor is None:
            self._say(client, channel, DirectoryPage(number, code=DirectoryCode.BOOK_NOT_AVAILABLE))
            return
        client.tasks[Service.BROWSE] += 1
        size = max(1, min(request.count, _LARGEST_PAGE))
        try:
            match request.mode:
                case PageMode.PREVIOUS:
                    page = await self._page(number, cursor, max(0, cursor.at - 1), size)
                case PageMode.STARTS_WITH:
                    page = await self._search(number, cursor, request.text, size)
                case _:
                    page = await self._page(number, cursor, cursor.at + 1, size)
        except DirectoryError:
            page = DirectoryPage(number, code=DirectoryCode.DIRECTORY_FAILED)
        self._say(client, channel, page)

    async def _page(self, number: int, cursor: _Cursor, nth: int, size: int) -> DirectoryPage:
        if nth >= len(cursor.pages):
            return DirectoryPage(number, at_end=True, code=DirectoryCode.OUT_OF_RANGE)
        start = cursor.pages[nth]
        members, following = await self._entries(start, size)
        cursor.at = nth
        del cursor.pages[nth + 1 :]
        if following is not None:
            cursor.pages.append(following)
        return DirectoryPage(
            number, tuple(members), start.offset, at_start=nth == 0, at_end=following is None
        )

    async def _search(self, number: int, cursor: _Cursor, text: str, size: int) -> DirectoryPage:
        """The first page with an entry whose name starts with the text, from the beginning on."""
        wanted = text.casefold()
        for nth in range(_MOST_PAGES_SEARCHED):
            page = await self._page(number, cursor, nth, size)
            if any(each.short_name.casefold().startswith(wanted) for each in page.members):
                return page
            if page.at_end:
                break
        return DirectoryPage(number, code=DirectoryCode.NO_ENTRY_STARTS_SO)

    async def _entries(self, start: _Position, size: int) -> tuple[list[DirectoryMember], _Position | None]:
        """At least one entry if there is one, and where the next page begins."""
        members: list[DirectoryMember] = []
        levels, token = start.levels, start.token
        while levels and not members:
            page = await self._context.directory.browse(levels[0], page_size=size, token=token)
            below = tuple([each.dn for each in page.entries if isinstance(each, Container)])
            members += [_member(each) for each in page.entries if not isinstance(each, Container)]
            token = page.next
            levels = (levels[0], *levels[1:], *below) if token else (*levels[1:], *below)
        offset = start.offset + len(members)
        return members, _Position(levels, token, offset) if levels else None


def _member(record: Person | Group) -> DirectoryMember:
    name = clip(record.name, _LONGEST_TEXT)
    if isinstance(record, Group):
        return DirectoryMember(MemberType.GROUP, clip(record.id), name)
    return DirectoryMember(MemberType.USER, clip(record.id), name, name)
