"""TLS for the pools: contexts made once for each profile, and words for a handshake that failed."""

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
from quintet.tls.context import TlsSettingsError, inspection_context, make_context
from quintet.tls.diagnosis.explain import Seen, explain, peer_chain
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import StoreError, open_store

_Key = tuple[TlsSettings, tuple[FileFingerprint, ...]]


@final
class SslContextCache:
    """The contexts in use. A profile whose store file has changed is another one."""

    def __init__(self) -> None:
        self._made: dict[_Key, ssl.SSLContext] = {}

    def of(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """The context for an endpoint, None where it is in clear. Raises UntrustedServerError."""
        if endpoint.mode is Mode.CLEAR:
            return None
        key = (endpoint.profile, endpoint.stores)
        context = self._made.get(key)
        if context is None:
            try:
                context = self._made[key] = make_context(endpoint.profile)
            except (StoreError, TlsSettingsError, ssl.SSLError, OSError, ValueError) as error:
                raise UntrustedServerError(
                    str(error),
                    task=endpoint.label,
                    server=endpoint.server,
                    address=str(endpoint.address),
                    fix=f"Mend the store or {endpoint.profile.keys.store}; quintet check names the place",
                ) from error
        return context

    def keep_only(self, endpoints: Iterable[Endpoint]) -> None:
        """Forget the contexts that none of these needs."""
        used = {(each.profile, each.stores) for each in endpoints}
        self._made = {key: context for key, context in self._made.items() if key in used}


async def untrusted(
    endpoint: Endpoint, error: TlsError, *, via: tuple[str, int] | None, seconds: float
) -> UntrustedServerError:
    """The failed handshake in words. One that answers is asked once more, only to show its certificates."""
    cause = _root(error)
    silent = isinstance(cause, TimeoutError)
    chain, seen = ((), Seen()) if silent else await _look(endpoint, via, seconds)
    trust = None
    with suppress(StoreError):
        trust = open_store(endpoint.profile.trust_store) if endpoint.profile.trust_store else None
    told = explain(
        cause,
        host=endpoint.address.host,
        port=endpoint.address.port,
        chain=chain,
        trust=trust,
        profile=endpoint.profile,
        seen=seen,
    )
    found = UntrustedServerError(
        told.sentence.rstrip("."),
        task=endpoint.label,
        server=endpoint.server,
        address=str(endpoint.address),
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
    endpoint: Endpoint, via: tuple[str, int] | None, seconds: float
) -> tuple[Sequence[x509.Certificate], Seen]:
    """What the server shows to someone who checks nothing; nothing when there is no TLS with it at all."""
    with suppress(LdapError, ssl.SSLError, OSError, asyncio.TimeoutError, ValueError):
        connection = await connect(
            endpoint.address,
            tls=inspection_context(endpoint.profile),
            start_tls=endpoint.mode is Mode.STARTTLS,
            via=via,
            timeout=seconds,
        )
        try:
            shown = connection.ssl_object
            chain = peer_chain(shown) if shown is not None else ()
            return chain, Seen(connection.tls_version, connection.cipher)
        finally:
            await connection.close()
    return (), Seen()
