"""A network namespace of one's own, with links to it that can be cut without a sign: Linux, as root.

The namespace is that of a process which ends with the tests, however these end; its links go with it.
Addresses are of 198.18.0.0/15, which is meant for tests of networks and is not routed.
"""

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from support.server_process import ServerProcess, program, run

_NETWORKS: Final = list(IPv4Network("198.18.0.0/15").subnets(new_prefix=30))


@dataclass(frozen=True, slots=True)
class Link:
    """A pair of virtual Ethernet devices of one name. `here` and `there` are the addresses of its ends."""

    device: str
    here: str
    there: str

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Packets are lost in both directions while the context is open; the end there does not notice."""
        _ip("link", "set", self.device, "down")
        try:
            yield
        finally:
            _ip("link", "set", self.device, "up")


@dataclass(frozen=True, slots=True)
class NetworkNamespace:
    """`inside` begins the command line of what runs there."""

    inside: tuple[str, ...]
    links: tuple[Link, ...]


@contextmanager
def network_namespace(links: int) -> Iterator[NetworkNamespace]:
    """A namespace with so many links. Raises ServerError or OSError where there can be none."""
    with TemporaryDirectory(prefix="quintet-namespace-") as folder:
        holder = ServerProcess(Path(folder) / "holder.log")
        holder.start(
            ["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
            ready=lambda: "ready" in holder.log.read_text(),
            within=10,
        )
        try:
            inside = ("nsenter", f"--net=/proc/{holder.pid}/ns/net", "--")
            _ip("link", "set", "lo", "up", inside=inside)
            yield NetworkNamespace(inside, tuple([_link(holder.pid, inside) for _ in range(links)]))
        finally:
            holder.kill()


def _link(pid: int, inside: tuple[str, ...]) -> Link:
    name = f"quintet{secrets.token_hex(3)}"
    link = Link(name, *_free_addresses())
    mac = f"02:{secrets.token_bytes(5).hex(':')}"
    peer = ("peer", "name", name, "netns", str(pid))
    _ip("link", "add", name, "address", mac, "type", "veth", *peer)
    _ip("address", "add", f"{link.here}/30", "dev", name)
    _ip("link", "set", name, "up")
    _ip("address", "add", f"{link.there}/30", "dev", name, inside=inside)
    _ip("link", "set", name, "up", inside=inside)
    # Else the kernel there reports an unreachable host when it gets no answer to ARP for three seconds.
    _ip("neighbour", "replace", link.here, "lladdr", mac, "nud", "permanent", "dev", name, inside=inside)
    return link


def _ip(*command: str, inside: tuple[str, ...] = ()) -> None:
    run([*inside, program("ip"), *command])


def _free_addresses() -> tuple[str, str]:
    """The two hosts of a network that is not used on this machine."""
    used = run([program("ip"), "-o", "-4", "address"])
    while True:
        here, there = islice(random.choice(_NETWORKS).hosts(), 2)
        if f" {here}/" not in used:
            return str(here), str(there)
