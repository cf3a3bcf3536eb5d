"""Sessions of browsers that hold on every node.

Theory of operation
-------------------
Valkey knows which sessions there are; a node has an object for each that it has seen, so that streams can be
ended with it. Below `w:` there are, K being the hash of a session's ID and P a keyed digest of the person:

- `w:K`, a hash: `data` (sealed), `began` and `used` in seconds of Valkey's clock, `verify` and `person`. It
  expires IDLE seconds after its last use, and LONGEST after its beginning.
- `w:v:V`, the K that belongs to the hash of an ID for `/auth/verify`; it expires as `w:K` does.
- `w:p:P` and `w:all`, the Ks of a person and all of them by their beginning, for the bounds.

Each request asks for its session, in one round trip. While Valkey is away it is unknown who is signed in, and
that is what callers get. `data` is sealed for K: it can't be moved to another session, and an ID alone
makes no session. What stands beside it is not: so `data` has its beginning by a node's clock, too, and each
node asks the directory itself whether a person may still sign in, first when it sees the session.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, final

from quintet.cluster.sealing import KeyRing
from quintet.cluster.valkey import Argument, ClusterUnavailableError, Reply, Script, Valkey, ask
from quintet.directory import Group, Person, VerifiedPerson
from quintet.web.serving import (
    IDLE,
    LONGEST,
    MOST,
    MOST_PER_PERSON,
    RECHECK,
    SessionsUnavailableError,
    WebSession,
    new_session,
)

MOST_IN_ALL: Final = 200_000
"""Sessions of a community; one has some 1.5 KiB."""
_CLOCKS: Final = 15 * 60
"""Seconds that the clocks of nodes may differ."""
_SHOWN: Final = 1000
_PURPOSE: Final = "web session"

# ARGV[1] and ARGV[2] are the longest times, idle and in all.
_COMMON: Final = """
local prefix, idle, longest = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function drop(id)
  local found = redis.call('HMGET', prefix .. id, 'verify', 'person')
  if found[1] then redis.call('DEL', prefix .. 'v:' .. found[1]) end
  if found[2] then redis.call('ZREM', prefix .. 'p:' .. found[2], id) end
  redis.call('DEL', prefix .. id)
  redis.call('ZREM', prefix .. 'all', id)
end
local function touch(id, verify, began)
  local rest = math.max(1, math.floor(math.min(idle, began + longest - now)))
  redis.call('EXPIRE', prefix .. id, rest)
  redis.call('EXPIRE', prefix .. 'v:' .. verify, rest)
end
local function row(id)
  local found = redis.call('HMGET', prefix .. id, 'data', 'began', 'used', 'verify')
  if not (found[1] and found[2] and found[3] and found[4]) then return nil end
  local began, used = tonumber(found[2]), tonumber(found[3])
  if not (began and used) or now - began >= longest or now - used >= idle then
    drop(id)
    return nil
  end
  return {id, found[1], tostring(now - began), tostring(now - used), found[4]}, began
end
"""

BEGIN: Final = Script(
    "web-session-begin",
    _COMMON
    + """
local id, verify, person, data = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local of_person, all = prefix .. 'p:' .. person, prefix .. 'all'
for _, index in ipairs({of_person, all}) do redis.call('ZREMRANGEBYSCORE', index, '-inf', now - longest) end
for _, bound in ipairs({{of_person, tonumber(ARGV[7])}, {all, tonumber(ARGV[8])}}) do
  local over = redis.call('ZCARD', bound[1]) + 1 - bound[2]
  if over > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', bound[1], 0, over - 1)) do drop(oldest) end
  end
end
redis.call('HSET', prefix .. id, 'data', data, 'began', now, 'used', now, 'verify', verify, 'person', person)
redis.call('SET', prefix .. 'v:' .. verify, id)
touch(id, verify, now)
redis.call('ZADD', of_person, now, id)
redis.call('EXPIRE', of_person, longest)
redis.call('ZADD', all, now, id)
redis.call('EXPIRE', all, longest)
return 1
""",
)

FIND: Final = Script(
    "web-session-find",
    _COMMON
    + """
local id = ARGV[3]
if ARGV[4] == 'verify' then id = redis.call('GET', prefix .. 'v:' .. id) end
if not id then return nil end
local found, began = row(id)
if found and ARGV[5] == 'use' then
  redis.call('HSET', prefix .. id, 'used', now)
  touch(id, found[5], began)
end
return found
""",
)

CHECKED: Final = Script(
    "web-session-checked",
    _COMMON
    + """
if redis.call('EXISTS', prefix .. ARGV[3]) == 1 then
  redis.call('HSET', prefix .. ARGV[3], 'data', ARGV[4])
end
return 1
""",
)

END: Final = Script("web-session-end", _COMMON + "drop(ARGV[3]) return 1")

END_ALL: Final = Script(
    "web-sessions-end",
    _COMMON
    + """
local count = 0
for at = 3, #ARGV do
  for _, id in ipairs(redis.call('ZRANGE', prefix .. 'p:' .. ARGV[at], 0, -1)) do
    count = count + redis.call('EXISTS', prefix .. id)
    drop(id)
  end
end
return count
""",
)

LIST: Final = Script(
    "web-sessions-list",
    _COMMON
    + """
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', prefix .. 'all', 0, tonumber(ARGV[3]) - 1)) do
  found[#found + 1] = row(id)
end
return found
""",
)


@final
class SharedSessions:
    """Implements `SessionStore`. `clock` tells seconds that only go forward.

    `idle` and `longest` are in seconds; `most` bounds the sessions of the community.
    """

    def __init__(
        self,
        valkey: Valkey,
        ring: KeyRing,
        prefix: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        idle: float = IDLE,
        longest: float = LONGEST,
        most: int = MOST_IN_ALL,
    ) -> None:
        self.on_end: Callable[[WebSession], None] = lambda _: None
        self._valkey = valkey
        self._ring = ring
        self._prefix = f"{prefix}:w:"
        self._clock = clock
        self._idle = idle
        self._longest = longest
        self._most = most
        self._seen: OrderedDict[str, tuple[bytes, WebSession]] = OrderedDict()

    async def begin(
        self, login: str, person: Person | VerifiedPerson, *, administrator: bool
    ) -> tuple[str, WebSession]:
        now = self._clock()
        ident, session = new_session(login, person, administrator=administrator, now=now)
        sealed = self._sealed(session)
        owner = self._ring.digest(_PURPOSE, session.person.dn)
        bounds = (MOST_PER_PERSON, self._most)
        await self._ask(BEGIN, session.key, session.verify_key, owner, sealed, *bounds)
        self._remember(session, sealed)
        return ident, session

    async def find(self, key: str) -> WebSession | None:
        return self._taken(await self._ask(FIND, key, "session", "use"), key)

    async def find_verified(self, key: str) -> WebSession | None:
        return self._taken(await self._ask(FIND, key, "verify", "use"))

    async def has_ended(self, session: WebSession) -> bool:
        found = self._taken(await self._ask(FIND, session.key, "session", "look"), session.key)
        return found is not session

    def needs_check(self, session: WebSession) -> bool:
        return self._clock() - session.checked >= RECHECK

    def begin_check(self, session: WebSession) -> float:
        before, session.checked = session.checked, self._clock()
        return before

    async def keep_check(self, session: WebSession) -> None:
        sealed = self._sealed(session)
        await self._ask(CHECKED, session.key, sealed)
        self._remember(session, sealed)

    async def end(self, session: WebSession) -> None:
        await self._ask(END, session.key)
        self._forget(session.key)

    async def end_all_of(self, person: Person) -> int:
        count = await self._ask(END_ALL, *self._ring.digests(_PURPOSE, person.dn))
        for key in [key for key, (_, each) in self._seen.items() if each.person.dn == person.dn]:
            self._forget(key)
        return count if isinstance(count, int) else 0

    async def all(self) -> tuple[WebSession, ...]:
        """The newest sessions, the oldest of them first."""
        found = await self._ask(LIST, _SHOWN)
        rows = reversed(found) if isinstance(found, list) else ()
        return tuple(session for each in rows if (session := self._taken(each)) is not None)

    def __len__(self) -> int:
        """The sessions that this node has seen lately."""
        now = self._clock()
        return sum(now - each.used < self._idle for _, each in self._seen.values())

    async def _ask(self, script: Script, *args: Argument) -> Reply:
        times = (int(self._idle), int(self._longest))
        try:
            return await ask(self._valkey, script, [self._prefix], [*times, *args])
        except ClusterUnavailableError as error:
            raise SessionsUnavailableError from error

    # This node's objects.

    def _taken(self, row: Reply, key: str = "") -> WebSession | None:
        """The session of a row; None, and the object under `key` forgotten, when there is none."""
        session = self._read(row) if isinstance(row, list) else None
        if session is None and key:
            self._forget(key)
        return session

    def _read(self, row: Sequence[Reply]) -> WebSession | None:
        match row:
            case [
                bytes() as ident,
                bytes() as sealed,
                bytes() as began,
                bytes() as used,
                *_,
            ]:
                pass
            case _:
                return None
        key, now = ident.decode("ascii", "replace"), self._clock()
        before = self._seen.get(key)
        if before is not None and before[0] == sealed:
            session = before[1]
        else:
            data = self._ring.open(_PURPOSE, (self._prefix, key), sealed)
            read = None if data is None else _session(key, data, time.time() - self._longest - _CLOCKS)
            if read is None:
                return None
            session = read
            if before is not None:  # the object stays, so that streams end with it
                session = before[1]
                session.verified, session.administrator = read.verified, read.administrator
        session.began, session.used = now - float(began), now - float(used)
        self._remember(session, sealed)
        return session

    def _remember(self, session: WebSession, sealed: bytes) -> None:
        self._seen[session.key] = (sealed, session)
        self._seen.move_to_end(session.key)
        while len(self._seen) > MOST:
            self._seen.popitem(last=False)

    def _forget(self, key: str) -> None:
        found = self._seen.pop(key, None)
        if found is not None:
            self.on_end(found[1])

    def _sealed(self, session: WebSession) -> bytes:
        verified = session.verified
        data = {
            "verify": session.verify_key,
            "login": session.login,
            "began": time.time() - (self._clock() - session.began),
            "person": asdict(verified.person),
            "groups": None if verified.groups is None else [asdict(each) for each in verified.groups],
            "attributes": {name: list(values) for name, values in verified.attributes.items()},
            "administrator": session.administrator,
            "form": session.form_token,
        }
        return self._ring.seal(_PURPOSE, (self._prefix, session.key), json.dumps(data).encode())


def _session(key: str, data: bytes, earliest: float) -> WebSession | None:
    """The session as a node wrote it; None for one that began before, and for what has another form."""
    try:
        found: dict[str, Any] = json.loads(data)
        if found["began"] < earliest:
            return None
        groups = found["groups"]
        verified = VerifiedPerson(
            Person(**found["person"]),
            None if groups is None else tuple(Group(**each) for each in groups),
            {name: tuple(values) for name, values in found["attributes"].items()},
        )
        texts = (key, found["verify"], found["login"])
        administrator = found["administrator"] is True
        return WebSession(*texts, verified, administrator, found["form"], 0.0, 0.0, float("-inf"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
