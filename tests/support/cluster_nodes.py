"""Several `quintet serve` that are one community: on one slapd, one PostgreSQL and one Redis."""

import base64
import secrets
import signal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from support.folder import settings_folder
from support.meanwhile import Connected, MeanwhileClient
from support.redis_server import RedisServer
from support.served_clients import port_environ
from support.serving import Serving
from support.slapd import Slapd

if TYPE_CHECKING:
    from support.namespaces import NetworkNamespace

LISTENING = "listening for Sametime clients"
LOOPBACK = "127.0.0.1"


class ClusterNodes:
    """A context manager. Nodes are started with `start`, and are named as they are numbered: n0, n1, ...

    A node that is in `addresses` listens there; one that is in `namespaces` runs in that one.
    """

    def __init__(self, folder: Path, slapd: Slapd, redis: RedisServer, database: str) -> None:
        self._folder = folder
        self._slapd = slapd
        self.environ = {
            "QUINTET_CLUSTER": redis.url,
            "QUINTET_CLUSTER_KEY_FILE": str(_key_file(folder)),
            "QUINTET_COMMUNITY": secrets.token_hex(4),
            "QUINTET_DATABASE": database,
        }
        self.ports: dict[str, int] = {}
        self.addresses: dict[str, str] = {}
        self.namespaces: dict[str, NetworkNamespace] = {}
        self.running: dict[str, Serving] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self.running.values():
            each.send(signal.SIGTERM)
        for each in self.running.values():
            each.end(None)

    def start(self, *names: str, **config: str) -> None:
        """Start these nodes, and wait until they listen."""
        for name in names:
            self.running[name] = self._serve(name, self.folder(name), self.ports.get(name, 0), config)
        for name in names:
            self.ports[name] = self.running[name].until(LISTENING)["port"]

    def second(self, name: str, folder: Path) -> Serving:
        """Another process of this name."""
        return self._serve(name, folder, 0, {})

    def stop(self, name: str) -> None:
        """The node ends in an orderly way."""
        self.running.pop(name).end()

    def kill(self, name: str) -> None:
        """The node is gone in an instant."""
        self.running.pop(name).end(signal.SIGKILL)

    def _serve(self, name: str, folder: Path, port: int, config: dict[str, str]) -> Serving:
        if not folder.exists():
            host = "localhost" if self._slapd.host == LOOPBACK else self._slapd.host
            settings_folder(folder, self._slapd, host=host)
        own = {"QUINTET_NODE": name, "QUINTET_ADDRESS": self.addresses.get(name, LOOPBACK)}
        namespace = self.namespaces.get(name)
        inside = namespace.inside if namespace else ()
        return Serving(folder, inside=inside, **port_environ(port, **own, **(self.environ | config)))

    def folder(self, name: str) -> Path:
        """Its settings."""
        return self._folder / name

    def sign_in(self, line: Connected, **users: str) -> list[MeanwhileClient]:
        """Clients of these users of the small organisation, each at a node."""
        clients = [MeanwhileClient(user, f"{user}-secret") for user in users]
        for client, node in zip(clients, users.values(), strict=True):
            line.connect(client, self.ports[node])
        line.pump(lambda: all(each.is_started for each in clients))
        return clients


def _key_file(folder: Path) -> Path:
    path = folder / "cluster.key"
    path.touch(0o600)
    path.write_bytes(base64.b64encode(secrets.token_bytes(32)) + b"\n")
    return path
