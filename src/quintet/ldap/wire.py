"""A session on an asyncio transport: one write a turn, back-pressure, time limits, and how it ends.

`connection` says what operations mean; here they are only messages that go out and answers that come in.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import cast, final

from quintet.ldap.errors import ConnectionLost, LdapError, Misuse, PeerViolation, TimedOut, TlsFailed
from quintet.ldap.limits import Limits
from quintet.ldap.messages import (
    BindResponse,
    CompareResponse,
    Control,
    ExtendedResponse,
    Request,
    SearchResultDone,
    SearchResultReference,
)
from quintet.ldap.pending import NEVER, Pending, PendingStream
from quintet.ldap.session import Answer, Disconnection, Event, Session, State, Violation
from quintet.ldap.trace import Closed, Encrypted, Ended, Received, Sent, Trace


@final
class Wire(asyncio.BufferedProtocol):
    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: str, limits: Limits, trace: Trace | None
    ) -> None:
        self.loop = loop
        self.server = server
        self.limits = limits
        self.trace = trace
        self.transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = loop.create_future()
        self.reason: LdapError | None = None
        self.over = False
        self.operations = 0
        self.references = 0
        self.last_used = loop.time()
        self.pending: dict[int, Pending] = {}
        self.held = False
        """Whether new operations have to wait: too many are under way, or the socket takes no more."""
        self._session = Session(message_size=limits.message_size, nesting=limits.nesting)
        self._buffer = memoryview(bytearray(_BUFFER))
        self._small_buffer = self._buffer[:_SMALL_BUFFER]
        self._writable = True
        self._flushing = False
        self._high = limits.pending_high
        self._waiting: OrderedDict[Pending, Callable[[], int]] = OrderedDict()
        self._check_at = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._streams: set[PendingStream] = set()
        self._reading = True

    # What operations use.

    def begin(
        self, pending: Pending, op: Request, controls: tuple[Control, ...] = (), *, at_once: bool = False
    ) -> None:
        """Send a request, or let it wait for its turn. Raises Misuse or ConnectionLost: nothing was sent."""
        self.check()
        if self.held and not at_once:
            self._wait(pending, partial(self._session.send, op, controls))
            return
        pending.id = self._session.send(op, controls)
        self._begun(pending)

    def begin_search(
        self,
        pending: Pending,
        frame: tuple[bytes, bytes],
        tree: bytes,
        controls: tuple[Control, ...] = (),
    ) -> None:
        """As `begin`, for a search from its encoded parts."""
        if self.over:
            self.check()
        if self.held:
            self._wait(pending, partial(self._session.search, frame, tree, controls))
            return
        pending.id = self._session.search(frame, tree, controls)
        self._begun(pending)

    def _wait(self, pending: Pending, send: Callable[[], int]) -> None:
        self._waiting[pending] = send
        if pending.deadline < self._check_at:
            self._check_deadlines_at(pending.deadline)
        if self._streams:
            self.pace()

    def _begun(self, pending: Pending) -> None:
        under_way = self.pending
        under_way[pending.id] = pending
        self.operations += 1
        if len(under_way) >= self._high:
            self.held = True
        if pending.deadline < self._check_at:
            self._check_deadlines_at(pending.deadline)
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)
        if type(pending) is PendingStream:
            self._streams.add(pending)
        if self._streams:
            self.pace()
        if self.trace is not None:
            self.trace(Sent(pending.id, pending.verb))

    def give_up(self, pending: Pending, why: str = "abandoned") -> None:
        """The caller no longer wants the answer. The server is told where the protocol allows it."""
        if self._waiting.pop(pending, None) is not None or self.pending.get(pending.id) is not pending:
            return
        if self._session.state is not State.OPEN:
            return  # a bind or StartTLS: its answer will still come, and nothing else may go before it
        self._session.abandon(pending.id)
        self._forget(pending)
        self._schedule_flush()
        if self.trace is not None:
            self.trace(Ended(pending.id, pending.verb, why))
        self._release()

    def watch(self, deadline: float) -> None:
        """A deadline was set on an operation that is under way already."""
        if deadline < self._check_at:
            self._check_deadlines_at(deadline)

    def check(self) -> None:
        """Raise ConnectionLost when the connection is over."""
        if self.over:
            what = self.reason.what if self.reason is not None else "the connection is closed"
            raise ConnectionLost(what, server=self.server) from self.reason

    def pace(self) -> None:
        """Stop or go on reading, by how much lies unread in streams."""
        buffered = sum(stream.buffered for stream in self._streams)
        alone = len(self.pending) == len(self._streams) and not self._waiting
        most = self.limits.stream_buffer if alone else self.limits.stream_most
        reading = buffered <= most
        if reading is not self._reading and self.transport is not None and not self.over:
            self._reading = reading
            if reading:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def leave_stream(self, stream: PendingStream) -> None:
        """Nobody will read this stream any more."""
        self.give_up(stream)
        self._streams.discard(stream)
        self.pace()

    # TLS and the end.

    async def upgrade(self, context: ssl.SSLContext, server_hostname: str, *, agreed: bool) -> None:
        """TLS from here on; `agreed` when StartTLS led here. Raises TlsFailed, and the connection is over."""
        if isinstance(self.reason, PeerViolation):
            raise self.reason  # it came with the answer to StartTLS
        self.check()
        try:
            transport = await self._handshake(context, server_hostname)
        except (OSError, ValueError) as error:
            self._set_lost()  # asyncio tells the protocol only about connections that were made
            failed = TlsFailed(f"no TLS: {_words(error)}", server=self.server)
            self.end(failed)
            raise failed from error
        except BaseException:
            self._set_lost()
            self.end(ConnectionLost("TLS was cut short"))
            raise
        self.transport = transport
        if agreed:
            self._session.tls_established()
        if self.trace is not None:
            found: ssl.SSLObject = transport.get_extra_info("ssl_object")
            cipher = found.cipher()
            self.trace(Encrypted(found.version() or "", cipher[0] if cipher else ""))

    async def _handshake(self, context: ssl.SSLContext, server_hostname: str) -> asyncio.Transport:
        assert self.transport is not None
        transport = await self.loop.start_tls(
            self.transport,
            self,
            context,
            server_hostname=server_hostname,
            ssl_handshake_timeout=_TLS_HANDSHAKE,
            ssl_shutdown_timeout=self.limits.close,
        )
        if transport is None:
            raise ConnectionResetError("the connection ended during the handshake")
        return transport

    async def close(self) -> None:
        """Unbind, and wait until the connection is gone, but not for long."""
        if not self.over:
            self._session.unbind()
            self._flush()
            self._finish(None, ConnectionLost("the connection was closed"))
        if self.transport is None:
            return
        self.transport.close()
        try:
            await asyncio.wait((self.lost,), timeout=self.limits.close)
        finally:
            if not self.lost.done():
                self.transport.abort()

    def end(self, reason: LdapError) -> None:
        """Close at once, because of `reason`."""
        if not self.over:
            if reason.server is None:
                reason.server = self.server
            self._finish(reason, reason)
        if self.transport is not None:
            self.transport.abort()

    def _finish(self, reason: LdapError | None, told: LdapError) -> None:
        """Everything that waits ends with an error of `told`'s kind."""
        self.over = True
        self.held = False
        self.reason = reason
        self._session.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kind = type(told) if isinstance(told, PeerViolation) else ConnectionLost
        for pending in (*self.pending.values(), *self._waiting):
            error = kind(told.what, server=self.server, operation=pending.verb, dn=pending.dn)
            error.__cause__ = told.__cause__ or reason
            pending.fail(error)
        self.pending.clear()
        self._streams.clear()
        self._waiting.clear()
        if self.trace is not None:
            self.trace(Closed(reason.what if reason is not None else None))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over:
            what = f"the connection broke: {_words(exc)}" if exc else "the server closed the connection"
            lost = ConnectionLost(what, server=self.server)
            lost.__cause__ = exc
            self._finish(lost, lost)
        self._set_lost()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio's signature)
        """Small while much is under way, so that the next requests leave before all answers are read."""
        small = len(self.pending) > _FEW and self._session.needed <= _SMALL_BUFFER
        return self._small_buffer if small else self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Bytes came, cut anywhere."""
        if self.over:
            return
        pending = self.pending
        for event in self._session.receive(data):
            if type(event) is not Answer:
                self._ended_by_peer(event)
                return
            operation = pending.get(event.id)
            if operation is None:
                continue  # given up by an answer before this one, in the same bytes
            if self.trace is not None:
                self.trace(Received(event.id, operation.verb, _code(event), event.size))
            if event.final:
                del pending[event.id]
            elif type(event.op) is SearchResultReference:
                self.references += 1
            enough = operation.take(event)
            if enough is not None:
                self._stop(operation, enough)
        if self.held:
            self._release()
        if self._streams:
            self.pace()

    def pause_writing(self) -> None:
        self._writable = False
        self.held = True

    def resume_writing(self) -> None:
        self._writable = True
        self._release()

    # Inside.

    def _stop(self, operation: Pending, error: LdapError) -> None:
        error.server, error.operation, error.dn = self.server, operation.verb, operation.dn
        operation.fail(error)
        self.give_up(operation, "limit reached")

    def _ended_by_peer(self, event: Event) -> None:
        if isinstance(event, Disconnection):
            result = event.result
            what = f"the server disconnects (result {result.code}): {result.diagnostic or 'no reason given'}"
            self.end(ConnectionLost(what))
        elif isinstance(event, Violation):
            self.end(PeerViolation(f"the server broke the protocol: {event.what}"))

    def _set_lost(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    def _forget(self, pending: Pending) -> None:
        self.pending.pop(pending.id, None)
        if type(pending) is PendingStream:
            self._streams.discard(pending)

    def _schedule_flush(self) -> None:
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self.transport is not None and (data := self._session.data_to_send()):
            self.transport.write(data)

    def _release(self) -> None:
        """Let waiting operations begin when enough others have ended, up to the high mark."""
        if self.over or not self._writable or len(self.pending) > self.limits.pending_low:
            return
        self.held = False
        waiting = self._waiting
        while waiting and not self.held:
            pending, send = waiting.popitem(last=False)
            try:
                pending.id = send()
            except (LdapError, UnicodeError) as error:
                what = str(error) if isinstance(error, LdapError) else NO_TEXT
                pending.fail(Misuse(what, server=self.server, operation=pending.verb, dn=pending.dn))
            else:
                self._begun(pending)

    def _check_deadlines_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._check_at = when
        self._timer = self.loop.call_at(when, self._check_deadlines)

    def _check_deadlines(self) -> None:
        """One timer for all: it goes off when the first deadline may have passed."""
        self._timer, self._check_at = None, NEVER
        now = self.loop.time() + _TIMER_SLACK
        for pending in [each for each in self.pending.values() if each.deadline <= now]:
            self._time_out(pending)
            if self.over:
                return
        for pending in [each for each in self._waiting if each.deadline <= now]:
            del self._waiting[pending]
            what = "the time was up before its turn came"
            pending.fail(TimedOut(what, server=self.server, operation=pending.verb, dn=pending.dn))
        first = min((each.deadline for each in (*self.pending.values(), *self._waiting)), default=NEVER)
        if first < self._check_at:
            self._check_deadlines_at(first)

    def _time_out(self, pending: Pending) -> None:
        what = "the server did not answer in time"
        pending.fail(TimedOut(what, server=self.server, operation=pending.verb, dn=pending.dn))
        if self._session.state is State.OPEN:
            self.give_up(pending, "timed out")
        else:  # what cannot be abandoned leaves the connection in a state that nobody knows
            self.end(ConnectionLost(f"{what} to a {pending.verb}"))


NO_TEXT = "half a surrogate pair is no text"

_FEW = 8
_SMALL_BUFFER = 8 * 1024
_BUFFER = 64 * 1024
"""One for the life of the connection: asyncio's other way makes one of 256 KiB for every read."""

_TLS_HANDSHAKE = 60.0
_TIMER_SLACK = 0.001


def _code(answer: Answer) -> int | None:
    op = answer.op
    if isinstance(op, SearchResultDone | BindResponse | CompareResponse | ExtendedResponse):
        return op.result.code
    return None


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
