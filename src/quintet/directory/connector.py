"""From an endpoint to a connection that is ready for its service: connected, encrypted, bound and checked.

Here is the check that no service account's password passes without the administrator's consent: one that
would be sent over an unencrypted connection is not sent. For users' passwords the pool has the same check.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TypedDict, final

from quintet.config import Account
from quintet.directory.endpoint import Binding, Endpoint, Mode
from quintet.directory.entries import ANY_ENTRY, NO_ATTRIBUTES
from quintet.directory.errors import (
    DirectoryError,
    DirectoryUnavailableError,
    UnencryptedBindError,
    UnreachableReason,
)
from quintet.directory.events import ConnectionEvent, Trace, Warned
from quintet.directory.services import Service
from quintet.directory.ssl_contexts import SslContextCache, untrusted
from quintet.ldap import (
    DN,
    Address,
    AuthMethodNotSupported,
    Busy,
    ConfidentialityRequired,
    ConnectError,
    Connection,
    ConnectionFailed,
    ConnectionLostError,
    DNSyntaxError,
    InappropriateAuthentication,
    InsufficientAccessRights,
    InvalidCredentials,
    LdapError,
    LocalProtocolError,
    NoHostReachableError,
    NoSuchObject,
    OperationTimeoutError,
    Other,
    Pool,
    PoolClosedError,
    PoolEvent,
    PoolOverloadedError,
    PoolTimeoutError,
    RemoteProtocolError,
    ResultError,
    Scope,
    StrongerAuthRequired,
    TlsError,
    Unavailable,
    UnencryptedPasswordError,
    connect,
)

ConnectOverride = Callable[[Service, str, int], tuple[str, int]]
"""(service, host, port) to the address to connect to. Names are still checked against the configured host."""

_ROOT_DSE = ""

# After these SCRAM will not do for this account at this server, however often it is tried: it is not offered,
# no client may see whether it is, or there is no secret for it (OpenLDAP calls that a wrong password).
_NO_SCRAM = (
    AuthMethodNotSupported,
    StrongerAuthRequired,
    ConfidentialityRequired,
    NoSuchObject,
    InappropriateAuthentication,
    InvalidCredentials,
    InsufficientAccessRights,
    LocalProtocolError,
)
_PASSING = (Busy, Unavailable, Other)
"""Answers that say nothing of what is allowed."""


class BindMethod(Enum):
    """How a connection was bound."""

    NONE = "none"
    ANONYMOUS = "anonymous"
    SIMPLE = "simple"
    SCRAM = "scram"


@dataclass(frozen=True, slots=True)
class BoundConnection:
    """A connection that is ready. `bound_as` is the account, None when it is anonymous.

    `note` is what an administrator should know although the connection serves.
    """

    connection: Connection
    bound_as: str | None
    method: BindMethod
    note: str | None = None


@final
class Connector:
    """Makes connections and pools, for all services. Contexts are shared."""

    def __init__(
        self, contexts: SslContextCache, *, route: ConnectOverride | None = None, trace: Trace | None = None
    ) -> None:
        self._contexts = contexts
        self._route = route
        self._trace = trace

    def pool(self, endpoint: Endpoint) -> Pool:
        """A pool of connections to an endpoint; they are opened when they are needed."""

        async def open_connection(address: Address) -> Connection:
            return await self.connect(endpoint, address)

        async def bind(connection: Connection) -> BoundConnection:
            return await self.bind(connection, endpoint)

        def tell(event: PoolEvent) -> None:
            assert self._trace is not None
            if isinstance(event, ConnectionFailed):
                told = unavailable(event.error, endpoint, event.address)
                event = ConnectionFailed(event.address, told, event.retry_in)
            self._trace(ConnectionEvent(endpoint.service, endpoint.server, event))

        return Pool(
            endpoint.addresses,
            config=endpoint.pool,
            connect=open_connection,
            prepare=bind,
            trace=tell if self._trace else None,
        )

    async def open(self, endpoint: Endpoint) -> BoundConnection:
        """One connection to the preferred address, outside of any pool. Raises as the tasks do."""
        connection = await self.connect(endpoint, endpoint.address)
        try:
            async with asyncio.timeout(endpoint.pool.connect_timeout):
                return await self.bind(connection, endpoint)
        except BaseException as error:
            await connection.close()
            if isinstance(error, TimeoutError):
                raise DirectoryUnavailableError.because(
                    UnreachableReason.TIMED_OUT,
                    "it accepts connections, and does not answer",
                    **_place(endpoint, endpoint.address),
                ) from error
            if isinstance(error, LdapError):
                raise unavailable(error, endpoint) from error
            raise

    async def connect(self, endpoint: Endpoint, address: Address) -> Connection:
        """A connection, encrypted as the endpoint says, and not yet bound.

        Raises DirectoryUnavailableError, UntrustedServerError.
        """
        context = await self._contexts.of(endpoint)
        via = self._route(endpoint.service, address.host, address.port) if self._route else None
        try:
            return await connect(
                address,
                tls=context,
                start_tls=endpoint.mode is Mode.STARTTLS,
                via=via,
                timeout=endpoint.pool.connect_timeout,
                limits=endpoint.pool.limits,
            )
        except TlsError as error:
            raise await untrusted(endpoint, address, error, via=via) from error
        except LdapError as error:
            raise unavailable(error, endpoint, address) from error

    async def bind(self, connection: Connection, endpoint: Endpoint) -> BoundConnection:
        """Bind a new connection as the endpoint says. Raises UnencryptedBindError and LdapError."""
        match endpoint.binding, endpoint.account:
            case Binding.NONE, _:
                with suppress(ResultError):
                    await entry_exists(connection, _ROOT_DSE)
                return BoundConnection(connection, None, BindMethod.NONE)
            case Binding.SIMPLE, account if account is not None:
                await self._bind_simply(connection, endpoint, account)
                return BoundConnection(connection, account.name, BindMethod.SIMPLE)
            case Binding.HIDDEN, account if account is not None:
                bound = await _hidden(connection, endpoint, account)
                if bound.note is not None:
                    self._warn(endpoint, bound.note)
                return bound
        await connection.bind_anonymous()
        return BoundConnection(connection, None, BindMethod.ANONYMOUS)

    async def _bind_simply(self, connection: Connection, endpoint: Endpoint, account: Account) -> None:
        if not connection.encrypted:
            if not endpoint.account_unencrypted:
                raise unencrypted_bind(endpoint, connection.address)
            self._warn(endpoint, "the service account's password is sent unencrypted on this connection")
        await connection.bind(account.name, account.password.reveal())

    def _warn(self, endpoint: Endpoint, message: str) -> None:
        if self._trace:
            self._trace(Warned(endpoint.service, endpoint.server, message))


async def entry_exists(connection: Connection, dn: str) -> bool:
    """Whether the entry can be seen. Raises as `Connection.search` does."""
    found = await connection.search(dn, Scope.BASE, ANY_ENTRY, NO_ATTRIBUTES)
    return bool(found.entries)


async def _ways_out(connection: Connection, endpoint: Endpoint) -> str:
    """What would help on this kind of server: Active Directory has only one way (rows S5 and S6)."""
    try:
        root = await connection.root_dse()
    except LdapError:
        return endpoint.help.ways_out
    return endpoint.help.only_way_out if root.kind.is_active_directory else endpoint.help.ways_out


async def _hidden(connection: Connection, endpoint: Endpoint, account: Account) -> BoundConnection:
    """Bind on an unencrypted connection without sending the account's password: by SCRAM, or anonymously.

    A server that could not tell for the moment is not taken for one that refuses: anonymous connections may
    see less, and answers would be wrong for as long as this one lives.
    """
    try:
        await connection.bind_scram(endpoint.sasl_user or _user_of(account.name), account.password.reveal())
    except _NO_SCRAM as error:
        by_scram = error
    else:
        return BoundConnection(connection, account.name, BindMethod.SCRAM)
    anonymously = await _anonymous(connection, endpoint)
    if anonymously is not None:
        raise UnencryptedBindError(
            "the service account's password would be sent unencrypted, and there is no other way"
            f" to bind (by SCRAM: {by_scram.message}; anonymously: {anonymously})",
            **_place(endpoint, connection.address),
            fix=await _ways_out(connection, endpoint),
        )
    note = None
    if not isinstance(by_scram, AuthMethodNotSupported):
        note = (
            "it is anonymous and may see less, since SCRAM fails for the service account"
            f" ({by_scram.message}). {endpoint.help.check(endpoint.help.account)}, and whether the server"
            " has a SCRAM secret for the account"
        )
    return BoundConnection(connection, None, BindMethod.ANONYMOUS, note)


async def _anonymous(connection: Connection, endpoint: Endpoint) -> str | None:
    """Bind anonymously; why that does not do, or None when it does."""
    try:
        await connection.bind_anonymous()
        for base in endpoint.bases:
            if not await entry_exists(connection, str(base)):
                return f"{str(base)!r} cannot be read"
    except _PASSING:
        raise
    except ResultError as error:
        return error.message
    return None


def _user_of(account: str) -> str:
    """The user name in an account's name: the first value of a DN, else the name as it stands."""
    try:
        name = DN.parse(account)
    except DNSyntaxError:
        return account
    value = name.rdns[0][0][1] if name else account
    return value if isinstance(value, str) else account


# Errors in the words of the directory.


def unavailable(error: BaseException, endpoint: Endpoint, address: Address | None = None) -> DirectoryError:
    """What prevented an answer, as the error of a directory that could not be asked.

    `error` is an `LdapError` (of a pool, too), or whatever else a connection could not be made because of.
    """
    if isinstance(error, DirectoryError):
        return error.renewed()
    if isinstance(error, NoHostReachableError):
        assert error.__cause__ is not None
        told = unavailable(error.__cause__, endpoint, address)
        if isinstance(told, DirectoryUnavailableError):
            told.retry_in = error.retry_in
        return told
    place = _place(endpoint, address or endpoint.address)
    if isinstance(error, UnencryptedPasswordError):
        return unencrypted_bind(endpoint, address or endpoint.address)
    if not isinstance(error, LdapError):
        return DirectoryUnavailableError.because(UnreachableReason.FAULT, type(error).__name__, **place)
    if error.server is not None:
        place["address"] = error.server
    why, detail, fix = _kind(error, endpoint)
    return DirectoryUnavailableError.because(why, detail, **place, fix=fix)


def _kind(error: LdapError, endpoint: Endpoint) -> tuple[UnreachableReason, str, str | None]:
    check = endpoint.help.check
    match error:
        case ConnectError():
            return _kind_of_connect_error(error, endpoint)
        case PoolClosedError():
            return UnreachableReason.CLOSED, "", None
        case PoolOverloadedError():
            return UnreachableReason.OVERLOADED, "", None
        case PoolTimeoutError() | OperationTimeoutError():
            return UnreachableReason.TIMED_OUT, error.message, None
        case ConnectionLostError() | RemoteProtocolError():
            return UnreachableReason.LOST, error.message, None
        case InvalidCredentials() | LocalProtocolError() if error.operation == "bind":
            return UnreachableReason.ACCOUNT, error.message, check(endpoint.help.account)
        case Busy() | Unavailable():
            return UnreachableReason.BUSY, error.message, None
    return UnreachableReason.ANSWER, error.message, None


def _kind_of_connect_error(
    error: ConnectError, endpoint: Endpoint
) -> tuple[UnreachableReason, str, str | None]:
    check = endpoint.help.check
    match error.__cause__:
        case socket.gaierror() | UnicodeError():
            fix = f"{check('HostName')}, and the name server of this machine"
            return UnreachableReason.NAME, error.message, fix
        case ConnectionRefusedError():
            fix = f"{check(endpoint.port_key)}, and whether the server runs"
            return UnreachableReason.REFUSED, error.message, fix
        case TimeoutError():
            fix = f"{check(f'HostName and {endpoint.port_key}')}, and the firewalls on the way"
            return UnreachableReason.TIMED_OUT, error.message, fix
    return UnreachableReason.NETWORK, error.message, "Check the network between here and the server"


def unencrypted_bind(endpoint: Endpoint, address: Address) -> UnencryptedBindError:
    return UnencryptedBindError(
        "a password would be sent unencrypted on this connection",
        **_place(endpoint, address),
        fix=endpoint.help.ways_out,
    )


class _Place(TypedDict):
    service: Service
    server: str
    address: str


def _place(endpoint: Endpoint, address: Address) -> _Place:
    return {"service": endpoint.service, "server": endpoint.server, "address": str(address)}
