"""The connections of one service to one server: a pool, with errors and status in the directory's terms."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import TypeVar, final

from cryptography import x509

from quintet.directory.connector import BoundConnection, Connector, unavailable
from quintet.directory.endpoint import Endpoint
from quintet.directory.errors import DirectoryError, UnencryptedBindError
from quintet.directory.records import Certificate, ConnectionStatus
from quintet.ldap import (
    Busy,
    Connection,
    ConnectionLostError,
    Control,
    LdapError,
    OperationTimeoutError,
    PasswordPolicy,
    PoolError,
    PoolStatus,
    RemoteProtocolError,
    SearchResult,
    Unavailable,
    UnencryptedPasswordError,
)
from quintet.ldap.prepared import Query

T = TypeVar("T")

_ASKED = (PasswordPolicy(),)

_NO_ANSWER = (
    PoolError,
    ConnectionLostError,
    RemoteProtocolError,
    OperationTimeoutError,
    Busy,
    Unavailable,
    UnencryptedPasswordError,
)


@final
class ServicePool:
    """A pool whose operations raise `LdapError` only for answers that are errors.

    When there is no answer, they raise DirectoryUnavailableError, UntrustedServerError or
    UnencryptedBindError.
    """

    def __init__(self, endpoint: Endpoint, connector: Connector) -> None:
        self.endpoint = endpoint
        self.pool = connector.pool(endpoint)

    async def run(self, operation: Callable[[Connection], Awaitable[T]], name: str) -> T:
        """As `Pool.run`: the operation must be safe to repeat."""
        try:
            return await self.pool.run(operation, name=name)
        except _NO_ANSWER as error:
            raise unavailable(error, self.endpoint) from error

    async def find_all(self, queries: Sequence[Query]) -> list[SearchResult | LdapError]:
        """As `Pool.find_all`: raises what prevented an answer, and returns answers that are errors."""
        try:
            outcomes = await self.pool.find_all(queries)
        except _NO_ANSWER as error:
            raise unavailable(error, self.endpoint) from error
        for outcome in outcomes:
            if isinstance(outcome, _NO_ANSWER):
                raise unavailable(outcome, self.endpoint) from outcome
        return outcomes

    async def bind(self, dn: str, password: str) -> tuple[Control, ...]:
        """As `Pool.bind`. It asks for the password policy's words: OpenLDAP says nothing without."""
        try:
            return await self.pool.bind(dn, password, controls=_ASKED)
        except _NO_ANSWER as error:
            raise unavailable(error, self.endpoint) from error

    async def bind_and_run(
        self,
        dn: str,
        password: str,
        operation: Callable[[Connection, tuple[Control, ...]], Awaitable[T]],
    ) -> T:
        """As `Pool.bind_and_run`, with the control that `bind` sends."""
        try:
            return await self.pool.bind_and_run(dn, password, operation, controls=_ASKED)
        except _NO_ANSWER as error:
            raise unavailable(error, self.endpoint) from error

    async def connect(self) -> None:
        """Open a connection now if there is none, even while the hosts are left alone."""
        try:
            await self.pool.connect()
        except _NO_ANSWER as error:
            raise unavailable(error, self.endpoint) from error

    async def close(self) -> None:
        await self.pool.close()

    @property
    def refused(self) -> UnencryptedBindError | None:
        """Why there is no connection, when the account's password would have to be sent unencrypted."""
        failure = self.pool.failure
        return failure if isinstance(failure, UnencryptedBindError) else None

    def status(self) -> tuple[ConnectionStatus, ...]:
        """One row for each connection; one row all the same when there is none."""
        return tuple(self._row(each) for each in self.pool.status())

    def _row(self, status: PoolStatus) -> ConnectionStatus:
        connection, bound = status.connection, status.prepared
        error = unavailable(status.error, self.endpoint, status.address) if status.error else None
        return ConnectionStatus(
            service=self.endpoint.service,
            server=self.endpoint.server,
            address=str(status.address),
            encrypted=connection.encrypted if connection else self.endpoint.encrypted,
            tls_version=connection.tls_version if connection else None,
            cipher=connection.cipher if connection else None,
            certificate=_certificate(connection.peer_certificate) if connection else None,
            bound_as=bound.bound_as if isinstance(bound, BoundConnection) else None,
            state=status.state,
            operations=connection.operations if connection else 0,
            in_flight=connection.in_flight if connection else 0,
            reconnects=status.reconnects,
            error=_told(error),
            note=bound.note if isinstance(bound, BoundConnection) else None,
            cause=error.cause if error else None,
        )


def _told(error: DirectoryError | None) -> str | None:
    return None if error is None else str(error)


def _certificate(der: bytes | None) -> Certificate | None:
    if der is None:
        return None
    try:
        found = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
            expires=found.not_valid_after_utc.astimezone(UTC).isoformat(),
        )
    except ValueError:
        return None
