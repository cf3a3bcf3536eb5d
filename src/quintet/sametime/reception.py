"""Connections before a user is signed in on them: their places, the handshake, the LOGIN.

A connection has a place among a bounded number until its LOGIN came; a new one always gets a place, and the
one that has waited longest loses it. Then the LOGIN is one of a bounded number of sign-ins (`sign_in`). What
comes of it is a `Welcome` for `on_welcome`, or a reason in the session's last message.
"""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import final

from quintet.directory import Person
from quintet.sametime import events
from quintet.sametime.admission import Places
from quintet.sametime.client_types import client_type_name
from quintet.sametime.context import ServerContext
from quintet.sametime.credentials import AuthType, TokenCredentials
from quintet.sametime.handlers.stored_values import LISTS
from quintet.sametime.port import ClientConnection
from quintet.sametime.reason import ReasonCode
from quintet.sametime.session import SessionState
from quintet.sametime.sign_in import Rejection, SignIn
from quintet.sametime.storage import PRIVACY_LIST, StorageUnavailableError, VersionedValue
from quintet.sametime.store_keeper import StoreKeeper
from quintet.sametime.trace import ConnectionTurnedAway, SignInRefused, TurnedAway
from quintet.sametime.wire.diffie_hellman import KeyPair


@dataclass(frozen=True, slots=True)
class Welcome:
    """A user may be signed in: `person` is None for an anonymous one.

    `stored` are the privacy list and the contact lists, None if they could not be read. `seconds` is how long
    the LOGIN took.
    """

    connection: ClientConnection
    request: events.LoginRequested
    person: Person | None
    stored: Mapping[int, VersionedValue] | None = field(repr=False)
    seconds: float


@final
class Reception:
    """The connections of one server on which no user is signed in."""

    def __init__(
        self,
        context: ServerContext,
        sign_in: SignIn,
        keeper: StoreKeeper,
        on_welcome: Callable[[Welcome], None],
    ) -> None:
        self._context = context
        self._sign_in = sign_in
        self._keeper = keeper
        self._on_welcome = on_welcome
        limits = context.limits
        self._places: Places[ClientConnection] = Places(limits.places, limits.places_per_address)
        self._in_work = 0
        self._key_pair: tuple[float, KeyPair] | None = None

    def opened(self, connection: ClientConnection) -> None:
        """A connection takes a place; the one that loses its place for it is closed."""
        self._places.leave(connection)
        loser = self._places.enter(connection, connection.address)
        if loser is not None:
            loser.turn_away(TurnedAway.CROWDED)

    def lost(self, connection: ClientConnection) -> None:
        self._places.leave(connection)
        self._sign_in.left(connection)

    def handle(self, connection: ClientConnection, event: events.SessionEvent) -> None:
        tell = self._context.tell
        match event:
            case events.HandshakeReceived() if connection.session.state is SessionState.CLOSED:
                pass  # more came in the same breath, and ended the session
            case events.HandshakeReceived(handshake):
                connection.client_type = client_type_name(handshake.client_type)
                rejection = self._sign_in.check_handshake(connection, handshake)
                if rejection is not None:
                    tell(ConnectionTurnedAway(TurnedAway.UNENCRYPTED, connection.address))
                    connection.session.end(rejection.reason)
                else:
                    magic = secrets.randbits(32)
                    connection.session.accept_handshake(self._keys(), magic, ipv4_number(connection.address))
            case events.LoginRequested():
                connection.login_came()
                self._places.leave(connection)
                self._context.spawn("sign in", self._log_in(connection, event))
            case events.SessionLeft():
                tell(ConnectionTurnedAway(TurnedAway.GONE, connection.address))
            case events.ProtocolViolation(kind, _, detail):
                cause = TurnedAway.PROTOCOL
                tell(ConnectionTurnedAway(cause, connection.address, f"{kind.name}: {detail}"))
            case _:
                pass  # nothing else comes before sign-in

    def reject(self, connection: ClientConnection, request: events.LoginRequested, why: Rejection) -> None:
        """Answer a LOGIN by ending the session."""
        if connection.session.state is SessionState.AUTHENTICATING:
            connection.session.end(why.reason)
            connection.wake()
        client_type = client_type_name(request.client_type)
        auth_type = auth_type_name(request)
        self._context.tell(
            SignInRefused(why.reason.name, client_type, auth_type, connection.address, why.why)
        )

    def _keys(self) -> KeyPair:
        """One pair serves the handshakes of some seconds (P43)."""
        now = asyncio.get_running_loop().time()
        if self._key_pair is None or now - self._key_pair[0] >= self._context.limits.key_pair_seconds:
            self._key_pair = (now, KeyPair.generate())
        return self._key_pair[1]

    async def _log_in(self, connection: ClientConnection, request: events.LoginRequested) -> None:
        started = asyncio.get_running_loop().time()
        if len(self._context.clients) + self._in_work >= self._context.limits.sessions:
            self.reject(connection, request, Rejection(ReasonCode.SERVER_FULL, "too many sessions"))
            return
        self._in_work += 1
        try:
            answer = await self._sign_in.check_login(connection, request)
            stored = await self._read_stored(answer) if isinstance(answer, Person) else None
        except Exception:  # whatever it is, the client gets an answer; it is reported further out
            connection.session.end(ReasonCode.GENERAL_FAILURE)
            connection.wake()
            raise
        finally:
            self._in_work -= 1
        if connection.session.state is not SessionState.AUTHENTICATING:
            return  # the client is gone
        if isinstance(answer, Rejection):
            self.reject(connection, request, answer)
        else:
            seconds = asyncio.get_running_loop().time() - started
            self._on_welcome(Welcome(connection, request, answer, stored, seconds))

    async def _read_stored(self, person: Person) -> Mapping[int, VersionedValue] | None:
        """The privacy list and the contact lists, None if they cannot be read."""
        try:
            return await self._keeper.load(person.id, (PRIVACY_LIST, *LISTS))
        except StorageUnavailableError:
            return None


def auth_type_name(request: events.LoginRequested) -> str:
    """How a LOGIN proves who the user is, for logs."""
    match request.credentials:
        case TokenCredentials(auth_type):
            return AuthType(auth_type).name if auth_type in set(AuthType) else "unknown"
        case credentials:
            kind: AuthType = getattr(credentials, "auth_type", AuthType.ANONYMOUS)
            return kind.name


def ipv4_number(address: str) -> int:
    """The address as a number; 0 for one that is none of IPv4."""
    with suppress(ValueError):
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv4Address):
            return int(parsed)
    return 0
