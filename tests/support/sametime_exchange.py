"""As little of a Sametime server as shows clients every layout: in memory, without sockets.

Not a server: every user may do everything, and nothing outlives it. It answers what clients of all kinds
send, so that a test can see what these make of the answers.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from quintet.sametime.credentials import AuthType, PasswordCredentials
from quintet.sametime.events import (
    AnnouncementRequested,
    ChannelClosed,
    ChannelData,
    ChannelOpened,
    ChannelRequested,
    HandshakeReceived,
    LoginRequested,
    PrivacyChanged,
    SenseRequested,
    SessionEvent,
    SessionLeft,
    StatusChanged,
)
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services import aware, conference, directory, resolve, storage
from quintet.sametime.services.catalog import SERVICES, ServiceId
from quintet.sametime.services.server_attributes import ServerAbilities
from quintet.sametime.session import SametimeSession, SessionState
from quintet.sametime.wire.blocks import AwareId, AwareType, IdBlock, LoginInfo, StatusCode, UserStatus
from quintet.sametime.wire.messages import Announce, SetPrivacyList
from support.sametime_sessions import KEYS, MAGIC, SERVER

PASSWORD = b"secret"
GROUP = "cn=devs"
BOOKS = ("Company Directory", "Bücher")


def user_id(name: str) -> str:
    return f"uid={name},ou=people,dc=example,dc=org"


class BytesClient(Protocol):
    """Any client that takes and gives bytes."""

    def receive(self, data: bytes) -> object: ...
    def data_to_send(self) -> bytes: ...


@dataclass(slots=True)
class Line:
    """One client and its session."""

    client: BytesClient
    session: SametimeSession
    login: LoginInfo | None = None
    auth_type: AuthType | None = None
    status: UserStatus = field(default_factory=lambda: UserStatus(StatusCode.ACTIVE))
    services: dict[int, int] = field(default_factory=dict)
    """Hosted channels: the service of each."""
    peers: dict[int, tuple["Line", int]] = field(default_factory=dict)
    """Relayed channels: the other half of each."""
    watched: set[AwareId] = field(default_factory=set)
    watched_keys: set[int] = field(default_factory=set)
    attributes: dict[int, bytes] = field(default_factory=dict)
    conferences: dict[int, "Meeting"] = field(default_factory=dict)
    events: list[SessionEvent] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.login.user_id if self.login else ""

    def channel_of(self, service: int) -> int:
        return next(channel for channel, each in self.services.items() if each == service)


@dataclass(slots=True)
class Meeting:
    """One conference: members by their channels."""

    name: str
    title: str
    members: list[tuple[Line, int, int]] = field(default_factory=list)
    """Line, channel, and number of each member."""
    last_number: int = 0


class Exchange:
    """All sessions. `refuse` ends every login by this reason; `offered` are the services."""

    def __init__(
        self,
        *,
        offered: Collection[int] = tuple(SERVICES),
        refuse: ReasonCode | None = None,
        redirect: str = "",
        members: Collection[str] = (),
    ) -> None:
        self.lines: list[Line] = []
        self.stored: dict[tuple[str, int], bytes] = {}
        self._offered = offered
        self._refuse = refuse
        self._redirect = redirect
        self._members = members

    def connect(self, client: BytesClient) -> Line:
        line = Line(client, SametimeSession(SERVER, self._offered))
        self.lines.append(line)
        return line

    def run(self) -> None:
        """Pass bytes in both directions until all are silent."""
        busy = True
        while busy:
            busy = False
            for line in self.lines:
                if data := line.client.data_to_send():
                    busy = True
                    self.take(line, data)
            for line in self.lines:
                if data := line.session.data_to_send():
                    busy = True
                    line.client.receive(data)

    def take(self, line: Line, data: bytes) -> None:
        for event in line.session.receive(data):
            line.events.append(event)
            self._on(line, event)

    def _on(self, line: Line, event: SessionEvent) -> None:
        match event:
            case HandshakeReceived():
                line.session.accept_handshake(KEYS, MAGIC, 0x7F000001)
            case LoginRequested():
                self._on_login(line, event)
            case ChannelRequested(channel, create):
                if SERVICES[create.service].relayed:
                    self._relay(line, event)
                else:
                    line.session.channels.accept(channel)
                    line.services[channel] = create.service
                    if create.service == ServiceId.CONFERENCE:
                        self._found(line, channel, create.additional)
            case ChannelOpened(channel, accept):
                if channel in line.peers:
                    other, theirs = line.peers[channel]
                    assert line.login is not None
                    other.session.channels.accept_relayed(theirs, accept, line.login)
            case ChannelData(channel, kind, data, encrypted):
                if channel in line.peers:
                    other, theirs = line.peers[channel]
                    other.session.channels.send(theirs, kind, data, encrypted=encrypted)
                else:
                    self._on_data(line, channel, kind, data)
            case ChannelClosed(channel, reason, data):
                self._on_closed(line, channel, reason, data)
            case StatusChanged(status):
                line.status = status
                self._tell_presence(line)
            case PrivacyChanged(privacy):
                if privacy.users:
                    line.session.notify(SetPrivacyList(privacy))
            case SenseRequested(service):
                line.session.announce_service(service)
            case AnnouncementRequested(announce):
                self._announce(line, announce)
            case SessionLeft():
                self._tell_presence(line)
            case _:
                pass

    def _on_login(self, line: Line, event: LoginRequested) -> None:
        if self._refuse is not None:
            line.session.end(self._refuse)
        elif not isinstance(event.credentials, PasswordCredentials) or event.credentials.password != PASSWORD:
            line.session.end(ReasonCode.INCORRECT_LOGIN)
        else:
            line.auth_type = event.credentials.auth_type
            line.login = LoginInfo(
                f"{len(self.lines):05}{event.name}",
                event.client_type,
                user_id(event.name),
                event.name.capitalize(),
                address=0x7F000001,
                server_id=SERVER.server_id,
            )
            if self._redirect:
                line.session.redirect(self._redirect)
            else:
                self.sign_in(line)

    def sign_in(self, line: Line) -> None:
        assert line.login is not None
        line.session.accept_login(line.login)
        self._tell_presence(line)

    def _online(self, user: str) -> Line | None:
        """The line of a user who is signed in."""
        for line in self.lines:
            if line.id == user and line.session.state is SessionState.ONLINE:
                return line
        return None

    def _relay(self, line: Line, event: ChannelRequested) -> None:
        other = self._online(event.create.target.user)
        if other is None:
            line.session.channels.close(event.channel, ReasonCode.USER_NOT_ONLINE)
            return
        assert line.login is not None
        theirs = other.session.channels.open_relayed(event.create, line.login)
        line.peers[event.channel] = other, theirs
        other.peers[theirs] = line, event.channel

    def _on_closed(self, line: Line, channel: int, reason: int, data: bytes) -> None:
        if channel in line.peers:
            other, theirs = line.peers.pop(channel)
            other.peers.pop(theirs, None)
            other.session.channels.close(theirs, reason, data)
        elif channel in line.conferences:
            self._leave(line, channel)
        line.services.pop(channel, None)

    def _on_data(self, line: Line, channel: int, kind: int, data: bytes) -> None:
        match line.services[channel]:
            case ServiceId.AWARE:
                self._on_aware(line, channel, aware.decode_request(kind, data))
            case ServiceId.RESOLVE:
                request = resolve.decode_request(kind, data)
                results = tuple([self._resolve(name, request) for name in request.names])
                answer = resolve.ResolveResponse(request.request_id, results)
                line.session.channels.send(channel, answer.TYPE, answer.encode())
            case ServiceId.STORAGE:
                self._on_storage(line, channel, storage.decode_request(kind, data))
            case ServiceId.DIRECTORY:
                self._on_directory(line, channel, directory.decode_request(kind, data))
            case ServiceId.CONFERENCE:
                self._on_conference(line, channel, conference.decode_request(kind, data))

    # AWARE

    def _on_aware(self, line: Line, channel: int, request: aware.AwareRequest) -> None:
        send = line.session.channels.send
        match request:
            case aware.AddToWatchList(ids):
                line.watched.update(ids)
                entries: list[aware.PresenceEntry] = []
                for each in ids:
                    entries += self._entries(each)
                snapshot = aware.PresenceSnapshot(tuple(entries))
                send(channel, snapshot.TYPE, snapshot.encode())
                for each in ids:
                    self._tell_attributes(line, channel, each)
            case aware.RemoveFromWatchList(ids):
                line.watched.difference_update(ids)
            case aware.WatchAttributes(keys):
                line.watched_keys = set(keys)
                for each in line.watched:
                    self._tell_attributes(line, channel, each)
            case aware.SetOwnAttribute(key, value):
                line.attributes[key] = value
                self._tell_attribute(line, key)
            case aware.UnsetOwnAttribute(key):
                line.attributes.pop(key, None)
                self._tell_attribute(line, key)

    def _entries(self, aware_id: AwareId) -> list[aware.PresenceEntry]:
        if aware_id.type == AwareType.GROUP:
            users = [user_id(each) for each in self._members]
            return [self._entry(AwareId(AwareType.USER, each), aware_id.user) for each in users]
        if aware_id.type == AwareType.SERVER and aware_id.user == SERVER.server_id:
            return [aware.PresenceEntry(aware_id, UserStatus(StatusCode.ACTIVE), "", aware_id.user)]
        return [self._entry(aware_id)]

    def _entry(self, aware_id: AwareId, group: str = "") -> aware.PresenceEntry:
        line = self._online(aware_id.user)
        if line is None or line.login is None:
            return aware.PresenceEntry(aware_id, group=group)
        return aware.PresenceEntry(aware_id, line.status, line.login.user_name, aware_id.user, group)

    def _watchers(self, line: Line) -> list[tuple[Line, int, AwareId]]:
        """Who watches the user of a line, on which channel, and by which id."""
        return [
            (other, other.channel_of(ServiceId.AWARE), each)
            for other in self.lines
            for each in other.watched
            if each.user == line.id and ServiceId.AWARE in other.services.values()
        ]

    def _tell_presence(self, line: Line) -> None:
        for other, channel, each in self._watchers(line):
            update = aware.PresenceUpdate(self._entry(each))
            other.session.channels.send(channel, update.TYPE, update.encode())

    def _tell_attributes(self, line: Line, channel: int, aware_id: AwareId) -> None:
        if aware_id.type == AwareType.SERVER:
            values = ServerAbilities(browsing=True, largest_file=1024).attributes()
        else:
            other = self._online(aware_id.user)
            values = other.attributes if other else {}
        for key in line.watched_keys & values.keys():
            notice = aware.AttributeSet(aware_id, key, values[key])
            line.session.channels.send(channel, notice.TYPE, notice.encode())

    def _tell_attribute(self, line: Line, key: int) -> None:
        for other, channel, each in self._watchers(line):
            if key in other.watched_keys:
                notice: aware.AwareNotice = aware.AttributeUnset(each, key)
                if key in line.attributes:
                    notice = aware.AttributeSet(each, key, line.attributes[key])
                other.session.channels.send(channel, notice.TYPE, notice.encode())

    # RESOLVE, STORAGE, DIRECTORY

    def _resolve(self, name: str, request: resolve.ResolveRequest) -> resolve.ResolveResult:
        if request.wants_groups and name == "devs":
            group = resolve.ResolveMatch(GROUP, "Developers", "all of them", resolve.MatchType.GROUP)
            return resolve.ResolveResult(name, (group,))
        users = [each.login for each in self.lines if each.login is not None]
        matches = [
            resolve.ResolveMatch(each.user_id, each.user_name)
            for each in users
            if name in (each.user_id, each.user_name.lower(), "*")
        ]
        return resolve.ResolveResult(name, tuple(matches))

    def _on_storage(self, line: Line, channel: int, request: storage.StorageRequest) -> None:
        answer: storage.StorageResponse
        match request:
            case storage.LoadValues(number, (key,)) if (line.id, key) in self.stored:
                value = storage.StoredValue(key, self.stored[line.id, key])
                answer = storage.ValuesLoaded(number, (value,))
            case storage.LoadValues(number):
                answer = storage.ValuesLoaded(number, code=ReasonCode.NO_SUCH_ELEMENT)
            case storage.SaveValues(number, values):
                self.stored.update({(line.id, each.key): each.value for each in values})
                answer = storage.ValuesSaved(number)
        line.session.channels.send(channel, answer.TYPE, answer.encode())

    def _on_directory(self, line: Line, channel: int, request: directory.DirectoryRequest) -> None:
        answer: directory.DirectoryResponse
        match request:
            case directory.ListBooks(number):
                books = tuple([directory.AddressBook(at, name) for at, name in enumerate(BOOKS, 1)])
                answer = directory.BookList(number, books)
            case directory.OpenBook(number, book_id):
                answer = directory.BookOpened(number, book_id, 0)
            case _:
                answer = directory.DirectoryPage(request.request_id, at_start=True, at_end=True)
        line.session.channels.send(channel, answer.TYPE, answer.encode())

    # CONFERENCE

    def _found(self, line: Line, channel: int, additional: bytes) -> None:
        opening = conference.ConferenceOpening.decode(additional)
        self._join(Meeting(opening.name, opening.title), line, channel)

    def _join(self, meeting: Meeting, line: Line, channel: int) -> None:
        assert line.login is not None
        line.conferences[channel] = meeting
        meeting.last_number += 1
        joined = conference.ConferenceJoined(conference.ConferenceMember(meeting.last_number, line.login))
        for other, theirs, _ in meeting.members:
            other.session.channels.send(theirs, joined.TYPE, joined.encode())
        meeting.members.append((line, channel, meeting.last_number))
        members = [
            conference.ConferenceMember(number, each.login)
            for each, _, number in meeting.members
            if each.login is not None
        ]
        welcome = conference.ConferenceWelcome(meeting.name, meeting.title, tuple(members))
        line.session.channels.send(channel, welcome.TYPE, welcome.encode())

    def _leave(self, line: Line, channel: int) -> None:
        meeting = line.conferences.pop(channel)
        number = next((number for each, _, number in meeting.members if each is line), 0)
        meeting.members = [each for each in meeting.members if each[0] is not line]
        left = conference.ConferenceLeft(number)
        for other, theirs, _ in meeting.members:
            other.session.channels.send(theirs, left.TYPE, left.encode())

    def _on_conference(self, line: Line, channel: int, request: conference.ConferenceRequest) -> None:
        meeting = line.conferences[channel]
        match request:
            case conference.ConferenceInvite(user, text):
                other = self._online(user.user)
                assert other is not None
                assert line.login is not None
                invitation = conference.ConferenceInvitation(meeting.name, meeting.title, line.login, text)
                theirs = other.session.channels.open(
                    ServiceId.CONFERENCE, line.login, invitation.encode(), IdBlock(other.id)
                )
                other.services[theirs] = ServiceId.CONFERENCE
                other.conferences[theirs] = meeting
            case conference.ConferenceJoin():
                self._join(meeting, line, channel)
            case _:
                number = next(number for each, _, number in meeting.members if each is line)
                said = conference.ConferenceSaid(number, request)
                for other, theirs, _ in meeting.members:
                    other.session.channels.send(theirs, said.TYPE, said.encode())

    def _announce(self, line: Line, announce: Announce) -> None:
        for recipient in announce.recipients:
            other = self._online(recipient.removeprefix("@U "))
            if other is not None:
                other.session.notify(
                    Announce(announce.text, announce.recipients, announce.may_reply, line.login)
                )
