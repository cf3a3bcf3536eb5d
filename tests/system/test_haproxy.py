"""HAProxy, with the file of `deploy`, before two nodes: addresses, limits, health, and moving clients."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
import pytest

from quintet.sametime.reason import ReasonCode
from support.balancer import Balancer, NodePorts, balancer, check, configuration
from support.command import run_program
from support.folder import settings_folder
from support.sametime_client import SametimeClient
from support.sametime_server import LiveClient, proxy_header
from support.served_clients import certificate_keys, port_environ, write_certificate
from support.server_process import ServerError, free_ports
from support.serving import Serving
from support.slapd import Slapd
from support.waiting import wait_until

pytestmark = pytest.mark.real

PROXY, OTHER = "127.0.0.1", "127.0.0.7"
"""The address from which HAProxy connects, and another client's."""


@dataclass
class Node:
    """A `quintet serve`, its folder and its ports."""

    folder: Path
    ports: NodePorts
    serving: Serving

    def addresses(self) -> list[str]:
        """Of the clients that are signed in."""
        listed = run_program("--config", self.folder, "sessions", "--json").document["sessions"]
        return [row["address"] for row in listed]

    @property
    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports.metrics}/readyz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def nodes(tmp_path: Path, small_slapd: Slapd) -> Iterator[list[Node]]:
    store = write_certificate(tmp_path / "port.p12", small_slapd.certificate)
    started = []
    for name in ("one", "two"):
        folder = settings_folder(tmp_path / name, small_slapd)
        ports = NodePorts(*free_ports(3))
        environ = port_environ(
            ports.sametime,
            **certificate_keys(store),
            QUINTET_NODE=name,
            QUINTET_HTTP_PORT=str(ports.http),
            QUINTET_METRICS_PORT=str(ports.metrics),
            QUINTET_TRUSTED_PROXIES=PROXY,
            QUINTET_SIGN_IN_NETWORK_LIMIT="2",
            QUINTET_SHUTDOWN_SECONDS="30",
        )
        started.append(Node(folder, ports, Serving(folder, **environ)))
    for each in started:
        each.serving.until("serving")
    yield started
    for each in started:
        each.serving.end()


@pytest.fixture
def front(nodes: list[Node]) -> Iterator[Balancer]:
    with balancer(*(node.ports for node in nodes)) as front:
        yield front


@pytest.fixture
async def clients() -> AsyncIterator[list[LiveClient]]:
    opened: list[LiveClient] = []
    yield opened
    for each in opened:
        await each.close()


async def sign_in(port: int, name: str = "alice", *, source: str = "127.0.0.1") -> LiveClient:
    return await (await connect(port, f"{name}-secret", name, source=source)).sign_in()


async def connect(port: int, password: str, name: str = "alice", *, source: str = "127.0.0.1") -> LiveClient:
    client = SametimeClient(name, password.encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    client.start()
    live = LiveClient(client, reader, writer)
    await live.flush()
    return live


async def test_sessions_have_the_addresses_of_the_clients_and_are_spread_over_the_nodes(
    nodes: list[Node], front: Balancer, clients: list[LiveClient]
) -> None:
    clients += [await sign_in(front.sametime, source=source) for source in (PROXY, OTHER, PROXY, OTHER)]
    found = [await asyncio.to_thread(node.addresses) for node in nodes]
    assert [len(each) for each in found] == [2, 2]
    assert sorted(address for each in found for address in each) == [PROXY, PROXY, OTHER, OTHER]


async def test_failures_count_for_the_network_of_the_client_and_not_for_the_proxy(
    nodes: list[Node], front: Balancer, clients: list[LiveClient]
) -> None:
    for _ in range(4):  # two at each node
        live = await connect(front.sametime, "wrong", source=OTHER)
        await live.until_closed()
        assert live.client.ended is ReasonCode.INCORRECT_LOGIN
        await live.close()
    live = await connect(front.sametime, "bob-secret", "bob", source=OTHER)
    await live.until_closed()
    assert live.client.ended is ReasonCode.LDAP_QUEUE_FULL
    await live.close()
    clients.append(await sign_in(front.sametime, "bob"))


async def test_http_requests_have_the_addresses_of_the_clients(nodes: list[Node], front: Balancer) -> None:
    guess = {"name": "alice", "password": "wrong"}
    origin = f"http://localhost:{front.http}"
    transport = httpx.AsyncHTTPTransport(local_address=OTHER)
    async with httpx.AsyncClient(transport=transport, headers={"origin": origin}) as other:
        answers = [await other.post(f"{origin}/api/v1/session", json=guess) for _ in range(6)]
    # A client on this machine may send a password unencrypted: the address is not the proxy's.
    assert {answer.status_code for answer in answers} == {401, 429}
    async with httpx.AsyncClient(headers={"origin": origin}) as client:
        right = {"name": "alice", "password": "alice-secret"}
        assert (await client.post(f"{origin}/api/v1/session", json=right)).status_code == 200


async def test_a_node_that_stops_gets_no_new_connections_and_its_clients_come_to_the_other(
    nodes: list[Node], front: Balancer, clients: list[LiveClient]
) -> None:
    clients += [await sign_in(front.sametime) for _ in range(8)]
    staying, leaving = nodes
    leaving.serving.send(signal.SIGTERM)
    leaving.serving.until("stopping")
    ended = asyncio.gather(*(each.until_closed(60) for each in clients[1::2]), return_exceptions=True)
    assert not leaving.is_ready
    for _ in range(4):  # while the node closes the connections that it has
        clients.append(await sign_in(front.sametime, "bob"))
    assert len(await asyncio.to_thread(staying.addresses)) == 8
    await asyncio.to_thread(leaving.serving.end, None)
    await asyncio.wait_for(ended, 60)
    gone = [each for each in clients[:8] if each.closed]
    assert len(gone) == 4
    for _ in gone:
        clients.append(await sign_in(front.sametime))
    assert len(await asyncio.to_thread(staying.addresses)) == 12


async def test_draining_a_share_moves_clients_to_the_node_with_fewer(
    nodes: list[Node], front: Balancer, clients: list[LiveClient]
) -> None:
    full, fresh = nodes
    clients += [await sign_in_directly(full) for _ in range(8)]
    assert await asyncio.to_thread(fresh.addresses) == []
    ending = [asyncio.create_task(each.until_closed(60)) for each in clients]
    ran = await asyncio.to_thread(run_program, "--config", full.folder, "drain", "--share", "50%")
    assert ran.err == "Closing 4 of 8 sessions.\n"
    for each in islice(asyncio.as_completed(ending, timeout=60), 4):
        await each
        clients.append(await sign_in(front.sametime))
    for task in ending:
        task.cancel()
    # HAProxy does not know of connections that were made past it.
    assert len(await asyncio.to_thread(fresh.addresses)) >= 2
    assert len(await asyncio.to_thread(full.addresses)) <= 6


async def sign_in_directly(node: Node) -> LiveClient:
    client = SametimeClient("alice", b"alice-secret")
    prefix = proxy_header("203.0.113.7", 4711)
    return await (await LiveClient.connect(node.ports.sametime, client, prefix=prefix)).sign_in()


async def test_the_certificate_that_clients_see_is_the_nodes(
    nodes: list[Node], front: Balancer, small_slapd: Slapd, clients: list[LiveClient]
) -> None:
    trusting = ssl.create_default_context(cadata=small_slapd.authority.pem.decode())
    client = SametimeClient("alice", b"alice-secret")
    clients.append(await (await LiveClient.connect(front.sametime, client, trusting)).sign_in())
    listed = [run_program("--config", node.folder, "sessions", "--json").document for node in nodes]
    assert [row["tls"] for each in listed for row in each["sessions"]] == ["TLSv1.3"]


@pytest.mark.parametrize("port", ["sametime", "http"])
async def test_a_header_from_an_address_that_is_not_trusted_is_refused(nodes: list[Node], port: str) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", getattr(nodes[0].ports, port), local_addr=(OTHER, 0)
    )
    writer.write(proxy_header("203.0.113.7", 4711) + b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read()
    assert answer == b"" if port == "sametime" else answer.startswith(b"HTTP/1.1 400 ")
    writer.close()


def test_a_node_that_crashed_is_left_alone(nodes: list[Node], front: Balancer) -> None:
    nodes[1].serving.send(signal.SIGKILL)
    assert wait_until(lambda: "DOWN" in front.log.read_text(), seconds=20)

    async def all_work() -> int:
        clients = [await sign_in(front.sametime) for _ in range(4)]
        for each in clients:
            await each.close()
        return len(clients)

    assert asyncio.run(all_work()) == 4


def test_a_file_that_haproxy_does_not_accept_is_found(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    nodes = [NodePorts(1, 2, 3), NodePorts(4, 5, 6)]
    path.write_text(configuration((7, 8), nodes))
    check(path)
    path.write_text(configuration((7, 8), nodes).replace("balance leastconn", "balance fairly"))
    with pytest.raises(ServerError):
        check(path)
