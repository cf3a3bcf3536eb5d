"""What the figures and the words of `cost` claim, from bursts made up here."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.cost import (
    Difference,
    LevelMeasurement,
    Measured,
    Outcome,
    differences,
    figures,
    page,
    verdict,
)
from quintet.admin.cost.measuring import Burst
from quintet.directory import TASKS, Protection, Service


def _level(protection: Protection, rates: list[float]) -> LevelMeasurement:
    bursts = [Burst(rate, (1.0, 2.0, 3.0, 100.0), 0.5) for rate in rates]
    return LevelMeasurement(protection, {task: list(bursts) for task in TASKS})


def _measured(none: list[float], everything: list[float], handshake: float | None = 2.5) -> Measured:
    levels = (_level(Protection.NONE, none), _level(Protection.ALL, everything))
    return Measured(levels, handshake, len(none), 100, 10.0)


def test_figures_are_medians_and_nearest_rank_percentiles() -> None:
    found = figures(_level(Protection.NONE, [100.0, 300.0, 200.0]))[Service.BROWSE]
    assert (found.per_second, found.p50_ms, found.p99_ms, found.cpu_ms) == (200.0, 2.0, 100.0, 0.5)


def found_in(none: list[float], everything: list[float]) -> Difference:
    return differences(_measured(none, everything))["searches"]


def test_a_steady_difference_is_a_cost() -> None:
    found = found_in([1000, 1010, 990, 1000], [900, 909, 891, 900])
    assert found.outcome is Outcome.COSTS
    assert found.share == pytest.approx(0.1)
    assert found.margin < 0.01


def test_a_difference_within_the_margin_is_none() -> None:
    none = [1000.0, 1040, 960, 1000, 1020, 980, 1010, 990]
    everything = [1010.0, 980, 1000, 990, 1000, 1000, 970, 1030]
    assert found_in(none, everything).outcome is Outcome.NO_DIFFERENCE


@pytest.mark.parametrize(
    ("none", "everything"),
    [
        pytest.param([1000.0, 1200, 800], [1900.0, 500, 1000], id="rounds that scatter"),
        pytest.param([100.0, 101, 99], [347.0, 350, 344], id="247% more when encrypted"),
        pytest.param([1000.0, 1001, 1002], [1100.0, 1101, 1102], id="faster when encrypted"),
        pytest.param([1000.0], [500.0], id="one round"),
        pytest.param([1000.0, 1000, 1000, 10], [900.0, 900, 900, 900], id="one round disturbed"),
    ],
)
def test_what_the_measurement_cannot_tell_is_not_given_a_number(
    none: list[float], everything: list[float]
) -> None:
    assert found_in(none, everything).outcome is Outcome.UNCLEAR
    assert "%" not in verdict(_measured(none, everything))


@given(
    st.integers(3, 12).flatmap(
        lambda rounds: st.tuples(*[st.lists(st.floats(0.9, 1.1), min_size=rounds, max_size=rounds)] * 2)
    ),
    st.floats(0.2, 0.9),
)
def test_a_real_cost_is_never_called_none(noise: tuple[list[float], list[float]], kept: float) -> None:
    """Rounds that are within 10 % hide no cost of more than 20 %: it is found, or said to be unclear."""
    none, everything = ([1000 * each for each in noise[0]], [1000 * kept * each for each in noise[1]])
    found = found_in(none, everything)
    assert found.outcome is not Outcome.NO_DIFFERENCE or abs(found.share) <= found.margin
    if found.outcome is Outcome.COSTS:
        assert abs(found.share - (1 - kept)) < 0.25


def test_a_level_that_was_not_measured_gets_no_number() -> None:
    measured = Measured(
        (_level(Protection.NONE, [1.0, 1.0]), LevelMeasurement(Protection.ALL, error="no trust store")),
        None,
        2,
        10,
        1.0,
    )
    assert differences(measured) == {}
    assert "no trust store" in verdict(measured)
    assert "%" not in verdict(measured)


@given(
    st.lists(st.floats(1, 1e6), min_size=2, max_size=10), st.lists(st.floats(1, 1e6), min_size=2, max_size=10)
)
def test_the_share_is_below_one_and_the_verdict_always_has_words(
    none: list[float], all_: list[float]
) -> None:
    assert found_in(none, all_).share < 1
    assert verdict(_measured(none, all_)).endswith(".")


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_escapes_what_it_shows() -> None:
    made = page(_measured([1000, 1000], [900, 900]), "<script>alert(1)</script>")
    parsed = _Parser()
    parsed.feed(made)
    assert "<script>alert(1)</script>" in parsed.text
    assert "script" not in parsed.tags
    assert "http" not in made
    assert parsed.tags.count("svg") == 4
    assert parsed.tags.count("rect") == 4 * len(TASKS) * 2


def test_everything_measured_fits_into_json() -> None:
    assert json.dumps({t.value: f.per_second for t, f in figures(_level(Protection.ALL, [1.0])).items()})
