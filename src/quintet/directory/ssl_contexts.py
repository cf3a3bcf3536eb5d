"""TLS for the pools: one context for the same settings, and an explanation of a handshake that failed."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import final

from cryptography import x509

from quintet.directory.endpoint import Endpoint, FileFingerprint, Mode
from quintet.directory.errors import UntrustedServerError
from quintet.ldap.connection import connect
from quintet.ldap.errors import LdapError, TlsError
from quintet.ldap.limits import Address
from quintet.tls.context import TlsSettingsError, inspection_context, make_context
from quintet.tls.diagnosis.explain import Seen, explain, peer_chain
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import StoreError, open_store

_Key = tuple[TlsSettings, tuple[FileFingerprint, ...]]


@final
class SslContextCache:
    """The contexts in use. The same settings with another content of a store file make another one."""

    def __init__(self) -> None:
        self._made: dict[_Key, ssl.SSLContext] = {}

    def of(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """The context for an endpoint, None where it is not encrypted. Raises UntrustedServerError."""
        if not endpoint.encrypted:
            return None
        key = (endpoint.tls, endpoint.stores)
        context = self._made.get(key)
        if context is None:
            try:
                context = self._made[key] = make_context(endpoint.tls)
            except (StoreError, TlsSettingsError, ssl.SSLError, OSError, ValueError) as error:
                raise UntrustedServerError(
                    str(error),
                    service=endpoint.service,
                    server=endpoint.server,
                    address=str(endpoint.address),
                    fix=f"Fix the store or {endpoint.tls.keys.store}; quintet check names the place",
                ) from error
        return context

    def keep_only(self, endpoints: Iterable[Endpoint]) -> None:
        """Forget the contexts that none of these needs."""
        used = {(each.tls, each.stores) for each in endpoints}
        self._made = {key: context for key, context in self._made.items() if key in used}


async def untrusted(
    endpoint: Endpoint, address: Address, error: TlsError, *, via: tuple[str, int] | None
) -> UntrustedServerError:
    """An explanation of the failed handshake. A server that answers is asked again, for its certificates."""
    cause = _root(error)
    silent = isinstance(cause, TimeoutError)
    chain, seen = ((), Seen()) if silent else await _look(endpoint, address, via)
    trust = None
    with suppress(StoreError):
        trust = open_store(endpoint.tls.trust_store) if endpoint.tls.trust_store else None
    told = explain(
        cause,
        host=address.host,
        port=address.port,
        chain=chain,
        trust=trust,
        profile=endpoint.tls,
        seen=seen,
    )
    found = UntrustedServerError(
        told.sentence.rstrip("."),
        service=endpoint.service,
        server=endpoint.server,
        address=str(address),
        fix=told.fix,
    )
    found.explanation = told
    return found


def _root(error: BaseException) -> BaseException:
    """The error that `ssl` or the system raised, beneath ours."""
    at: BaseException = error
    while at.__cause__ is not None and not isinstance(at, ssl.SSLError | TimeoutError):
        at = at.__cause__
    return at


async def _look(
    endpoint: Endpoint, address: Address, via: tuple[str, int] | None
) -> tuple[Sequence[x509.Certificate], Seen]:
    """What the server presents to a client that checks nothing; nothing when there is no TLS at all."""
    with suppress(LdapError, ssl.SSLError, OSError, asyncio.TimeoutError, ValueError):
        connection = await connect(
            address,
            tls=inspection_context(endpoint.tls),
            start_tls=endpoint.mode is Mode.STARTTLS,
            via=via,
            timeout=endpoint.pool.connect_timeout,
        )
        try:
            shown = connection.ssl_object
            chain = peer_chain(shown) if shown is not None else ()
            return chain, Seen(connection.tls_version, connection.cipher)
        finally:
            await connection.close()
    return (), Seen()
