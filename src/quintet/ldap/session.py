"""One LDAP session without a socket: requests become bytes, bytes become events.

It knows what may be sent when (RFC 4511 sections 4.2.1, 4.3, 4.14.1) and which answers are due. You broke it:
LocalProtocolError is raised and nothing is sent. The peer broke it: a `Violation` is the last event there is.
"""

from enum import Enum, auto
from typing import NamedTuple, assert_never

from quintet.ldap import _fast_codec
from quintet.ldap.ber import ELEMENTS, MAX_INT, NESTING, BerError, Reader, integer
from quintet.ldap.errors import LocalProtocolError
from quintet.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    SASL_BIND_IN_PROGRESS,
    START_TLS,
    SUCCESS,
    AbandonRequest,
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    CompareRequest,
    CompareResponse,
    Control,
    DeleteRequest,
    DeleteResponse,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    ModifyDNResponse,
    ModifyRequest,
    ModifyResponse,
    Request,
    Response,
    Result,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    UnbindRequest,
    decode_content,
    encode,
    encode_controls,
)

MESSAGE_SIZE = 16 * 1024 * 1024
_ABANDONED_KEPT = 10_000
_PLAIN_WAY = 6
"""How many times as long an element takes when `messages` reads it: so many times fewer it may have."""


class State(Enum):
    OPEN = auto()
    BINDING = auto()
    """From a bind request to its last answer. Between SASL's steps only the next step may go out."""
    STARTING_TLS = auto()
    """From the request to its answer."""
    TLS_AGREED = auto()
    """The server said yes: now TLS itself must speak, nothing else."""
    CLOSED = auto()


class Answer(NamedTuple):
    """A response to the request `id`; no more will come when it is `final`. `size` counts its bytes."""

    id: int
    op: Response
    controls: tuple[Control, ...]
    size: int
    final: bool


class Disconnection(NamedTuple):
    """The server says that it will close (RFC 4511 4.4.1), and why."""

    result: Result


class Violation(NamedTuple):
    """The server broke the protocol; what it sent from there on is not looked at."""

    message: str


Event = Answer | Disconnection | Violation

_FINAL: dict[type, type] = {
    BindRequest: BindResponse,
    SearchRequest: SearchResultDone,
    CompareRequest: CompareResponse,
    ExtendedRequest: ExtendedResponse,
    AddRequest: AddResponse,
    ModifyRequest: ModifyResponse,
    DeleteRequest: DeleteResponse,
    ModifyDNRequest: ModifyDNResponse,
}


_IN_CLEAR = "the server sent something unencrypted after it agreed to TLS"

_new = tuple.__new__  # what Answer(...) comes to, at a third of the time


class Session:
    """The client's side of one connection."""

    def __init__(
        self, *, message_size: int = MESSAGE_SIZE, nesting: int = NESTING, elements: int = ELEMENTS
    ) -> None:
        self.state = State.OPEN
        self._message_size = message_size
        self._nesting = nesting
        self._elements = elements
        self._last_id = 0
        self._sasl = False
        self._due: dict[bytes, tuple[int, type]] = {}
        self._abandoned: dict[bytes, type] = {}
        self._out: list[bytes] = []
        self._kept = bytearray()
        self._needed = 0
        self.references = 0
        """How many search references came."""

    @property
    def outstanding(self) -> int:
        """How many requests wait for their final answer; those abandoned do not."""
        return len(self._due)

    def send(self, op: Request, controls: tuple[Control, ...] = ()) -> int:
        """Queue a request; its message id. Raises LocalProtocolError when it may not be sent now."""
        match op:
            case BindRequest():
                self._check_alone("bind", State.OPEN, State.BINDING)
            case ExtendedRequest(oid) if oid == START_TLS:
                self._check_alone("StartTLS", State.OPEN)
            case SearchRequest() | CompareRequest() | ExtendedRequest():
                self._check_open()
            case AddRequest() | ModifyRequest() | DeleteRequest() | ModifyDNRequest():
                self._check_open()
            case AbandonRequest() | UnbindRequest():
                raise LocalProtocolError("abandon and unbind have methods of their own")
            case _:
                assert_never(op)
        message_id, number = self._next_id()
        self._out.append(encode(Message(message_id, op, controls)))
        self._due[number] = message_id, _FINAL[type(op)]
        if isinstance(op, BindRequest):
            self.state = State.BINDING
            self._sasl = isinstance(op.authentication, Sasl)
        elif isinstance(op, ExtendedRequest) and op.oid == START_TLS:
            self.state = State.STARTING_TLS
        return message_id

    def search(
        self,
        frame: _fast_codec.SearchFrame | _fast_codec.ReadFrame,
        part: bytes,
        controls: tuple[Control, ...] = (),
    ) -> int:
        """Queue a search from its frame and what the frame lacks: the filter in BER, or the DN in UTF-8."""
        if self.state is not State.OPEN:
            self._check_open()
        message_id, number = self._next_id()
        self._out.append(frame.message(number, part, encode_controls(controls) if controls else b""))
        self._due[number] = message_id, SearchResultDone
        return message_id

    def bind(self, name: bytes, password: bytes, controls: bytes = b"") -> int:
        """Queue a simple bind, with encoded controls; its message id.

        Raises LocalProtocolError when it may not be sent.
        """
        if self.state is not State.OPEN or self._due:
            self._check_alone("bind", State.OPEN, State.BINDING)
        message_id, number = self._next_id()
        self._out.append(_fast_codec.bind_request(number, name, password, controls))
        self._due[number] = message_id, BindResponse
        self.state = State.BINDING
        self._sasl = False
        return message_id

    def abandon(self, message_id: int) -> None:
        """Queue an abandon request. Answers that come all the same are dropped, and the id rests.

        Binds and StartTLS cannot be abandoned (RFC 4511 4.11).
        """
        number = integer(message_id)
        if self.state is State.CLOSED or number not in self._due:
            return
        if self.state is not State.OPEN:
            raise LocalProtocolError("a bind or StartTLS cannot be abandoned")
        _, self._abandoned[number] = self._due.pop(number)
        if len(self._abandoned) > _ABANDONED_KEPT:
            del self._abandoned[next(iter(self._abandoned))]
        own_id, _ = self._next_id()
        self._out.append(encode(Message(own_id, AbandonRequest(message_id))))

    def unbind(self) -> None:
        """Queue the last request there is."""
        if self.state in (State.OPEN, State.BINDING, State.STARTING_TLS):
            message_id, _ = self._next_id()
            self._out.append(encode(Message(message_id, UnbindRequest())))
        self.state = State.CLOSED

    def tls_established(self) -> None:
        """From now on bytes come out of TLS."""
        if self.state is not State.TLS_AGREED:
            raise LocalProtocolError("the server has not agreed to TLS")
        self.state = State.OPEN

    def close(self) -> None:
        """The transport is gone."""
        self.state = State.CLOSED
        self._kept = bytearray()
        self._out.clear()

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        out = self._out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def needed(self) -> int:
        """How long the message is whose beginning came already; 0 without one."""
        return self._needed if self._kept else 0

    def receive(self, data: bytes) -> list[Event]:
        """The events in the bytes that came. How they were cut into pieces makes no difference."""
        if self._kept:
            self._kept += data
            if len(self._kept) < self._needed:
                return []
            data = bytes(self._kept)
            self._kept = bytearray()
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        if self.state is State.TLS_AGREED:
            self._violation(_IN_CLEAR, events)
            return events
        try:
            self._read(data, events)
        except BerError as error:
            self._violation(str(error), events)
        return events

    def _read(self, data: bytes, events: list[Event]) -> None:
        at, end, due, elements = 0, len(data), self._due, self._elements
        read_entry, bind_responses = _fast_codec.read_entry, _fast_codec.BIND_RESPONSES
        while at < end:
            stop = 0
            if at + 3 <= end and data[at] == 0x30:
                length = data[at + 1]
                if length < 0x80:
                    start = at + 2
                    stop = start + length
                elif length == 0x81:
                    start = at + 3
                    stop = start + data[at + 2]
            if not stop:
                start, stop = self._content(data, at, end)
            if stop > end:
                self._kept += data[at:]
                self._needed = stop - at
                return
            size = stop - at
            at = stop
            # The common answers first: those to searches and simple binds, without controls.
            if stop - start > 6:
                op_at = start + 2 + data[start + 1]
                asked = due.get(number := data[start:op_at])
                if asked is None:
                    pass
                elif asked[1] is SearchResultDone:
                    if data[op_at] == 0x64:
                        if (op := read_entry(data, op_at, stop, elements)) is not None:
                            events.append(_new(Answer, (asked[0], op, (), size, False)))
                            continue
                    elif data[op_at:stop] == _fast_codec.SUCCESSFUL_BER:
                        del due[number]
                        events.append(_new(Answer, (asked[0], _fast_codec.SUCCESSFUL, (), size, True)))
                        continue
                elif asked[1] is BindResponse and (response := bind_responses.get(data[op_at:stop])):
                    del due[number]
                    self.state = State.OPEN
                    events.append(_new(Answer, (asked[0], response, (), size, True)))
                    continue
            if not self._read_any(data, start, stop, size, events):
                return
            if self.state is State.TLS_AGREED and at < end:
                self._violation(_IN_CLEAR, events)
                return

    def _content(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        """Where the content of the message that begins at `at` starts and stops.

        While the size is incomplete, it stops one byte past `end`. A size is refused here, before a byte of
        the message is kept.
        """
        if data[at] != 0x30:
            raise BerError("this is not an LDAP message")
        if at + 2 > end:
            return at, end + 1
        length = data[at + 1]
        start = at + 2
        if length >= 0x80:
            count = length & 0x7F
            if not 0 < count <= 4:
                raise BerError("an indefinite length" if not count else f"a length of {count} bytes")
            start += count
            if start > end:
                return at, end + 1
            length = int.from_bytes(data[start - count : start], "big")
        if start - at + length > self._message_size:
            raise BerError(f"a message of {start - at + length} bytes; {self._message_size} are allowed")
        return start, start + length

    def _read_any(self, data: bytes, start: int, stop: int, size: int, events: list[Event]) -> bool:
        """Read a message by the book. Whether the session goes on."""
        message = decode_content(data, start, stop, self._nesting, self._elements // _PLAIN_WAY)
        op = message.op
        if message.id == 0:
            if isinstance(op, ExtendedResponse) and NOTICE_OF_DISCONNECTION in (
                op.oid,
                _name_behind(data, start, stop),
            ):
                self.close()
                events.append(Disconnection(op.result))
                return False
            if isinstance(op, ExtendedResponse):
                return True  # an unsolicited notification that is unknown here (RFC 4511 4.4)
            return self._violation("an answer with message id 0", events)
        number = integer(message.id)
        _, final = self._due.get(number) or (0, self._abandoned.get(number))
        if final is None:
            return self._violation(f"an answer to message {message.id}, which was not sent", events)
        if type(op) is not final and not (
            isinstance(op, IntermediateResponse)
            or (final is SearchResultDone and isinstance(op, SearchResultEntry | SearchResultReference))
        ):
            return self._violation(f"a {type(op).__name__} where a {final.__name__} is due", events)
        if isinstance(op, BindResponse) and op.result.code == SASL_BIND_IN_PROGRESS and not self._sasl:
            return self._violation("another step is due in a bind that has but one", events)
        ends = type(op) is final
        if number not in self._due:
            if ends:
                del self._abandoned[number]
            return True
        if ends:
            del self._due[number]
            self._advance(op)
        assert not isinstance(op, Request)
        if isinstance(op, SearchResultReference):
            self.references += 1
        events.append(Answer(message.id, op, message.controls, size, ends))
        return True

    def _advance(self, op: object) -> None:
        if self.state is State.BINDING and isinstance(op, BindResponse):
            if op.result.code != SASL_BIND_IN_PROGRESS:
                self.state = State.OPEN
        elif self.state is State.STARTING_TLS and isinstance(op, ExtendedResponse):
            self.state = State.TLS_AGREED if op.result.code == SUCCESS else State.OPEN

    def _violation(self, what: str, events: list[Event]) -> bool:
        self.close()
        events.append(Violation(what))
        return False

    def _check_open(self) -> None:
        if self.state is not State.OPEN:
            raise LocalProtocolError(_NOT_NOW[self.state])

    def _check_alone(self, what: str, *states: State) -> None:
        if self.state not in states:
            raise LocalProtocolError(_NOT_NOW[self.state])
        if self._due:
            waiting = (
                "the bind before has no answer yet" if self.state is State.BINDING else "others are under way"
            )
            raise LocalProtocolError(f"a {what} must be alone on the connection, and {waiting}")

    def _next_id(self) -> tuple[int, bytes]:
        """An id that is free, and what it looks like in messages."""
        message_id = self._last_id
        while True:
            message_id = message_id + 1 if message_id < MAX_INT else 1
            number = integer(message_id)
            if number not in self._due and number not in self._abandoned:
                self._last_id = message_id
                return message_id, number


def _name_behind(data: bytes, start: int, stop: int) -> str | None:
    """The name of an extended response that stands behind the operation instead of in it.

    Active Directory sends its notice of disconnection so.
    """
    reader = Reader(data, start, stop)
    reader.any()
    reader.any()
    return reader.text(0x8A) if reader.next_is(0x8A) else None


_NOT_NOW = {
    State.BINDING: "nothing else may be sent during a bind",
    State.STARTING_TLS: "nothing else may be sent during StartTLS",
    State.TLS_AGREED: "nothing else may be sent during StartTLS",
    State.CLOSED: "the connection is closed",
}
