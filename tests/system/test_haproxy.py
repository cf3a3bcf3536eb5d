"""HAProxy, with the file of `deploy`, before two nodes: addresses, limits, health, and moving clients."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
import pytest

from quintet.runtime import ask_running
from quintet.sametime.reason import ReasonCode
from support.balancer import Balancer, NodePorts, balancer, configuration, load
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

    async def sessions(self) -> list[dict[str, str]]:
        """Of the clients that are signed in."""
        answered = await ask_running(self.folder, {}, "sessions")
        assert answered is not None
        found: list[dict[str, str]] = answered.answer
        return found

    async def addresses(self) -> list[str]:
        return [each["address"] for each in await self.sessions()]

    @property
    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports.metrics}/readyz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def two_nodes(folder: Path, slapd: Slapd) -> Iterator[list[Node]]:
    store = write_certificate(folder / "port.p12", slapd.certificate)
    started = []
    for name in ("one", "two"):
        settings = settings_folder(folder / name, slapd)
        ports = NodePorts(*free_ports(3))
        environ = port_environ(
            ports.sametime,
            **certificate_keys(store),
            QUINTET_NODE=name,
            QUINTET_HTTP_PORT=str(ports.http),
            QUINTET_METRICS_PORT=str(ports.metrics),
            QUINTET_LEGACY_CLIENTS="allow",
            QUINTET_TRUSTED_PROXIES=PROXY,
            QUINTET_SIGN_IN_NETWORK_LIMIT="2",
            QUINTET_SHUTDOWN_SECONDS="30",
        )
        started.append(Node(settings, ports, Serving(settings, **environ)))
    try:
        for each in started:
            each.serving.until("serving")
        yield started
    finally:
        for each in started:
            each.serving.end()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd) -> Iterator[list[Node]]:
    """Two nodes that stay."""
    with two_nodes(tmp_path_factory.mktemp("nodes"), small_slapd) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def front(nodes: list[Node]) -> Iterator[Balancer]:
    with balancer(*(node.ports for node in nodes)) as front:
        yield front


@pytest.fixture
def own_nodes(tmp_path: Path, small_slapd: Slapd) -> Iterator[list[Node]]:
    """Two nodes for one test, which may end them."""
    with two_nodes(tmp_path, small_slapd) as nodes:
        yield nodes


@pytest.fixture
def own_front(own_nodes: list[Node]) -> Iterator[Balancer]:
    with balancer(*(node.ports for node in own_nodes)) as front:
        yield front


@pytest.fixture
async def clients(nodes: list[Node]) -> AsyncIterator[list[LiveClient]]:
    """The clients that a test opens, of which none is left at its end."""
    opened: list[LiveClient] = []
    yield opened
    for each in opened:
        await each.close()
    await asyncio.to_thread(wait_until, lambda: not any(map(signed_in, nodes)), seconds=20)


def signed_in(node: Node) -> list[dict[str, str]]:
    return asyncio.run(node.sessions())


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
    found = [await node.addresses() for node in nodes]
    assert [len(each) for each in found] == [2, 2]
    assert sorted(address for each in found for address in each) == [PROXY, PROXY, OTHER, OTHER]


async def test_failures_count_for_the_network_of_the_client_and_not_for_the_proxy(
    own_nodes: list[Node], own_front: Balancer
) -> None:
    for _ in range(4):  # two at each node
        live = await connect(own_front.sametime, "wrong", source=OTHER)
        await live.until_closed()
        assert live.client.ended is ReasonCode.INCORRECT_LOGIN
        await live.close()
    live = await connect(own_front.sametime, "bob-secret", "bob", source=OTHER)
    await live.until_closed()
    assert live.client.ended is ReasonCode.LDAP_QUEUE_FULL
    await live.close()
    await (await sign_in(own_front.sametime, "bob")).close()


async def test_http_requests_have_the_addresses_of_the_clients(nodes: list[Node], front: Balancer) -> None:
    origin = f"http://localhost:{front.http}"

    async def sign_in(source: str, password: str) -> int:
        document = {"name": "alice", "password": password}
        transport = httpx.AsyncHTTPTransport(local_address=source)
        async with httpx.AsyncClient(transport=transport, headers={"origin": origin}) as client:
            return (await client.post(f"{origin}/api/v1/session", json=document)).status_code

    # Clients on this machine may send passwords over plain HTTP: their addresses are not the proxy's.
    assert {await sign_in("127.0.0.8", "wrong") for _ in range(6)} == {401, 429}
    assert await sign_in("127.0.0.9", "alice-secret") == 201


async def test_a_node_that_stops_gets_no_new_connections_and_its_clients_come_to_the_other(
    own_nodes: list[Node], own_front: Balancer
) -> None:
    clients = [await sign_in(own_front.sametime) for _ in range(8)]
    ending = [asyncio.create_task(each.until_closed(60)) for each in clients]
    staying, leaving = own_nodes
    leaving.serving.send(signal.SIGTERM)
    leaving.serving.until("stopping")
    assert not leaving.is_ready
    # The node still closes the connections that it has.
    clients += [await sign_in(own_front.sametime, "bob") for _ in range(4)]
    assert len(await staying.addresses()) == 8
    await asyncio.to_thread(leaving.serving.end, None)
    for each in islice(asyncio.as_completed(ending, timeout=60), 4):
        await each
        clients.append(await sign_in(own_front.sametime))
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    assert sum(each.closed for each in clients) == 4
    assert len(await staying.addresses()) == 12
    for client in clients:
        await client.close()


async def test_draining_a_share_moves_clients_to_the_node_with_fewer(
    nodes: list[Node], front: Balancer, clients: list[LiveClient]
) -> None:
    full, fresh = nodes
    clients += [await sign_in_directly(full) for _ in range(8)]
    assert await fresh.addresses() == []
    ending = [asyncio.create_task(each.until_closed(60)) for each in clients]
    ran = await asyncio.to_thread(run_program, "--config", full.folder, "drain", "--share", "50%")
    assert ran.err == "Closing 4 of 8 sessions.\n"
    for each in islice(asyncio.as_completed(ending, timeout=60), 4):
        await each
        clients.append(await sign_in(front.sametime))
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    # HAProxy does not know of connections that were made past it.
    assert len(await fresh.addresses()) >= 2
    assert len(await full.addresses()) <= 6


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
    assert [row["tls"] for node in nodes for row in await node.sessions()] == ["TLSv1.3"]


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


def test_a_node_that_crashed_is_left_alone(own_nodes: list[Node], own_front: Balancer) -> None:
    own_nodes[1].serving.send(signal.SIGKILL)
    assert wait_until(lambda: "DOWN" in own_front.log.read_text(), seconds=20)

    async def all_work() -> int:
        clients = [await sign_in(own_front.sametime) for _ in range(4)]
        for each in clients:
            await each.close()
        return len(clients)

    assert asyncio.run(all_work()) == 4


def test_a_file_that_haproxy_does_not_accept_is_found(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    nodes = [NodePorts(1, 2, 3), NodePorts(4, 5, 6)]
    path.write_text(configuration((7, 8), nodes))
    load(path)
    path.write_text(configuration((7, 8), nodes).replace("balance leastconn", "balance fairly"))
    with pytest.raises(ServerError):
        load(path)
