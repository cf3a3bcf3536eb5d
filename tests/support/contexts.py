"""Both ends of TLS for tests that play with its bytes: a server named localhost, a client that trusts it."""

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support import certs

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


@cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        context.load_cert_chain(*certs.leaf(certs.authority()).write(Path(folder), "leaf"))
    return context


def client_context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certs.authority().pem.decode())
    context.maximum_version = version
    return context
