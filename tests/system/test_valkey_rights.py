"""Nodes work with a user of Valkey who may do no more than the one of `deploy` and of the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from quintet.cluster import acl_rules
from support.cluster_nodes import ClusterNodes
from support.pages import ROOT
from support.postgres import Postgres
from support.redis_server import PASSWORD, RedisServer
from support.slapd import Slapd
from support.talkers import Talkers, ldif
from support.waiting import pause

pytestmark = pytest.mark.real

_RULES = re.compile(
    r"(?:user quintet on >\S+|SETUSER quintet on \S+ \S+) (?P<rules>.*?)(?:\nEND|\nOK)", re.DOTALL
)


def rules(path: str) -> str:
    """What the user may do, by a file."""
    found = _RULES.search((ROOT / path).read_text(encoding="utf-8"))
    assert found is not None
    return " ".join(found["rules"].replace("\\\n", " ").replace('"', "").split())


DEPLOYED = rules("deploy/make-secrets")


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer(acl=DEPLOYED) as server:
        yield server


def test_the_rights_are_those_for_the_commands_that_are_used() -> None:
    checks = "+config|get"  # so that doctor sees the limits of output buffers
    assert f"{acl_rules('quintet')} {checks}" == DEPLOYED
    assert rules("docs/how-to/run-several-nodes.md") == DEPLOYED


async def test_nodes_need_no_more_rights(redis: RedisServer, tmp_path: Path) -> None:
    with (
        Slapd(ldif(4)) as slapd,
        Postgres() as postgres,
        ClusterNodes(tmp_path, slapd, redis, postgres.new_database()) as nodes,
    ):
        url = redis.url.replace("//", f"//quintet:{PASSWORD}@")
        nodes.start("n0", "n1", QUINTET_CLUSTER=url, QUINTET_COMMUNITY="quintet")
        talkers = Talkers(nodes.ports, 4, rooms=2)
        await talkers.sign_in(talkers.all)
        async with talkers.load():
            await pause(2)
        agreed = await talkers.agreed(("n0", "n1"), within=15)
        for running in nodes.running.values():
            assert "Valkey available" in running.text
            assert "Valkey refused a call" not in running.text
        assert agreed == []
        assert await talkers.unheard("n0", "n1", within=15) == []
        assert sum(each.received for each in talkers.all) > 0
        assert await talkers.rooms.settled(("n0", "n1"), within=15) == []
        await talkers.close()


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "other", "1"),
        ("GET", "other"),
        ("GET", "quintet:other:x"),
        ("PUBLISH", "other", "1"),
        ("FLUSHALL",),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("KEYS", "*"),
        ("EVAL", "return redis.call('FLUSHALL')", "0"),
        ("ACL", "LIST"),
    ],
    ids=" ".join,
)
def test_the_user_may_do_nothing_else(redis: RedisServer, command: tuple[str, ...]) -> None:
    with Redis(redis.host, redis.port, username="quintet", password=PASSWORD) as connection:
        assert connection.ping()
        with pytest.raises(NoPermissionError):
            connection.execute_command(*command)
