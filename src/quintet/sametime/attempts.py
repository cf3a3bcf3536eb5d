"""Failed sign-ins, counted, so that passwords cannot be guessed. Values in, decisions out.

Failures are counted in windows of fixed length for three keys: a name from one address, an address, and a
name from anywhere. The last does not count for an address from which the name has signed in before: others
who guess cannot lock a user out of the usual place. Names are counted as they were typed, by their meaning,
whether such a user exists or not.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, final

from quintet.sametime.ids import id_key

_MOST_KEYS: Final = 50_000
_LONGEST_NAME: Final = 256


class AttemptScope(Enum):
    """What failures are counted for."""

    NAME_AT_ADDRESS = "name at address"
    ADDRESS = "address"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class AttemptRules:
    """Failures within `window` seconds after which further attempts have to wait for its end."""

    window: float = 300.0
    name_at_address: int = 10
    address: int = 200
    name: int = 100


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """One row for an administrator. `blocked` is whether attempts are refused; `seconds` until it ends."""

    scope: AttemptScope
    name: str
    address: str
    failures: int
    blocked: bool
    seconds: float


class SignInAttempts(Protocol):
    """What signing in needs to know of failures. Implemented here in memory, and elsewhere for many nodes."""

    def wait(self, name: str, address: str, now: float) -> float:
        """Seconds until another attempt is allowed; 0 if it is now."""

    def failed(self, name: str, address: str, now: float) -> None:
        """The directory refused the name or the password."""

    def succeeded(self, name: str, address: str, now: float) -> None:
        """The user is signed in: the failures of this name at this address are forgotten."""


@dataclass(slots=True)
class _Window:
    ends: float
    failures: int = 0


_Key = tuple[AttemptScope, str, str]


@final
class LocalAttempts:
    """The attempts at this process. It never keeps more than 50,000 keys: the oldest are forgotten first."""

    __slots__ = ("_known", "_most", "_rules", "_windows")

    def __init__(self, rules: AttemptRules | None = None, most: int = _MOST_KEYS) -> None:
        self._rules = rules or AttemptRules()
        self._most = most
        self._windows: OrderedDict[_Key, _Window] = OrderedDict()
        self._known: OrderedDict[_Key, None] = OrderedDict()  # a name at an address, signed in before

    def __len__(self) -> int:
        return len(self._windows)

    def wait(self, name: str, address: str, now: float) -> float:
        here, anybody, anywhere = _keys(name, address)
        seconds = max(self._wait(here, now), self._wait(anybody, now))
        return seconds if here in self._known else max(seconds, self._wait(anywhere, now))

    def failed(self, name: str, address: str, now: float) -> None:
        for key in _keys(name, address):
            window = self._windows.get(key)
            if window is None or window.ends <= now:
                self._windows.pop(key, None)
                window = self._windows[key] = _Window(now + self._rules.window)
            window.failures += 1
        while len(self._windows) > self._most:
            self._windows.popitem(last=False)

    def succeeded(self, name: str, address: str, now: float) -> None:  # noqa: ARG002 # others need the time
        here = _keys(name, address)[0]
        self._windows.pop(here, None)
        self._known[here] = None
        self._known.move_to_end(here)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def counts(self, now: float) -> tuple[AttemptCount, ...]:
        """Everything that is counted at the moment, blocked keys first."""
        rows = [
            AttemptCount(*key, window.failures, window.failures >= self._bound(key[0]), window.ends - now)
            for key, window in self._windows.items()
            if window.ends > now
        ]
        return tuple(sorted(rows, key=lambda row: (not row.blocked, -row.failures)))

    def clear(self, *, name: str | None = None, address: str | None = None) -> int:
        """Forget what is counted for this name or address, everything if neither is given. How many keys."""
        wanted = None if name is None else _name_key(name)
        found = [
            key
            for key in self._windows
            if (wanted is None and address is None)
            or (wanted is not None and key[1] == wanted)
            or (address is not None and key[2] == address)
        ]
        for key in found:
            del self._windows[key]
        return len(found)

    def _wait(self, key: _Key, now: float) -> float:
        window = self._windows.get(key)
        if window is None or window.failures < self._bound(key[0]):
            return 0.0
        return max(0.0, window.ends - now)

    def _bound(self, scope: AttemptScope) -> int:
        match scope:
            case AttemptScope.NAME_AT_ADDRESS:
                return self._rules.name_at_address
            case AttemptScope.ADDRESS:
                return self._rules.address
            case AttemptScope.NAME:
                return self._rules.name


def _name_key(name: str) -> str:
    return id_key(name[:_LONGEST_NAME])


def _keys(name: str, address: str) -> tuple[_Key, _Key, _Key]:
    key = _name_key(name)
    return (
        (AttemptScope.NAME_AT_ADDRESS, key, address),
        (AttemptScope.ADDRESS, "", address),
        (AttemptScope.NAME, key, ""),
    )
