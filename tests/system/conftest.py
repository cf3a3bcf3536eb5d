"""Real directory servers, shared by the session; the factories make others for one test.

Leave the shared ones as they are: accounts that a test locks, and data that it changes, belong to a server of
its own.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import certs
from support.certs import Issued
from support.dirsrv import DirectoryServer389
from support.namespaces import NetworkNamespace, network_namespace
from support.samba_ad import PortsTakenError, SambaAD, StrongAuth
from support.server_process import ServerError


@pytest.fixture(scope="session")
def authority() -> Issued:
    """The authority that signs the certificates of these servers."""
    return certs.authority()


@pytest.fixture(scope="module")
def namespace() -> Iterator[NetworkNamespace]:
    """A network namespace with two links, where this machine lets the tests make one."""
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(network_namespace(links=2))
        except (ServerError, OSError) as error:
            pytest.skip(f"no network namespaces here: {error}")
        yield made


@pytest.fixture(scope="session")
def samba_cache(pytestconfig: pytest.Config) -> Path | None:
    """Where the provisioned domain is kept from one session to the next; None with `-p no:cacheprovider`."""
    cache = getattr(pytestconfig, "cache", None)
    return cache.mkdir("samba-ad") if cache else None


@pytest.fixture(scope="session")
def samba_ad(authority: Issued, samba_cache: Path | None) -> Iterator[SambaAD]:
    """Active Directory as Samba sets it up: simple binds need an encrypted connection."""
    with _entered(SambaAD(authority=authority, cache=samba_cache)) as server:
        yield server


@pytest.fixture(scope="session")
def samba_ad_unencrypted(authority: Issued, samba_cache: Path | None) -> Iterator[SambaAD]:
    """Active Directory as Windows usually is: simple binds are taken over unencrypted connections, too."""
    server = SambaAD(authority=authority, strong_auth=StrongAuth.NOT_REQUIRED, cache=samba_cache)
    with _entered(server):
        yield server


@pytest.fixture
def make_samba_ad(authority: Issued, samba_cache: Path | None) -> Iterator[Callable[..., SambaAD]]:
    """Makes domain controllers for one test, with options as `SambaAD` has them."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> SambaAD:
            everything: dict[str, Any] = {"authority": authority, "cache": samba_cache, **options}
            return stack.enter_context(_entered(SambaAD(**everything)))

        yield make


@pytest.fixture(scope="session")
def dirsrv(authority: Issued) -> Iterator[DirectoryServer389]:
    """389 Directory Server as installed: anyone may read, SCRAM is offered and does not work."""
    with DirectoryServer389(authority=authority) as server:
        yield server


@pytest.fixture
def make_dirsrv(authority: Issued) -> Iterator[Callable[..., DirectoryServer389]]:
    """Makes 389 Directory Servers for one test, with options as `DirectoryServer389` has them."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> DirectoryServer389:
            return stack.enter_context(DirectoryServer389(**{"authority": authority} | options))

        yield make


@contextlib.contextmanager
def _entered(server: SambaAD) -> Iterator[SambaAD]:
    """The server, started; the test is skipped where Samba's ports cannot be had."""
    try:
        server.__enter__()
    except PortsTakenError as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.__exit__(None, None, None)
