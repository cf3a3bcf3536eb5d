"""HAProxy with the file of `deploy`, before nodes that tests started."""

import contextlib
import re
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.pages import ROOT
from support.server_process import ServerProcess, free_ports, program, run

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
_READY_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class NodePorts:
    """The ports of a node on 127.0.0.1."""

    sametime: int
    http: int
    metrics: int


@dataclass(frozen=True, slots=True)
class Balancer:
    """HAProxy's own ports on 127.0.0.1, and its log."""

    sametime: int
    http: int
    log: Path


def configuration(ports: tuple[int, int], nodes: Sequence[NodePorts]) -> str:
    """The file with these addresses instead of its own."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    text = text.replace("bind :1533", f"bind 127.0.0.1:{ports[0]}")
    text = text.replace("bind :8080", f"bind 127.0.0.1:{ports[1]}")

    def local(found: re.Match[str]) -> str:
        node = nodes[int(found[1]) - 1]
        port = {"1533": node.sametime, "8080": node.http}[found[2]]
        return f"127.0.0.1:{port} check port {node.metrics}"

    return re.sub(r"quintet-(\d):(\d+) check port 9533", local, text)


def load(path: Path) -> None:
    """Raises ServerError when HAProxy does not accept the file."""
    run([program("haproxy"), "-c", "-f", str(path)])


@contextmanager
def balancer(*nodes: NodePorts) -> Iterator[Balancer]:
    """Two nodes behind one address."""
    ports = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="quintet-haproxy-") as folder:
        path, log = Path(folder) / "haproxy.cfg", Path(folder) / "log"
        path.write_text(configuration((ports[0], ports[1]), nodes), encoding="utf-8")
        load(path)
        process = ServerProcess(log)
        command = [program("haproxy"), "-db", "-f", str(path)]
        process.start(command, ready=lambda: _listens(ports[0]), within=_READY_WITHIN)
        try:
            yield Balancer(ports[0], ports[1], log)
        finally:
            process.stop()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False
