"""From bursts to figures, and from figures to words that claim no more than was measured."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from quintet.admin.cost.measuring import Level, Measured
from quintet.directory import Protection, Service

SEARCHES = (Service.RESOLVE_LOGIN, Service.RESOLVE_NAMES, Service.BROWSE, Service.GROUP_CONTENT)
_CERTAIN = 2.0


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """Medians over the bursts; the percentiles are over all operations. CPU is of this side, a operation."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much slower than "encrypt nothing", as a share; `margin` is two standard errors of it."""

    share: float
    margin: float

    @property
    def is_noise(self) -> bool:
        return abs(self.share) <= self.margin


def figures(level: Level) -> dict[Service, TaskFigures]:
    return {
        task: TaskFigures(
            per_second=statistics.median(burst.per_second for burst in bursts),
            p50_ms=_percentile((time for burst in bursts for time in burst.times_ms), 50),
            p99_ms=_percentile((time for burst in bursts for time in burst.times_ms), 99),
            cpu_ms=statistics.median(burst.cpu_ms for burst in bursts),
        )
        for task, bursts in level.bursts.items()
    }


def difference(measured: Measured, protection: Protection, tasks: Iterable[Service]) -> Difference | None:
    """How much a level costs the given tasks, beside NONE, round by round; None when either was not measured.

    Each round gives one ratio, the geometric mean over the tasks: what disturbs a round disturbs both sides.
    """
    by_level = {level.protection: level.bursts for level in measured.levels}
    here, there = by_level.get(protection, {}), by_level.get(Protection.NONE, {})
    shared = [task for task in tasks if task in here and task in there]
    if not shared:
        return None
    rounds = min(min(len(here[task]), len(there[task])) for task in shared)
    ratios = [
        statistics.fmean(math.log(here[task][n].per_second / there[task][n].per_second) for task in shared)
        for n in range(rounds)
    ]
    middle = statistics.fmean(ratios)
    error = statistics.stdev(ratios) / math.sqrt(rounds) if rounds > 1 else math.inf
    share = 1 - math.exp(middle)
    return Difference(share, min(1.0, _CERTAIN * error * math.exp(middle)))


def verdict(measured: Measured) -> str:
    """The answer in words."""
    searches = difference(measured, Protection.ALL, SEARCHES)
    sign_ins = difference(measured, Protection.ALL, (Service.AUTHENTICATE,))
    if searches is None and sign_ins is None:
        missing = [
            f"{level.protection.name.lower()} ({level.error})" for level in measured.levels if level.error
        ]
        return "There is nothing to compare: not measured were " + "; ".join(missing) + "."
    sentences = []
    if searches is not None:
        sentences.append(_words("Encrypting everything", searches, "searches a second"))
    if sign_ins is not None:
        sentences.append(_words("Encrypting the sign-ins", sign_ins, "sign-ins a second"))
    if measured.handshake_ms is not None:
        sentences.append(
            f"A TLS handshake takes {measured.handshake_ms:.1f} ms, once a connection and not once a sign-in."
        )
    return " ".join(sentences)


def _words(what: str, found: Difference, unit: str) -> str:
    margin = f"(give or take {found.margin:.0%})"
    if found.is_noise:
        return f"{what} makes no difference in {unit} here that this measurement can tell {margin}."
    if found.share < 0:
        return f"{what} costs nothing here: {-found.share:.0%} more {unit} {margin}."
    return f"{what} costs {found.share:.0%} of {unit} here {margin}."


def _percentile(values: Iterable[float], percent: int) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
