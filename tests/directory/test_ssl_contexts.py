"""Contexts are made outside the event loop's thread, and once for each profile."""

import asyncio
import ssl
import threading
from dataclasses import replace

import pytest

from quintet.directory import ssl_contexts as module
from quintet.directory.endpoint import Endpoint, Mode
from quintet.directory.errors import UntrustedServerError
from quintet.directory.services import Service
from quintet.directory.ssl_contexts import SslContextCache
from quintet.ldap.limits import Address
from quintet.ldap.pool_config import PoolConfig
from quintet.tls import StoreNotFoundError, TlsSettings

ENDPOINT = Endpoint(Service.BROWSE, "h", (Address("h", 636),), Mode.LDAPS, TlsSettings(), PoolConfig())


async def test_a_context_is_made_once_and_not_in_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a store may take a second of hashing."""
    made: list[int] = []

    def make(_: TlsSettings) -> ssl.SSLContext:
        made.append(threading.get_ident())
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(module, "make_context", make)
    cache = SslContextCache()
    found = await asyncio.gather(*(cache.of(ENDPOINT) for _ in range(5)))
    assert len(set(found)) == len(made) == 1
    assert made[0] != threading.get_ident()
    assert await cache.of(replace(ENDPOINT, stores=(("trust.p12", 1, 1),))) not in found


async def test_an_unencrypted_endpoint_has_none() -> None:
    assert await SslContextCache().of(replace(ENDPOINT, mode=Mode.UNENCRYPTED)) is None


async def test_a_store_that_cannot_be_used_is_an_untrusted_server_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(_: TlsSettings) -> ssl.SSLContext:
        raise StoreNotFoundError("the file does not exist")

    monkeypatch.setattr(module, "make_context", make)
    cache = SslContextCache()
    for _ in range(2):
        with pytest.raises(UntrustedServerError):
            await cache.of(ENDPOINT)
