"""Who may use how much before and while signing in: places, turns, bytes. Values in, decisions out.

Time is a parameter, in seconds of any monotonic clock. Nothing here knows a socket.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar, final

T = TypeVar("T", bound=Hashable)


@final
class TokenBucket:
    """How many bytes a connection may send: `rate` a second, and up to `burst` at once.

    A taker is never refused: it goes into debt, and gets how long to pause.
    """

    __slots__ = ("_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst must be more than 0")
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen = now

    def take(self, count: int, now: float) -> float:
        """Take `count` tokens; the seconds until the debt is paid, 0 when there is none."""
        passed = max(0.0, now - self._seen)
        self._seen = max(self._seen, now)
        self._level = min(self._burst, self._level + passed * self._rate) - count
        return max(0.0, -self._level / self._rate)


@final
class Places(Generic[T]):
    """The bounded number of connections that are not signed in yet: for one address, and in total.

    There is always room for a new one: the one that has waited longest gives up its place (of the same
    address, when that is full). Its owner closes it.
    """

    __slots__ = ("_address", "_by_address", "_per_address", "_total")

    def __init__(self, total: int, per_address: int) -> None:
        if total < 1 or per_address < 1:
            raise ValueError("there must be a place")
        self._total = total
        self._per_address = per_address
        self._address: OrderedDict[T, str] = OrderedDict()
        self._by_address: dict[str, OrderedDict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._address)

    def __contains__(self, connection: T) -> bool:
        return connection in self._address

    def count(self, address: str) -> int:
        """How many places this address has."""
        return len(self._by_address.get(address, ()))

    def enter(self, connection: T, address: str) -> T | None:
        """Give `connection` a place; the one that lost its place for that, or None."""
        loser: T | None = None
        here = self._by_address.get(address)
        if here is not None and len(here) >= self._per_address:
            loser = next(iter(here))
        elif len(self._address) >= self._total:
            loser = next(iter(self._address))
        if loser is not None:
            self.leave(loser)
        self._address[connection] = address
        self._by_address.setdefault(address, OrderedDict())[connection] = None
        return loser

    def leave(self, connection: T) -> None:
        """The connection is signed in, or gone. Does nothing for one without a place."""
        address = self._address.pop(connection, None)
        if address is None:
            return
        here = self._by_address[address]
        del here[connection]
        if not here:
            del self._by_address[address]


@final
class Turns(Generic[T]):
    """Sign-ins that wait for the directory: `at_once` of them are with it, `waiting` more stand in line.

    A client that goes away leaves the line at once, so its place is never in the way of one that is there.
    """

    __slots__ = ("_at_once", "_line", "_most", "_working")

    def __init__(self, at_once: int, waiting: int) -> None:
        if at_once < 1 or waiting < 0:
            raise ValueError("at least one turn at once")
        self._at_once = at_once
        self._most = waiting
        self._working: set[T] = set()
        self._line: OrderedDict[T, None] = OrderedDict()

    @property
    def working(self) -> int:
        """How many have their turn."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def ask(self, who: T) -> bool | None:
        """True: it is the turn of `who` now. False: wait for `end` or `leave` to name it. None: full."""
        if len(self._working) < self._at_once:
            self._working.add(who)
            return True
        if len(self._line) >= self._most:
            return None
        self._line[who] = None
        return False

    def leave(self, who: T) -> T | None:
        """`who` is done, or its client is gone: whose turn it is now, if any."""
        self._line.pop(who, None)
        if who not in self._working:
            return None
        self._working.remove(who)
        if not self._line:
            return None
        following, _ = self._line.popitem(last=False)
        self._working.add(following)
        return following
