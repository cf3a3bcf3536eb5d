"""Operations under way: each takes its answers, and ends with what its caller waits for."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import final

from quintet.ldap.errors import LdapError, LimitReached, ResultError
from quintet.ldap.messages import (
    SUCCESS,
    BindResponse,
    CompareResponse,
    ExtendedResponse,
    IntermediateResponse,
    Result,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
)
from quintet.ldap.results import SearchResult
from quintet.ldap.session import Answer

NEVER = float("inf")
_MOST_REFERENCES = 100_000

Intermediate = Callable[[IntermediateResponse], None]
FinalResponse = BindResponse | CompareResponse | ExtendedResponse


class Pending:
    """One operation. `deadline` is loop time; `verb` and `dn` are for errors."""

    __slots__ = ("deadline", "dn", "id", "intermediate", "loop", "verb")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        verb: str,
        dn: str | None,
        deadline: float,
        intermediate: Intermediate | None = None,
    ) -> None:
        self.loop = loop
        self.id = 0
        self.verb = verb
        self.dn = dn
        self.deadline = deadline
        self.intermediate = intermediate

    def take(self, answer: Answer) -> LdapError | None:
        """Take an answer. An error means that the caller has had enough, and the rest shall be abandoned."""
        raise NotImplementedError

    def fail(self, error: LdapError) -> None:
        raise NotImplementedError

    def result_error(self, result: Result) -> ResultError:
        return ResultError.of(
            result.code,
            result.diagnostic,
            matched_dn=result.matched_dn,
            referrals=result.referrals,
            operation=self.verb,
            dn=self.dn,
        )


@final
class PendingAnswer(Pending):
    """Bind, compare, extended: one answer. Which results are good is the caller's affair."""

    __slots__ = ("future",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        verb: str,
        dn: str | None,
        deadline: float,
        intermediate: Intermediate | None = None,
    ) -> None:
        super().__init__(loop, verb, dn, deadline, intermediate)
        self.future: asyncio.Future[FinalResponse] = loop.create_future()

    def take(self, answer: Answer) -> None:
        op = answer.op
        if isinstance(op, FinalResponse):
            if not self.future.done():
                self.future.set_result(op)
        elif self.intermediate is not None and isinstance(op, IntermediateResponse):
            self.loop.call_soon(self.intermediate, op)

    def fail(self, error: LdapError) -> None:
        fail_future(self.future, error)


@final
class PendingSearch(Pending):
    """A search whose entries are collected."""

    __slots__ = ("entries", "future", "most_bytes", "most_entries", "references", "size")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dn: str,
        deadline: float,
        most_entries: int,
        most_bytes: int,
        intermediate: Intermediate | None = None,
    ) -> None:
        self.loop = loop
        self.id = 0
        self.verb = "search"
        self.dn = dn
        self.deadline = deadline
        self.intermediate = intermediate
        self.entries: list[SearchResultEntry] = []
        self.references: list[str] = []
        self.size = 0
        self.most_entries = most_entries
        self.most_bytes = most_bytes
        self.future: asyncio.Future[SearchResult] = loop.create_future()

    def take(self, answer: Answer) -> LdapError | None:
        op = answer.op
        if type(op) is SearchResultEntry:
            self.entries.append(op)
            self.size += answer.size
            if len(self.entries) > self.most_entries:
                return self._enough(f"more than {self.most_entries} entries")
            if self.size > self.most_bytes:
                return self._enough(f"more than {self.most_bytes} octets of entries")
        elif type(op) is SearchResultDone:
            if not self.future.done():
                result = op.result
                found = SearchResult(self.entries, self.references, result, answer.controls)
                if result.code == SUCCESS:
                    self.future.set_result(found)
                else:
                    error = self.result_error(result)
                    error.partial = found
                    self.fail(error)
        elif isinstance(op, SearchResultReference):
            self.references.extend(op.uris)
            self.size += answer.size
            if self.size > self.most_bytes:
                return self._enough(f"more than {self.most_bytes} octets of references")
        elif self.intermediate is not None and isinstance(op, IntermediateResponse):
            self.loop.call_soon(self.intermediate, op)
        return None

    def _enough(self, what: str) -> LimitReached:
        error = LimitReached(what)
        error.partial = SearchResult(self.entries[: self.most_entries], self.references, Result())
        return error

    def fail(self, error: LdapError) -> None:
        fail_future(self.future, error)


@final
class PendingStream(Pending):
    """A search whose entries are handed on one by one. `buffered` counts octets that wait to be asked for.

    Its deadline stands only while the caller waits: who reads slowly does not run out of time.
    """

    __slots__ = ("buffered", "outcome", "over", "queue", "references", "waiter")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dn: str,
        references: list[str] | None,
    ) -> None:
        super().__init__(loop, "search", dn, NEVER)
        self.references = references
        self.queue: deque[tuple[SearchResultEntry, int]] = deque()
        self.buffered = 0
        self.over = False
        self.outcome: LdapError | None = None
        self.waiter: asyncio.Future[None] | None = None

    def take(self, answer: Answer) -> LdapError | None:
        op = answer.op
        if isinstance(op, SearchResultEntry):
            self.queue.append((op, answer.size))
            self.buffered += answer.size
        elif isinstance(op, SearchResultDone):
            self.over = True
            if op.result.code != SUCCESS:
                self.outcome = self.result_error(op.result)
        elif isinstance(op, SearchResultReference) and self.references is not None:
            self.references.extend(op.uris)
            if len(self.references) > _MOST_REFERENCES:
                return LimitReached(f"more than {_MOST_REFERENCES} references")
        self._wake()
        return None

    def fail(self, error: LdapError) -> None:
        self.over = True
        self.outcome = error
        self._wake()

    def next(self) -> SearchResultEntry | None:
        """The next entry, if it is here."""
        if not self.queue:
            return None
        entry, size = self.queue.popleft()
        self.buffered -= size
        return entry

    async def wait(self) -> None:
        """Until there is an entry, or the end."""
        if not self.queue and not self.over:
            self.waiter = self.loop.create_future()
            await self.waiter

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


def fail_future(
    future: asyncio.Future[object] | asyncio.Future[SearchResult] | asyncio.Future[FinalResponse],
    error: LdapError,
) -> None:
    if not future.done():
        future.set_exception(error)
