"""From bursts to figures, and from figures to a verdict that claims no more than was measured.

A level is compared with `NONE` round by round, so that what disturbs a round disturbs both sides. The rounds'
ratios give a mean and its 95 % interval (Student's t). A wide interval is no answer, and neither is an
encrypted level that is clearly faster: encryption saves no work, so something else changed, too.
"""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from quintet.admin.cost.measuring import LevelMeasurement, Measured
from quintet.directory import Protection, Service

SEARCHES = (Service.RESOLVE_LOGIN, Service.RESOLVE_NAMES, Service.BROWSE, Service.GROUP_CONTENT)
_WIDEST = 0.25
"""The largest margin with which a difference is still an answer."""

_FASTER = 0.05
"""How much faster an encrypted level may be before the measurement is doubted."""


class Outcome(Enum):
    """What a comparison shows."""

    COSTS = "costs"
    NO_DIFFERENCE = "no-difference"
    """None that is significant."""

    UNCLEAR = "unclear"
    """The measurement can't tell: its rounds scatter, or it contradicts itself."""


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """Medians over the bursts; the percentiles are over all operations. CPU is this side's, per operation."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much slower than `NONE`, as a share; `margin` is the half of its 95 % interval."""

    share: float
    margin: float

    @property
    def outcome(self) -> Outcome:
        if self.margin > _WIDEST or self.share < -max(self.margin, _FASTER):
            return Outcome.UNCLEAR
        return Outcome.COSTS if self.share > self.margin else Outcome.NO_DIFFERENCE


def figures(level: LevelMeasurement) -> dict[Service, TaskFigures]:
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
    """How much a level costs the given tasks, compared with `NONE`; None when either was not measured.

    Each round gives one ratio, the geometric mean over the tasks.
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
    mean = statistics.fmean(ratios)
    if rounds < 2:
        return Difference(1 - math.exp(mean), math.inf)
    half = _student_t(rounds - 1) * statistics.stdev(ratios) / math.sqrt(rounds)
    return Difference(1 - math.exp(mean), math.exp(mean) * math.expm1(min(half, 100.0)))


def _student_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (its Cornish-Fisher expansion, within 1 % from 2 degrees on)."""
    return 1.96 + 2.372 / freedom + 2.823 / freedom**2 + 2.556 / freedom**3 + 1.590 / freedom**4


def differences(measured: Measured) -> dict[str, Difference]:
    """What encrypting everything costs in searches and in sign-ins, as far as both levels were measured."""
    found = {
        "searches": difference(measured, Protection.ALL, SEARCHES),
        "sign-ins": difference(measured, Protection.ALL, (Service.AUTHENTICATE,)),
    }
    return {unit: each for unit, each in found.items() if each is not None}


def verdict(measured: Measured) -> str:
    """The answer in words."""
    found = differences(measured)
    if not found:
        missing = [
            f"{level.protection.name.lower()} ({level.error})" for level in measured.levels if level.error
        ]
        return "No levels to compare; not measured: " + "; ".join(missing) + "."
    sentences = [_sentence(unit, each) for unit, each in found.items()]
    if measured.handshake_ms is not None:
        sentences.append(
            f"A TLS handshake takes {measured.handshake_ms:.1f} ms, once per connection, not per sign-in."
        )
    return " ".join(sentences)


def _sentence(unit: str, found: Difference) -> str:
    what = "Encrypting everything" if unit == "searches" else "Encrypting the sign-ins"
    match found.outcome:
        case Outcome.COSTS:
            return f"{what} costs {found.share:.0%} of {unit}/s here (±{found.margin:.0%})."
        case Outcome.NO_DIFFERENCE:
            return f"{what} makes no significant difference in {unit}/s here (±{found.margin:.0%})."
        case Outcome.UNCLEAR:
            return (
                f"This measurement can't tell what {what[0].lower()}{what[1:]} costs in {unit}/s: its rounds"
                f" differ too much. Measure for longer with --seconds, or while the server is less busy."
            )


def _percentile(values: Iterable[float], percent: int) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
