"""One connection in a pool: who uses it, how old it may grow, and what can be told of it."""

from datetime import UTC
from typing import TYPE_CHECKING, final

from quintet.directory.backoff import Host
from quintet.directory.connector import BoundConnection
from quintet.directory.records import Certificate, ConnectionStatus, State
from quintet.tls import MalformedCertificateError, issuer_of, load_certificate, subject_of

if TYPE_CHECKING:
    from quintet.ldap.connection import Connection


@final
class PooledConnection:
    """`users` are operations under way on it; a `retired` link gets no new ones. Times are the loop's."""

    __slots__ = (
        "_certificate",
        "bound_as",
        "connection",
        "doubted",
        "endpoint",
        "expires",
        "host",
        "opened_at",
        "remark",
        "retired",
        "used_at",
        "users",
        "way",
    )

    def __init__(self, ready: BoundConnection, host: Host, opened_at: float, expires: float) -> None:
        self.connection: Connection = ready.connection
        self.bound_as = ready.bound_as
        self.way = ready.way
        self.remark = ready.remark
        self.host = host
        self.endpoint = host.endpoint
        self.opened_at = opened_at
        self.used_at = opened_at
        self.expires = expires
        self.users = 0
        self.retired = False
        self.doubted = False
        der = ready.connection.peer_certificate
        self._certificate = None if der is None else _certificate(der)

    @property
    def usable(self) -> bool:
        return not self.retired and not self.connection.closed

    def status(self, reconnects: int, error: str | None) -> ConnectionStatus:
        connection = self.connection
        return ConnectionStatus(
            task=self.endpoint.label,
            server=self.endpoint.server,
            address=str(self.endpoint.address),
            encrypted=connection.encrypted,
            tls_version=connection.tls_version,
            cipher=connection.cipher,
            certificate=self._certificate,
            bound_as=self.bound_as,
            state=State.CLOSED if connection.closed else State.CONNECTED,
            operations=connection.operations,
            in_flight=connection.in_flight,
            reconnects=reconnects,
            error=error,
            remark=self.remark,
        )


def _certificate(der: bytes) -> Certificate | None:
    try:
        found = load_certificate(der)
    except MalformedCertificateError:
        return None
    return Certificate(
        subject=subject_of(found),
        issuer=issuer_of(found),
        expires=found.not_valid_after_utc.astimezone(UTC).isoformat(),
    )
