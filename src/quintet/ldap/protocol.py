"""A session on an asyncio transport: TLS, one write a turn, back-pressure, time limits, and how it ends.

`connection` says what operations mean; here they are only messages that go out and answers that come in.
"""

import asyncio
import ssl
from collections import OrderedDict
from typing import cast, final

from quintet.ldap._tls_layer import TlsLayer
from quintet.ldap.errors import (
    NO_TEXT,
    ConnectionLostError,
    LdapError,
    LocalProtocolError,
    OperationTimeoutError,
    RemoteProtocolError,
    TlsError,
    UnencryptedPasswordError,
    printable,
)
from quintet.ldap.limits import Limits
from quintet.ldap.messages import FinalResponse, SearchResultDone
from quintet.ldap.operations import NEVER, BindOperation, Operation, StreamOperation
from quintet.ldap.session import Answer, Disconnection, Event, Session, State, Violation
from quintet.ldap.trace import Closed, Encrypted, Ended, Received, Sent, Trace


@final
class LdapProtocol(asyncio.BufferedProtocol):
    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: str, limits: Limits, trace: Trace | None
    ) -> None:
        self.loop = loop
        self.server = server
        self.limits = limits
        self.trace = trace
        self.transport: asyncio.Transport | None = None
        self.ssl_object: ssl.SSLObject | None = None
        """None until the handshake is over, and so while bytes are sent unencrypted."""
        self.lost: asyncio.Future[None] = loop.create_future()
        self.reason: LdapError | None = None
        self.over = False
        self.operations = 0
        self.last_used = loop.time()
        self.pending: dict[int, Operation] = {}
        self.held = False
        """Whether new operations have to wait: too many are under way, or the socket takes no more."""
        self.session = Session(
            message_size=limits.message_size, nesting=limits.nesting, elements=limits.elements
        )
        self._buffer = memoryview(bytearray(_BUFFER))
        self._small_buffer = self._buffer[:_SMALL_BUFFER]
        self._answer_size = 0
        self._tls: TlsLayer | None = None
        """What every byte passes through, from the first of the handshake on."""
        self._arrived: asyncio.Event | None = None
        """Not None during the handshake: bytes came, or the end of the connection."""
        self._writable = True
        self.flushing = False
        """Whether there will be a write at the end of this turn, which more requests may share."""
        self._high = limits.pending_high
        self._waiting: OrderedDict[Operation, None] = OrderedDict()
        self._check_at = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._streams: set[StreamOperation] = set()
        self._reading = True

    # What operations use.

    def begin(self, pending: Operation, *, at_once: bool = False) -> None:
        """Send the request, or let it wait for its turn.

        Raises LocalProtocolError or ConnectionLostError; then nothing was sent.
        """
        if self.over:
            raise pending.place(self._lost()) from self.reason
        if self.held and not at_once:
            self._waiting[pending] = None
            self.watch(pending.deadline)
            if self._streams:
                self.pace()
        elif (refused := self._send(pending)) is not None:
            raise refused

    def _send(self, pending: Operation) -> LdapError | None:
        """Why the request may not be sent, or None when it is on its way."""
        try:
            pending.id = pending.send(self.session)
        except UnicodeError:
            return pending.place(LocalProtocolError(NO_TEXT))
        except LdapError as error:
            return pending.place(error)
        under_way = self.pending
        under_way[pending.id] = pending
        self.operations += 1
        if len(under_way) >= self._high:
            self.held = True
        if pending.deadline < self._check_at:
            self._check_deadlines_at(pending.deadline)
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self._flush)
        if type(pending) is StreamOperation:
            self._streams.add(pending)
        if self._streams:
            self.pace()
        if self.trace is not None:
            self.trace(Sent(pending.id, pending.verb))
        return None

    def bind(self, operation: BindOperation) -> None:
        """Send a simple bind at once: no other request may share its write.

        Raises as `begin` does, and UnencryptedPasswordError: this is the last place that a password passes.
        """
        if self.over or self.session.state is State.CLOSED:
            raise operation.place(self._lost()) from self.reason
        if self.ssl_object is None and not operation.unencrypted:
            raise operation.place(UnencryptedPasswordError("the password would be sent unencrypted"))
        try:
            operation.id = message_id = operation.send(self.session)
        except LdapError as error:
            raise operation.place(error) from None
        self.pending[message_id] = operation
        self.operations += 1
        if operation.deadline < self._check_at:
            self._check_deadlines_at(operation.deadline)
        self._flush()
        if self.trace is not None:
            self.trace(Sent(message_id, operation.verb))

    @property
    def references(self) -> int:
        return self.session.references

    def give_up(self, pending: Operation, why: str = "abandoned") -> None:
        """The caller no longer wants the answer. An Abandon is sent where the protocol allows it."""
        self._waiting.pop(pending, None)
        if self.pending.get(pending.id) is not pending:
            return
        if self.session.state is not State.OPEN:
            return  # a bind or StartTLS: its answer will still come, and nothing else may go before it
        self.session.abandon(pending.id)
        self._forget(pending)
        self._schedule_flush()
        if self.trace is not None:
            self.trace(Ended(pending.id, pending.verb, why))
        self._release()

    def watch(self, deadline: float) -> None:
        """A deadline was set on an operation that is under way already."""
        if deadline < self._check_at:
            self._check_deadlines_at(deadline)

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

    def leave_stream(self, stream: StreamOperation) -> None:
        """This stream will not be read any more."""
        self.give_up(stream)
        self._streams.discard(stream)
        self.pace()

    # TLS and the end.

    async def upgrade(self, context: ssl.SSLContext, server_hostname: str, *, agreed: bool) -> None:
        """TLS from here on; `agreed` when StartTLS led here. Raises TlsError, and the connection is over."""
        if isinstance(self.reason, RemoteProtocolError):
            raise self.reason  # it came with the answer to StartTLS
        if self.over:
            raise self._lost() from self.reason
        try:
            self._tls = tls = TlsLayer(context, server_hostname)
            await self._shake_hands(tls)
        except (OSError, ValueError) as error:
            failed = TlsError(f"no TLS: {_words(error)}", server=self.server)
            self.end(failed)
            raise failed from error
        except BaseException:
            self.end(ConnectionLostError("TLS was cut short"))
            raise
        finally:
            self._arrived = None
        self.ssl_object = found = tls.ssl_object
        if agreed:
            self.session.tls_established()
        if self.trace is not None:
            cipher = found.cipher()
            self.trace(Encrypted(found.version() or "", cipher[0] if cipher else ""))
        self._receive_encrypted(tls, memoryview(b""))  # what came with the end of the handshake

    async def _shake_hands(self, tls: TlsLayer) -> None:
        self._arrived = arrived = asyncio.Event()
        while True:
            try:
                done = tls.handshake()
            finally:
                self._send_out(tls)
            if done:
                return
            if self.lost.done():
                cause = self.reason.__cause__ if self.reason is not None else None
                raise cause or ConnectionResetError("the connection ended during the handshake")
            await arrived.wait()
            arrived.clear()

    async def close(self) -> None:
        """Unbind, and wait until the connection is gone, but not for long."""
        if not self.over:
            self.session.unbind()
            self._flush()
            self._finish(None, ConnectionLostError("the connection was closed"))
            self._say_goodbye()
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
        self.session.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kind = type(told) if isinstance(told, RemoteProtocolError) else ConnectionLostError
        for pending in (*self.pending.values(), *self._waiting):
            error = pending.place(kind(told.message))
            error.__cause__ = told.__cause__ or reason
            pending.fail(error)
        self.pending.clear()
        self._streams.clear()
        self._waiting.clear()
        if self.trace is not None:
            self.trace(Closed(reason.message if reason is not None else None))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over:
            lost = _lost_by(exc)
            lost.server = self.server
            self._finish(lost, lost)
        if not self.lost.done():
            self.lost.set_result(None)
        if self._arrived is not None:
            self._arrived.set()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio's signature)
        """Small while much is under way, so that the next requests leave before all answers are read."""
        small = len(self.pending) > _FEW and self.session.needed <= _SMALL_BUFFER
        return self._small_buffer if small else self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if (tls := self._tls) is None:
            self.data_received(bytes(self._buffer[:nbytes]))
        elif self._arrived is None:
            self._receive_encrypted(tls, self._buffer[:nbytes])
        else:
            tls.feed(self._buffer[:nbytes])
            self._arrived.set()

    def _receive_encrypted(self, tls: TlsLayer, data: memoryview) -> None:
        blocked = tls.blocked
        if text := tls.receive(data):
            self.data_received(text)
        if tls.outgoing.pending:
            self._send_out(tls)
        if tls.ended:
            self._ended_by_tls(tls)
        elif blocked:
            self._release()

    def data_received(self, data: bytes) -> None:
        """Bytes of the session came, cut anywhere."""
        if self.over:
            return
        pending, trace, before = self.pending, self.trace, len(self.pending)
        for event in self.session.receive(data):
            if type(event) is not Answer:
                self._ended_by_peer(event)
                return
            message_id, _, _, size, final = event
            operation = pending.get(message_id)
            if operation is None:
                continue  # given up by an answer before this one, in the same bytes
            if trace is not None:
                trace(Received(message_id, operation.verb, _code(event), size))
            if final:
                del pending[message_id]
                if type(operation) is StreamOperation:
                    self._streams.discard(operation)
            enough = operation.take(event)
            if enough is not None:
                self._stop(operation, enough)
        if (answered := before - len(pending)) > 0:
            self._answer_size += (
                len(data) // answered - self._answer_size
            ) // 4  # what comes is cut anywhere
            self._small_buffer = self._buffer[: max(_SMALL_BUFFER, self._answer_size * _SOME)]
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

    def _stop(self, operation: Operation, error: LdapError) -> None:
        operation.fail(operation.place(error))
        self.give_up(operation, "limit reached")

    def _ended_by_peer(self, event: Event) -> None:
        if isinstance(event, Disconnection):
            result = event.result
            why = printable(result.diagnostic) or "no reason given"
            self.end(ConnectionLostError(f"the server disconnects (result {result.code}): {why}"))
        elif isinstance(event, Violation):
            self.end(RemoteProtocolError(f"the server broke the protocol: {event.message}"))

    def _ended_by_tls(self, tls: TlsLayer) -> None:
        if tls.error is None and not self.over:
            self._say_goodbye()
        self.end(_lost_by(tls.error))

    def _say_goodbye(self) -> None:
        if self._tls is not None:
            self._tls.close()
            self._send_out(self._tls)

    def _lost(self) -> ConnectionLostError:
        what = self.reason.message if self.reason is not None else "the connection is closed"
        return ConnectionLostError(what, server=self.server)

    def _forget(self, pending: Operation) -> None:
        self.pending.pop(pending.id, None)
        if type(pending) is StreamOperation:
            self._streams.discard(pending)

    def _schedule_flush(self) -> None:
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self.flushing = False
        if self.transport is None or not (data := self.session.data_to_send()):
            return
        if (tls := self._tls) is None:
            self.transport.write(data)
            return
        tls.send(data)
        self._send_out(tls)
        if tls.blocked:
            self.held = True
        if tls.ended:
            self._ended_by_tls(tls)

    def _send_out(self, tls: TlsLayer) -> None:
        if self.transport is not None and (data := tls.outgoing.read()):
            self.transport.write(data)

    def _release(self) -> None:
        """Let waiting operations begin when enough others have ended, up to the high mark."""
        if self.over or not self._writable or len(self.pending) > self.limits.pending_low:
            return
        if self._tls is not None and self._tls.blocked:
            return  # the peer renegotiates, and what it sends last lets them begin
        if self.session.state is not State.OPEN:
            return  # the answer to the bind or to StartTLS lets them begin
        self.held = False
        waiting = self._waiting
        while waiting and not self.held:
            pending, _ = waiting.popitem(last=False)
            if (refused := self._send(pending)) is not None:
                pending.fail(refused)

    def _check_deadlines_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._check_at = when
        self._timer = self.loop.call_at(when, self._check_deadlines)

    def _check_deadlines(self) -> None:
        """One timer for all: it goes off when the first deadline may have passed."""
        self._timer, self._check_at = None, NEVER
        now = self.loop.time() + _TIMER_SLACK
        for pending in [each for each in self._waiting if each.deadline <= now]:
            del self._waiting[pending]
            pending.fail(pending.place(OperationTimeoutError("the time was up before its turn came")))
        for pending in [each for each in self.pending.values() if each.deadline <= now]:
            self._time_out(pending)
            if self.over:
                return
        first = min((each.deadline for each in (*self.pending.values(), *self._waiting)), default=NEVER)
        if first < self._check_at:
            self._check_deadlines_at(first)

    def _time_out(self, pending: Operation) -> None:
        what = "the server did not answer in time"
        if self.session.state is State.OPEN:
            pending.fail(pending.place(OperationTimeoutError(what)))
            self.give_up(pending, "timed out")
        else:  # what cannot be abandoned leaves the connection in an unknown state
            del self.pending[pending.id]
            self.end(ConnectionLostError(f"{what} to a {pending.verb}"))
            pending.fail(pending.place(OperationTimeoutError(what)))


_FEW = 8
_SMALL_BUFFER = 8 * 1024
_SOME = 16
"""Answers for which the small buffer has room when they are large."""
_BUFFER = 64 * 1024
"""One for the life of the connection: asyncio's other way makes one of 256 KiB for every read."""

_TIMER_SLACK = 0.001


def _code(answer: Answer) -> int | None:
    op = answer.op
    if isinstance(op, SearchResultDone | FinalResponse):
        return op.result.code
    return None


def _lost_by(error: Exception | None) -> ConnectionLostError:
    """The peer ended the connection, or what broke it."""
    what = "the server closed the connection" if error is None else f"the connection broke: {_words(error)}"
    lost = ConnectionLostError(what)
    lost.__cause__ = error
    return lost


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
