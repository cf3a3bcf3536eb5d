"""What a running server shares with the other nodes of its community: a connection to Valkey, and keys."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, final

import structlog

from quintet.cluster import (
    CallRefused,
    ClusterEvent,
    ClusterNode,
    Ignored,
    KeyRing,
    NodeCount,
    NodeNameError,
    SharedAttempts,
    SharedGroupContents,
    ValkeyConnection,
    ValkeyDown,
    ValkeyUp,
    ValuesIgnored,
)
from quintet.config import ClusterSettings
from quintet.directory import Directory, LocalAttempts, Trace
from quintet.sametime.serving import SametimeServer

if TYPE_CHECKING:
    from quintet.cluster.web_sessions import SharedSessions

_FIRST_ATTEMPT: Final = 5.0
_CLAIM_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.05
_PURPOSE: Final = "node"


@final
class NodeSealing:
    """What nodes write about sessions, and to each other, is sealed with these keys."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Encrypt for a place."""
        return self._keys.seal(_PURPOSE, (context.decode("latin-1"),), data)

    def open(self, blob: bytes, context: bytes) -> bytes | None:
        """Decrypt; None if no node has written this for the place."""
        return self._keys.open(_PURPOSE, (context.decode("latin-1"),), blob)


@final
class Cluster:
    """The cluster of one server, open while the context of `open` is."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.log: Any = structlog.get_logger()
        self.prefix = f"quintet:{settings.community}"
        self.valkey = ValkeyConnection(settings.address, settings.tls, trace=self._tell)
        self.nodes = NodeCount(self.valkey, self.prefix)
        self.valkey.listeners.append(self.nodes)
        self.keys = KeyRing(_keys(settings), ignored=lambda _: self.valkey.ignore(Ignored.UNSEALED))

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ClusterSettings) -> AsyncIterator[Self]:
        """Connect. Raises UnsuitableValkeyError; a Valkey that is away is waited for meanwhile."""
        cluster = cls(settings)
        async with cluster.valkey:
            await cluster.valkey.first_attempt(_FIRST_ATTEMPT)
            yield cluster

    def renew(self, settings: ClusterSettings) -> None:
        """Use the keys of new settings."""
        self.keys.renew(_keys(settings))

    def attempts(self, local: LocalAttempts, trace: Trace) -> SharedAttempts:
        """Failed sign-ins as all nodes count them; `local` decides while Valkey is away."""
        return SharedAttempts(self.valkey, self.keys, self.prefix, local, nodes=self.nodes, trace=trace)

    def group_contents(self, directory: Directory, seconds: float) -> SharedGroupContents:
        """Public groups, read again once for all nodes."""
        return SharedGroupContents(self.valkey, self.keys, self.prefix, directory, seconds)

    def web_sessions(self) -> "SharedSessions":
        """The sessions of browsers that hold on every node."""
        from quintet.cluster.web_sessions import SharedSessions  # noqa: PLC0415  # with the web's libraries

        return SharedSessions(self.valkey, self.keys, self.prefix)

    @property
    def form_keys(self) -> tuple[bytes, ...]:
        """For the forms of browsers without a session: they are good on every node."""
        return self.keys.derived("forms")

    @asynccontextmanager
    async def joined(self, server: SametimeServer) -> AsyncIterator[ClusterNode]:
        """Be one of the nodes. Raises NodeNameError."""
        loop = asyncio.get_running_loop()
        sealing = NodeSealing(self.keys)
        node = ClusterNode(self.valkey, self.prefix, sealing, server)
        server.join(node)
        self.valkey.listeners.append(node)
        try:
            if self.valkey.up:
                node.connected(self.valkey.server.id, loop.time())
                await self._claim(node, loop.time() + _CLAIM_SECONDS)
            yield node
        finally:
            node.close()
            self.valkey.listeners.remove(node)

    async def _claim(self, node: ClusterNode, until: float) -> None:
        """Wait until the name is this server's; what a server that was killed has left is over by then."""
        loop = asyncio.get_running_loop()
        while not node.lease.held and self.valkey.up and loop.time() < until:
            if node.lease.is_taken(loop.time()):
                raise NodeNameError(node.lease.node.name)
            await asyncio.sleep(_LOOK_SECONDS)

    def _tell(self, event: ClusterEvent) -> None:
        match event:
            case ValkeyUp(address, version):
                self.log.info("Valkey available", address=address, version=version)
            case ValkeyDown(address, reason, fix):
                self.log.error(
                    "Valkey unavailable: users of other nodes look offline",
                    address=address,
                    reason=reason,
                    fix=fix,
                )
            case ValuesIgnored(reason, count):
                self.log.warning("values in Valkey ignored", reason=reason.value, count=count)
            case CallRefused(script, error):
                self.log.error("Valkey refused a call", script=script, error=error)


def _keys(settings: ClusterSettings) -> list[bytes]:
    return [base64.b64decode(each.reveal()) for each in settings.keys]
