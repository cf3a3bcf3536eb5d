"""Two `quintet serve` with one slapd, PostgreSQL and Redis share sign-in limits and sessions of browsers."""

from collections.abc import Iterator

import httpx
import pytest

from support.cluster_nodes import ClusterNodes
from support.command import run_program
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.serving import free_port
from support.slapd import Slapd

pytestmark = pytest.mark.real

LIMIT = 4


@pytest.fixture(scope="module")
def urls(
    tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd
) -> Iterator[tuple[ClusterNodes, list[str]]]:
    """The nodes, and the base URLs of their web fronts."""
    folder = tmp_path_factory.mktemp("nodes")
    with (
        Postgres() as postgres,
        RedisServer() as redis,
        ClusterNodes(folder, small_slapd, redis, postgres.new_database()) as nodes,
    ):
        ports = [free_port() for _ in range(2)]
        for at, port in enumerate(ports):
            web = {"QUINTET_HTTP_PORT": str(port), "QUINTET_SIGN_IN_LIMIT": str(LIMIT)}
            nodes.start(f"n{at}", QUINTET_METRICS_PORT="0", **web)
        yield nodes, [f"http://127.0.0.1:{port}" for port in ports]


def sign_in(client: httpx.Client, url: str, name: str, password: str) -> httpx.Response:
    body = {"name": name, "password": password}
    return client.post(f"{url}/api/v1/session", json=body, headers={"origin": url})


def test_failures_at_one_node_block_at_the_other_and_are_cleared_there(
    urls: tuple[ClusterNodes, list[str]],
) -> None:
    nodes, (one, other) = urls
    with httpx.Client(timeout=30) as client:
        found = [
            sign_in(client, (one, other)[at % 2], "alice", "wrong").status_code for at in range(LIMIT + 2)
        ]
        assert found == [401] * LIMIT + [429] * 2
        listed = run_program("--config", str(nodes.folder("n1")), "limits", "list")
        assert "alice" in listed.out
        assert run_program("--config", str(nodes.folder("n1")), "limits", "clear", "alice").code == 0
        assert sign_in(client, one, "alice", "alice-secret").status_code == 201


def test_a_browser_is_signed_in_at_both_nodes_and_signed_out_at_both(
    urls: tuple[ClusterNodes, list[str]],
) -> None:
    _, (one, other) = urls
    with httpx.Client(timeout=30) as client:
        assert sign_in(client, one, "bob", "bob-secret").status_code == 201
        for url in (one, other):
            assert client.get(f"{url}/api/v1/session").json()["person"]["name"]
        assert client.delete(f"{other}/api/v1/session", headers={"origin": other}).status_code == 204
        for url in (one, other):
            assert client.get(f"{url}/api/v1/session").status_code == 401
