"""How often networks and accounts may ask the API and the pages."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

MOST_CALLERS: Final = 200_000


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Requests a minute: of an account from one network, of an account, and of a network."""

    account_and_network: int = 600
    account: int = 1200
    network: int = 30_000


@final
class RateLimits:
    """Counters of each caller's requests in this minute of the clock and the one before.

    A limit is for a sliding minute: of the minute before counts the part that lies within it, as if its
    requests had come evenly. What is refused does not count. Beyond `MOST_CALLERS` in a minute, new ones
    share one counter. `clock` returns seconds that only go forward.
    """

    def __init__(
        self, limits: RequestLimits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits or RequestLimits()
        self._clock = clock
        self._minute = 0.0
        self._before: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def network_may_ask(self, network: str) -> bool:
        """Whether one more request may come from this network (`network_of`), which is counted then."""
        return self._count((f"network {network}", self._limits.network))

    def account_may_ask(self, account: str, network: str) -> bool:
        """Whether this account may ask from there once more, which is counted then."""
        return self._count(
            (f"account {account}", self._limits.account),
            (f"from {network} {account}", self._limits.account_and_network),
        )

    def __len__(self) -> int:
        """The callers that are remembered."""
        return len(self._before.keys() | self._counts.keys())

    def _count(self, *limits: tuple[str, int]) -> bool:
        minute, second = divmod(self._clock(), 60)
        if minute != self._minute:
            self._before = self._counts if minute == self._minute + 1 else {}
            self._minute, self._counts = minute, {}
        counts = {}
        for caller, most in limits:
            key = caller if len(self._counts) < MOST_CALLERS or caller in self._counts else ""
            counts[key] = count = self._counts.get(key, 0) + 1
            if count + int(self._before.get(key, 0) * (1 - second / 60)) > most:
                return False
        self._counts.update(counts)
        return True
