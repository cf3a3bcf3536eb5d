"""Operations under way: each takes its answers, and ends with what its caller waits for."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import final

from quintet.ldap._fast_codec import ReadFrame, SearchFrame
from quintet.ldap.errors import ClientLimitError, LdapError, ResultError
from quintet.ldap.messages import (
    SUCCESS,
    BindResponse,
    Control,
    FinalResponse,
    IntermediateResponse,
    Request,
    Result,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
)
from quintet.ldap.results import SearchResult
from quintet.ldap.session import Answer, Session

NEVER = float("inf")
_MOST_REFERENCES = 100_000
_ATTRIBUTE_COSTS = 100
"""Bytes of memory, on top of those that came."""

Intermediate = Callable[[IntermediateResponse], None]


class Operation:
    """One operation. `deadline` is loop time; `server`, `verb` and `dn` are for errors."""

    __slots__ = ("deadline", "dn", "id", "intermediate", "server")

    verb: str

    def __init__(
        self, server: str, dn: str | None, deadline: float, intermediate: Intermediate | None = None
    ) -> None:
        self.id = 0
        self.server = server
        self.dn = dn
        self.deadline = deadline
        self.intermediate = intermediate

    def send(self, session: Session) -> int:
        """Queue the request at the session; its message id. Raises LocalProtocolError and UnicodeError."""
        raise NotImplementedError  # each kind of operation has its own

    def take(self, answer: Answer) -> LdapError | None:
        """Take an answer. An error means that the caller has had enough, and the rest shall be abandoned."""
        raise NotImplementedError  # each kind of operation has its own

    def fail(self, error: LdapError) -> None:
        raise NotImplementedError  # each kind of operation has its own

    def place(self, error: LdapError) -> LdapError:
        """The error, which now knows where it happened."""
        error.server, error.operation, error.dn = self.server, self.verb, self.dn
        return error

    def result_error(self, result: Result, controls: tuple[Control, ...]) -> ResultError:
        error = ResultError.of(
            result.code,
            result.diagnostic,
            matched_dn=result.matched_dn,
            referrals=result.referrals,
            server=self.server,
            operation=self.verb,
            dn=self.dn,
        )
        error.controls = controls
        return error


@final
class AnswerOperation(Operation):
    """All but searches: one answer, whose result must be one of the `good` codes."""

    __slots__ = ("controls", "future", "good", "request", "verb")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: str,
        verb: str,
        dn: str | None,
        deadline: float,
        request: Request,
        controls: tuple[Control, ...],
        good: tuple[int, ...],
        intermediate: Intermediate | None = None,
    ) -> None:
        super().__init__(server, dn, deadline, intermediate)
        self.verb = verb
        self.request = request
        self.controls = controls
        self.good = good
        self.future: asyncio.Future[Answer] = loop.create_future()

    def send(self, session: Session) -> int:
        return session.send(self.request, self.controls)

    def take(self, answer: Answer) -> None:
        op = answer.op
        if isinstance(op, FinalResponse):
            if op.result.code not in self.good:
                self.fail(self.result_error(op.result, answer.controls))
            elif not self.future.done():
                self.future.set_result(answer)
        elif self.intermediate is not None and isinstance(op, IntermediateResponse):
            self.future.get_loop().call_soon(self.intermediate, op)

    def fail(self, error: LdapError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class SearchOperation(Operation):
    """A search whose entries are collected for `future`. `part` is what its frame lacks."""

    __slots__ = (
        "controls",
        "entries",
        "frame",
        "future",
        "most_bytes",
        "most_entries",
        "part",
        "references",
        "size",
    )

    verb = "search"

    def __init__(
        self,
        future: asyncio.Future[SearchResult] | None,
        server: str,
        dn: str,
        deadline: float,
        frame: SearchFrame | ReadFrame,
        part: bytes,
        controls: tuple[Control, ...],
        most_entries: int,
        most_bytes: int,
        intermediate: Intermediate | None = None,
    ) -> None:
        self.future = future
        self.frame = frame
        self.part = part
        self.controls = controls
        self.id = 0
        self.server = server
        self.dn = dn
        self.deadline = deadline
        self.intermediate = intermediate
        self.entries: list[SearchResultEntry] = []
        self.references: list[str] = []
        self.size = 0
        self.most_entries = most_entries
        self.most_bytes = most_bytes

    def send(self, session: Session) -> int:
        return session.search(self.frame, self.part, self.controls)

    def take(self, answer: Answer) -> LdapError | None:
        _, op, controls, size, _ = answer
        if type(op) is SearchResultEntry:
            entries = self.entries
            entries.append(op)
            self.size += size + _ATTRIBUTE_COSTS * len(op.attributes)
            if len(entries) > self.most_entries:
                return self._enough(f"more than {self.most_entries} entries")
            if self.size > self.most_bytes:
                return self._enough(f"more than {self.most_bytes} bytes of entries")
        elif type(op) is SearchResultDone:
            result = op.result
            found = SearchResult(self.entries, self.references, result, controls)
            if result.code == SUCCESS:
                self.finish(found)
            else:
                error = self.result_error(result, controls)
                error.partial = found
                self.fail(error)
        elif isinstance(op, SearchResultReference):
            self.references.extend(op.uris)
            self.size += size
            if self.size > self.most_bytes:
                return self._enough(f"more than {self.most_bytes} bytes of references")
        elif self.intermediate is not None and isinstance(op, IntermediateResponse):
            asyncio.get_running_loop().call_soon(self.intermediate, op)
        return None

    def finish(self, found: SearchResult) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(found)

    def fail(self, error: LdapError) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)

    def _enough(self, what: str) -> ClientLimitError:
        error = ClientLimitError(what)
        error.partial = SearchResult(self.entries[: self.most_entries], self.references, Result())
        return error


@final
class SearchBatch:
    """Searches that are awaited together: `future` is done when `left` of them have ended, in whatever way.

    `outcomes` has for each search its result or its error; None while it is in flight. `failed` has the
    numbers of those that ended with an error.
    """

    __slots__ = ("failed", "future", "left", "outcomes")

    def __init__(
        self, future: asyncio.Future[None], outcomes: "list[SearchResult | LdapError | None]", left: int
    ) -> None:
        self.future = future
        self.outcomes = outcomes
        self.left = left
        self.failed: list[int] = []

    def end(self, nth: int, outcome: SearchResult | LdapError) -> None:
        self.outcomes[nth] = outcome
        self.left -= 1
        if not self.left and not self.future.done():
            self.future.set_result(None)


@final
class BatchedSearch(SearchOperation):
    """The search number `nth` of a batch."""

    __slots__ = ("batch", "nth")

    def __init__(
        self,
        batch: SearchBatch,
        nth: int,
        server: str,
        dn: str,
        deadline: float,
        frame: SearchFrame | ReadFrame,
        part: bytes,
        most_entries: int,
        most_bytes: int,
    ) -> None:
        super().__init__(None, server, dn, deadline, frame, part, (), most_entries, most_bytes)
        self.batch = batch
        self.nth = nth

    def finish(self, found: SearchResult) -> None:
        if self.batch.outcomes[self.nth] is None:
            self.batch.end(self.nth, found)

    def fail(self, error: LdapError) -> None:
        if self.batch.outcomes[self.nth] is None:
            self.batch.failed.append(self.nth)
            self.batch.end(self.nth, error)


class BindOperation(Operation):
    """A simple bind that calls `ended`, so that no task has to wake up before the next bind is sent.

    It may be sent again, on another connection, when it has ended. `unencrypted` is whether the password may
    cross an unencrypted connection.
    """

    __slots__ = ("encoded_controls", "name", "password", "unencrypted")

    verb = "bind"

    def __init__(
        self, dn: str, name: bytes, password: bytes, *, unencrypted: bool, controls: bytes = b""
    ) -> None:
        super().__init__("", dn, NEVER)
        self.name = name
        self.password = password
        self.unencrypted = unencrypted
        self.encoded_controls = controls

    def ended(self, error: LdapError | None, controls: tuple[Control, ...] = ()) -> None:
        """The server accepted the bind, with these controls in the answer; or what prevented that."""
        raise NotImplementedError  # each kind of operation has its own

    def send(self, session: Session) -> int:
        return session.bind(self.name, self.password, self.encoded_controls)

    def take(self, answer: Answer) -> None:
        op = answer.op
        if isinstance(op, BindResponse):
            good = op.result.code == SUCCESS
            self.ended(None if good else self.result_error(op.result, answer.controls), answer.controls)

    def fail(self, error: LdapError) -> None:
        self.ended(error)


@final
class StreamOperation(Operation):
    """A search whose entries are handed on one by one. `buffered` counts bytes that wait to be asked for.

    Its deadline stands only while the caller waits: who reads slowly does not run out of time.
    """

    __slots__ = (
        "buffered",
        "controls",
        "frame",
        "loop",
        "outcome",
        "over",
        "queue",
        "references",
        "tree",
        "waiter",
    )

    verb = "search"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: str,
        dn: str,
        frame: SearchFrame,
        tree: bytes,
        controls: tuple[Control, ...],
        references: list[str] | None,
        intermediate: Intermediate | None = None,
    ) -> None:
        super().__init__(server, dn, NEVER, intermediate)
        self.frame = frame
        self.tree = tree
        self.controls = controls
        self.loop = loop
        self.references = references
        self.queue: deque[tuple[SearchResultEntry, int]] = deque()
        self.buffered = 0
        self.over = False
        self.outcome: LdapError | None = None
        self.waiter: asyncio.Future[None] | None = None

    def send(self, session: Session) -> int:
        return session.search(self.frame, self.tree, self.controls)

    def take(self, answer: Answer) -> LdapError | None:
        op = answer.op
        if isinstance(op, SearchResultEntry):
            self.queue.append((op, answer.size))
            self.buffered += answer.size
        elif isinstance(op, SearchResultDone):
            self.over = True
            if op.result.code != SUCCESS:
                self.outcome = self.result_error(op.result, answer.controls)
        elif isinstance(op, SearchResultReference) and self.references is not None:
            self.references.extend(op.uris)
            if len(self.references) > _MOST_REFERENCES:
                return ClientLimitError(f"more than {_MOST_REFERENCES} references")
        elif self.intermediate is not None and isinstance(op, IntermediateResponse):
            self.loop.call_soon(self.intermediate, op)
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
