"""Whether a Valkey or Redis is fit for a cluster, and what its user must be allowed to do."""

from typing import Any, Final

from redis.exceptions import RedisError

from quintet.cluster.link import CONNECT, Link, LinkEndedError, LinkOpener, UnsuitableValkeyError, explained
from quintet.config import ClusterSettings
from quintet.diagnostics import Diagnostic, Finding
from quintet.tls import CrlError, StoreError, TlsSettingsError

COMMANDS: Final = (
    *("info", "role", "ping", "select", "evalsha", "script|load", "subscribe", "unsubscribe", "xread"),
    *("time", "type", "get", "set", "del", "exists", "expire", "pexpire", "publish", "xadd", "xtrim"),
    *("hset", "hget", "hmget", "hgetall", "hdel"),
    *("zadd", "zrem", "zcard", "zrange", "zrevrange", "zremrangebyscore"),
)
"""All commands that are used. `config|get` besides lets the limits of its output buffers be checked."""

_LARGEST: Final = 16 * 1024
_NO_EVICTION: Final = "noeviction"
_HARD, _SOFT = 32 * 1024 * 1024, 8 * 1024 * 1024  # as Valkey and Redis have them if nothing is set


def acl_rules(community: str) -> str:
    """The rules of a user who may do what is needed in one community, and nothing else (ACL SETUSER)."""
    prefix = f"quintet:{community}:*"
    allowed = " ".join(f"+{each}" for each in COMMANDS)
    return f"resetkeys ~{prefix} resetchannels &{prefix} -@all {allowed}"


async def examine_valkey(settings: ClusterSettings) -> tuple[Diagnostic, ...]:
    """What is wrong with the server, or unknown. It is asked over a connection of its own."""
    opener = LinkOpener(settings.address, settings.tls, largest=_LARGEST)
    try:
        _, (link,) = await opener.open(1)
    except (UnsuitableValkeyError, LinkEndedError, RedisError, OSError, EOFError) as error:
        return (_unusable(error, settings),)
    except (StoreError, TlsSettingsError, CrlError) as error:
        return (_unusable(error, settings),)
    try:
        return await _settings_of(link, settings)
    except (RedisError, OSError, EOFError) as error:
        return (_unusable(error, settings),)
    finally:
        link.shut()


def _unusable(error: Exception, settings: ClusterSettings) -> Diagnostic:
    reason, fix = explained(error, settings.address, settings.tls)
    return _found(Finding.Q155, f"{settings.address}: {reason}", fix or None)


async def _settings_of(link: Link, settings: ClusterSettings) -> tuple[Diagnostic, ...]:
    memory, buffers = await link.ask(
        ("INFO", "memory"), ("CONFIG", "GET", "client-output-buffer-limit"), within=CONNECT
    )
    problems: list[Diagnostic] = []
    policy = _policy(memory)
    limits = _limits(buffers)
    if policy is None:
        problems.append(_found(Finding.Q158, f"{settings.address} hides its maxmemory-policy"))
    elif policy != _NO_EVICTION:
        problems.append(_found(Finding.Q156, f"{settings.address}: maxmemory-policy is {policy}"))
    if limits is None:
        problems.append(_found(Finding.Q158, f"{settings.address} hides its client-output-buffer-limit"))
    elif any(0 < limit < usual for limit, usual in zip(limits, (_HARD, _SOFT), strict=True)):
        hard, soft = limits
        message = f"{settings.address}: client-output-buffer-limit for pubsub is {hard} {soft} bytes"
        problems.append(_found(Finding.Q157, message))
    return tuple(problems)


def _found(code: Finding, message: str, fix: str | None = None) -> Diagnostic:
    return Diagnostic.of(code, None, "QUINTET_CLUSTER", message, fix)


def _policy(memory: Any) -> str | None:
    text = memory.decode("utf-8", "replace") if isinstance(memory, bytes) else ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name == "maxmemory_policy"), None)


def _limits(answer: Any) -> tuple[int, int] | None:
    """The hard and the soft limit of pubsub clients in bytes, 0 for none."""
    match answer:
        case [_, bytes() as text]:
            words = text.split()
            for at in range(0, len(words) - 3, 4):
                if words[at] == b"pubsub" and words[at + 1].isdigit() and words[at + 2].isdigit():
                    return int(words[at + 1]), int(words[at + 2])
    return None
