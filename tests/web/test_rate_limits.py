"""How often a network, an account, and an account in a network may ask."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.web import rate_limits
from quintet.web.rate_limits import RateLimits, RequestLimits

LIMITS = RequestLimits(account_and_network=4, account=6, network=20)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(limits: RateLimits, times: int, account: str = "alice", network: str = "10.0.0.1") -> int:
    return sum(limits.account_may_ask(account, network) for _ in range(times))


def test_an_account_has_a_limit_in_each_network_and_one_in_all() -> None:
    limits = RateLimits(LIMITS, Clock())
    assert asked(limits, 9) == 4
    assert asked(limits, 9, network="10.0.0.2") == 2
    assert asked(limits, 9, network="10.0.0.3") == 0
    assert asked(limits, 9, "bob") == 4


def test_a_network_has_a_limit_whatever_the_accounts() -> None:
    limits = RateLimits(LIMITS, Clock())
    assert sum(limits.network_may_ask("10.0.0.1") for _ in range(30)) == 20
    assert limits.network_may_ask("10.0.0.2")


def test_the_limit_returns_bit_by_bit_in_the_minute_that_follows() -> None:
    limits = RateLimits(LIMITS, clock := Clock())
    assert asked(limits, 4) == 4
    clock.now = 60
    assert asked(limits, 9) == 0
    clock.now = 90
    assert asked(limits, 9) == 2
    clock.now = 180
    assert asked(limits, 9) == 4


def test_what_one_limit_refuses_counts_for_no_other() -> None:
    limits = RateLimits(LIMITS, Clock())
    assert asked(limits, 100) == 4
    assert asked(limits, 100, network="10.0.0.2") == 2


def test_callers_of_earlier_minutes_are_forgotten() -> None:
    limits = RateLimits(LIMITS, clock := Clock())
    for nth in range(100):
        limits.account_may_ask(str(nth), "10.0.0.1")
    clock.now = 60
    limits.network_may_ask("10.0.0.1")
    clock.now = 120
    limits.network_may_ask("10.0.0.1")
    assert len(limits) == 1


def test_beyond_the_bound_new_callers_share_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MOST_CALLERS", 50)
    limits = RateLimits(LIMITS, Clock())
    accepted = sum(limits.network_may_ask(f"10.0.1.{nth}") for nth in range(200))
    assert (accepted, len(limits)) == (50 + LIMITS.network, 51)
    assert limits.network_may_ask("10.0.1.0")


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda limits: limits.account_may_ask("alice", "10.0.0.1"), LIMITS.account_and_network),
        (lambda limits: limits.network_may_ask("10.0.0.1"), LIMITS.network),
    ],
)
@given(pauses=st.lists(st.floats(0, 40), max_size=60))
def test_no_minute_of_the_clock_has_more_than_the_limit(
    ask: Callable[[RateLimits], bool], most: int, pauses: list[float]
) -> None:
    limits = RateLimits(LIMITS, clock := Clock())
    accepted: dict[int, int] = {}
    for pause in pauses:
        clock.now += pause
        minute = int(clock.now // 60)
        accepted[minute] = accepted.get(minute, 0) + ask(limits)
    assert all(each <= most for each in accepted.values())
