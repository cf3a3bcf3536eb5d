"""What the figures and the words of `cost` claim, from bursts made up here."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.cost.measuring import Burst, Level, Measured
from quintet.admin.cost.page import page
from quintet.admin.cost.verdict import SEARCHES, difference, figures, verdict
from quintet.directory import TASKS, Protection, Service


def _level(protection: Protection, rates: list[float]) -> Level:
    bursts = [Burst(rate, (1.0, 2.0, 3.0, 100.0), 0.5) for rate in rates]
    return Level(protection, {task: list(bursts) for task in TASKS})


def _measured(none: list[float], everything: list[float], handshake: float | None = 2.5) -> Measured:
    levels = (_level(Protection.NONE, none), _level(Protection.ALL, everything))
    return Measured(levels, handshake, len(none), 100, 10.0)


def test_figures_are_medians_and_nearest_rank_percentiles() -> None:
    found = figures(_level(Protection.NONE, [100.0, 300.0, 200.0]))[Service.BROWSE]
    assert (found.per_second, found.p50_ms, found.p99_ms, found.cpu_ms) == (200.0, 2.0, 100.0, 0.5)


def test_a_steady_difference_is_told_as_a_share() -> None:
    found = difference(_measured([1000, 1010, 990, 1000], [900, 909, 891, 900]), Protection.ALL, SEARCHES)
    assert found is not None
    assert found.share == pytest.approx(0.1)
    assert not found.is_noise
    assert "costs 10% of searches a second" in verdict(
        _measured([1000, 1010, 990, 1000], [900, 909, 891, 900])
    )


def test_a_difference_within_the_noise_is_called_none() -> None:
    words = verdict(_measured([1000, 1200, 800, 1000], [1150, 900, 1000, 930]))
    assert "no difference in searches a second here that this measurement can tell" in words


def test_being_faster_is_not_called_a_cost() -> None:
    assert "costs nothing here" in verdict(_measured([1000, 1001, 1002], [1100, 1101, 1102]))


def test_one_round_proves_nothing() -> None:
    found = difference(_measured([1000], [500]), Protection.ALL, SEARCHES)
    assert found is not None
    assert found.is_noise


def test_a_level_that_was_not_measured_gets_no_number() -> None:
    measured = Measured(
        (_level(Protection.NONE, [1.0, 1.0]), Level(Protection.ALL, error="no trust store")), None, 2, 10, 1.0
    )
    assert difference(measured, Protection.ALL, SEARCHES) is None
    assert "no trust store" in verdict(measured)
    assert "%" not in verdict(measured)


@given(
    st.lists(st.floats(1, 1e6), min_size=2, max_size=10), st.lists(st.floats(1, 1e6), min_size=2, max_size=10)
)
def test_the_share_is_below_one_and_the_verdict_always_has_words(
    none: list[float], all_: list[float]
) -> None:
    found = difference(_measured(none, all_), Protection.ALL, SEARCHES)
    assert found is not None
    assert found.share < 1
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
