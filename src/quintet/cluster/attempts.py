"""How often a sign-in may fail, counted for all nodes: the rules of `quintet.directory.LocalAttempts`.

Theory of operation
-------------------
The records are those of `LocalAttempts`, kept in Valkey; its theory of operation holds here, too. For a scope
S (`p` name at network, `n` network, `a` name from anywhere) and a keyed digest D there are:

- `f:S:D`, a hash: level, at, blocks, until; the digests of the name and of the network, to find it; and,
  sealed, both as an administrator reads them. It expires when the record is forgotten.
- `f:w:S:D`, the attempts in flight, each with the time at which it is given up: its node may have died.
- `f:i:S`, the digests of all records with the time at which they are forgotten: how many there are.
- `f:k:NP`, known places: a hash of names that have signed in from a network, by the digest of both, which
  begins with P. The value is the day since 1970 until which that counts. N changes between 0 and 1, each time
  after so long as a place is known; the hash that is not written expires meanwhile.

One script lets an attempt in, one settles it; both are atomic, by Valkey's clock. What became of an attempt
is sent with the next pipeline, at the latest after 50 ms. All that happens at this node is counted in its
memory, too. While Valkey is away that decides, with limits divided by the number of nodes: guesses at all of
them together are no more than the limit. Afterwards Valkey decides again.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, final

from quintet.cluster.sealing import KeyRing
from quintet.cluster.valkey import (
    Answer,
    Argument,
    CallFailure,
    ClusterUnavailableError,
    Reply,
    Script,
    Valkey,
    ask,
)
from quintet.directory import (
    Attempt,
    AttemptCount,
    AttemptOutcome,
    AttemptRules,
    AttemptScope,
    LocalAttempts,
    SignInsBlocked,
    TooManyAttemptsError,
    Trace,
    name_key,
    network_in,
)

_SCOPES: Final = {AttemptScope.NAME_AT_NETWORK: "p", AttemptScope.NETWORK: "n", AttemptScope.NAME: "a"}
_MOST: Final = 20_000
"""Records of each scope that are not shared by a group."""
_GROUPS: Final = 1024
_IN_FLIGHT_SECONDS: Final = 120
_KNOWN_SECONDS: Final = 30 * 86_400
_SLICE: Final = 500
_SHOWN: Final = 64
_SEVERAL: Final = "(several)"
_PURPOSE: Final = "sign-in attempt"

# ARGV[1] is the time, empty for Valkey's own; then come window and the limits of the three scopes.
_COMMON: Final = """
local prefix = KEYS[1]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local window = tonumber(ARGV[2])
local scopes = {'p', 'n', 'a'}
local limits = {tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
local function key(scope, place) return prefix .. scopes[scope] .. ':' .. place end
local function read(scope, place)
  local found = redis.call('HMGET', key(scope, place), 'level', 'at', 'blocks', 'until')
  if not found[1] then return nil end
  local record = {level = tonumber(found[1]), at = tonumber(found[2]), blocks = tonumber(found[3]),
    till = tonumber(found[4])}
  local flights = prefix .. 'w:' .. scopes[scope] .. ':' .. place
  if now - record.at >= window and redis.call('ZCARD', flights) == 0 then return nil end
  return record
end
local function in_flight(scope, place)
  local flights = prefix .. 'w:' .. scopes[scope] .. ':' .. place
  redis.call('ZREMRANGEBYSCORE', flights, '-inf', now)
  return redis.call('ZCARD', flights)
end
local function level(scope, record)
  return math.max(0, record.level - math.max(0, now - record.at) * limits[scope] / window)
end
local function failures(scope, record) return math.ceil(level(scope, record) - 1e-9) end
local function exact(number) return string.format('%.17g', number) end
local function write(scope, place, record)
  local forgotten = math.max(record.at, now) + window
  redis.call('HSET', key(scope, place), 'level', exact(record.level), 'at', exact(record.at),
    'blocks', record.blocks, 'until', exact(record.till))
  redis.call('EXPIRE', key(scope, place), math.ceil(forgotten - now) + 1)
  redis.call('ZADD', prefix .. 'i:' .. scopes[scope], exact(forgotten), place)
end
local function known_places(turn, pair)
  return prefix .. 'k:' .. turn % 2 .. string.sub(pair, 1, 2), string.sub(pair, 3, 16)
end
local function drop(scope, place)
  redis.call('DEL', key(scope, place), prefix .. 'w:' .. scopes[scope] .. ':' .. place)
  redis.call('ZREM', prefix .. 'i:' .. scopes[scope], place)
end
"""

BEGIN: Final = Script(
    "attempts-begin",
    _COMMON
    + """
local hold, most, flight, expires = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local who, network = ARGV[10], ARGV[11]
local known = false
for turn = 0, 1 do
  local day = redis.pcall('HGET', known_places(turn, ARGV[12]))
  known = known or type(day) == 'string' and (tonumber(day) or 0) * 86400 > now
end
local places, records, waits, longest = {}, {}, {}, 0
for scope = 1, 3 do
  local index = prefix .. 'i:' .. scopes[scope]
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  places[scope] = ARGV[9 + 3 * scope]
  records[scope] = read(scope, places[scope])
  local full = redis.call('ZCARD', index) >= most
  if not records[scope] and full and not (known and scope == 1) then
    places[scope] = ARGV[10 + 3 * scope]
    records[scope] = read(scope, places[scope])
  end
  waits[scope] = in_flight(scope, places[scope])
  local record, limit, wait = records[scope], limits[scope], 0
  if limit > 0 and record and not (known and scope == 3) then
    if record.till > now then
      wait = record.till - now
    elseif scope == 2 then
      if waits[scope] >= 5 * limit then wait = 1 end
    elseif failures(scope, record) + waits[scope] >= limit then
      wait = 1
    end
  end
  longest = math.max(longest, wait)
end
if longest > 0 then return {exact(longest)} end
local held = 0
if records[1] and limits[1] > 0 then
  local steps = failures(1, records[1]) + waits[1] - math.max(1, limits[1] - 5)
  if steps >= 0 then held = hold * 2 ^ steps end
end
for scope = 1, 3 do
  local flights = prefix .. 'w:' .. scopes[scope] .. ':' .. places[scope]
  if not records[scope] then
    write(scope, places[scope], {level = 0, at = now, blocks = 0, till = 0})
    if places[scope] == ARGV[9 + 3 * scope] then
      redis.call('HSET', key(scope, places[scope]), 'name', scope == 2 and '' or who,
        'network', scope == 3 and '' or network, 'shown', ARGV[11 + 3 * scope])
    end
  end
  redis.call('ZADD', flights, exact(now + expires), flight)
  redis.call('EXPIRE', flights, math.ceil(expires))
end
return {exact(held), places[1], places[2], places[3]}
""",
)

SETTLE: Final = Script(
    "attempts-settle",
    _COMMON
    + """
local block, longest, flight, outcome = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
local pair, known_for = ARGV[10], ARGV[11]
local blocked = {}
for scope = 1, 3 do
  local place, limit = ARGV[11 + scope], limits[scope]
  local record = read(scope, place)
  redis.call('ZREM', prefix .. 'w:' .. scopes[scope] .. ':' .. place, flight)
  if record then
    if outcome == 'failed' and limit > 0 then
      if record.till > now then
        record.till = math.min(record.till + window / limit, now + longest)
        record.at = record.till
      else
        record.level, record.at = level(scope, record) + 1, now
        if failures(scope, record) >= limit then
          local seconds = math.min(block * 2 ^ math.min(record.blocks, 20), longest)
          record.blocks, record.level = record.blocks + 1, limit - 1
          record.till = now + seconds
          record.at = record.till
          blocked[#blocked + 1] = scopes[scope]
          blocked[#blocked + 1] = exact(seconds)
        end
      end
      write(scope, place, record)
    elseif outcome == 'succeeded' and place == pair then
      record = {level = 0, at = now, blocks = 0, till = 0}
      write(scope, place, record)
    end
    if record.blocks == 0 and level(scope, record) == 0 and in_flight(scope, place) == 0 then
      drop(scope, place)
    end
  end
end
if outcome == 'succeeded' then
  local turn = math.floor(now / known_for)
  local known, field = known_places(turn, pair)
  redis.pcall('HSET', known, field, math.ceil((now + known_for) / 86400))
  redis.call('EXPIRE', known, known_for)
  redis.pcall('HDEL', known_places(turn + 1, pair))
end
return blocked
""",
)

PLACES: Final = Script(
    "attempts-places", "return redis.call('ZRANGE', KEYS[1] .. 'i:' .. ARGV[1], 0, ARGV[2])"
)

LIST: Final = Script(
    "attempts-list",
    _COMMON
    + """
local scope, found = tonumber(ARGV[6]), {}
for at = 7, #ARGV do
  local record = read(scope, ARGV[at])
  if record then
    local count, rest = failures(scope, record), math.max(0, record.till - now)
    if count > 0 or rest > 0 then
      found[#found + 1] = {ARGV[at], redis.call('HGET', key(scope, ARGV[at]), 'shown') or '', count,
        exact(rest)}
    end
  end
end
return found
""",
)

CLEAR: Final = Script(
    "attempts-clear",
    _COMMON
    + """
local scope, field, wanted, count = tonumber(ARGV[6]), ARGV[7], ARGV[8], 0
for at = 9, #ARGV do
  if field == '' or redis.call('HGET', key(scope, ARGV[at]), field) == wanted then
    count = count + redis.call('EXISTS', key(scope, ARGV[at]))
    drop(scope, ARGV[at])
  end
end
return count
""",
)


class LazyValkey(Valkey, Protocol):
    """A `Valkey` that can also wait for the next pipeline."""

    def call_lazily(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        """As `call`, with what is asked next, at the latest after 50 ms."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt that Valkey has let in, and the same one in this node's memory."""

    pair: str
    network: str
    local: Attempt | None


@final
class SharedAttempts:
    """Implements `SignInAttempts`. `rules` may be replaced at any time.

    `prefix` is that of the community's keys. `nodes` tells how many nodes the community has. `trace` is told
    when a key is blocked; `local` has one of its own for what it blocks while Valkey is away. `now` is for
    tests: seconds in place of Valkey's clock.
    """

    def __init__(
        self,
        valkey: LazyValkey,
        ring: KeyRing,
        prefix: str,
        local: LocalAttempts,
        *,
        nodes: Callable[[], int],
        trace: Trace | None = None,
        most: int = _MOST,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.rules = local.rules
        self._valkey = valkey
        self._ring = ring
        self._prefix = f"{prefix}:f:"
        self._local = local
        self._nodes = nodes
        self._trace = trace
        self._most = most
        self._now = now
        self._begun: dict[bytes, _Begun] = {}

    async def begin(self, name: str, network: str) -> Attempt:
        who, where = name_key(name), self._ring.digest(_PURPOSE, "network", network)
        digest, pair = self._ring.digest(_PURPOSE, "name", who), self._ring.digest(_PURPOSE, who, network)
        flight = secrets.token_bytes(12)
        shown = name.strip()[:_SHOWN]
        places: list[Argument] = []
        for scope, place, label in (
            ("p", pair, (shown, network)),
            ("n", where, ("", network)),
            ("a", digest, (shown, "")),
        ):
            text = json.dumps(label).encode()
            places += [place, _group(place), self._ring.seal(_PURPOSE, (self._prefix, scope, place), text)]
        rules = self.rules
        args = [*self._common(), rules.hold, self._most, flight, _IN_FLIGHT_SECONDS, digest, where, *places]
        try:
            found = await ask(self._valkey, BEGIN, [self._prefix], _texts(args))
        except ClusterUnavailableError:
            self._local.rules = self._away()
            return await self._local.begin(name, network)
        match found:
            case [bytes() as wait]:
                raise TooManyAttemptsError(float(wait))
            case [bytes() as hold, bytes() as one, bytes() as two, bytes() as three]:
                local = None
                self._local.rules = rules
                with suppress(TooManyAttemptsError):
                    local = await self._local.begin(name, network)
                self._begun[flight] = _Begun(pair, network, local)
                return Attempt(flight, tuple(zip(AttemptScope, (one, two, three), strict=True)), float(hold))
        raise TooManyAttemptsError(1.0)  # an answer that no script of ours gives

    async def settle(self, attempt: Attempt, outcome: AttemptOutcome) -> None:
        begun = self._begun.pop(attempt.pair, None)
        if begun is None:
            await self._local.settle(attempt, outcome)
            return
        if begun.local is not None:
            await self._local.settle(begun.local, outcome)
        rules, places = self.rules, [place for _, place in attempt.records]
        args = [*self._common(), rules.block, rules.longest, attempt.pair, outcome.value, begun.pair]

        def answered(reply: Reply | CallFailure) -> None:
            self._tell(reply, begun.network)

        self._valkey.call_lazily(SETTLE, [self._prefix], _texts([*args, _KNOWN_SECONDS, *places]), answered)

    async def counts(self) -> tuple[AttemptCount, ...]:
        rows: list[AttemptCount] = []
        try:
            for number, scope in enumerate(AttemptScope, 1):
                for places in await self._places(scope):
                    args = [*self._common(), number, *places]
                    found = await ask(self._valkey, LIST, [self._prefix], _texts(args))
                    rows += (
                        [self._row(scope, each) for each in found if isinstance(each, list)]
                        if (isinstance(found, list))
                        else []
                    )
        except ClusterUnavailableError:
            return await self._local.counts()
        return tuple(sorted(rows, key=lambda row: (not row.blocked, -row.failures, row.name, row.network)))

    async def clear(self, wanted: str | None = None) -> int:
        network = None if wanted is None else network_in(wanted)
        field, digest = "", ""
        if network is not None:
            field, digest = "network", self._ring.digest(_PURPOSE, "network", network)
        elif wanted is not None:
            field, digest = "name", self._ring.digest(_PURPOSE, "name", name_key(wanted))
        cleared = await self._local.clear(wanted)
        try:
            count = 0
            for number, scope in enumerate(AttemptScope, 1):
                for places in await self._places(scope):
                    args = [*self._common(), number, field, digest, *places]
                    found = await ask(self._valkey, CLEAR, [self._prefix], _texts(args))
                    count += found if isinstance(found, int) else 0
        except ClusterUnavailableError:
            return cleared
        return count

    def _common(self) -> list[bytes | str | float]:
        """The arguments that all scripts have."""
        now = "" if self._now is None else repr(self._now())
        return [now, self.rules.window, *(self.rules.most(scope) for scope in AttemptScope)]

    def _away(self) -> AttemptRules:
        """The rules of one of several nodes that do not know of each other."""
        nodes, rules = self._nodes(), self.rules
        share = {
            name: max(1, most // nodes) if most else 0
            for name, most in (("limit", rules.limit), ("network_limit", rules.network_limit))
        }
        return replace(rules, limit=share["limit"], network_limit=share["network_limit"])

    async def _places(self, scope: AttemptScope) -> list[list[bytes]]:
        """The places of all records, in slices: no script shall run for long."""
        args: list[Argument] = [_SCOPES[scope], self._most + _GROUPS]
        found = await ask(self._valkey, PLACES, [self._prefix], args)
        places = [each for each in found if isinstance(each, bytes)] if isinstance(found, list) else []
        return [places[at : at + _SLICE] for at in range(0, len(places), _SLICE)]

    def _row(self, scope: AttemptScope, found: list[Reply]) -> AttemptCount:
        place, sealed, failures, seconds = found
        name, network = self._shown(scope, place, sealed)
        rest = float(seconds) if isinstance(seconds, bytes) else 0.0
        return AttemptCount(
            scope, name, network, failures if isinstance(failures, int) else 0, rest > 0, rest
        )

    def _shown(self, scope: AttemptScope, place: Reply, sealed: Reply) -> tuple[str, str]:
        """Name and network as an administrator reads them."""
        if isinstance(place, bytes) and isinstance(sealed, bytes) and sealed:
            bound = (self._prefix, _SCOPES[scope], place.decode("ascii", "replace"))
            text = self._ring.open(_PURPOSE, bound, sealed)
            if text is not None:
                name, network = json.loads(text)
                return str(name), str(network)
        return _SEVERAL, ""

    def _tell(self, reply: Reply | CallFailure, network: str) -> None:
        if self._trace is None or not isinstance(reply, list):
            return
        scopes = {short.encode(): scope for scope, short in _SCOPES.items()}
        for short, seconds in zip(reply[::2], reply[1::2], strict=False):
            if isinstance(short, bytes) and short in scopes and isinstance(seconds, bytes):
                scope = scopes[short]
                shown = "" if scope is AttemptScope.NAME else network
                self._trace(SignInsBlocked(scope.value, shown, float(seconds)))


def _group(place: str) -> str:
    """One of _GROUPS places that records share when there are too many."""
    return f"g{int(place[:4], 16) % _GROUPS}"


def _texts(args: Iterable[Any]) -> list[Argument]:
    return [repr(each) if isinstance(each, float) else each for each in args]
