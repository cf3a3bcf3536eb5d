"""Places, turns and bytes before and while signing in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.admission import Places, TokenBucket, Turns


def test_a_burst_costs_no_pause() -> None:
    bucket = TokenBucket(rate=100, burst=1000, now=0)
    assert bucket.take(1000, now=0) == 0


def test_what_goes_beyond_the_burst_is_paid_by_a_pause() -> None:
    bucket = TokenBucket(rate=100, burst=1000, now=0)
    assert bucket.take(1500, now=0) == pytest.approx(5)


def test_after_the_pause_there_is_no_debt() -> None:
    bucket = TokenBucket(rate=100, burst=1000, now=0)
    bucket.take(1500, now=0)
    assert bucket.take(0, now=5) == pytest.approx(0)


def test_an_idle_connection_saves_no_more_than_a_burst() -> None:
    bucket = TokenBucket(rate=100, burst=1000, now=0)
    assert bucket.take(1100, now=1e6) == pytest.approx(1)


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    bucket = TokenBucket(rate=100, burst=100, now=10)
    bucket.take(100, now=10)
    assert bucket.take(100, now=5) == pytest.approx(1)
    assert bucket.take(0, now=10) == pytest.approx(1)


@given(
    st.floats(1, 1e6),
    st.floats(1, 1e6),
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 100_000)), max_size=50),
)
def test_who_pauses_as_told_never_sends_more_than_rate_and_burst_allow(
    rate: float, burst: float, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate, burst, now=0)
    now = total = 0.0
    for idle, count in steps:
        now += idle
        total += count
        now += bucket.take(count, now)
        assert total <= burst + rate * now * (1 + 1e-9) + 1e-6 * (1 + total)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_a_bucket_that_can_give_nothing_is_not_made(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        TokenBucket(rate, burst, now=0)


def test_a_new_connection_always_gets_a_place() -> None:
    places: Places[int] = Places(total=2, per_address=2)
    assert places.enter(1, "a") is None
    assert places.enter(2, "b") is None
    assert places.enter(3, "c") == 1
    assert 3 in places
    assert 1 not in places


def test_an_address_that_is_full_loses_its_own_oldest() -> None:
    places: Places[int] = Places(total=10, per_address=2)
    for number in (1, 2):
        places.enter(number, "b")
    places.enter(3, "a")
    assert places.enter(4, "b") == 1
    assert places.count("a") == 1


def test_a_place_that_was_left_is_free() -> None:
    places: Places[int] = Places(total=1, per_address=1)
    places.enter(1, "a")
    places.leave(1)
    places.leave(1)
    assert places.enter(2, "a") is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.sampled_from("abc"))))
def test_places_never_exceed_their_bounds(steps: list[tuple[bool, int, str]]) -> None:
    places: Places[int] = Places(total=5, per_address=3)
    inside: dict[int, str] = {}
    for entering, number, address in steps:
        if entering and number not in inside:
            loser = places.enter(number, address)
            if loser is not None:
                del inside[loser]
            inside[number] = address
        elif not entering:
            places.leave(number)
            inside.pop(number, None)
        assert len(places) == len(inside) <= 5
        assert all(places.count(each) == list(inside.values()).count(each) <= 3 for each in "abc")


def test_as_many_as_allowed_have_their_turn_at_once() -> None:
    turns: Turns[int] = Turns(at_once=2, waiting=1)
    assert [turns.ask(number) for number in range(4)] == [True, True, False, None]


def test_the_first_in_line_follows_whoever_is_done() -> None:
    turns: Turns[int] = Turns(at_once=1, waiting=5)
    for number in range(3):
        turns.ask(number)
    assert turns.leave(0) == 1
    assert turns.leave(1) == 2
    assert turns.leave(2) is None
    assert turns.working == 0


def test_a_client_that_went_away_leaves_its_place_in_line_to_others() -> None:
    turns: Turns[int] = Turns(at_once=1, waiting=2)
    for number in range(3):
        turns.ask(number)
    assert turns.ask(3) is None
    assert turns.leave(1) is None
    assert turns.ask(3) is False
    assert turns.leave(0) == 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30))))
def test_turns_are_given_in_order_and_within_bounds(steps: list[tuple[bool, int]]) -> None:
    turns: Turns[int] = Turns(at_once=3, waiting=4)
    working: set[int] = set()
    line: list[int] = []
    for asking, number in steps:
        if asking and number not in working and number not in line:
            answer = turns.ask(number)
            if answer:
                working.add(number)
            elif answer is False:
                line.append(number)
            else:
                assert (len(working), len(line)) == (3, 4)
        elif not asking:
            following = turns.leave(number)
            if number in line:
                line.remove(number)
            elif number in working:
                working.remove(number)
                expected = line.pop(0) if line else None
                assert following == expected
                if following is not None:
                    working.add(following)
        assert (turns.working, turns.waiting) == (len(working), len(line))
        assert len(working) == 3 or not line
