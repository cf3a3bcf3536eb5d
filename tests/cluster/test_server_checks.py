"""What a server must be like, and what its user must be allowed to do: with a real Redis."""

import asyncio
import base64
import re
from pathlib import Path

import pytest

import quintet.cluster
from quintet.cluster.attempts import SharedAttempts
from quintet.cluster.connection import ValkeyConnection
from quintet.cluster.events import CallRefused, ClusterEvent
from quintet.cluster.group_contents import SharedGroupContents
from quintet.cluster.sealing import KeyRing
from quintet.cluster.server_checks import COMMANDS, acl_rules, examine_valkey
from quintet.cluster.valkey import ClusterUnavailableError, Script, ask
from quintet.cluster.web_sessions import SharedSessions
from quintet.config import ClusterSettings, parse_valkey_url
from quintet.diagnostics import Finding
from quintet.directory import AttemptOutcome, Group, LocalAttempts, Membership, Person
from quintet.secret import Secret
from quintet.web.sessions import hashed
from support.redis_server import PASSWORD, RedisServer
from support.valkey_events import HeardEvents

RING = KeyRing([bytes(32)])
ADA = Person("uid=ada", "uid=ada", "Ada", None, "one")


def settings(url: str) -> ClusterSettings:
    return ClusterSettings(parse_valkey_url(url), (Secret(base64.b64encode(bytes(32)).decode()),))


async def codes(url: str) -> list[Finding]:
    return [each.code for each in await examine_valkey(settings(url))]  # type: ignore[misc]


async def test_a_server_as_it_should_be_has_no_findings(shared_redis: RedisServer) -> None:
    assert await codes(shared_redis.url) == []


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("maxmemory-policy allkeys-lru", Finding.Q156),
        ("client-output-buffer-limit pubsub 1mb 256kb 60", Finding.Q157),
        ("rename-command CONFIG ''", Finding.Q158),
        ("cluster-enabled yes", Finding.Q155),
        ("replicaof 127.0.0.1 1", Finding.Q155),
    ],
)
async def test_what_is_wrong_or_hidden_has_its_code(option: str, code: Finding) -> None:
    with RedisServer(option) as redis:
        assert await codes(redis.url) == [code]


async def test_a_server_that_wants_another_password_is_unusable() -> None:
    with RedisServer(password=PASSWORD) as redis:
        assert await codes(redis.url.replace(PASSWORD, "wrong")) == [Finding.Q155]


async def test_limits_that_are_off_are_no_finding() -> None:
    with RedisServer("client-output-buffer-limit pubsub 0 0 0") as redis:
        assert await codes(redis.url) == []


async def test_a_server_that_is_away_is_told_without_the_password() -> None:
    (found,) = await examine_valkey(settings(f"redis://:{PASSWORD}@127.0.0.1:1"))
    assert found.code is Finding.Q155
    assert PASSWORD not in repr(found)


# The user.


def test_every_command_of_a_script_is_allowed() -> None:
    assert quintet.cluster.__file__
    source = "".join(path.read_text() for path in Path(quintet.cluster.__file__).parent.glob("*.py"))
    used = {each.lower() for each in re.findall(r"redis\.p?call\('(\w+)'", source)}
    assert len(used) > 20
    assert used <= set(COMMANDS)


def test_the_documentation_has_the_rules_of_the_user() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "run-several-nodes.md"
    assert acl_rules("quintet") in " ".join(page.read_text().split())


class Directory:
    async def members(self, group: str) -> Membership:
        return Membership(Group("cn=g", "cn=g", "G", "one"), (ADA,), (), (), truncated=False, limit=10)


async def test_all_shared_rules_work_as_this_user_and_nothing_else_does() -> None:
    with RedisServer(acl=acl_rules("club")) as redis:
        trace: list[ClusterEvent] = []
        url, prefix = f"redis://quintet:{PASSWORD}@127.0.0.1:{redis.port}/1", "quintet:club"
        valkey, heard = ValkeyConnection(parse_valkey_url(url), trace=trace.append), HeardEvents()
        valkey.listeners.append(heard)
        async with valkey:
            assert await valkey.first_attempt(5)
            attempts = SharedAttempts(valkey, RING, prefix, LocalAttempts(), nodes=lambda: 2)
            for outcome in AttemptOutcome:
                await attempts.settle(await attempts.begin("ada", "192.0.2.1"), outcome)
            assert await attempts.counts()
            assert await attempts.clear()
            sessions = SharedSessions(valkey, RING, prefix)
            ident, session = await sessions.begin("ada", ADA, administrator=False)
            assert await sessions.find(hashed(ident)) is session
            await sessions.keep_check(session)
            assert await sessions.all() == (session,)
            await sessions.end(session)
            assert await sessions.end_all_of(ADA) == 0
            groups = SharedGroupContents(valkey, RING, prefix, Directory(), 60)
            assert await groups.members("g") == await groups.members("g")
            valkey.subscribe(f"{prefix}:u:x")
            valkey.read_stream(f"{prefix}:s:x")
            await heard.heard("confirmed", f"{prefix}:u:x")
            append = Script("append", "redis.call('XADD', KEYS[1], '*', 'm', 'data') return 1")
            publish = Script("publish", "return redis.call('PUBLISH', KEYS[1], 'data')")
            await ask(valkey, append, [f"{prefix}:s:x"], [])
            await ask(valkey, publish, [f"{prefix}:u:x"], [])
            await heard.heard("entry", f"{prefix}:s:x", b"data")
            await heard.heard("published", f"{prefix}:u:x", b"data")
            assert trace[1:] == []
            for script, key in ((append, "quintet:other:s:x"), (publish, "quintet:other:u:x")):
                with pytest.raises(ClusterUnavailableError):
                    await ask(valkey, script, [key], [])
            with pytest.raises(ClusterUnavailableError):
                await ask(valkey, Script("flush", "return redis.call('FLUSHALL')"), [], [])
            valkey.subscribe("quintet:other:u:x")
            async with asyncio.timeout(5):
                while len(trace) < 5:  # noqa: ASYNC110  (a list of this loop)
                    await asyncio.sleep(0)
            assert {type(each) for each in trace[1:]} == {CallRefused}
        assert await codes(url) == [Finding.Q158]
