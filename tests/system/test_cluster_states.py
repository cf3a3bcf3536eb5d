"""Four `quintet serve` on one Redis: who stays of many sign-ins at once, and what is said without Redis."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from support.cluster_nodes import ClusterNodes
from support.command import run_program
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.sametime_client import SametimeClient
from support.sametime_server import LiveClient
from support.served_clients import port_environ
from support.serving import free_port
from support.slapd import Slapd
from support.waiting import wait_until

pytestmark = pytest.mark.real

NODES = ("n0", "n1", "n2", "n3")
SIGN_INS = 100


@dataclass(frozen=True, slots=True)
class Site:
    """The nodes; n3 is not ready without its cluster."""

    nodes: ClusterNodes
    redis: RedisServer
    metrics: dict[str, int]

    def read(self, node: str, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.metrics[node]}{path}", timeout=10)


@pytest.fixture(scope="module", params=["newest"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd
) -> Iterator[Site]:
    """The parameter is the rule about several sessions of a user."""
    folder = tmp_path_factory.mktemp("nodes")
    with (
        Postgres() as postgres,
        RedisServer() as redis,
        ClusterNodes(folder, small_slapd, redis, postgres.new_database()) as nodes,
    ):
        metrics = {name: free_port() for name in NODES}
        for name in NODES:
            needs = {"QUINTET_READY_NEEDS": "cluster"} if name == NODES[-1] else {}
            nodes.start(
                name,
                QUINTET_METRICS_PORT=str(metrics[name]),
                QUINTET_SIGN_INS=request.param,
                QUINTET_SIGN_IN_LIMIT="0",
                QUINTET_SHUTDOWN_SECONDS="1",
                **needs,
            )
        yield Site(nodes, redis, metrics)


@pytest.mark.parametrize("site", ["oldest", "newest"], indirect=True)
async def test_of_a_hundred_sign_ins_at_once_at_four_nodes_exactly_one_stays(site: Site) -> None:
    async def sign_in(number: int) -> LiveClient:
        port = site.nodes.ports[NODES[number % len(NODES)]]
        live = await LiveClient.connect(port, SametimeClient("alice", b"alice-secret"))
        await live.until(lambda: live.client.login is not None or live.client.ended is not None, 60)
        return live

    clients = await asyncio.gather(*(sign_in(each) for each in range(SIGN_INS)))
    ending = [asyncio.create_task(each.until_closed(60)) for each in clients]
    async with asyncio.timeout(60):
        while sum(not each.done() for each in ending) > 1:
            await asyncio.wait([each for each in ending if not each.done()], return_when="FIRST_COMPLETED")
    listed = [
        (await asyncio.to_thread(run_program, "--config", site.nodes.folder(name), "sessions", "--json"))
        for name in NODES
    ]
    assert sum(len(each.document["sessions"]) for each in listed) == 1
    (left,) = [each for each, end in zip(clients, ending, strict=True) if not end.done()]
    assert left.client.ended is None
    for each in ending:
        each.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    for client in clients:
        await client.close()


def test_while_valkey_is_away_log_metrics_readiness_and_doctor_say_so(site: Site) -> None:
    one, needy = NODES[0], NODES[-1]
    for node in (one, needy):
        assert "[+] cluster" in site.read(node, "/readyz?verbose").text.splitlines()
    site.redis.stop()
    try:
        down = site.nodes.running[one].until("Valkey unavailable: users of other nodes look offline")
        assert down["reason"]
        wait_until(lambda: site.read(needy, "/readyz").status_code == 503, seconds=20)
        answer = site.read(one, "/readyz?verbose")
        assert answer.status_code == 200
        assert re.search(r"^\[-\] cluster degraded: .", answer.text, re.MULTILINE)
        metrics = site.read(one, "/metrics").text
        assert 'quintet_degraded{part="cluster"} 1.0' in metrics
        assert "quintet_cluster_up 0.0" in metrics
        examined = run_program(
            "--config",
            site.nodes.folder(one),
            "doctor",
            "--only",
            "cluster",
            environ=port_environ(0, **site.nodes.environ),
        )
        assert (examined.code, "Q155" in examined.out) == (1, True), examined
    finally:
        site.redis.start()
    wait_until(lambda: site.read(needy, "/readyz").status_code == 200, seconds=20)
    back = 'quintet_degraded{part="cluster"} 0.0'
    wait_until(lambda: back in site.read(one, "/metrics").text, seconds=20)
    assert "[+] cluster" in site.read(one, "/readyz?verbose").text
