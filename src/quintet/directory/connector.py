"""From an endpoint to a connection that is ready for its task: dialled, encrypted, bound and checked.

Here stands the guard that no password passes: one that would cross a clear connection without the
administrator's word is not sent.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from quintet.config.settings import Account
from quintet.directory.endpoint import Binding, Endpoint, Mode, PoolConfig
from quintet.directory.entry_exists import ROOT_DSE, entry_exists
from quintet.directory.errors import (
    DirectoryError,
    DirectoryUnavailableError,
    UnencryptedBindError,
    UnreachableReason,
)
from quintet.directory.events import Trace, Warned
from quintet.directory.ssl_contexts import SslContextCache, untrusted
from quintet.ldap import Control
from quintet.ldap.connection import Connection, connect
from quintet.ldap.dn import DN
from quintet.ldap.errors import (
    AuthMethodNotSupported,
    Busy,
    ConfidentialityRequired,
    ConnectError,
    ConnectionLostError,
    DNSyntaxError,
    InappropriateAuthentication,
    InsufficientAccessRights,
    InvalidCredentials,
    LdapError,
    LocalProtocolError,
    NoSuchObject,
    OperationTimeoutError,
    Other,
    RemoteProtocolError,
    ResultError,
    StrongerAuthRequired,
    TlsError,
    Unavailable,
)
from quintet.ldap.limits import Limits

ConnectOverride = Callable[[str, str, int], tuple[str, int]]
"""(task, host, port) to the address to dial instead. Names are still checked against the configured host."""

_COLLECTED = 32 * 1024 * 1024
"""Octets. No task needs as many in one answer; a server that sends more is not to fill our memory."""

# After these SCRAM will not do for this account at this server, however often it is tried: it is not offered,
# nobody may see whether it is, or there is no secret for it (OpenLDAP calls that a wrong password).
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


@dataclass(frozen=True, slots=True)
class BoundConnection:
    """An open connection. `bound_as` is the account, None when it is anonymous; `way` is for logs.

    `remark` is what an administrator should know although the connection serves.
    """

    connection: Connection
    bound_as: str | None
    way: str
    remark: str | None = None


Opener = Callable[[Endpoint, PoolConfig], Awaitable[BoundConnection]]


async def guarded_bind(
    connection: Connection, endpoint: Endpoint, dn: str, password: str, controls: Sequence[Control] = ()
) -> tuple[Control, ...]:
    """Simple bind, unless the password would be readable on the wire and nobody chose that.

    Returns the controls of the answer. Raises UnencryptedBindError, and what `Connection.bind` raises.
    """
    if not (connection.encrypted or endpoint.clear_password):
        raise UnencryptedBindError(
            "a password would cross this connection in clear",
            task=endpoint.label,
            server=endpoint.server,
            address=str(endpoint.address),
            fix=endpoint.origin.ways_out,
        )
    return await connection.bind(dn, password, controls=controls)


@final
class Connector:
    """Opens connections, for all pools of one directory. Contexts are shared."""

    def __init__(
        self, contexts: SslContextCache, *, route: ConnectOverride | None = None, trace: Trace | None = None
    ) -> None:
        self._contexts = contexts
        self._route = route
        self._trace = trace

    async def __call__(self, endpoint: Endpoint, line: PoolConfig) -> BoundConnection:
        """A connection that is ready. Raises DirectoryUnavailableError, UntrustedServerError, UnencryptedBindError."""
        context = self._contexts.of(endpoint)
        address = endpoint.address
        via = self._route(endpoint.label, address.host, address.port) if self._route else None
        limits = Limits(
            pending_high=line.pending_high,
            pending_low=line.pending_low,
            timeout=line.operation_timeout,
            collected=_COLLECTED,
        )
        try:
            connection = await connect(
                address,
                tls=context,
                start_tls=endpoint.mode is Mode.STARTTLS,
                via=via,
                timeout=line.connect_timeout,
                limits=limits,
            )
        except TlsError as error:
            raise await untrusted(endpoint, error, via=via, seconds=line.connect_timeout) from error
        except LdapError as error:
            raise unreachable(error, endpoint) from error
        try:
            async with asyncio.timeout(line.connect_timeout):
                return await self._introduce(connection, endpoint)
        except BaseException as error:
            await connection.close()
            if isinstance(error, TimeoutError):
                raise DirectoryUnavailableError.because(
                    UnreachableReason.TIMED_OUT, "it takes connections, and no operations", **_place(endpoint)
                ) from error
            if isinstance(error, LdapError):
                raise unreachable(error, endpoint) from error
            raise

    async def _introduce(self, connection: Connection, endpoint: Endpoint) -> BoundConnection:
        match endpoint.binding, endpoint.account:
            case Binding.NONE, _:
                with suppress(ResultError):
                    await entry_exists(connection, ROOT_DSE)
                return BoundConnection(connection, None, "none")
            case Binding.SIMPLE, account if account is not None:
                if not connection.encrypted:
                    self._warn(endpoint, "the service account's password crosses this connection in clear")
                await guarded_bind(connection, endpoint, account.name, account.password.reveal())
                return BoundConnection(connection, account.name, "simple")
            case Binding.HIDDEN, account if account is not None:
                ready = await _hidden(connection, endpoint, account)
                if ready.remark is not None:
                    self._warn(endpoint, ready.remark)
                return ready
        await connection.bind_anonymous()
        return BoundConnection(connection, None, "anonymous")

    def _warn(self, endpoint: Endpoint, message: str) -> None:
        if self._trace:
            self._trace(Warned(endpoint.label, endpoint.server, message))


async def _ways_out(connection: Connection, endpoint: Endpoint) -> str:
    """What would help on this kind of server: Active Directory has neither SCRAM nor anonymous searches (S5, S6)."""
    try:
        root = await connection.root_dse()
    except LdapError:
        return endpoint.origin.ways_out
    active_directory = root.kind.is_active_directory
    return endpoint.origin.only_way_out if active_directory else endpoint.origin.ways_out


async def _hidden(connection: Connection, endpoint: Endpoint, account: Account) -> BoundConnection:
    """Bind on a clear connection without showing the account's password: by SCRAM, or anonymously.

    A server that could not tell for the moment is not taken for one that refuses: anonymous connections may
    see less, and answers would be wrong for as long as this one lives.
    """
    try:
        await connection.bind_scram(endpoint.sasl_user or _user_of(account.name), account.password.reveal())
    except _NO_SCRAM as error:
        by_scram = error
    else:
        return BoundConnection(connection, account.name, "scram")
    anonymously = await _anonymous(connection, endpoint)
    if anonymously is not None:
        raise UnencryptedBindError(
            "the service account's password would cross this connection in clear, and there is no other way"
            f" to bind (by SCRAM: {by_scram.message}; anonymously: {anonymously})",
            **_place(endpoint),
            fix=await _ways_out(connection, endpoint),
        )
    if isinstance(by_scram, AuthMethodNotSupported):
        return BoundConnection(connection, None, "anonymous")
    origin = endpoint.origin
    remark = (
        f"it is anonymous and may see less, since SCRAM fails for the service account ({by_scram.message})."
        f" {origin.check(origin.account)}, and whether the server has a SCRAM secret for the account"
    )
    return BoundConnection(connection, None, "anonymous", remark)


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


def unreachable(error: LdapError, endpoint: Endpoint) -> DirectoryError:
    """An LDAP error in the words of a directory that could not be asked."""
    why, detail, fix = _kind(error, endpoint)
    return DirectoryUnavailableError.because(why, detail, **_place(endpoint), fix=fix)


def _kind(error: LdapError, endpoint: Endpoint) -> tuple[UnreachableReason, str, str | None]:
    check = endpoint.origin.check
    if isinstance(error, ConnectError):
        cause = error.__cause__
        if isinstance(cause, socket.gaierror | UnicodeError):
            return (
                UnreachableReason.NAME,
                error.message,
                f"{check('HostName')}, and the name server of this machine",
            )
        if isinstance(cause, ConnectionRefusedError):
            return (
                UnreachableReason.REFUSED,
                error.message,
                f"{check(endpoint.port_key)}, and whether the server runs",
            )
        if isinstance(cause, TimeoutError):
            keys = f"HostName and {endpoint.port_key}"
            return UnreachableReason.TIMED_OUT, error.message, f"{check(keys)}, and the firewalls on the way"
        return UnreachableReason.NETWORK, error.message, "Check the network between here and the server"
    if isinstance(error, OperationTimeoutError):
        return UnreachableReason.TIMED_OUT, error.message, None
    if isinstance(error, ConnectionLostError | RemoteProtocolError):
        return UnreachableReason.LOST, error.message, None
    if isinstance(error, InvalidCredentials | LocalProtocolError) and error.operation == "bind":
        return UnreachableReason.ACCOUNT, error.message, check(endpoint.origin.account)
    if isinstance(error, Busy | Unavailable):
        return UnreachableReason.BUSY, error.message, None
    return UnreachableReason.ANSWER, error.message, None


def _place(endpoint: Endpoint) -> dict[str, str]:
    return {"task": endpoint.label, "server": endpoint.server, "address": str(endpoint.address)}
