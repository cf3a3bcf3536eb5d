"""How often a caller may ask, and what the settings say of pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.web import site
from quintet.web.site import RateLimits


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "PER_MINUTE", 4)


def asked(limits: RateLimits, times: int, caller: str = "a") -> int:
    return sum(limits.may_ask(caller) for _ in range(times))


def test_each_caller_has_a_limit_of_its_own() -> None:
    limits = RateLimits(Clock())
    assert asked(limits, 9) == 4
    assert asked(limits, 9, "b") == 4


def test_the_limit_returns_bit_by_bit_in_the_minute_that_follows() -> None:
    limits = RateLimits(clock := Clock())
    assert asked(limits, 4) == 4
    clock.now = 60
    assert asked(limits, 9) == 0
    clock.now = 90
    assert asked(limits, 9) == 2
    clock.now = 180
    assert asked(limits, 9) == 4


def test_refused_requests_do_not_count() -> None:
    limits = RateLimits(clock := Clock())
    asked(limits, 100)
    clock.now = 105
    assert asked(limits, 9) == 3


def test_callers_of_earlier_minutes_are_forgotten() -> None:
    limits = RateLimits(clock := Clock())
    for nth in range(100):
        limits.may_ask(str(nth))
    clock.now = 60
    limits.may_ask("a")
    clock.now = 120
    limits.may_ask("a")
    assert len(limits) == 1


@given(st.lists(st.floats(0, 40), max_size=60))
def test_no_minute_of_the_clock_has_more_than_the_limit(pauses: list[float]) -> None:
    limits = RateLimits(clock := Clock())
    accepted: dict[int, int] = {}
    for pause in pauses:
        clock.now += pause
        minute = int(clock.now // 60)
        accepted[minute] = accepted.get(minute, 0) + limits.may_ask("a")
    assert all(each <= 4 for each in accepted.values())
