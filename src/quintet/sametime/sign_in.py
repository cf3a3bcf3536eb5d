"""Signing in: from HANDSHAKE and LOGIN to a user, or to a refusal by the code that helps (P36 on, P102 on).

Who is refused for what passes by itself (the directory is away, too many wait) gets a code after which real
clients come back; who is refused for good gets one after which they do not. An unknown name, a wrong and a
malformed password look the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, final

from quintet.directory import (
    AuthenticationError,
    DirectoryError,
    DirectoryUnavailableError,
    Person,
    SignInAttempts,
    TooManyAttemptsError,
    UnencryptedBindError,
    UnreachableReason,
    limited_sign_in,
)
from quintet.sametime.admission import Turns
from quintet.sametime.context import ServerContext
from quintet.sametime.credentials import (
    AnonymousCredentials,
    AuthType,
    PasswordCredentials,
    TokenCredentials,
    UnreadableCredentials,
)
from quintet.sametime.events import LoginRequested
from quintet.sametime.port import ClientConnection
from quintet.sametime.reason import ReasonCode
from quintet.sametime.settings import LegacyClients
from quintet.sametime.wire.messages import Handshake

TokenValidator = Callable[[int, bytes], Awaitable[Person | None]]
"""From the type and data of a token to the user, or None if it is not valid."""

_WRONG_SETTINGS: Final = frozenset({UnreachableReason.NO_SERVER})


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a sign-in is refused. `why` is for logs, without names."""

    reason: ReasonCode
    why: str


@final
class SignIn:
    """Decides about sign-ins of one server."""

    def __init__(
        self, context: ServerContext, attempts: SignInAttempts, validate_token: TokenValidator | None
    ) -> None:
        self._context = context
        self._attempts = attempts
        self._validate_token = validate_token
        limits = context.limits
        self._turns: Turns[ClientConnection] = Turns(limits.sign_ins_at_once, limits.sign_ins_waiting)
        self._waiting: dict[ClientConnection, asyncio.Future[None]] = {}

    def check_handshake(self, connection: ClientConnection, handshake: Handshake) -> Rejection | None:
        """Whether a client may go on without TLS. It is refused before it sends a password (P104)."""
        if connection.tls_version is not None:
            return None
        legacy = self._context.settings.legacy_clients
        if legacy is LegacyClients.ALLOW or (legacy is LegacyClients.LOOPBACK and connection.is_loopback):
            return None
        cannot = handshake.looks_like_libmeanwhile
        return Rejection(
            ReasonCode.USER_RESTRICTED if cannot else ReasonCode.TLS_MANDATORY, "TLS is mandatory"
        )

    async def check_login(
        self, connection: ClientConnection, request: LoginRequested
    ) -> Person | Rejection | None:
        """The user, None for an anonymous one, or why the sign-in is refused."""
        match request.credentials:
            case AnonymousCredentials():
                if self._context.settings.anonymous:
                    return None
                return Rejection(ReasonCode.INCORRECT_LOGIN, "anonymous users are not allowed")
            case TokenCredentials(auth_type, data):
                return await self._check_token(auth_type, data)
            case UnreadableCredentials(_, problem):
                return Rejection(ReasonCode.INCORRECT_LOGIN, f"credentials: {problem.name}")
            case PasswordCredentials() as credentials:
                if credentials.is_readable_by_listeners and not _is_private(connection):
                    return Rejection(ReasonCode.USER_RESTRICTED, "a password that listeners could read")
                return await self._check_password(connection, request.name, credentials.password)

    def left(self, connection: ClientConnection) -> None:
        """The client is gone: it does not wait any more."""
        waiting = self._waiting.pop(connection, None)
        if waiting is not None:
            waiting.cancel()
            self._turns.leave(connection)

    @property
    def waiting(self) -> int:
        """How many sign-ins wait for their turn."""
        return self._turns.waiting

    async def _check_token(self, auth_type: int, data: bytes) -> Person | Rejection:
        name = AuthType(auth_type).name if auth_type in set(AuthType) else str(auth_type)
        if self._validate_token is not None:
            person = await self._validate_token(auth_type, data)
            if person is not None:
                return person
        return Rejection(ReasonCode.INCORRECT_LOGIN, f"authentication type {name} is not supported")

    async def _check_password(
        self, connection: ClientConnection, name: str, password: bytes
    ) -> Person | Rejection:
        try:
            async with limited_sign_in(self._attempts, name, connection.address) as begun:
                if not await self._turn(connection):
                    begun.withdrawn()
                    return Rejection(ReasonCode.LDAP_QUEUE_FULL, "too many sign-ins wait")
                try:
                    text = password.decode("utf-8", "surrogateescape")
                    person = await self._context.directory.authenticate(name, text)
                finally:
                    self._next(connection)
                begun.succeeded()
        except DirectoryError as error:
            return rejection_of(error)
        return person

    async def _turn(self, connection: ClientConnection) -> bool:
        """Wait for a turn; False if too many wait. Cancelled if the client goes away."""
        answer = self._turns.ask(connection)
        if answer is False:
            waiting = self._waiting[connection] = asyncio.get_running_loop().create_future()
            await waiting
        return answer is not None

    def _next(self, connection: ClientConnection) -> None:
        following = self._turns.leave(connection)
        if following is not None:
            waiting = self._waiting.pop(following)
            if not waiting.done():
                waiting.set_result(None)


def rejection_of(error: DirectoryError) -> Rejection:
    """What a client is sent when the directory did not authenticate the user (P103)."""
    if isinstance(error, AuthenticationError):
        return Rejection(ReasonCode.INCORRECT_LOGIN, error.reason)
    if isinstance(error, TooManyAttemptsError):
        return Rejection(ReasonCode.LDAP_QUEUE_FULL, error.message)
    if isinstance(error, DirectoryUnavailableError):
        if error.why is UnreachableReason.OVERLOADED:
            return Rejection(ReasonCode.LDAP_QUEUE_FULL, error.why.name)
        if error.why in _WRONG_SETTINGS:
            return Rejection(ReasonCode.VERIFICATION_DOWN, error.why.name)
        return Rejection(ReasonCode.LDAP_UNREACHABLE, error.why.name)
    if isinstance(error, UnencryptedBindError):
        return Rejection(ReasonCode.VERIFICATION_DOWN, type(error).__name__)
    return Rejection(ReasonCode.LDAP_UNREACHABLE, type(error).__name__)


def _is_private(connection: ClientConnection) -> bool:
    return connection.tls_version is not None or connection.is_loopback
