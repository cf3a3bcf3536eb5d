"""From an endpoint to a connection that is ready for its task: dialled, encrypted, bound and checked.

Here stands the guard that no password passes: one that would cross a clear connection without the
administrator's word is not sent.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import final

from quintet.directory.endpoint import Binding, Endpoint, Line, Mode
from quintet.directory.errors import ClearBindRefused, DirectoryError, Unreachable, Why
from quintet.directory.securing import Contexts, untrusted
from quintet.directory.trace import Trace, Warned
from quintet.ldap.connection import Connection, connect
from quintet.ldap.dn import DN
from quintet.ldap.errors import (
    BadName,
    ConnectFailed,
    ConnectionLost,
    InvalidCredentials,
    LdapError,
    Misuse,
    PeerViolation,
    ResultError,
    TimedOut,
    TlsFailed,
)
from quintet.ldap.filters import Present
from quintet.ldap.limits import Limits
from quintet.ldap.messages import BASE_OBJECT

Route = Callable[[str, str, int], tuple[str, int]]
"""(task, host, port) to the address to dial instead. Names are still checked against the configured host."""

ANYTHING = Present("objectClass").encode()

_COLLECTED = 32 * 1024 * 1024
"""Octets. No task needs as many in one answer; a server that sends more is not to fill our memory."""

WAYS_OUT = (
    "Ways out: encrypt all (quintet protect all); let the server offer SASL SCRAM to the account"
    " (QUINTET_SASL_USER names its user); let anonymous connections read the bases; or set"
    " QUINTET_ALLOW_CLEAR_SERVICE_BIND=1 in [Directory] to show the account's password to whoever listens"
)


@dataclass(frozen=True, slots=True)
class Ready:
    """An open connection. `bound_as` is the account, None when it is anonymous; `way` is for logs."""

    connection: Connection
    bound_as: str | None
    way: str


Opener = Callable[[Endpoint, Line], Awaitable[Ready]]


async def guarded_bind(connection: Connection, endpoint: Endpoint, dn: str, password: str) -> None:
    """Simple bind, unless the password would be readable on the wire and nobody chose that.

    Raises ClearBindRefused, and what `Connection.bind` raises.
    """
    if not (connection.encrypted or endpoint.clear_password):
        raise ClearBindRefused(
            "a password would cross this connection in clear",
            task=endpoint.label,
            server=endpoint.server,
            address=str(endpoint.address),
            cure=WAYS_OUT,
        )
    await connection.bind(dn, password)


@final
class Opening:
    """Opens connections, for all pools of one directory. Contexts are shared."""

    def __init__(self, contexts: Contexts, *, route: Route | None = None, trace: Trace | None = None) -> None:
        self._contexts = contexts
        self._route = route
        self._trace = trace

    async def __call__(self, endpoint: Endpoint, line: Line) -> Ready:
        """A connection that is ready. Raises Unreachable, Untrusted, ClearBindRefused."""
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
        except TlsFailed as error:
            raise await untrusted(endpoint, error, via=via, seconds=line.connect_timeout) from error
        except LdapError as error:
            raise unreachable(error, endpoint) from error
        try:
            async with asyncio.timeout(line.connect_timeout):
                return await self._introduce(connection, endpoint)
        except BaseException as error:
            await connection.close()
            if isinstance(error, TimeoutError):
                raise Unreachable.because(
                    Why.TIMED_OUT, "the bind took too long", **_place(endpoint)
                ) from error
            if isinstance(error, LdapError):
                raise unreachable(error, endpoint) from error
            raise

    async def _introduce(self, connection: Connection, endpoint: Endpoint) -> Ready:
        match endpoint.binding, endpoint.account:
            case Binding.NONE, _:
                return Ready(connection, None, "none")
            case Binding.SIMPLE, account if account is not None:
                if not connection.encrypted:
                    self._warn(endpoint, "the service account's password crosses this connection in clear")
                await guarded_bind(connection, endpoint, account.name, account.password.reveal())
                return Ready(connection, account.name, "simple")
            case Binding.HIDDEN, account if account is not None:
                return await _hidden(connection, endpoint)
        await connection.bind_anonymous()
        return Ready(connection, None, "anonymous")

    def _warn(self, endpoint: Endpoint, message: str) -> None:
        if self._trace:
            self._trace(Warned(endpoint.label, endpoint.server, message))


async def _hidden(connection: Connection, endpoint: Endpoint) -> Ready:
    """Bind on a clear connection without showing the account's password: by SCRAM, or anonymously."""
    account = endpoint.account
    assert account is not None
    try:
        await connection.bind_scram(endpoint.sasl_user or _user_of(account.name), account.password.reveal())
    except (ResultError, Misuse, PeerViolation) as error:
        if connection.closed:
            raise
        by_scram = error.what
    else:
        return Ready(connection, account.name, "scram")
    anonymously = await _anonymous(connection, endpoint)
    if anonymously is None:
        return Ready(connection, None, "anonymous")
    raise ClearBindRefused(
        "the service account's password would cross this connection in clear, and there is no other way to"
        f" bind (by SCRAM: {by_scram}; anonymously: {anonymously})",
        **_place(endpoint),
        cure=WAYS_OUT,
    )


async def _anonymous(connection: Connection, endpoint: Endpoint) -> str | None:
    """Bind anonymously; why that does not do, or None when it does."""
    try:
        await connection.bind_anonymous()
        for base in endpoint.bases:
            found = await connection.search(str(base), BASE_OBJECT, ANYTHING, ("1.1",))
            if not found.entries:
                return f"{str(base)!r} cannot be read"
    except ResultError as error:
        return error.what
    return None


def _user_of(account: str) -> str:
    """The user name in an account's name: the first value of a DN, else the name as it stands."""
    try:
        name = DN.parse(account)
    except BadName:
        return account
    value = name.rdns[0][0][1] if name else account
    return value if isinstance(value, str) else account


def unreachable(error: LdapError, endpoint: Endpoint) -> DirectoryError:
    """An LDAP error in the words of a directory that could not be asked."""
    why, detail, cure = _kind(error)
    return Unreachable.because(why, detail, **_place(endpoint), cure=cure)


def _kind(error: LdapError) -> tuple[Why, str, str | None]:
    if isinstance(error, ConnectFailed):
        cause = error.__cause__
        if isinstance(cause, socket.gaierror | UnicodeError):
            return Why.NAME, error.what, "Check HostName, and the name server of this machine"
        if isinstance(cause, ConnectionRefusedError):
            return Why.REFUSED, error.what, "Check Port and SSLPort, and whether the server runs"
        if isinstance(cause, TimeoutError):
            return Why.TIMED_OUT, error.what, "Check the address, and the firewalls on the way"
        return Why.NETWORK, error.what, "Check the network between here and the server"
    if isinstance(error, TimedOut):
        return Why.TIMED_OUT, error.what, None
    if isinstance(error, ConnectionLost | PeerViolation):
        return Why.LOST, error.what, None
    if isinstance(error, InvalidCredentials) and error.operation == "bind":
        return Why.ACCOUNT, error.what, "Check BindEntryDn and BindEntryPassword"
    if isinstance(error, ResultError) and error.result_code in (51, 52):
        return Why.BUSY, error.what, None
    return Why.ANSWER, error.what, None


def _place(endpoint: Endpoint) -> dict[str, str]:
    return {"task": endpoint.label, "server": endpoint.server, "address": str(endpoint.address)}
