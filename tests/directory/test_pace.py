"""A refusal takes as long for a name that nobody has as for a wrong password."""

import pytest

from quintet.directory.authenticate import FIRST_REFUSALS, ConstantTimeRefusal


class Clock:
    """Time goes on when somebody sleeps, or is told to have worked."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> ConstantTimeRefusal:
    return ConstantTimeRefusal(now=clock.now, sleep=clock.sleep)


async def refused(pace: ConstantTimeRefusal, clock: Clock, seconds: float) -> float:
    """How long somebody waits for a refusal for which the server needs so long."""
    began = pace.now()
    clock.time += seconds
    await pace.refused(began)
    return clock.time - began


async def nobody(pace: ConstantTimeRefusal, clock: Clock, seconds: float) -> float:
    began = pace.now()
    clock.time += seconds
    await pace.nobody(began)
    return clock.time - began


def accepted(pace: ConstantTimeRefusal, clock: Clock, seconds: float) -> None:
    began = pace.now()
    clock.time += seconds
    pace.accepted(began)


async def test_nobody_waits_as_long_as_those_who_were_refused(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 0.2)
    known = [await refused(pace, clock, 0.2 + nth / 100) for nth in range(5)]
    waited = [await nobody(pace, clock, 0.001) for _ in range(200)]
    assert {round(each, 6) for each in waited} == {round(each, 6) for each in known}


async def test_who_was_accepted_is_measure_enough_until_somebody_is_refused(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 0.2)
    assert await nobody(pace, clock, 0.001) == pytest.approx(0.2)
    await refused(pace, clock, 2.5)
    assert await nobody(pace, clock, 0.001) == pytest.approx(2.5)


async def test_before_anybody_has_signed_in_all_refusals_take_the_same_time(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    """The second attempt too: no sample that a name itself has left tells whether it is somebody's."""
    waited = [await attempt(pace, clock, 0.1) for attempt in (refused, nobody, refused, nobody)]
    assert waited == [pytest.approx(FIRST_REFUSALS)] * 4


async def test_an_answer_that_is_late_anyway_is_not_held_back(
    pace: ConstantTimeRefusal, clock: Clock
) -> None:
    accepted(pace, clock, 0.2)
    assert await nobody(pace, clock, 0.3) == pytest.approx(0.3)


async def test_what_a_password_cost_long_ago_is_forgotten(pace: ConstantTimeRefusal, clock: Clock) -> None:
    for seconds in (5.0, *[0.2] * 64):
        accepted(pace, clock, seconds)
        await refused(pace, clock, seconds)
    assert max([await nobody(pace, clock, 0.0) for _ in range(500)]) == pytest.approx(0.2)


async def test_what_a_timer_is_late_shows_in_no_refusal(pace: ConstantTimeRefusal, clock: Clock) -> None:
    """A held answer comes a little later than planned. If one at once did not wait, too, that would tell."""
    accepted(pace, clock, 0.0368)
    waited = [await refused(pace, clock, seconds) for seconds in (0.0371, 0.0369, 0.0374)]
    waited += [await nobody(pace, clock, 0.001) for _ in range(20)]
    assert {round(each, 6) for each in waited} == {0.04}
