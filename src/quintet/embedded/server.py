"""An LDAP server in memory, on loopback: for trying Quintet out, and for faults in tests."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self, final

from quintet.embedded.answers import Rules
from quintet.embedded.faults import Faults
from quintet.embedded.session import EmbeddedSession, SharedState
from quintet.embedded.tree import Tree
from quintet.ldap import Entry


@final
class EmbeddedServer:
    """An async context manager: it serves `entries` while the context is open.

    `port` is clear; with a `tls` context it offers StartTLS, and `tls_port` is LDAPS. Port 0 takes a free
    one. `faults` may be exchanged at any time. Raises ValueError for entries that do not fit together,
    OSError for a port that is taken. `certificate`, ours in DER, lets SCRAM bind to TLS.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        tls: ssl.SSLContext | None = None,
        certificate: bytes | None = None,
        rules: Rules | None = None,
        faults: Faults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls_port: int = 0,
    ) -> None:
        self._service = SharedState(Tree(entries), rules or Rules(), tls, certificate, faults or Faults())
        self._host = host
        self._ports = port, tls_port
        self._servers: list[asyncio.Server] = []
        self.port = port
        self.tls_port: int | None = None

    @property
    def counts(self) -> Counter[str]:
        """How many connections, start_tls, bind, search, compare, extended, abandon, unbind there were."""
        return self._service.counts

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._service.sessions)

    @property
    def faults(self) -> Faults:
        return self._service.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._service.faults = faults

    async def __aenter__(self) -> Self:
        self.port = await self._listen(self._ports[0], None)
        if self._service.tls is not None:
            self.tls_port = await self._listen(self._ports[1], self._service.tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        await self.disconnect()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def disconnect(self) -> None:
        """Reset every connection; new ones are taken as before."""
        sessions = tuple(self._service.sessions)
        for session in sessions:
            session.abort()
        for session in sessions:
            await session.finished()

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> int:
        server = await asyncio.get_running_loop().create_server(
            lambda: EmbeddedSession(self._service, encrypted=tls is not None), self._host, port, ssl=tls
        )
        self._servers.append(server)
        found: int = server.sockets[0].getsockname()[1]
        return found
