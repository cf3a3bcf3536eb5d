"""A look at the TLS of a server: the chain it presents, the version and the suite it agrees to.

Nothing is verified, and nothing is sent after the handshake. `trust fetch`, `init`, `doctor` and the
explanation of failed handshakes look at servers this way. How to connect (a TLS port, or StartTLS) is up to
the caller.
"""

import _ssl
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography import x509

from quintet.tls.certificates import MalformedCertificateError, load_certificate, without_warnings
from quintet.tls.settings import TlsSettings

MOST_CERTIFICATES = 10
"""So many certificates of a server's chain are looked at."""

_OP_LEGACY_SERVER_CONNECT = 0x4  # ssl.OP_LEGACY_SERVER_CONNECT, which Python names from 3.12 on


@dataclass(frozen=True, slots=True)
class Presented:
    """What a server presents: its chain, its own certificate first, and the version and suite agreed on.

    `tls_version` and `cipher` are OpenSSL's names ("TLSv1.3"), None when there was no handshake. `malformed`
    says what is wrong with a certificate that cannot be read; the chain ends before it.
    """

    chain: tuple[x509.Certificate, ...] = ()
    tls_version: str | None = None
    cipher: str | None = None
    malformed: str | None = None


class Connected(Protocol):
    """A connection that TLS was established on, such as `quintet.ldap.Connection`."""

    @property
    def ssl_object(self) -> ssl.SSLObject | None: ...

    async def close(self) -> None: ...


async def inspect(
    connect: Callable[[ssl.SSLContext], Awaitable[Connected]], settings: TlsSettings | None = None
) -> Presented:
    """What a server presents to `connect`, which makes a connection with the context that it is given.

    The newest version that `settings` allow is tried first; if that fails, any version. Raises what `connect`
    raises.
    """
    settings = settings or TlsSettings()
    capped, free = inspection_context(settings), inspection_context(settings)
    capped.maximum_version = max(settings.maximum, capped.minimum_version)
    if settings.maximum < free.maximum_version:
        try:
            return await _look(await connect(capped))
        except Exception as error:  # `connect` is the caller's; any version may do better
            if isinstance(error.__cause__, TimeoutError):
                raise
    return await _look(await connect(free))


def inspection_context(settings: TlsSettings | None = None) -> ssl.SSLContext:
    """A context that accepts any certificate, version and suite. Never for more than a handshake.

    Of the settings only FIPS counts.
    """
    fips = settings is not None and settings.fips
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= _OP_LEGACY_SERVER_CONNECT
    with without_warnings():
        context.minimum_version = ssl.TLSVersion.TLSv1_2 if fips else ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers("DEFAULT" if fips else "ALL:@SECLEVEL=0")
    return context


def presented_by(connection: ssl.SSLObject | ssl.SSLSocket | None) -> Presented:
    """What the server of a connection presented; nothing when the connection is not encrypted."""
    if connection is None:
        return Presented()
    agreed, malformed, chain = connection.cipher(), None, []
    for der in _der(connection, "get_unverified_chain")[:MOST_CERTIFICATES]:
        try:
            chain.append(load_certificate(der))
        except MalformedCertificateError as error:
            malformed = str(error)
            break
    return Presented(tuple(chain), connection.version(), agreed[0] if agreed else None, malformed)


def verified_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> tuple[x509.Certificate, ...]:
    """The path that OpenSSL built: the server's own certificate first, after a success the trusted one last.

    Raises `MalformedCertificateError`.
    """
    return tuple(load_certificate(each) for each in _der(connection, "get_verified_chain"))


async def _look(connection: Connected) -> Presented:
    try:
        return presented_by(connection.ssl_object)
    finally:
        await connection.close()


def _der(connection: Any, which: str) -> list[bytes]:
    """Python has a public way from 3.13 on; this one works from 3.11."""
    certificates = getattr(connection._sslobj, which)()  # noqa: SLF001  see above
    return [each.public_bytes(_ssl.ENCODING_DER) for each in certificates or ()]
