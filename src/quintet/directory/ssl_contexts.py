"""TLS for the pools: contexts made once for each profile, and words for a handshake that failed."""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import final

from quintet.directory.endpoint import Endpoint, FileFingerprint, Mode
from quintet.directory.errors import UntrustedServerError
from quintet.ldap.connection import Connection, connect
from quintet.ldap.errors import LdapError, TlsError
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
    """The contexts in use. A profile whose store file has changed is another one."""

    def __init__(self) -> None:
        self._made: dict[_Key, ssl.SSLContext] = {}
        self._making = asyncio.Lock()

    async def of(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """The context for an endpoint, None where it is in clear. Raises UntrustedServerError."""
        if endpoint.mode is Mode.CLEAR:
            return None
        key = (endpoint.profile, endpoint.stores)
        async with self._making:
            context = self._made.get(key)
            if context is None:
                try:
                    # In a thread: a store may take a second of hashing to open.
                    context = self._made[key] = await asyncio.to_thread(make_context, endpoint.profile)
                except (StoreError, TlsSettingsError, ssl.SSLError, OSError, ValueError) as error:
                    raise UntrustedServerError(
                        str(error),
                        task=endpoint.label,
                        server=endpoint.server,
                        address=str(endpoint.address),
                        fix=f"Fix the store or {endpoint.profile.names.store}; quintet check names the place",
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
    known = Presented() if silent or isinstance(cause, ChainError) else await _look(endpoint, via, seconds)
    trust = None
    with suppress(StoreError):
        if endpoint.profile.trust_store:
            trust = await asyncio.to_thread(open_store, endpoint.profile.trust_store)
    told = await asyncio.to_thread(
        explain,
        cause,
        host=endpoint.address.host,
        port=endpoint.address.port,
        settings=endpoint.profile,
        trust=trust,
        presented=known,
    )
    found = UntrustedServerError(
        told.message,
        task=endpoint.label,
        server=endpoint.server,
        address=str(endpoint.address),
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


async def _look(endpoint: Endpoint, via: tuple[str, int] | None, seconds: float) -> Presented:
    """What the server presents to a client that verifies nothing; nothing when no handshake succeeds."""

    async def connected(context: ssl.SSLContext) -> Connection:
        return await connect(
            endpoint.address,
            tls=context,
            start_tls=endpoint.mode is Mode.STARTTLS,
            via=via,
            timeout=seconds,
        )

    try:
        return await inspect(connected, endpoint.profile)
    except (TimeoutError, LdapError, ssl.SSLError, OSError, ValueError):
        return Presented()
