"""The operations that read: searching in four ways, comparing, and the root DSE.

`ReadOperations` has what does not depend on which connection serves it. A class that can send one request
(`perform`), search (`search`, `stream`) and give one connection for steps that belong together (`_pinned`)
has all other operations, those of `interface` included.
"""

# ruff: noqa: A002, ASYNC109 (filter is LDAP's own word; a time limit is also a request to the server:
# abandon)

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress

from quintet.ldap.arguments import Deref, Name, Scope, Value, attribute_name, dn_text, value_bytes
from quintet.ldap.controls import PagedResults
from quintet.ldap.errors import LdapError, RemoteProtocolError
from quintet.ldap.filters import Filter
from quintet.ldap.messages import (
    COMPARE_FALSE,
    COMPARE_TRUE,
    SUCCESS,
    CompareRequest,
    CompareResponse,
    Control,
    Entry,
    IntermediateResponse,
    Request,
)
from quintet.ldap.results import SearchPage, SearchResult
from quintet.ldap.root_dse import ATTRIBUTES, RootDSE
from quintet.ldap.session import Answer

Intermediate = Callable[[IntermediateResponse], None]


class ReadOperations(ABC):
    """The operations that read, of `Connection` and `Pool` alike."""

    _server: str | None = None
    """The server, for errors, where it is always the same."""

    # What the others are made of.

    @abstractmethod
    async def perform(
        self,
        request: Request,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        good: tuple[int, ...] = (SUCCESS,),
        intermediate: Intermediate | None = None,
    ) -> Answer:
        """Send a request that has one answer, as a message of `quintet.ldap.messages`.

        The methods below are built on this one; it is for what they do not have.

        Args:
            request: The request: anything but a search, abandon or unbind.
            controls: Controls of the request.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.
            good: The result codes that are not errors.
            intermediate: Called with each intermediate response.

        Returns:
            The answer: its message as `op`, and its `controls`.
        """

    @abstractmethod
    def _pinned(self) -> AbstractAsyncContextManager["ReadOperations"]:
        """One connection for several steps: a server knows the cookie of a page only where it gave it."""

    # Searching.

    @abstractmethod
    async def search(
        self,
        base: Name,
        scope: Scope | int,
        filter: Filter | str | bytes = "(objectClass=*)",
        attributes: Iterable[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        deref: Deref | int = 0,
        types_only: bool = False,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        max_entries: int | None = None,
        intermediate: Intermediate | None = None,
    ) -> SearchResult:
        """Search, and collect all entries (RFC 4511 section 4.5).

        Args:
            base: The DN where the search begins; `""` is the root.
            scope: How far it goes: `Scope.BASE`, `ONE_LEVEL` or `SUBTREE`.
            filter: What to find: text (RFC 4515), a `Filter`, what `Template.encode` or `Template.filter`
                gives, or a filter in BER. A name from outside belongs in a `Template`, not in text.
            attributes: The names of the attributes to return; none for all but operational ones, `["+"]` for
                those, `["1.1"]` for no attributes.
            size_limit: The most entries that the server may send; 0 for no limit but its own.
            time_limit: The most seconds that the server may take; 0 for no limit but its own.
            deref: Where aliases are followed; 0 is `Deref.NEVER`.
            types_only: Whether to return the names of attributes without their values.
            controls: Controls of the request.
            timeout: The time for the whole answer, in seconds; None for `Limits.timeout`.
            max_entries: The most entries to collect; None for `Limits.entries`.
            intermediate: Called with each intermediate response.

        Returns:
            The entries, references to other servers (which are not followed), and the controls of the answer.

        Raises:
            FilterSyntaxError: `filter` is not a filter.
            NoSuchObject: There is no entry `base`, or the bound account may not know of it.
            SizeLimitExceeded: There are more entries than a limit allows; the first are in the error's
                `partial`.
            ClientLimitError: The server sent more than `max_entries` or `Limits.collected`.
        """

    @abstractmethod
    def stream(
        self,
        base: Name,
        scope: Scope | int,
        filter: Filter | str | bytes = "(objectClass=*)",
        attributes: Iterable[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        deref: Deref | int = 0,
        types_only: bool = False,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        references: list[str] | None = None,
        intermediate: Intermediate | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """Search, and give the entries one by one, in bounded memory: a slow reader slows the server down.

        Leave early with `contextlib.aclosing`, and the search is abandoned. Other operations on the same
        connection get their answers behind the entries that `Limits.stream_most` has no room for.

        Args:
            base: As for `search`.
            scope: As for `search`.
            filter: As for `search`.
            attributes: As for `search`.
            size_limit: As for `search`.
            time_limit: As for `search`.
            deref: As for `search`.
            types_only: As for `search`.
            controls: Controls of the request.
            timeout: The time for each wait for the server, in seconds; None for `Limits.timeout`.
            references: References to other servers are appended to this list.
            intermediate: Called with each intermediate response.

        Yields:
            The entries.

        Raises:
            FilterSyntaxError: `filter` is not a filter.
            NoSuchObject: There is no entry `base`.
        """

    async def search_page(
        self,
        base: Name,
        scope: Scope | int,
        filter: Filter | str | bytes = "(objectClass=*)",
        attributes: Iterable[str] = (),
        *,
        page_size: int,
        cookie: bytes = b"",
        deref: Deref | int = 0,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> SearchPage:
        """Search for one page of entries (RFC 2696), and get a cookie that asks for the next.

        Servers know a cookie only on the connection where they gave it. `paged_search` goes through all
        pages.

        Args:
            base: As for `search`.
            scope: As for `search`.
            filter: As for `search`; the same for all pages.
            attributes: As for `search`.
            page_size: The most entries of a page.
            cookie: The `cookie` of the page before; empty for the first.
            deref: As for `search`.
            controls: Controls of the request, besides `PagedResults`.
            timeout: The time for the page, in seconds; None for `Limits.timeout`.

        Returns:
            The page. The last has an empty `cookie`.

        Raises:
            FilterSyntaxError: `filter` is not a filter.
            UnavailableCriticalExtension: The server has no pages.
            UnwillingToPerform: The server does not know the cookie any more.
        """
        asked = (*controls, PagedResults(page_size, cookie))
        found = await self.search(
            base, scope, filter, attributes, deref=deref, controls=asked, timeout=timeout
        )
        try:
            page = PagedResults.find(found.controls)
        except RemoteProtocolError as error:
            error.server, error.operation, error.dn = self._server, "search", dn_text(base)
            raise
        if page is None:
            return SearchPage(found.entries, b"", found.references)
        return SearchPage(found.entries, page.cookie, found.references, page.size)

    async def paged_search(
        self,
        base: Name,
        scope: Scope | int,
        filter: Filter | str | bytes = "(objectClass=*)",
        attributes: Iterable[str] = (),
        *,
        page_size: int = 500,
        deref: Deref | int = 0,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        references: list[str] | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """Search page by page (RFC 2696), and give the entries one by one.

        That is how to get past the size limit of a server: Active Directory sends 1,000 entries at once.
        Leave early with `contextlib.aclosing`, and the server is asked to forget the search.

        Args:
            base: As for `search`.
            scope: As for `search`.
            filter: As for `search`.
            attributes: As for `search`.
            page_size: The most entries of a page.
            deref: As for `search`.
            controls: Controls of each request, besides `PagedResults`.
            timeout: The time for each page, in seconds; None for `Limits.timeout`.
            references: References to other servers are appended to this list.

        Yields:
            The entries.

        Raises:
            FilterSyntaxError: `filter` is not a filter.
            NoSuchObject: There is no entry `base`.
            UnavailableCriticalExtension: The server has no pages.
        """
        names = attributes if isinstance(attributes, str | bytes) else tuple(attributes)
        cookie = b""
        async with self._pinned() as connection:

            async def ask(size: int) -> SearchPage:
                return await connection.search_page(
                    base,
                    scope,
                    filter,
                    names,
                    page_size=size,
                    cookie=cookie,
                    deref=deref,
                    controls=controls,
                    timeout=timeout,
                )

            try:
                while True:
                    page = await ask(page_size)
                    if references is not None:
                        references += page.references
                    cookie = page.cookie
                    for entry in page.entries:
                        yield entry
                    if not cookie:
                        return
            except GeneratorExit:
                if cookie:
                    with suppress(LdapError):  # the server would forget the search by itself, later
                        await ask(0)
                raise

    async def root_dse(self, *, timeout: float | None = None) -> RootDSE:
        """What the server says of itself (RFC 4512 section 5.1).

        Servers show it before a bind.

        Args:
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The root DSE. It is empty if the server shows none.
        """
        found = await self.search("", Scope.BASE, attributes=ATTRIBUTES, timeout=timeout)
        return RootDSE(found.entries[0] if found.entries else Entry("", {}))

    async def compare(
        self,
        dn: Name,
        attribute: str,
        value: Value,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> bool:
        """Ask whether an entry has a value (RFC 4511 section 4.10), even one that may not be read.

        Args:
            dn: The entry.
            attribute: The attribute.
            value: The value; the server compares as the attribute's equality rule says.
            controls: Controls of the request.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            Whether the entry has the value.

        Raises:
            NoSuchObject: There is no such entry.
            NoSuchAttribute: The entry has no such attribute.
        """
        request = CompareRequest(
            dn_text(dn), attribute_name(attribute), value_bytes(value, "the value", "compare")
        )
        answer = await self.perform(
            request, controls=controls, timeout=timeout, good=(COMPARE_TRUE, COMPARE_FALSE)
        )
        assert isinstance(answer.op, CompareResponse)
        return answer.op.result.code == COMPARE_TRUE
