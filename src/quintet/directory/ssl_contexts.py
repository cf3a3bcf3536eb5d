"""TLS for the pools: one context for the same settings, and an explanation of a handshake that failed."""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import final

from quintet.directory.endpoint import Endpoint, FileFingerprint, Mode
from quintet.directory.errors import UntrustedServerError
from quintet.ldap import Address, Connection, LdapError, TlsError, connect
from quintet.tls import (
    ChainError,
    Presented,
    StoreError,
    TlsSettings,
    TlsSettingsError,
    explain,
    inspect,
    make_context,
    open_store,
)

_Key = tuple[TlsSettings, tuple[FileFingerprint, ...]]


@final
class SslContextCache:
    """The contexts in use. The same settings with another content of a store file make another one."""

    def __init__(self) -> None:
        self._made: dict[_Key, ssl.SSLContext] = {}
        self._making = asyncio.Lock()

    async def of(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """The context for an endpoint, None where it is not encrypted. Raises UntrustedServerError."""
        if not endpoint.encrypted:
            return None
        key = (endpoint.tls, endpoint.stores)
        async with self._making:
            context = self._made.get(key)
            if context is None:
                try:
                    # In a thread: a store may take a second of hashing to open.
                    context = self._made[key] = await asyncio.to_thread(make_context, endpoint.tls)
                except (StoreError, TlsSettingsError, ssl.SSLError, OSError, ValueError) as error:
                    raise UntrustedServerError(
                        str(error),
                        service=endpoint.service,
                        server=endpoint.server,
                        address=str(endpoint.address),
                        fix=f"Fix the store or {endpoint.tls.names.store}; quintet check names the place",
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
    known = Presented() if silent or isinstance(cause, ChainError) else await _look(endpoint, address, via)
    trust = None
    with suppress(StoreError):
        if endpoint.tls.trust_store:
            trust = await asyncio.to_thread(open_store, endpoint.tls.trust_store)
    told = await asyncio.to_thread(
        explain,
        cause,
        host=address.host,
        port=address.port,
        settings=endpoint.tls,
        trust=trust,
        presented=known,
    )
    found = UntrustedServerError(
        told.message,
        service=endpoint.service,
        server=endpoint.server,
        address=str(address),
        fix=told.fix[:1].upper() + told.fix[1:],
    )
    found.explanation = told
    return found


def _root(error: BaseException) -> BaseException:
    """The error that `ssl` or the system raised, beneath ours."""
    at: BaseException = error
    while at.__cause__ is not None and not isinstance(at, ssl.SSLError | TimeoutError):
        at = at.__cause__
    return at


async def _look(endpoint: Endpoint, address: Address, via: tuple[str, int] | None) -> Presented:
    """What the server presents to a client that verifies nothing; nothing when no handshake succeeds."""

    async def connected(context: ssl.SSLContext) -> Connection:
        return await connect(
            address,
            tls=context,
            start_tls=endpoint.mode is Mode.STARTTLS,
            via=via,
            timeout=endpoint.pool.connect_timeout,
        )

    try:
        return await inspect(connected, endpoint.tls)
    except (TimeoutError, LdapError, ssl.SSLError, OSError, ValueError):
        return Presented()
