"""A refusal takes as long whatever the reason: an unknown name, a locked account, a wrong password."""

import itertools
import math

import pytest

from quintet.directory.authenticate import FIRST_REFUSALS, ConstantTimeRefusal


class Clock:
    """Time goes on with a sleep, and with work that is set."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class ClockOfTimers(Clock):
    """A sleep ends when whole milliseconds have passed, as under epoll."""

    async def sleep(self, seconds: float) -> None:
        self.time += math.ceil(seconds * 1000) / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> ConstantTimeRefusal:
    return ConstantTimeRefusal(now=clock.now, sleep=clock.sleep, lot=lambda: 0.0)


async def refused(pace: ConstantTimeRefusal, clock: Clock, seconds: float) -> float:
    """How long a refusal takes for which the server needs so long."""
    began = pace.now()
    clock.time += seconds
    await pace.refused(began)
    return clock.time - began


def accepted(pace: ConstantTimeRefusal, clock: Clock, seconds: float) -> None:
    began = pace.now()
    clock.time += seconds
    pace.accepted(began)


FAST = 0.002
"""What a server needs for an unknown name or a locked account: it hashes nothing."""


async def test_the_first_try_at_a_locked_account_takes_as_long_as_a_wrong_password(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 0.1)
    assert await refused(pace, clock, FAST) == pytest.approx(0.15)
    assert await refused(pace, clock, 0.095) == pytest.approx(0.15)


async def test_repeating_one_name_changes_nothing(pace: ConstantTimeRefusal, clock: Clock) -> None:
    """Neither fast answers nor slow ones make refusals faster or slower while sign-ins stay as they are."""
    accepted(pace, clock, 0.1)
    for seconds in (FAST, 0.11):
        waited = {round(await refused(pace, clock, seconds), 6) for _ in range(200)}
        assert waited == {0.15}


async def test_answers_that_come_later_are_imitated_by_those_that_come_early(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 0.1)
    late = [await refused(pace, clock, 0.1 if nth % 4 else 0.3) for nth in range(64)]
    early = [await refused(pace, clock, FAST) for _ in range(200)]
    for times in (late, early):
        assert {round(each, 6) for each in times} == {0.15, 0.3}
        assert sum(each > 0.2 for each in times) / len(times) == pytest.approx(0.25, abs=0.14)


async def test_before_anybody_has_signed_in_all_refusals_take_the_same_time(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    """The second attempt too: no sample that a name itself has left tells whether it is a user's."""
    waited = [await refused(pace, clock, seconds) for seconds in (0.1, FAST, 0.1, FAST)]
    assert waited == [pytest.approx(FIRST_REFUSALS)] * 4


async def test_an_answer_that_is_late_anyway_is_held_back_to_the_next_step_only(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 0.1)
    assert await refused(pace, clock, 0.301) == pytest.approx(0.31)


async def test_what_a_password_cost_long_ago_is_forgotten(pace: ConstantTimeRefusal, clock: Clock) -> None:
    for seconds in (5.0, *[0.2] * 64):
        accepted(pace, clock, seconds)
        await refused(pace, clock, seconds)
    clock.time += 61
    assert max([await refused(pace, clock, 0.0) for _ in range(500)]) == pytest.approx(0.3)


async def test_one_slow_sign_in_among_many_makes_refusals_no_slower(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    for seconds in (0.1, 0.1, 0.1, 8.0, 0.1):
        accepted(pace, clock, seconds)
    assert await refused(pace, clock, FAST) == pytest.approx(0.15)


async def test_no_refusal_takes_longer_than_5_seconds_because_sign_ins_do(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 30.0)
    assert await refused(pace, clock, FAST) == pytest.approx(5.0)


async def test_an_answer_at_once_is_held_to_a_whole_step_too(pace: ConstantTimeRefusal, clock: Clock) -> None:
    """A held answer comes a little later than planned. If one at once did not wait, too, that would tell."""
    accepted(pace, clock, 0.0245)
    waited = [await refused(pace, clock, seconds) for seconds in (0.0371, 0.0369, 0.0374)]
    waited += [await refused(pace, clock, 0.001) for _ in range(20)]
    assert {round(each, 6) for each in waited} == {0.04}


@pytest.mark.parametrize("answered", [0.0011, 0.0016, 0.0019, 0.1005, 0.1012])
async def test_what_a_timer_is_late_shows_in_no_average_of_refusals(answered: float) -> None:
    clock = ClockOfTimers()
    lots = itertools.cycle([number / 1000 for number in range(1000)])
    pace = ConstantTimeRefusal(now=clock.now, sleep=clock.sleep, lot=lambda: next(lots))
    accepted(pace, clock, 0.1)
    times = [await refused(pace, clock, answered) for _ in range(1000)]
    assert sum(times) / len(times) == pytest.approx(0.1555, abs=2e-5)
    assert max(times) - min(times) == pytest.approx(0.01, abs=1e-3)
