"""How often a sign-in may fail: one rule for everything that takes a name and a password.

Theory of operation. A sign-in is an attempt: `begin` counts it as in flight or refuses it, `settle` says what
became of it. `limited_sign_in` does both, so that no caller can forget one. An attempt is counted for three
keys: the name from this network, the network, and the name from anywhere. For each key there is a record:

- `level` is the number of failures. It falls with time, by the limit in each `window`.
- `pending` is the number of attempts in flight. For names they count like failures until they are settled,
  so that a thousand guesses sent at once are not judged by what was known before the first one failed. For a
  network only many count: after a restart all users behind one address sign in at once.
- A failure that brings `level` to the limit blocks the key, the first time for a minute, each next time twice
  as long. After a block one more failure blocks again. A record is forgotten when the window has passed since
  its last block or failure, never earlier.

Before that, the last attempts before the limit are held: each waits twice as long as the one before, and then
goes to the directory. Nothing is held open at the directory meanwhile.

What always holds: a name that exists and one that does not are counted alike, because nothing here asks.
A success forgets the failures of that name from that network, and takes back nothing else: an attacker who
has one good account frees neither the network for other names nor another's name. The name from anywhere does
not count for a network from which it has signed in before, so that guessing elsewhere locks no user out.
No record is dropped to make room. When there are too many, new keys share the records of `_SHARED` groups:
an attacker who fills the memory makes the limits stricter, and clears nothing. What an attempt ended with is
unknown until `settle`; an attempt that is cancelled has failed.
"""

import asyncio
import hashlib
import ipaddress
import math
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Self, final

from quintet.config import DirectorySettings
from quintet.directory.entries import canonical, parsed
from quintet.directory.errors import AuthenticationError, DirectoryError, TooManyAttemptsError
from quintet.directory.events import SignInsBlocked, Trace
from quintet.directory.queries import LONGEST_NAME

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_RECORDS = 20_000
"""Records of each kind; one has some 300 bytes."""
_MOST_KNOWN = 50_000
_SHARED = 1024
_SEVERAL = "(several)"
_SWEEP_EVERY = 1.0
_SHOWN = 64
_HELD = 5
"""How many attempts before the limit are held."""
_IN_FLIGHT = 5
"""How many times the limit of a network may be in flight at once."""
_NAME_ANYWHERE = 10
"""How many times the limit of a name from one network is that of the name from all networks."""
_UNKNOWN = "unknown"
_USUAL = DirectorySettings()


class AttemptScope(Enum):
    """What failures are counted for."""

    NAME_AT_NETWORK = "name at network"
    NETWORK = "network"
    NAME = "name"


class AttemptOutcome(Enum):
    """What became of an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """The directory did not say whether the password is right."""


@dataclass(frozen=True, slots=True)
class AttemptRules:
    """How many failures are allowed, and how long one has to wait after them. Times are in seconds.

    `limit` (`QUINTET_SIGN_IN_LIMIT`) is for a name from one network, `network_limit`
    (`QUINTET_SIGN_IN_NETWORK_LIMIT`) for all names from one network; with 0 that is not limited. Failures are
    forgotten within `window`. `hold` is the wait of the first attempt that is held, `block` the first block,
    `longest` the longest.
    """

    limit: int = _USUAL.sign_in_limit
    network_limit: int = _USUAL.sign_in_network_limit
    window: float = 900.0
    hold: float = 0.5
    block: float = 60.0
    longest: float = 3600.0

    @classmethod
    def of(cls, settings: DirectorySettings) -> Self:
        """The rules that an administrator has set."""
        return cls(limit=settings.sign_in_limit, network_limit=settings.sign_in_network_limit)

    def most(self, scope: AttemptScope) -> int:
        """The failures that block a key of this kind; 0 for no limit."""
        match scope:
            case AttemptScope.NAME_AT_NETWORK:
                return self.limit
            case AttemptScope.NETWORK:
                return self.network_limit
            case AttemptScope.NAME:
                return _NAME_ANYWHERE * self.limit


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was let in. It waits for `hold` seconds before the directory is asked.

    `pair` stands for the name at its network, `records` for where it is counted; both are for who counts.
    """

    pair: bytes
    records: tuple[tuple[AttemptScope, bytes], ...]
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """One row for an administrator: failures of a name as first typed, of a network, or both.

    `name` and `network` are empty where they do not count. `seconds` is how long attempts are still refused.
    """

    scope: AttemptScope
    name: str
    network: str
    failures: int
    blocked: bool
    seconds: float


class SignInAttempts(Protocol):
    """What signing in asks of the limits: here in memory, elsewhere for all nodes of a community.

    `begin` and `settle` are one step each, so that they can be one round trip each.
    """

    async def begin(self, name: str, network: str) -> Attempt:
        """Let an attempt in. `network` is from `network_of`. Raises TooManyAttemptsError."""

    async def settle(self, attempt: Attempt, outcome: AttemptOutcome) -> None:
        """What became of it. Called once for each attempt."""

    async def counts(self) -> tuple[AttemptCount, ...]:
        """Everything that is counted at the moment, blocked keys first."""

    async def clear(self, wanted: str | None = None) -> int:
        """Forget what is counted for this name or address, everything without one. How many records."""


@final
class BegunSignIn:
    """What a sign-in tells `limited_sign_in`. Without a word it has failed."""

    __slots__ = ("outcome",)

    def __init__(self) -> None:
        self.outcome = AttemptOutcome.FAILED

    def succeeded(self) -> None:
        """The directory has accepted name and password."""
        self.outcome = AttemptOutcome.SUCCEEDED

    def withdrawn(self) -> None:
        """The directory was not asked."""
        self.outcome = AttemptOutcome.UNDECIDED


@asynccontextmanager
async def limited_sign_in(
    attempts: SignInAttempts, name: str, address: IpAddress | str | None
) -> AsyncIterator[BegunSignIn]:
    """The context in which the directory may be asked for this name and a password.

    `address` is the caller's. Raises TooManyAttemptsError before the body; the body calls `succeeded`. An
    error of the directory other than AuthenticationError is no failure of the caller.
    """
    attempt = await attempts.begin(name, network_of(address))
    begun = BegunSignIn()
    try:
        if attempt.hold:
            await asyncio.sleep(attempt.hold)
        yield begun
    except AuthenticationError:
        raise
    except DirectoryError:
        begun.withdrawn()
        raise
    finally:
        await attempts.settle(attempt, begun.outcome)


@dataclass(slots=True)
class _Record:
    name: str
    network: str
    who: bytes  # the key of the name from anywhere; empty where names do not count
    level: float = 0.0  # right at `at`, and falling from then on
    at: float = 0.0
    blocks: int = 0
    until: float = 0.0
    pending: int = 0


@final
class LocalAttempts:
    """The attempts at this process. `rules` may be replaced at any time; `now` gives seconds.

    `most` bounds the records of each scope that are not shared, known places aside. `trace` is called when a
    key is blocked.
    """

    __slots__ = ("_known", "_most", "_now", "_secret", "_sweep", "_tables", "_trace", "rules")

    def __init__(
        self,
        rules: AttemptRules | None = None,
        *,
        trace: Trace | None = None,
        most: int = _MOST_RECORDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = rules or AttemptRules()
        self._trace = trace
        self._most = most
        self._now = now
        self._secret = secrets.token_bytes(16)  # no attacker can choose names that share a record
        self._tables: dict[AttemptScope, dict[bytes, _Record]] = {scope: {} for scope in AttemptScope}
        self._sweep = 0.0
        self._known: OrderedDict[bytes, None] = OrderedDict()  # names that have signed in, with their network

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    async def begin(self, name: str, network: str) -> Attempt:
        now = self._now()
        self._drop_forgotten(now)
        key = name_key(name)
        who = self._digest(key, "")
        pair = self._digest(key, network)
        known = pair in self._known
        records = (
            (AttemptScope.NAME_AT_NETWORK, self._place(AttemptScope.NAME_AT_NETWORK, pair, known=known)),
            (AttemptScope.NETWORK, self._place(AttemptScope.NETWORK, self._digest("", network))),
            (AttemptScope.NAME, self._place(AttemptScope.NAME, who)),
        )
        wait = max(
            0.0 if known and scope is AttemptScope.NAME else self._wait(scope, place, now)
            for scope, place in records
        )
        if wait > 0:
            raise TooManyAttemptsError(wait)
        hold = self._hold(records[0][1], now)
        for scope, place in records:
            record = self._tables[scope].get(place)
            if record is None:
                record = self._tables[scope][place] = self._made(scope, place, name, network, who)
                record.at = now
            record.pending += 1
        return Attempt(pair, records, hold)

    async def settle(self, attempt: Attempt, outcome: AttemptOutcome) -> None:
        now = self._now()
        for scope, place in attempt.records:
            record = self._tables[scope].get(place)
            if record is None:
                continue  # an administrator has cleared it
            record.pending = max(0, record.pending - 1)
            if outcome is AttemptOutcome.FAILED:
                self._fail(scope, record, now)
            elif outcome is AttemptOutcome.SUCCEEDED and place == attempt.pair:
                record.level, record.at, record.blocks, record.until = 0.0, now, 0, 0.0
            if not (record.pending or record.blocks or self._level(scope, record, now)):
                del self._tables[scope][place]
        if outcome is AttemptOutcome.SUCCEEDED:
            self._remember(attempt.pair)

    async def counts(self) -> tuple[AttemptCount, ...]:
        now = self._now()
        rows = [
            AttemptCount(
                scope,
                record.name,
                record.network,
                self._failures(scope, record, now),
                record.until > now,
                max(0.0, record.until - now),
            )
            for scope, table in self._tables.items()
            for record in table.values()
            if record.until > now or self._failures(scope, record, now)
        ]
        return tuple(sorted(rows, key=lambda row: (not row.blocked, -row.failures, row.name, row.network)))

    async def clear(self, wanted: str | None = None) -> int:
        network = None if wanted is None else network_in(wanted)
        who = None if wanted is None or network is not None else self._digest(name_key(wanted), "")
        count = 0
        for table in self._tables.values():
            found = [
                place
                for place, record in table.items()
                if wanted is None or (record.network == network if network else record.who == who)
            ]
            for place in found:
                del table[place]
            count += len(found)
        return count

    # Keys and records.

    def _digest(self, name: str, network: str) -> bytes:
        text = f"{network}\0{name}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._secret).digest()

    def _place(self, scope: AttemptScope, key: bytes, *, known: bool = False) -> bytes:
        """Under what a key is counted: under its own or, when there are too many, that of its group.

        The user of a known place has a record in any case: there are no more of these than known places.
        """
        table = self._tables[scope]
        if key in table or known or len(table) < self._most:
            return key
        return key[:1] + bytes([key[1] % (_SHARED // 256)])

    @staticmethod
    def _made(scope: AttemptScope, place: bytes, name: str, network: str, who: bytes) -> _Record:
        if len(place) < len(who):
            return _Record(_SEVERAL, "", b"")
        named = scope is not AttemptScope.NETWORK
        return _Record(
            name.strip()[:_SHOWN] if named else "",
            network if scope is not AttemptScope.NAME else "",
            who if named else b"",
        )

    def _drop_forgotten(self, now: float) -> None:
        """Make room, but not at each attempt: to look at all records takes milliseconds."""
        if now < self._sweep or all(len(table) < self._most for table in self._tables.values()):
            return
        self._sweep = now + _SWEEP_EVERY
        for table in self._tables.values():
            for place in [place for place, record in table.items() if self._is_forgotten(record, now)]:
                del table[place]

    def _is_forgotten(self, record: _Record, now: float) -> bool:
        return not record.pending and now - record.at >= self.rules.window

    def _remember(self, pair: bytes) -> None:
        self._known[pair] = None
        self._known.move_to_end(pair)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    # The rule.

    def _level(self, scope: AttemptScope, record: _Record, now: float) -> float:
        fallen = max(0.0, now - record.at) * self.rules.most(scope) / self.rules.window
        return max(0.0, record.level - fallen)

    def _failures(self, scope: AttemptScope, record: _Record, now: float) -> int:
        """The level in whole failures: one that has faded in part still counts."""
        return math.ceil(self._level(scope, record, now) - 1e-9)

    def _wait(self, scope: AttemptScope, place: bytes, now: float) -> float:
        """Seconds until an attempt that is counted there is let in; 0 if it is now."""
        most = self.rules.most(scope)
        record = self._tables[scope].get(place)
        if not most or record is None:
            return 0.0
        if record.until > now:
            return record.until - now
        if scope is AttemptScope.NETWORK:
            return 1.0 if record.pending >= _IN_FLIGHT * most else 0.0
        return 1.0 if self._failures(scope, record, now) + record.pending >= most else 0.0

    def _hold(self, place: bytes, now: float) -> float:
        scope = AttemptScope.NAME_AT_NETWORK
        record = self._tables[scope].get(place)
        if record is None or not self.rules.limit:
            return 0.0
        failures = self._failures(scope, record, now) + record.pending
        steps = failures - max(1, self.rules.limit - _HELD)
        return 0.0 if steps < 0 else float(self.rules.hold * 2**steps)

    def _fail(self, scope: AttemptScope, record: _Record, now: float) -> None:
        rules, most = self.rules, self.rules.most(scope)
        if not most:
            return
        if record.until > now:  # it was let in before the block, which is longer for it
            record.until = record.at = min(record.until + rules.window / most, now + rules.longest)
            return
        record.level, record.at = self._level(scope, record, now) + 1, now
        if self._failures(scope, record, now) < most:
            return
        seconds = min(rules.block * 2 ** min(record.blocks, 20), rules.longest)
        record.blocks += 1
        record.level = most - 1.0
        record.until = record.at = now + seconds
        if self._trace is not None:
            self._trace(SignInsBlocked(scope.value, record.network, seconds))


# Keys.


def name_key(name: str) -> str:
    """A text that is equal for all spellings of a name that a directory could take for one another.

    Case, blanks, accents, compatibility forms and invisible characters do not count, nor a domain before a
    backslash; DNs compare as DNs. It is coarser than any directory: then two names share a record, while a
    finer one would give a new record for each spelling. Names that are too long are one name.
    """
    if len(name) > LONGEST_NAME:
        return "\0"
    name = name.strip()
    dn = parsed(name) if "=" in name else None
    if dn:
        name = canonical(dn)
    elif "\\" in name:
        name = name.rpartition("\\")[2]
    if not (name.isascii() and name.isprintable()):
        name = _bare(unicodedata.normalize("NFKD", _bare(name)))
    return "".join(name.casefold().split())


def _bare(name: str) -> str:
    """Without marks (which also makes normalising cheap), controls and formatting characters."""
    return "".join(each for each in name if unicodedata.category(each) not in ("Mn", "Me", "Cf", "Cc"))


def network_of(address: IpAddress | str | None) -> str:
    """What an address is counted as: itself, and of IPv6 the /64, which one machine has as a whole."""
    found = network_in(address) if isinstance(address, str) else address and _text_of(address)
    return found or _UNKNOWN


def network_in(text: str) -> str | None:
    """The network of an address with or without brackets, port, prefix and zone; None for other texts."""
    bare = text.strip().partition("/")[0].partition("%")[0]
    host, _, port = bare.rpartition(":")
    candidates = (bare.removeprefix("[").removesuffix("]"), host.removeprefix("[").removesuffix("]"))
    for candidate in candidates if port.isdecimal() else candidates[:1]:
        try:
            return _text_of(ipaddress.ip_address(candidate))
        except ValueError:
            continue
    return None


def _text_of(address: IpAddress) -> str:
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
