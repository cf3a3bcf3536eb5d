"""What was measured of whom, and the ratios that the design wants.

A ratio compares two turns of one round, which had about the same machine; the median over the rounds counts.
Above 1 is better for Quintet, whether rates or processor time are compared.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from people import MEMBERS
from worker import THREADS, Level

QUINTET, ENGINE = "quintet", "engine"
KEPT, EACH = "python-ldap, kept", "python-ldap, each login"
UVLOOP = " on uvloop"


@dataclass(frozen=True, slots=True)
class Series:
    """Who did what, at which protection level: one turn in each round."""

    client: str
    work: str
    level: Level

    @property
    def on_uvloop(self) -> "Series":
        """The same by Quintet on uvloop; another client's stays what it is."""
        return replace(self, client=self.client + UVLOOP) if self.client in {QUINTET, ENGINE} else self


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to. CPU is of one operation, of the client's process and of slapd's."""

    per_second: float
    p50_ms: float
    p99_ms: float
    client_cpu_us: float
    server_cpu_us: float


Rounds = Mapping[Series, Sequence[Turn]]


class By(Enum):
    """What a ratio compares."""

    RATE = "rate"
    CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio, and what it should at least be. One operation of `ours` is worth `weight` of `theirs`."""

    name: str
    wanted: float
    by: By
    ours: Series
    theirs: Series
    weight: float = 1.0

    def ratios(self, rounds: Rounds, *, uvloop: bool = False) -> list[float]:
        """One ratio for each round."""
        ours, theirs = self.ours, self.theirs
        if uvloop:
            ours, theirs = ours.on_uvloop, theirs.on_uvloop
        return [self._ratio(our, their) for our, their in zip(rounds[ours], rounds[theirs], strict=True)]

    def _ratio(self, our: Turn, their: Turn) -> float:
        if self.by is By.RATE:
            return self.weight * our.per_second / their.per_second
        return self.weight * their.client_cpu_us / our.client_cpu_us


def _quintet(work: str, level: Level = "all") -> Series:
    return Series(QUINTET, work, level)


_SIGN_INS, _SEARCHES = _quintet("sign-in"), Series(ENGINE, "search", "all")

GOALS = (
    Goal(
        f"sign-ins to python-ldap with kept connections, {THREADS} threads (rate)",
        0.85,
        By.RATE,
        _SIGN_INS,
        Series(KEPT, "sign-in", "all"),
    ),
    Goal(
        "sign-ins to python-ldap with a connection for each login (rate)",
        20,
        By.RATE,
        _SIGN_INS,
        Series(EACH, "sign-in", "all"),
    ),
    Goal("resolves (two searches each) to the engine (CPU)", 0.4, By.CPU, _quintet("resolve"), _SEARCHES, 2),
    Goal(
        f"members read (groups of {MEMBERS}) to the engine (CPU)",
        0.65,
        By.CPU,
        _quintet("group"),
        _SEARCHES,
        MEMBERS,
    ),
    Goal("cards to the engine (CPU)", 0.5, By.CPU, _quintet("card"), _SEARCHES),
    *(
        Goal(
            f"encrypted to unencrypted (CPU): {work}s", wanted, By.CPU, _quintet(work), _quintet(work, "none")
        )
        for work, wanted in (("sign-in", 0.8), ("resolve", 0.92), ("group", 0.92), ("card", 0.92))
    ),
)


def middle_half(values: Sequence[float]) -> tuple[float, float]:
    """The quartiles, between which half of the rounds lie."""
    if len(values) < 2:
        return values[0], values[0]
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, upper
