"""What one node tells another, as bytes: the effects that concern its sessions, and a few words more.

The parts have the encoding of the client protocol (`sametime.wire`), whose readers are bounded. A message is
a byte that names its kind, and the parts. What follows behind the last part is not looked at, so a later
release may add something there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from quintet.sametime.sharing import (
    MOST_ROWS,
    AcceptAt,
    AnnounceTo,
    ChannelAccept,
    ChannelCreate,
    CloseAt,
    CloseConference,
    ConferenceInvitation,
    ConferenceRequest,
    EndNamed,
    Header,
    InviteTo,
    ListSessions,
    LoginInfo,
    MalformedMessageError,
    OpenAt,
    Order,
    SendAt,
    SessionRow,
    ShowText,
    StoredChange,
    TellConference,
    WireReader,
    boolean,
    decode_notice,
    decode_request,
    opaque,
    string,
    u16,
    u32,
)

_SMALLEST_STRING: Final = 2
_SMALLEST_ROW: Final = 6 * _SMALLEST_STRING + 8
T = TypeVar("T")

MOST_NAMED: Final = 10_000
"""Users or sessions that one message names."""


@dataclass(frozen=True, slots=True)
class InConference:
    """A session at the sender does something in a conference at the receiver; None: it left."""

    session: str
    conference: str
    request: ConferenceRequest | None


@dataclass(frozen=True, slots=True)
class OrderDone:
    """The sender carried out an order, with so many sessions."""

    order: str
    sessions: int


@dataclass(frozen=True, slots=True)
class SessionRows:
    """Some of the sessions at the sender, before `OrderDone`."""

    order: str
    rows: tuple[SessionRow, ...]


NodeMessage = (
    OpenAt
    | AcceptAt
    | SendAt
    | CloseAt
    | InviteTo
    | TellConference
    | CloseConference
    | InConference
    | OrderDone
    | SessionRows
)


def encode_message(message: NodeMessage) -> bytes:
    """Raises UnencodableValueError for a string that is too long."""
    match message:
        case OpenAt(session, link, create, creator):
            return b"\x01" + string(session) + string(link) + opaque(create.body()) + creator.encode()
        case AcceptAt(session, link, accept, acceptor):
            accepted = u32(accept.channel) + opaque(accept.body())
            return b"\x02" + string(session) + string(link) + accepted + acceptor.encode()
        case SendAt(session, link, kind, data, encrypted):
            return b"\x03" + string(session) + string(link) + u16(kind) + opaque(data) + boolean(encrypted)
        case CloseAt(session, link, reason, data):
            return b"\x04" + string(session) + string(link) + u32(reason) + opaque(data)
        case InviteTo(session, conference, invitation):
            return b"\x05" + string(session) + string(conference) + opaque(invitation.encode())
        case TellConference(sessions, conference, notice):
            told = u16(notice.TYPE) + opaque(notice.encode())
            return b"\x06" + _strings(sessions) + string(conference) + told
        case CloseConference(session, conference, reason):
            return b"\x07" + string(session) + string(conference) + u32(reason)
        case InConference(session, conference, request):
            asked = boolean(request is not None)
            if request is not None:
                asked += u16(request.TYPE) + opaque(request.encode())
            return b"\x08" + string(session) + string(conference) + asked
        case OrderDone(order, sessions):
            return b"\x09" + string(order) + u32(sessions)
        case SessionRows(order, rows):
            return b"\x0a" + string(order) + u32(len(rows)) + b"".join([_row(each) for each in rows])


def decode_message(data: bytes) -> NodeMessage:
    """Raises MalformedMessageError, also for a kind that is not known."""
    return _read(_MESSAGES, data)


def encode_order(order: Order) -> bytes:
    """Raises UnencodableValueError."""
    match order:
        case ShowText(text):
            return b"\x01" + string(text)
        case EndNamed(name):
            return b"\x02" + string(name)
        case AnnounceTo(users, text, may_reply, sender):
            return b"\x03" + _strings(users) + string(text) + boolean(may_reply) + sender.encode()
        case StoredChange(user_id, key, version):
            return b"\x04" + string(user_id) + u32(key) + u32(version)
        case ListSessions():
            return b"\x05"


def decode_order(data: bytes) -> Order:
    """Raises MalformedMessageError."""
    return _read(_ORDERS, data)


def _read(readers: dict[int, Callable[[WireReader], T]], data: bytes) -> T:
    reader = readers.get(data[0]) if data else None
    if reader is None:
        raise MalformedMessageError("a message of an unknown kind from another node")
    return reader(WireReader(data, 1))


def _read_accept(reader: WireReader) -> AcceptAt:
    session, link, channel = reader.string(), reader.string(), reader.u32()
    accept = ChannelAccept.read(reader.within_opaque(), Header(ChannelAccept.TYPE, 0, channel))
    return AcceptAt(session, link, accept, LoginInfo.read(reader))


def _read_in_conference(reader: WireReader) -> InConference:
    session, conference = reader.string(), reader.string()
    request = decode_request(reader.u16(), reader.opaque()) if reader.boolean() else None
    return InConference(session, conference, request)


def _row(row: SessionRow) -> bytes:
    *texts, connected_at, status = row
    return b"".join([string(each) for each in texts]) + u32(connected_at) + u32(status)


def _read_row(reader: WireReader) -> SessionRow:
    text = reader.string
    return SessionRow(text(), text(), text(), text(), text(), text(), reader.u32(), reader.u32())


def _read_rows(reader: WireReader) -> SessionRows:
    order, count = reader.string(), reader.count(_SMALLEST_ROW, MOST_ROWS)
    return SessionRows(order, tuple([_read_row(reader) for _ in range(count)]))


def _strings(texts: tuple[str, ...]) -> bytes:
    return u32(len(texts)) + b"".join([string(each) for each in texts])


def _read_strings(reader: WireReader) -> tuple[str, ...]:
    count = reader.count(_SMALLEST_STRING, MOST_NAMED)
    return tuple([reader.string() for _ in range(count)])


_MESSAGES: Final[dict[int, Callable[[WireReader], NodeMessage]]] = {
    1: lambda reader: OpenAt(
        reader.string(),
        reader.string(),
        ChannelCreate.read(reader.within_opaque()),
        LoginInfo.read(reader),
    ),
    2: _read_accept,
    3: lambda reader: SendAt(
        reader.string(), reader.string(), reader.u16(), reader.opaque(), reader.boolean()
    ),
    4: lambda reader: CloseAt(reader.string(), reader.string(), reader.u32(), reader.opaque()),
    5: lambda reader: InviteTo(
        reader.string(), reader.string(), ConferenceInvitation.decode(reader.opaque())
    ),
    6: lambda reader: TellConference(
        _read_strings(reader), reader.string(), decode_notice(reader.u16(), reader.opaque())
    ),
    7: lambda reader: CloseConference(reader.string(), reader.string(), reader.u32()),
    8: _read_in_conference,
    9: lambda reader: OrderDone(reader.string(), reader.u32()),
    10: _read_rows,
}
_ORDERS: Final[dict[int, Callable[[WireReader], Order]]] = {
    1: lambda reader: ShowText(reader.string()),
    2: lambda reader: EndNamed(reader.string()),
    3: lambda reader: AnnounceTo(
        _read_strings(reader), reader.string(), reader.boolean(), LoginInfo.read(reader)
    ),
    4: lambda reader: StoredChange(reader.string(), reader.u32(), reader.u32()),
    5: lambda _: ListSessions(),
}
