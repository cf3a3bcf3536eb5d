"""The Sametime port of a community: it listens, and knows every connection and every session.

Theory of operation
-------------------
A connection is in `_connections` from its opening until it is lost. Until a user has signed in on it, it is
the affair of `reception`. Then a `Client` stands in `context.clients` under the session's id, the community
knows the session, and `dispatch` hands on what the client says. Both end in `_leave`, once: when the client
leaves, when the connection is lost, or when the server ends the session.

Everything runs on one event loop. Events of one connection are handled one after the other, in order; what
has to wait for the directory or the database is a task beside. After a task has waited the session may be
over: sending on it does nothing then.

What sessions have to send is written by one callback for all connections (`send_soon`), for some milliseconds
in one turn of the loop: a change that thousands see keeps no other client waiting.
"""

import asyncio
import math
import random
import resource
import secrets
import ssl
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, final

from quintet.directory import (
    LocalAttempts,
    Service,
    SignInAttempts,
)
from quintet.sametime import events
from quintet.sametime.client import Client, ServiceHandler, StoredState
from quintet.sametime.client_types import client_type_name
from quintet.sametime.community import (
    Community,
    ConferenceLimits,
    Node,
    PresenceLimits,
    Refusal,
    SessionRecord,
)
from quintet.sametime.community.effects import Effect
from quintet.sametime.context import TURN_SECONDS, ServerContext, sliced, task_failed
from quintet.sametime.delivery import Delivery
from quintet.sametime.dispatch import Dispatcher
from quintet.sametime.handlers.address_books import AddressBookHandler
from quintet.sametime.handlers.aware import AwareHandler
from quintet.sametime.handlers.conference import ConferenceHandler
from quintet.sametime.handlers.privacy import PrivacyHandler, stored_privacy
from quintet.sametime.handlers.resolve import ResolveHandler
from quintet.sametime.handlers.stored_values import LISTS, StoredValuesHandler
from quintet.sametime.housekeeping import keep_house
from quintet.sametime.limits import SessionLimits
from quintet.sametime.name_cache import NameCache
from quintet.sametime.neighbours import (
    EndNamed,
    Neighbours,
    Registered,
    SessionOrder,
    SessionRow,
    ShowText,
    StoredChange,
    VersionedPrivacy,
)
from quintet.sametime.orders import carry_out, carry_out_everywhere, list_everywhere, session_rows
from quintet.sametime.people import CommunityDirectory
from quintet.sametime.port import ClientConnection
from quintet.sametime.reason import ReasonCode, describe_reason
from quintet.sametime.reception import Reception, Welcome, auth_type_name, ipv4_number
from quintet.sametime.services.catalog import SERVICES, ServiceId
from quintet.sametime.services.server_attributes import ServerAbilities
from quintet.sametime.session import SametimeSession, SessionState
from quintet.sametime.settings import LegacyClients, SametimeSettings
from quintet.sametime.sign_in import Rejection, SignIn, TokenValidator
from quintet.sametime.storage import PRIVACY_LIST, DatabaseAddress, StorageLimits, VersionedValue
from quintet.sametime.store_keeper import StoreKeeper
from quintet.sametime.trace import (
    ClientSignedIn,
    ConnectionTurnedAway,
    FewOpenFiles,
    SametimeTrace,
    SametimeTraceEvent,
    SessionClosed,
    StorageState,
    TraceCounter,
    TurnedAway,
    UnencryptedClientsAllowed,
)
from quintet.sametime.viewers import PresenceViewer, find_users
from quintet.sametime.watched_groups import GroupContents, WatchedGroups
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo, StatusCode, UserStatus
from quintet.sametime.wire.codec import clip

_BACKLOG: Final = 1024
_LONGEST_GUEST_NAME: Final = 64
_LONGEST_NAME: Final = 1024
_SERVER_TYPE: Final = 0x2000
_FILES_BESIDE: Final = 200
_RELOADED: Final = (
    "legacy_clients",
    "trusted_proxies",
    "anonymous",
    "recheck_minutes",
    "admin_group",
    "first_contacts",
)
"""The settings that can change while the server runs."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session, for an administrator. `tasks` counts requests by the LDAP connections that they used."""

    id: str
    user_id: str
    user_name: str
    client_type: str
    address: str
    tls: str | None
    connected_at: float
    last_active: float
    status: int
    watched: int
    unsent: int
    tasks: dict[str, int]


@final
class SametimeServer:
    """Serves clients from `start` to `close`.

    `tls_context` is None where TLS is not set up. `database` says where values are kept; one that does not
    answer affects nothing but STORAGE. `trace` is called with what happens; `counter` counts it in any case.
    `attempts` limits failed sign-ins, together with those at other ports. `validate_token` is asked about
    tokens, which are refused otherwise.
    """

    def __init__(
        self,
        settings: SametimeSettings,
        directory: CommunityDirectory,
        database: DatabaseAddress,
        *,
        tls_context: ssl.SSLContext | None = None,
        trace: SametimeTrace | None = None,
        attempts: SignInAttempts | None = None,
        validate_token: TokenValidator | None = None,
        groups: GroupContents | None = None,
    ) -> None:
        self.settings = settings
        self.tls_context = tls_context
        self.counter = TraceCounter()
        self._trace = trace
        self._limits = limits = settings.limits
        self._community = Community(
            Node.start(settings.node),
            settings.sign_ins,
            PresenceLimits.of(limits),
            ConferenceLimits(limits.conferences, limits.conference_members),
        )
        self._context = context = ServerContext(settings, directory, self._community, self.tell)
        self.view_presence = partial(PresenceViewer, context)
        """What the user with an ID may see of others."""
        self.find_users = partial(find_users, context)
        self.list_everywhere = partial(list_everywhere, context)
        storage = StorageLimits(limits.value_size, limits.values)
        self._keeper = StoreKeeper(database, storage, self.tell, self._database_is_back, self._value_saved)
        listed = bool(settings.domains_allowed or settings.domains_denied)
        keep_names = 0.0 if listed else settings.refresh_interval
        self._names = NameCache(directory, limits.cached_names, keep_names, context.now)
        self._groups = WatchedGroups(context, self._names, groups or directory)
        context.deliver = Delivery(context, self._end, self._groups.watch, self._groups.unwatch).deliver
        self._values = StoredValuesHandler(context, self._keeper)
        self._privacy = PrivacyHandler(context, self._keeper)
        conferences = ConferenceHandler(context)
        hosted: dict[int, ServiceHandler] = {
            int(ServiceId.AWARE): AwareHandler(context, _abilities(settings)),
            int(ServiceId.RESOLVE): ResolveHandler(context, self._names),
            int(ServiceId.DIRECTORY): AddressBookHandler(context),
            int(ServiceId.STORAGE): self._values,
            int(ServiceId.CONFERENCE): conferences,
        }
        self._dispatch = Dispatcher(context, hosted, self._values, conferences, self._privacy, self._leave)
        sign_in = SignIn(context, LocalAttempts() if attempts is None else attempts, validate_token)
        self._reception = Reception(context, sign_in, self._keeper, self._welcome)
        self._offered = frozenset(SERVICES) - (set() if settings.file_transfer else {ServiceId.FILE_TRANSFER})
        self._session_limits = SessionLimits.of(limits)
        name = settings.server_name
        self._server_login = LoginInfo(_new_login_id(), _SERVER_TYPE, name, name, server_id=name)
        self._connections: set[ClientConnection] = set()
        self._all_lost = asyncio.Event()
        self._to_flush: deque[ClientConnection] = deque()
        self._flushing: asyncio.Handle | None = None
        self._joined = False
        self._listener: asyncio.Server | None = None
        self._housekeeping: asyncio.Task[None] | None = None

    # Other nodes

    @property
    def community(self) -> Community:
        return self._community

    def join(self, neighbours: Neighbours) -> None:
        """Be one of several nodes. To be called before `start`."""
        self._context.neighbours = neighbours
        self._joined = True

    def deliver(self, effects: list[Effect]) -> None:
        """Carry out what follows from what another node did."""
        self._context.deliver(effects, None)

    def in_slices(self, steps: Iterator[None]) -> None:
        """Take steps that may be many, in a task of its own."""
        self._context.spawn("steps for another node", sliced(steps))

    def carry_out(self, order: SessionOrder | StoredChange, then: Callable[[int], None]) -> None:
        """Do it with the sessions here. `then` gets how many."""
        if isinstance(order, StoredChange):
            count = self._tell_sessions(order)
            if count and order.key == PRIVACY_LIST:
                self.read_privacy(order.user_id)
            then(count)
            return

        async def work() -> None:
            then(await carry_out(self._context, order))

        self._context.spawn("order of another node", work())

    def read_privacy(self, user_id: str) -> None:
        """The stored list of a user is in force from now on, when it is read."""
        self._context.spawn("read privacy", self._privacy.read_again(user_id))

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        return session_rows(self._context)

    # Running

    async def start(self) -> None:
        """Open the database and listen. Raises OSError if the address cannot be used."""
        loop = asyncio.get_running_loop()
        possible = raise_file_limit(self._limits.sessions)
        if possible is not None:
            self.tell(FewOpenFiles(possible, self._limits.sessions))
        if self.settings.legacy_clients is LegacyClients.ALLOW:
            self.tell(UnencryptedClientsAllowed())
        await self._keeper.start()
        try:
            self._listener = await loop.create_server(
                lambda: ClientConnection(self, loop),
                self.settings.address,
                self.settings.port,
                backlog=_BACKLOG,
                reuse_address=True,
            )
        except OSError:
            await self.close()
            raise
        self._housekeeping = loop.create_task(keep_house(self._context))

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._listener is not None
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def is_listening(self) -> bool:
        return self._listener is not None and self._listener.is_serving()

    @property
    def database_state(self) -> StorageState:
        return self._keeper.state

    @property
    def database_available(self) -> bool:
        """Whether stored values can be loaded."""
        return self._keeper.available

    @property
    def messages(self) -> int:
        """How many messages were passed on, in conversations and conferences."""
        return self._context.messages

    def reconfigure(self, settings: SametimeSettings, tls_context: ssl.SSLContext | None) -> bool:
        """Work with these settings from now on, and show new connections this context.

        Only who may sign in, and what the next request needs, can change while the server runs. False if
        something else differs, which stays as it was.
        """
        self.tls_context = tls_context
        changed = {name: getattr(settings, name) for name in _RELOADED}
        self.settings = self._context.settings = replace(self.settings, **changed)
        return self.settings == settings

    async def drain(self) -> None:
        """Stop listening, and let all clients go in random order over some seconds."""
        if self._listener is not None:
            self._listener.close()
        if self._connections:
            seconds = self._close_slowly(list(self._connections))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds + 1):
                    await self._all_lost.wait()

    async def close(self) -> None:
        """Drain, and end."""
        await self.drain()
        for connection in tuple(self._connections):
            self._let_go(connection)
            connection.abort()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            await asyncio.gather(self._housekeeping, return_exceptions=True)
        self._groups.close()
        await self._context.close()
        await self._names.close()
        await self._keeper.close()

    # For administrators

    def sessions(self) -> tuple[SessionInfo, ...]:
        """All users who are signed in, the oldest session first."""
        rows = [self._info(client) for client in self._context.clients.values()]
        return tuple(sorted(rows, key=lambda row: row.connected_at))

    async def end_sessions(self, name: str) -> int:
        """End the sessions with this session id, user id or login name, so that they do not come back.

        How many there were, at all nodes.
        """
        return await carry_out_everywhere(self._context, EndNamed(name))

    def let_go(self, share: float) -> int:
        """Let a random share of the clients go over some seconds, and go on serving. How many."""
        clients = tuple(self._context.clients.values())
        chosen = random.sample(clients, math.ceil(len(clients) * share))
        self._close_slowly([client.connection for client in chosen])
        return len(chosen)

    async def broadcast(self, text: str) -> int:
        """Show a text to all users who are signed in, at all nodes. How many sessions."""
        return await carry_out_everywhere(self._context, ShowText(clip(text)))

    def tell(self, event: SametimeTraceEvent) -> None:
        """Count the event and pass it on."""
        self.counter.add(event)
        if self._trace is not None:
            self._trace(event)

    # What connections ask for

    def new_session(self) -> SametimeSession:
        return SametimeSession(self._server_login, self._offered, self._session_limits)

    def opened(self, connection: ClientConnection) -> None:
        self._connections.add(connection)
        self._all_lost.clear()
        self._reception.opened(connection)

    def turned_away(self, connection: ClientConnection, cause: TurnedAway, detail: str) -> None:
        self.tell(ConnectionTurnedAway(cause, connection.address, detail))

    def handle(self, connection: ClientConnection, event: events.SessionEvent) -> None:
        client: Client | None = connection.client
        if client is not None:
            self._dispatch.handle(client, event)
        else:
            self._reception.handle(connection, event)

    def lost(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        self._reception.lost(connection)
        client: Client | None = connection.client
        if client is not None:
            self._leave(client, ReasonCode.CONNECTION_BROKEN)
        if not self._connections:
            self._all_lost.set()

    def failed(self, connection: ClientConnection, error: Exception) -> None:
        """A fault in Quintet: it costs this connection, and no other."""
        self.tell(task_failed("connection", error))
        connection.abort()

    def send_soon(self, connection: ClientConnection) -> None:
        self._to_flush.append(connection)
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush_some)

    def _flush_some(self) -> None:
        self._flushing = None
        loop = asyncio.get_running_loop()
        end = loop.time() + TURN_SECONDS
        while self._to_flush and loop.time() < end:
            connection = self._to_flush.popleft()
            try:
                connection.flush()
            except Exception as error:  # noqa: BLE001  # others wait behind it
                self.failed(connection, error)
        if self._to_flush and self._flushing is None:
            self._flushing = loop.call_soon(self._flush_some)

    # How sessions begin and end

    def _welcome(self, welcome: Welcome) -> None:
        """Sign a user in: in the community first, with the stored privacy list, then the client."""
        person, login = welcome.person, self._login(welcome)
        privacy: VersionedPrivacy | None = stored_privacy(None)
        lists = None
        if person is not None:
            stored = welcome.stored
            privacy = self._privacy_of(login.user_id, stored)
            lists = None if stored is None else {key: stored[key] for key in LISTS & stored.keys()}
        now, active = self._context.now(), UserStatus(StatusCode.ACTIVE)
        record = SessionRecord(self._community.node, login, welcome.request.name, now, now, active)
        self._context.neighbours.register(
            record, privacy, lambda answer: self._registered(welcome, record, lists, answer)
        )

    def _registered(
        self,
        welcome: Welcome,
        record: SessionRecord,
        lists: Mapping[int, VersionedValue] | None,
        registered: Registered | Refusal,
    ) -> None:
        """The other nodes know the session, or there is a reason against it."""
        connection, request, person = welcome.connection, welcome.request, welcome.person
        login, now = record.login, record.connected_at
        if connection.session.state is not SessionState.AUTHENTICATING:  # the client is gone
            self._context.neighbours.removed(record.id)
            return
        before = self._community.presence.status_of(login.user_id)
        privacy: PrivacyInfo | None = None
        answer: list[Effect] | Refusal
        if isinstance(registered, Registered):
            privacy = registered.privacy
            answer = self._community.sign_in(record, privacy, registered.ending)
        else:
            answer = registered
        if isinstance(answer, Refusal):
            self._context.neighbours.removed(record.id)
            why = Rejection(answer.reason, "the user is signed in already")
            self._reception.reject(connection, request, why)
            return
        recheck = now + self.settings.recheck_minutes * 60 * random.uniform(0.5, 1)  # noqa: S311
        client = Client(connection, login, request.name, person, privacy, now, recheck, StoredState(lists))
        if person is not None:
            client.tasks.update((Service.RESOLVE_LOGIN, Service.AUTHENTICATE))
            self._names.add(person)
        self._context.clients[client.id] = client
        connection.client_type = client_type_name(request.client_type)
        connection.signed_in(client)
        connection.session.accept_login(login, privacy or PrivacyInfo(deny=False), before or record.status)
        connection.wake()
        self._context.deliver(answer, None)
        if privacy is None and self._keeper.available:
            self.read_privacy(login.user_id)
        auth_type, address = auth_type_name(request), connection.address
        self.tell(
            ClientSignedIn(
                connection.client_type, auth_type, connection.tls_version, address, welcome.seconds
            )
        )

    def _privacy_of(
        self, user_id: str, stored: Mapping[int, VersionedValue] | None
    ) -> VersionedPrivacy | None:
        """The privacy list that was read at sign-in; None without one, or if another was stored since."""
        if stored is None or not self._privacy.is_current(user_id, stored.get(PRIVACY_LIST)):
            return None
        return stored_privacy(stored.get(PRIVACY_LIST))

    def _login(self, welcome: Welcome) -> LoginInfo:
        login_id = _new_login_id()
        while login_id in self._community.presence:
            login_id = _new_login_id()
        person, request = welcome.person, welcome.request
        if person is None:
            user_id = f"guest-{login_id}"
            name = f"{clip(request.name, _LONGEST_GUEST_NAME) or 'Guest'} (guest)"
        else:
            user_id, name = clip(person.id), clip(person.name, _LONGEST_NAME)
        address = ipv4_number(welcome.connection.address)
        server = self.settings.server_name
        return LoginInfo(login_id, request.client_type, user_id, name, address=address, server_id=server)

    def _end(self, client: Client, reason: ReasonCode) -> None:
        """End a session that the community has forgotten already."""
        client.session.end(reason)
        client.connection.wake()
        self._leave(client, reason)

    def _leave(self, client: Client, reason: int) -> None:
        """The session is over. Does nothing the second time."""
        if self._context.clients.pop(client.id, None) is None:
            return
        for channel, handler in tuple(client.hosted.items()):
            handler.closed(client, channel)
        client.hosted.clear()
        client.awaited.clear()
        community, moving = self._community, client.is_moving
        self._context.deliver(community.move(client.id) if moving else community.sign_out(client.id), None)
        for conference in tuple(client.conferences.values()):  # invitations that were not answered
            self._context.neighbours.confer(client.id, conference, None)
        self._context.neighbours.removed(client.id, moving=moving)
        seconds = self._context.now() - client.signed_in_at
        self.tell(SessionClosed(describe_reason(reason), client.connection.client_type, seconds))

    def _close_slowly(self, connections: list[ClientConnection]) -> float:
        """Let clients go in random order. Over how many seconds."""
        loop = asyncio.get_running_loop()
        random.shuffle(connections)
        seconds = self._limits.closing_seconds(len(connections))
        for nth, connection in enumerate(connections):
            loop.call_later(seconds * nth / len(connections), self._let_go, connection)
        return seconds

    def _let_go(self, connection: ClientConnection) -> None:
        """Close a connection without giving the client a reason, so it comes back by itself (P101).

        Where there are other nodes, the user is shown until then, or until some time is over.
        """
        client: Client | None = connection.client
        if client is not None:
            client.is_moving = self._joined
        connection.close()

    # Looking after it

    def _database_is_back(self) -> None:
        self._values.available_again()
        for client in tuple(self._context.clients.values()):
            if client.privacy is None:
                self.read_privacy(client.login.user_id)

    def _value_saved(self, change: StoredChange) -> None:
        """A session here stored a value."""
        self._tell_sessions(change)
        self._context.neighbours.order(change, lambda _: None)

    def _tell_sessions(self, change: StoredChange) -> int:
        """The sessions here go on with the value. How many."""
        if change.key == PRIVACY_LIST:
            self._privacy.saved(change.user_id, change.version)
        sessions = self._community.presence.sessions_of(change.user_id)
        clients = [self._context.clients[each] for each in sessions if each in self._context.clients]
        for client in clients:
            self._values.changed(client, change.key)
        return len(clients)

    def _info(self, client: Client) -> SessionInfo:
        presence = self._community.presence
        record = presence.record(client.id)
        return SessionInfo(
            client.id,
            client.login.user_id,
            client.login.user_name,
            client.connection.client_type,
            client.connection.address,
            client.connection.tls_version,
            client.signed_in_at,
            record.last_active if record else client.signed_in_at,
            record.status.status if record else 0,
            presence.watched(client.id),
            client.connection.unsent,
            {task.value: count for task, count in client.tasks.items() if count},
        )


def raise_file_limit(sessions: int) -> int | None:
    """Raise the soft limit of open files to the hard one. How many sessions it allows, if that is too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = soft - _FILES_BESIDE
    return possible if soft != resource.RLIM_INFINITY and possible < sessions else None


def _new_login_id() -> str:
    """Random: its beginning is an RC2/40 key (P63)."""
    return secrets.token_hex(8).upper()


def _abilities(settings: SametimeSettings) -> ServerAbilities:
    return ServerAbilities(
        browsing=settings.browse and settings.browse_pages,
        largest_file=settings.largest_file_kb if settings.file_transfer else None,
        domains_allowed=",".join(settings.domains_allowed) or None,
        domains_denied=",".join(settings.domains_denied) or None,
        user_info_url=settings.user_info_url,
    )
