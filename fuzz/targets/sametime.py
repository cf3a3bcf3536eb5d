"""What Sametime clients send, from a balancer's header to what is said on channels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fuzz.target import Target, nothing_more, text_of
from quintet.proxy_protocol import SIGNATURE, ProxyHeader, ProxyHeaderError, read_proxy_header
from quintet.sametime.channel_table import ChannelState
from quintet.sametime.errors import MalformedMessageError, UnencodableValueError, UnknownMessageTypeError
from quintet.sametime.events import (
    ChannelClosed,
    ChannelRequested,
    HandshakeReceived,
    LoginContinued,
    LoginRequested,
    ProtocolViolation,
    SessionEvent,
    SessionLeft,
)
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services import aware, conference, directory, file_transfer, im, resolve, storage
from quintet.sametime.services.catalog import SERVICES, ServiceId
from quintet.sametime.services.contact_list import ContactList, parse_contact_list, render_contact_list
from quintet.sametime.session import SametimeSession, SessionState
from quintet.sametime.storage import InvalidImportError
from quintet.sametime.storage.admin import ExportedValue, read_export
from quintet.sametime.storage.merge import merge_contact_lists, replace_contact
from quintet.sametime.wire.blocks import IdBlock, UserStatus
from quintet.sametime.wire.messages import (
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    Handshake,
    Login,
    SametimeMessage,
    SenseService,
    SetUserStatus,
    UnknownMessage,
    decode,
    encode,
)
from support.sametime_sessions import KEYS, MAGIC, SERVER, login_of
from support.sametime_vectors import VECTORS

# Messages


def _check_message(message: SametimeMessage | UnknownMessage) -> None:
    if not isinstance(message, UnknownMessage):
        assert decode(encode(message)[4:]) == message


def _contents() -> Iterator[bytes]:
    return (each.content for each in VECTORS.values())


# What is said on channels

_BY_TYPE: Final[tuple[Callable[[int, bytes], Any], ...]] = (
    aware.decode_request,
    aware.decode_notice,
    resolve.decode_request,
    resolve.decode_response,
    directory.decode_request,
    directory.decode_response,
    im.decode_message,
    conference.decode_request,
    conference.decode_notice,
    storage.decode_request,
    storage.decode_response,
    file_transfer.decode_message,
)
_OPENINGS: Final[tuple[type[Any], ...]] = (
    im.ImOpening,
    im.ImAcceptance,
    conference.ConferenceOpening,
    conference.ConferenceInvitation,
    file_transfer.FileOffer,
)


def _read_payload(data: bytes) -> Any:
    """A byte for the service and two for the type, then the data."""
    which = data[0] % (len(_BY_TYPE) + len(_OPENINGS)) if data else 0
    if which >= len(_BY_TYPE):
        return which, _OPENINGS[which - len(_BY_TYPE)].decode(data[1:])
    return which, _BY_TYPE[which](int.from_bytes(data[1:3], "big"), data[3:])


def _check_payload(read: tuple[int, Any]) -> None:
    which, value = read
    try:
        encoded = value.encode()
    except UnencodableValueError:  # clients may say what the server must not, such as empty ids (P13)
        return
    if which >= len(_BY_TYPE):
        assert type(value).decode(encoded) == value
    else:
        assert _BY_TYPE[which](value.TYPE, encoded) == value


def _payloads() -> Iterator[bytes]:
    for content in _contents():
        match decode(content):
            case ChannelSend(_, message_type, data):
                for which in range(len(_BY_TYPE)):
                    yield bytes((which,)) + message_type.to_bytes(2, "big") + data
            case ChannelCreate() | ChannelAccept() as opened:
                for which in range(len(_OPENINGS)):
                    yield bytes((len(_BY_TYPE) + which,)) + opened.additional
    for which in range(len(_BY_TYPE)):
        for message_type in (0, 1, 2, 3, 4, 5, 6, 7, 0x64, 0x68, 0xC9, 0x1F4, 0x259):
            yield bytes((which,)) + message_type.to_bytes(2, "big") + bytes(24)


# Sessions


@dataclass(slots=True)
class _Caller:
    """Answers what a session tells, as `habits` say, and keeps account of its channels."""

    session: SametimeSession
    habits: int
    alive: set[int]

    def on(self, event: SessionEvent) -> None:
        session, habits = self.session, self.habits
        match event:
            case HandshakeReceived():
                if session.state is SessionState.SHAKING:
                    session.accept_handshake(KEYS, MAGIC)
            case LoginRequested() | LoginContinued():
                if session.state is not SessionState.AUTHENTICATING:
                    pass
                elif habits & 1 and isinstance(event, LoginRequested):
                    session.redirect("other.example.org")
                elif habits & 2:
                    session.end(ReasonCode.SERVER_FULL)
                else:
                    session.accept_login(login_of("alice"))
            case ChannelClosed(channel):
                self.alive.remove(channel)
            case ChannelRequested(channel):
                self.alive.add(channel)

    def act(self) -> None:
        """Do something with each channel: accept it, say something on it, close it."""
        if self.session.state is not SessionState.ONLINE:
            return
        channels = self.session.channels
        if self.habits & 4 and channels.can_open and len(self.alive) < 4:
            self.alive.add(channels.open(ServiceId.CONFERENCE, login_of("bob")))
        for each in list(channels):
            if each.state is ChannelState.REQUESTED and not each.relayed:
                if self.habits & 8:
                    channels.close(each.id, ReasonCode.NO_SUCH_USER)
                    self.alive.discard(each.id)
                else:
                    channels.accept(each.id)
            elif each.state is ChannelState.OPEN:
                channels.send(each.id, 1, b"said")
        assert {each.id for each in channels} == self.alive


_ENTRIES: Final = ("new", "shaken", "online")


def _session(entry: str) -> SametimeSession:
    session = SametimeSession(SERVER, tuple(SERVICES))
    if entry == "new":
        return session
    session.receive(encode(Handshake(0x1700)))
    session.accept_handshake(KEYS, MAGIC)
    if entry == "online":
        session.receive(encode(Login(0x1700, "alice", b"\0\1x", 0)))
        session.accept_login(login_of("alice"))
    session.data_to_send()
    return session


def _read_session(data: bytes) -> None:
    """Bytes for how far the session is, how the input is cut, and what its caller does; then a client's."""
    if len(data) < 3:
        return
    entry, size, habits, said = _ENTRIES[data[0] % len(_ENTRIES)], data[1] % 64 + 1, data[2], data[3:]
    whole, pieces = _session(entry), _session(entry)
    events = whole.receive(said)
    found: list[SessionEvent] = []
    for at in range(0, len(said), size):
        found += pieces.receive(said[at : at + size])
    assert found == events
    assert pieces.data_to_send() == whole.data_to_send()
    assert pieces.state is whole.state
    ends = [each for each in events if isinstance(each, ProtocolViolation | SessionLeft)]
    assert ends == (events[-1:] if whole.state is SessionState.CLOSED else [])
    _answer(_Caller(_session(entry), habits, set()), said, size)


def _answer(caller: _Caller, said: bytes, size: int) -> None:
    for at in range(0, len(said), size):
        for event in caller.session.receive(said[at : at + size]):
            caller.on(event)
        caller.act()
        _check_frames(caller.session.data_to_send())


def _check_frames(data: bytes) -> None:
    """All that is sent to a client are whole messages of known types."""
    while data:
        size = int.from_bytes(data[:4], "big")
        assert len(data) >= 4 + size
        assert not isinstance(decode(data[4 : 4 + size]), UnknownMessage)
        data = data[4 + size :]


def _conversations() -> Iterator[bytes]:
    login = encode(Login(0x1700, "alice", b"\0\1x", 0))
    vectors = [each.frame for each in VECTORS.values()]
    for habits in (0, 1, 2):
        yield bytes((0, 63, habits)) + encode(Handshake(0x1700)) + login
    yield bytes((1, 10, 1)) + login + encode(ChannelDestroy(0, 0))
    for each in vectors:
        yield bytes((2, 63, 4)) + each
        yield bytes((0, 20, 0)) + each
    for service in SERVICES.values():
        for habits in (0, 4, 8):
            create = ChannelCreate(1, service.service, service.protocol, service.version, IdBlock("uid=bob"))
            sends = encode(ChannelSend(1, 1, bytes(8))) + encode(ChannelSend(1, 2, bytes(8), True))
            yield bytes((2, 63, habits)) + encode(create) + sends + encode(ChannelDestroy(1, 0))
    others = (SenseService(ServiceId.STORAGE), SetUserStatus(UserStatus(0x20, 1, "here")))
    yield bytes((2, 5, 0)) + b"".join(encode(each) for each in others) + b"\x80\x80"


# Contact lists


def _check_contacts(contacts: ContactList) -> None:
    try:
        text = render_contact_list(contacts)
    except UnencodableValueError:  # an id of blanks
        return
    again = parse_contact_list(text)
    assert render_contact_list(again) == text
    assert [len(each.contacts) for each in again.groups] == [len(each.contacts) for each in contacts.groups]


_CONTACTS: Final = (
    (
        b"Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob,ou=people,dc=example,dc=org1:: Bob;Example,Bobby\r\n"
        b"G cn=devs3 Developers C\r\n"
    ),
    b"G a2 a O\nU b1:: Example,;Bob,Bobby\nX y\nU c2::d\r\n \r\n",
)


def _read_versions(data: bytes) -> tuple[str, str, str]:
    base, theirs, mine = [*map(text_of, data.split(b"\0", 2)), "", ""][:3]
    return base, theirs, mine


def _check_versions(versions: tuple[str, str, str]) -> None:
    base, theirs, mine = versions
    same = merge_contact_lists(theirs, theirs, theirs)
    assert merge_contact_lists(base, theirs, base) == same
    merged = merge_contact_lists(base, theirs, mine)
    assert merge_contact_lists(merged, merged, merged) == merged
    renamed, count = replace_contact(merged, "bob", "robert")
    assert count or renamed == merged
    assert replace_contact(renamed, "bob", "x") == (renamed, 0)


def _read_export(data: bytes) -> list[ExportedValue]:
    return list(read_export(text_of(data).splitlines()))


def _check_export(values: list[ExportedValue]) -> None:
    assert list(read_export(each.to_json() for each in values)) == values
    for each in values:
        each.user_id.encode()


_EXPORTS: Final = (
    '{"id": "uid=é", "key": 0, "text": "Version=3.1.3"}\n\n{"id": "a", "key": 5, "base64": "AAE="}'.encode(),
    rb'{"id": "a\u00e9\ud83d\ude00", "key": -1, "text": "\ud83d", "x": [1e9]}',
)


# PROXY protocol


def _check_header(header: ProxyHeader | None) -> None:
    assert header is None or (header.size >= len(SIGNATURE) and 0 <= header.port <= 0xFFFF)


_HEADERS: Final = (
    SIGNATURE + bytes.fromhex("2111000c 7f000001 7f000002 1234 05fd") + b"rest",
    SIGNATURE + bytes.fromhex("21210024" + "00" * 10 + "ffff7f000001" + "00" * 16 + "123405fd"),
    SIGNATURE + bytes.fromhex("20000000"),
)

TARGETS: Final = (
    Target("sametime", "Sametime messages", decode, (MalformedMessageError,), _check_message, _contents),
    Target(
        "sametime-session", "a Sametime client, in pieces", _read_session, (), nothing_more, _conversations
    ),
    Target(
        "sametime-channels",
        "what is said on channels",
        _read_payload,
        (MalformedMessageError, UnknownMessageTypeError),
        _check_payload,
        _payloads,
    ),
    Target(
        "contacts",
        "contact lists",
        lambda data: parse_contact_list(text_of(data)),
        (MalformedMessageError,),
        _check_contacts,
        lambda: _CONTACTS,
    ),
    Target(
        "contact-merge",
        "three versions of a contact list",
        _read_versions,
        (),
        _check_versions,
        lambda: (b"\0".join((_CONTACTS[0], *_CONTACTS)), b"\0G a2 a O\nU bob1:: B,\0G a2 a C\nU bob2::"),
    ),
    Target(
        "contacts-import",
        "exported contact lists and settings",
        _read_export,
        (InvalidImportError,),
        _check_export,
        lambda: _EXPORTS,
    ),
    Target(
        "proxy-header",
        "PROXY protocol headers",
        read_proxy_header,
        (ProxyHeaderError,),
        _check_header,
        lambda: _HEADERS,
        256,
    ),
)
