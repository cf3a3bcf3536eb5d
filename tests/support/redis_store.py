"""A real Redis whose clock is set: `Store` for the simulation, and what twins of scripts are compared with.

Keys do not expire by Redis's clock: after each script the time that it gave to keys is noted and taken from
them, and before each one what is over by the clock of the simulation is deleted.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Self

import redis

from quintet.cluster import scripts
from quintet.cluster.valkey import Argument, Reply, Script
from support.simulated_valkey import Published, RefusedError, Value

_NOW = "test:now"
_DONE = "test:done"
_CLOCK = f"local function clock() return tonumber(redis.call('GET', '{_NOW}')) end\n"


class RedisStore:
    """The data of one server, emptied at the beginning. `now` is in microseconds."""

    def __init__(self, port: int, *, restored: "RedisStore | None" = None) -> None:
        self.now = 1_700_000_000_000_000
        self.server = "server-1"
        self._port = port
        self.full = self.read_only = False
        self._expires: dict[str, int] = {}
        self._dumped: dict[str, bytes] | None = None
        if restored is None:
            client: Any = redis.Redis("127.0.0.1", port)
            self._client = client
            self._heard = self._client.pubsub()
            self._heard.psubscribe("*")
            self._heard.get_message(timeout=5)
            self._client.config_set("maxmemory-policy", "noeviction")
            self._unlock()
            self._client.flushall()
        else:
            self._client, self._heard = restored._client, restored._heard
            self.now, self.server = restored.now, restored.server

    def close(self) -> None:
        self._heard.close()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Reply | RefusedError, Published]:
        """Run a script: its answer, and what it published."""
        self.expire()
        self._lock()
        pipeline = self._client.pipeline(transaction=False)
        pipeline.eval(script.lua.replace(scripts.CLOCK, _CLOCK), len(keys), *keys, *args)
        for key in keys:
            pipeline.pttl(key)
        pipeline.publish(_DONE, "")
        answer, *lasting = pipeline.execute(raise_on_error=False)[:-1]
        if self.full or self.read_only:
            self._unlock()
        for key, milliseconds in zip(keys, lasting, strict=True):
            if milliseconds == -2:
                self._expires.pop(key, None)
            elif milliseconds >= 0:
                self._expires[key] = self.now + -(-milliseconds // 1000) * 1_000_000
                self._client.persist(key)
        return RefusedError() if isinstance(answer, Exception) else answer, list(self._published())

    def expire(self) -> None:
        """Take over what a replica had, and drop what is over."""
        if self._dumped is not None:
            dumped, self._dumped = self._dumped, None
            self._client.flushall()
            for key, data in dumped.items():
                self._client.restore(key, 0, data)
        over = [key for key, when in self._expires.items() if when <= self.now]
        for key in over:
            del self._expires[key]
        if over:
            self._client.delete(*over)
        self._client.set(_NOW, self.now)

    def copy(self) -> "RedisStore":
        copy = RedisStore(self._port, restored=self)
        copy._expires = dict(self._expires)
        copy._dumped = {key: self._client.dump(key) for key in self._keys()}
        return copy

    def flush(self) -> None:
        self._client.flushall()
        self._expires.clear()

    def lose(self, chance: Random) -> None:
        """A key is gone."""
        if keys := self._keys():
            key = chance.choice(keys)
            self._client.delete(key)
            self._expires.pop(key, None)

    def put(self, key: str, value: Value | None) -> None:
        """Something that no script has written; None: nothing."""
        self._client.delete(key)
        self._expires.pop(key, None)
        if isinstance(value, bytes):
            self._client.set(key, value)
        elif isinstance(value, dict):
            self._client.hset(key, mapping=value)

    def entries(self, stream: str, after: str) -> list[tuple[str, bytes]]:
        """The entries behind an ID."""
        if self._client.type(stream) != b"stream":
            return []
        found = self._client.xrange(stream, f"({after}" if after != "0" else "-")
        return [(name.decode(), next(iter(values.values()))) for name, values in found]

    def forget(self, stream: str, names: Sequence[str]) -> None:
        """Entries are gone."""
        self._client.xdel(stream, *names)

    def dump(self) -> dict[str, tuple[Any, int | None]]:
        """All keys: their values, and when they are over."""
        found: dict[str, tuple[Any, int | None]] = {}
        for key in self._keys():
            kind = self._client.type(key)
            value: Any = None
            if kind == b"hash":
                value = self._client.hgetall(key)
            elif kind == b"string":
                value = self._client.get(key)
            found[key] = (value, self._expires.get(key))
        return found

    def _keys(self) -> list[str]:
        return sorted({key.decode() for key in self._client.keys("q:*")})

    def _published(self) -> Iterator[tuple[str, bytes]]:
        while (message := self._heard.get_message(timeout=5)) is not None:
            if message["channel"] == _DONE.encode():
                return
            yield message["channel"].decode(), message["data"]
        raise AssertionError("the server does not pass on what was published")

    def _lock(self) -> None:
        """Let scripts fail as they do if memory is used up, or too few replicas are there."""
        if self.full:
            self._client.config_set("maxmemory", 1)
        if self.read_only:
            self._client.config_set("min-replicas-to-write", 1)

    def _unlock(self) -> None:
        self._client.config_set("maxmemory", 0)
        self._client.config_set("min-replicas-to-write", 0)
