"""An independent client: libmeanwhile, the library inside Pidgin 2 and Finch, driven by ctypes.

`MeanwhileClient` passes bytes in and out without a socket, and records what the library tells. `Connected`
puts clients on sockets and pumps them until something is true.
"""

import contextlib
import ctypes
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import TracebackType
from typing import Any, Self

from support import meanwhile_abi as abi
from support.meanwhile_abi import Pointer, c_text, g_list, g_list_items, glib, meanwhile, text

LIBMEANWHILE = 0x1700
_FILE_CHUNK = 8192


class State(IntEnum):
    """The states of the library's session."""

    STARTING = 0
    HANDSHAKE = 1
    HANDSHAKE_ACK = 2
    LOGIN = 3
    LOGIN_REDIRECT = 4
    LOGIN_ACK = 5
    STARTED = 6
    STOPPING = 7
    STOPPED = 8
    UNKNOWN = 9
    LOGIN_CONTINUE = 10


class ServiceState(IntEnum):
    STOPPED = 0
    STOPPING = 1
    STARTED = 2
    STARTING = 3
    ERROR = 4


class ImKind(IntEnum):
    """What `recv` of a conversation brings."""

    TEXT = 0
    TYPING = 1
    HTML = 2
    SUBJECT = 3
    MIME = 4


@dataclass(frozen=True, slots=True)
class Presence:
    type: int
    user: str
    group: str
    online: bool
    status: int
    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Match:
    id: str
    name: str
    description: str
    type: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """`results` are the code, the name as asked, and the matches, for each name."""

    code: int
    results: tuple[tuple[int, str, tuple[Match, ...]], ...]


@dataclass(slots=True)
class Conversation:
    """`received` has kind and content: a text, or for typing whether the other side types."""

    pointer: int
    opened: int = 0
    closed: list[int] = field(default_factory=list)
    received: list[tuple[ImKind, str | bool]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [str(content) for kind, content in self.received if kind is ImKind.TEXT]


@dataclass(slots=True)
class Conference:
    """What the library told of one conference. Members are user ids."""

    pointer: int
    name: str
    title: str
    invited_by: str = ""
    invitation: str = ""
    opened: bool = False
    members: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    parted: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    typing: list[tuple[str, bool]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)


@dataclass(slots=True)
class FileTransfer:
    pointer: int
    peer: str
    name: str
    message: str
    size: int
    to_send: bytes = b""
    received: bytearray = field(default_factory=bytearray)
    opened: bool = False
    closed: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Announcement:
    sender: str
    may_reply: bool
    text: str


class MeanwhileClient:
    """One session of the library, with all its services but places. Use it as a context manager.

    It logs in as `name` once `start` is called. What happens is recorded in the public attributes.
    """

    def __init__(
        self,
        name: str,
        password: str,
        *,
        ciphers: bool = True,
        client_type: int = LIBMEANWHILE,
        flavour: int = 0x00033453,
    ) -> None:
        self.name = name
        self.is_closed = False
        """The library closed the connection."""
        self.states: list[tuple[State, int]] = []
        """Each state with its information: the reason, for STOPPING and STOPPED."""
        self.redirected_to = ""
        self.admin_texts: list[str] = []
        self.announcements: list[Announcement] = []
        self.own_status_changes: list[tuple[int, str]] = []
        self.privacy_changes: list[tuple[bool, tuple[str, ...]]] = []
        self.presence_log: list[Presence] = []
        self.attributes: dict[tuple[str, int], bytes | None] = {}
        self.resolutions: dict[int, Resolution] = {}
        self.loaded: list[tuple[int, int, bytes]] = []
        """Key, result and value of each load that was answered, in order."""
        self.saved: list[tuple[int, int]] = []
        """Key and result of each save that was answered, in order."""
        self.conversations: dict[str, Conversation] = {}
        self.conferences: dict[str, Conference] = {}
        self.files: dict[str, FileTransfer] = {}
        self._out = bytearray()
        self._alive: list[Any] = []
        self._lib = meanwhile()
        self._session: int = self._lib.mwSession_new(self._kept_address(self._session_handler()))
        self._set_property("session.auth.user", self._kept_text(name))
        self._set_property("session.auth.password", self._kept_text(password))
        self._set_property("client.id", client_type)
        self._ciphers = []
        if ciphers:
            for make in (self._lib.mwCipher_new_RC2_40, self._lib.mwCipher_new_RC2_128):
                self._ciphers.append(make(self._session))
                self._lib.mwSession_addCipher(self._session, self._ciphers[-1])
        self._add_services(flavour)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_closed and self.states:
            self.stop()

    # Bytes

    def start(self) -> None:
        self._lib.mwSession_start(self._session)

    def stop(self, reason: int = 0) -> None:
        """Log off."""
        self._lib.mwSession_stop(self._session, reason)

    def receive(self, data: bytes) -> None:
        if data and not self.is_closed:
            self._lib.mwSession_recv(self._session, data, len(data))

    def data_to_send(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def keep_alive(self) -> None:
        self._lib.mwSession_sendKeepalive(self._session)

    # The session

    @property
    def state(self) -> State:
        return self.states[-1][0] if self.states else State.STARTING

    @property
    def is_started(self) -> bool:
        return self.state is State.STARTED

    @property
    def reason(self) -> int | None:
        """Why the session ended, or None while it has not."""
        return next((info for state, info in self.states if state is State.STOPPING), None)

    @property
    def login_info(self) -> dict[str, Any]:
        """The fields of LOGIN_ACK's LoginInfo as the library keeps them."""
        info = self._lib.mwSession_getLoginInfo(self._session).contents
        values = {name: getattr(info, name) for name, *_ in info._fields_}
        return {name: each if isinstance(each, int) else text(each) for name, each in values.items()}

    def stay(self) -> None:
        """After a redirect: insist on this server."""
        self._lib.mwSession_forceLogin(self._session)

    def set_status(self, status: int, message: str = "") -> None:
        block = abi.UserStatus(status, 0, c_text(message))
        self._lib.mwSession_setUserStatus(self._session, ctypes.byref(block))

    def set_privacy(self, deny: bool, *users: str) -> None:
        items = (abi.UserItem * len(users))(*[abi.UserItem(0, c_text(each), None, None) for each in users])
        block = abi.PrivacyInfo(int(deny), len(users), items)
        self._lib.mwSession_setPrivacyInfo(self._session, ctypes.byref(block))

    def announce(self, message: str, *recipients: str, may_reply: bool = True) -> None:
        """`recipients` begin with `@U ` or `@G `."""
        with self._list_of_texts(recipients) as names:
            self._lib.mwSession_sendAnnounce(self._session, int(may_reply), c_text(message), names)

    def sense(self, service: int) -> None:
        self._lib.mwSession_senseService(self._session, service)

    def service_state(self, service: str) -> ServiceState:
        """Of "aware", "resolve", "storage", "im", "directory", "conference" or "file_transfer"."""
        return ServiceState(self._lib.mwService_getState(self._services[service]))

    # Presence

    def watch(self, *users: str, kind: int = 2) -> None:
        """Add users (2), groups (3) or servers (8) to the watch list."""
        with self._list_of_ids(users, kind) as ids:
            self._lib.mwAwareList_addAware(self._aware_list, ids)

    def unwatch(self, *users: str, kind: int = 2) -> None:
        with self._list_of_ids(users, kind) as ids:
            self._lib.mwAwareList_removeAware(self._aware_list, ids)

    def watch_attributes(self, *keys: int) -> None:
        numbers = [ctypes.c_uint32(each) for each in (*keys, 0)]
        self._lib.mwAwareList_watchAttributes(self._aware_list, *numbers)

    def set_flag(self, key: int, value: bool = True) -> None:
        """Set an attribute of one's own."""
        self._lib.mwServiceAware_setAttributeBoolean(self._services["aware"], key, int(value))

    def unset(self, key: int) -> None:
        self._lib.mwServiceAware_unsetAttribute(self._services["aware"], key)

    def presence(self, user: str) -> Presence | None:
        """The last that was told of this user outside of groups."""
        told = (each for each in reversed(self.presence_log) if each.user == user and not each.group)
        return next(told, None)

    # Names

    def resolve(self, *names: str, flags: int = 0x0A) -> int:
        """Ask for names; the answer will be in `resolutions` by the number that this returns."""
        with self._list_of_texts(names) as queries:
            number: int = self._lib.mwServiceResolve_resolve(
                self._services["resolve"], queries, flags, self._on_resolved, None, None
            )
        return number

    def list_books(self) -> None:
        """Ask for the address books: they will be in `books`."""
        self._lib.mwServiceDirectory_refreshAddressBooks(self._services["directory"])

    @property
    def books(self) -> dict[str, int]:
        """The address books that were listed, by name."""
        head = self._lib.mwServiceDirectory_getAddressBooks(self._services["directory"])
        pointers = list(g_list_items(head))
        glib().g_list_free(head)
        return {text(self._lib.mwAddressBook_getName(each)): each for each in pointers}

    def open_book(self, name: str) -> None:
        """Open one of the books."""
        directory = self._lib.mwDirectory_new(self.books[name])
        self._lib.mwDirectory_open(directory, self._on_page)

    # Storage

    def load(self, key: int) -> None:
        unit = self._lib.mwStorageUnit_new(key)
        self._lib.mwServiceStorage_load(self._services["storage"], unit, self._on_loaded, None, None)

    def save(self, key: int, value: str) -> None:
        unit = self._lib.mwStorageUnit_newString(key, c_text(value))
        self._lib.mwServiceStorage_save(self._services["storage"], unit, self._on_saved, None, None)

    # Conversations

    def open_conversation(self, user: str) -> Conversation:
        pointer = self._conversation_pointer(user)
        self._lib.mwConversation_open(pointer)
        return self._conversation(pointer)

    def say(self, user: str, message: str, kind: ImKind = ImKind.TEXT) -> None:
        """Send text, HTML, MIME or a subject in an open conversation."""
        pointer = self._conversation_pointer(user)
        self._lib.mwConversation_send(pointer, kind, c_text(message))

    def say_typing(self, user: str, is_typing: bool) -> None:
        pointer = self._conversation_pointer(user)
        self._lib.mwConversation_send(pointer, ImKind.TYPING, int(is_typing))

    def close_conversation(self, user: str, reason: int = 0) -> None:
        self._lib.mwConversation_close(self._conversation_pointer(user), reason)

    # Conferences

    def open_conference(self, title: str) -> Conference:
        pointer = self._lib.mwConference_new(self._services["conference"], c_text(title))
        self._lib.mwConference_open(pointer)
        return self._conference(pointer)

    def invite(self, conference: Conference, user: str, message: str = "") -> None:
        block = abi.IdBlock(c_text(user), None)
        self._lib.mwConference_invite(conference.pointer, ctypes.byref(block), c_text(message))

    def accept_invitation(self, conference: Conference) -> None:
        self._lib.mwConference_accept(conference.pointer)

    def confer(self, conference: Conference, message: str) -> None:
        self._lib.mwConference_sendText(conference.pointer, c_text(message))

    def confer_typing(self, conference: Conference, is_typing: bool) -> None:
        self._lib.mwConference_sendTyping(conference.pointer, int(is_typing))

    def leave(self, conference: Conference, message: str = "") -> None:
        """Leave, or decline."""
        self._lib.mwConference_destroy(conference.pointer, 0, c_text(message))

    # Files

    def offer_file(self, user: str, name: str, data: bytes, message: str = "") -> FileTransfer:
        """Offer a file; it is sent once the other side accepts."""
        block = abi.IdBlock(c_text(user), None)
        pointer = self._lib.mwFileTransfer_new(
            self._services["file_transfer"], ctypes.byref(block), c_text(message), c_text(name), len(data)
        )
        transfer = self._file(pointer)
        transfer.to_send = data
        self._lib.mwFileTransfer_offer(pointer)
        return transfer

    def accept_file(self, transfer: FileTransfer) -> None:
        self._lib.mwFileTransfer_accept(transfer.pointer)

    def reject_file(self, transfer: FileTransfer) -> None:
        self._lib.mwFileTransfer_close(transfer.pointer, 0x08000606)

    # What the library calls

    def _session_handler(self) -> abi.SessionHandler:
        def write(_session: int, data: int, size: int) -> int:
            self._out += ctypes.string_at(data, size)
            return 0

        def close(_session: int) -> None:
            self.is_closed = True

        def on_state(_session: int, state: int, info: Pointer) -> None:
            if state == State.LOGIN_REDIRECT:
                self.redirected_to = text(ctypes.cast(info, abi.S).value) if info else ""
            self.states.append((State(state), info if info and state != State.LOGIN_REDIRECT else 0))

        def on_privacy(session: int) -> None:
            block = self._lib.mwSession_getPrivacyInfo(session).contents
            users = tuple([text(block.users[index].id) for index in range(block.count)])
            self.privacy_changes.append((bool(block.deny), users))

        def on_status(session: int) -> None:
            block = self._lib.mwSession_getUserStatus(session).contents
            self.own_status_changes.append((block.status, text(block.desc)))

        def on_admin(_session: int, message: bytes | None) -> None:
            self.admin_texts.append(text(message))

        def on_announce(_session: int, sender: Any, may_reply: int, message: bytes | None) -> None:
            user = text(sender.contents.user_id)
            self.announcements.append(Announcement(user, bool(may_reply), text(message)))

        return abi.SessionHandler(
            abi.Write(write),
            abi.OnSession(close),
            abi.OnSession(lambda _: None),
            abi.OnState(on_state),
            abi.OnSession(on_privacy),
            abi.OnSession(on_status),
            abi.OnAdmin(on_admin),
            abi.OnAnnounce(on_announce),
        )

    def _add_services(self, flavour: int) -> None:
        lib, session = self._lib, self._session
        self._on_resolved = self._kept(abi.OnResolved(self._resolved))
        self._on_loaded = self._kept(abi.OnStored(self._loaded))
        self._on_saved = self._kept(abi.OnStored(self._saved))
        self._on_page = self._kept(abi.OnPage(lambda *_: None))
        self._services: dict[str, int] = {
            "aware": lib.mwServiceAware_new(session, self._kept_address(abi.AwareHandler(None, None))),
            "resolve": lib.mwServiceResolve_new(session),
            "storage": lib.mwServiceStorage_new(session),
            "im": lib.mwServiceIm_new(session, self._kept_address(self._im_handler())),
            "directory": lib.mwServiceDirectory_new(session, self._kept_address(self._directory_handler())),
            "conference": lib.mwServiceConference_new(
                session, self._kept_address(self._conference_handler())
            ),
            "file_transfer": lib.mwServiceFileTransfer_new(session, self._kept_address(self._file_handler())),
        }
        for each in self._services.values():
            lib.mwSession_addService(session, each)
        lib.mwServiceIm_setClientType(self._services["im"], flavour)
        handler = abi.AwareListHandler(abi.OnAware(self._aware), abi.OnAttribute(self._attribute), None)
        self._aware_list: int = lib.mwAwareList_new(self._services["aware"], self._kept_address(handler))

    def _aware(self, _list: int, snapshot: Any) -> None:
        told = snapshot.contents
        self.presence_log.append(
            Presence(
                told.id.type,
                text(told.id.user),
                text(told.group),
                bool(told.online),
                told.status.status,
                text(told.status.desc),
                text(told.name),
            )
        )

    def _attribute(self, _list: int, user: Any, attribute: int) -> None:
        key = self._lib.mwAwareAttribute_getKey(attribute)
        value = self._lib.mwAwareAttribute_asOpaque(attribute)
        content = value.contents.content() if value else b""
        self.attributes[text(user.contents.user), key] = content or None

    def _resolved(self, _service: int, number: int, code: int, results: Pointer, _data: Pointer) -> None:
        answers = []
        for pointer in g_list_items(results):
            result = abi.ResolveResult.from_address(pointer)
            matches = [abi.ResolveMatch.from_address(each) for each in g_list_items(result.matches)]
            found = tuple(
                [Match(text(each.id), text(each.name), text(each.desc), each.type) for each in matches]
            )
            answers.append((result.code, text(result.name), found))
        self.resolutions[number] = Resolution(code, tuple(answers))

    def _loaded(self, _service: int, result: int, unit: int, _data: Pointer) -> None:
        key = self._lib.mwStorageUnit_getKey(unit)
        value = self._lib.mwStorageUnit_asOpaque(unit)
        self.loaded.append((key, result, value.contents.content() if value else b""))

    def _saved(self, _service: int, result: int, unit: int, _data: Pointer) -> None:
        self.saved.append((self._lib.mwStorageUnit_getKey(unit), result))

    def _im_handler(self) -> abi.ImHandler:
        def opened(pointer: int) -> None:
            self._conversation(pointer).opened += 1

        def closed(pointer: int, reason: int) -> None:
            self._conversation(pointer).closed.append(reason)

        def received(pointer: int, kind: int, content: Pointer) -> None:
            value: str | bool
            if kind == ImKind.TYPING:
                value = bool(content)
            else:
                value = text(ctypes.cast(content, abi.S).value) if content else ""
            self._conversation(pointer).received.append((ImKind(kind), value))

        return abi.ImHandler(abi.OnObject(opened), abi.OnClosed(closed), abi.OnMessage(received), None, None)

    def _directory_handler(self) -> abi.DirectoryHandler:
        return abi.DirectoryHandler(
            abi.OnList(lambda _, __: None),
            abi.OnObject(lambda _: None),
            abi.OnClosed(lambda _, __: None),
            None,
        )

    def _conference_handler(self) -> abi.ConferenceHandler:
        def invited(pointer: int, inviter: Any, message: bytes | None) -> None:
            conference = self._conference(pointer)
            conference.invited_by = text(inviter.contents.user_id)
            conference.invitation = text(message)

        def opened(pointer: int, members: Pointer) -> None:
            conference = self._conference(pointer)
            conference.opened = True
            logins = [abi.LoginInfo.from_address(each) for each in g_list_items(members)]
            conference.members = [text(each.user_id) for each in logins]

        def closed(pointer: int, reason: int) -> None:
            self._conference(pointer).closed.append(reason)

        def joined(pointer: int, peer: Any) -> None:
            self._conference(pointer).joined.append(text(peer.contents.user_id))

        def parted(pointer: int, peer: Any) -> None:
            self._conference(pointer).parted.append(text(peer.contents.user_id))

        def said(pointer: int, peer: Any, message: bytes | None) -> None:
            self._conference(pointer).texts.append((text(peer.contents.user_id), text(message)))

        def typing(pointer: int, peer: Any, is_typing: int) -> None:
            self._conference(pointer).typing.append((text(peer.contents.user_id), bool(is_typing)))

        return abi.ConferenceHandler(
            abi.OnInvited(invited),
            abi.OnList(opened),
            abi.OnClosed(closed),
            abi.OnPeer(joined),
            abi.OnPeer(parted),
            abi.OnText(said),
            abi.OnTyping(typing),
            None,
        )

    def _file_handler(self) -> abi.FileTransferHandler:
        def offered(pointer: int) -> None:
            self._file(pointer)

        def opened(pointer: int) -> None:
            transfer = self._file(pointer)
            transfer.opened = True
            self._send_chunk(transfer)

        def closed(pointer: int, reason: int) -> None:
            self._file(pointer).closed.append(reason)

        def received(pointer: int, data: Any) -> None:
            self._file(pointer).received += data.contents.content()
            self._lib.mwFileTransfer_ack(pointer)

        def taken(pointer: int) -> None:
            self._send_chunk(self._file(pointer))

        return abi.FileTransferHandler(
            abi.OnObject(offered),
            abi.OnObject(opened),
            abi.OnClosed(closed),
            abi.OnFileData(received),
            abi.OnObject(taken),
            None,
        )

    def _send_chunk(self, transfer: FileTransfer) -> None:
        if chunk := transfer.to_send[:_FILE_CHUNK]:
            transfer.to_send = transfer.to_send[_FILE_CHUNK:]
            self._lib.mwFileTransfer_send(transfer.pointer, ctypes.byref(abi.Opaque.of(chunk)))

    # From pointers to what is recorded, and back

    def _conversation_pointer(self, user: str) -> int:
        block = abi.IdBlock(c_text(user), None)
        pointer: int = self._lib.mwServiceIm_getConversation(self._services["im"], ctypes.byref(block))
        return pointer

    def _conversation(self, pointer: int) -> Conversation:
        user = text(self._lib.mwConversation_getTarget(pointer).contents.user)
        conversation = self.conversations.setdefault(user, Conversation(pointer))
        conversation.pointer = pointer
        return conversation

    def _conference(self, pointer: int) -> Conference:
        name = text(self._lib.mwConference_getName(pointer))
        title = text(self._lib.mwConference_getTitle(pointer))
        return self.conferences.setdefault(name, Conference(pointer, name, title))

    def _file(self, pointer: int) -> FileTransfer:
        name = text(self._lib.mwFileTransfer_getFileName(pointer))
        if name not in self.files:
            self.files[name] = FileTransfer(
                pointer,
                text(self._lib.mwFileTransfer_getUser(pointer).contents.user),
                name,
                text(self._lib.mwFileTransfer_getMessage(pointer)),
                self._lib.mwFileTransfer_getFileSize(pointer),
            )
        return self.files[name]

    @contextlib.contextmanager
    def _list_of_texts(self, texts: Sequence[str]) -> Iterator[Pointer]:
        buffers = [ctypes.create_string_buffer(c_text(each)) for each in texts]
        head = g_list([ctypes.addressof(each) for each in buffers])
        yield head
        glib().g_list_free(head)

    @contextlib.contextmanager
    def _list_of_ids(self, users: Sequence[str], kind: int) -> Iterator[Pointer]:
        blocks = [abi.AwareIdBlock(kind, c_text(each), None) for each in users]
        head = g_list([ctypes.addressof(each) for each in blocks])
        yield head
        glib().g_list_free(head)

    def _set_property(self, key: str, value: int) -> None:
        self._lib.mwSession_setProperty(self._session, c_text(key), value, None)

    def _kept_text(self, value: str) -> int:
        return ctypes.addressof(self._kept(ctypes.create_string_buffer(c_text(value))))

    def _kept_address(self, structure: ctypes.Structure) -> int:
        return ctypes.addressof(self._kept(structure))

    def _kept(self, thing: Any) -> Any:
        """The library keeps pointers: what they point to lives as long as the client."""
        self._alive.append(thing)
        return thing


class Connected:
    """Clients on sockets. Use it as a context manager; it closes the sockets that it opened."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """With `context` the connections run inside TLS, as through a local tunnel."""
        self._host = host
        self._port = port
        self._context = context
        self._sockets: dict[MeanwhileClient, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client, each in self._sockets.items():
            with client:
                pass
            with contextlib.suppress(OSError):
                each.sendall(client.data_to_send())
            each.close()

    def connect(self, client: MeanwhileClient, port: int | None = None) -> None:
        """Connect, perhaps to another port, and begin to log in."""
        connection = socket.create_connection((self._host, port or self._port), timeout=10)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_hostname=self._host)
        self._sockets[client] = connection
        client.start()

    def is_connected(self, client: MeanwhileClient) -> bool:
        """Whether the server has not closed the connection."""
        return client in self._sockets

    def pump(self, until: Callable[[], bool], seconds: float = 10.0) -> None:
        """Pass bytes in both directions until it is true. Raises TimeoutError if that does not come."""
        deadline = time.monotonic() + seconds
        while True:
            for client, connection in self._sockets.items():
                if data := client.data_to_send():
                    connection.sendall(data)
            if until():
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not within {seconds} s; states {self._states()}")
            self._receive(left)

    def _receive(self, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            for client, connection in self._sockets.items():
                selector.register(connection, selectors.EVENT_READ, client)
            if not self._sockets:
                raise ConnectionError("all connections are closed")
            for key, _ in selector.select(seconds):
                self._read(key.data)

    def _read(self, client: MeanwhileClient) -> None:
        connection = self._sockets[client]
        try:
            data = connection.recv(65536)
            while isinstance(connection, ssl.SSLSocket) and connection.pending():
                data += connection.recv(65536)
        except ConnectionError:
            data = b""
        if data:
            client.receive(data)
        if not data or client.is_closed:
            with contextlib.suppress(OSError):
                connection.sendall(client.data_to_send())
            connection.close()
            del self._sockets[client]

    def _states(self) -> dict[str, str]:
        return {client.name: client.state.name for client in self._sockets}
