"""The registry of codes: each is complete, and each is used."""

import re
from pathlib import Path

import pytest

from quintet.diagnostics import CODES, Code, Finding, Pitfall, near_codes

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "quintet"
_USED = re.compile(r"\b(?:Pitfall\.|Finding\.)([DQ][0-9]+)\b|\"(T[0-9]+)\"")
"""D and Q codes by their enum; a layer below this package (TLS) knows its T codes by name only."""


@pytest.mark.parametrize("code", CODES.values(), ids=str)
def test_a_code_has_a_title_an_impact_a_fix_and_pages_that_exist(code: Code) -> None:
    assert re.fullmatch("[DQT][1-9][0-9]*", code.name)
    assert code.title[0].isupper() or code.title[0] == '"'
    for text in (code.title, code.impact, code.fix):
        assert text == text.strip()
        assert not text.endswith((".", " ;"))
    for page in code.see:
        assert (ROOT / "docs" / page).exists()


@pytest.mark.parametrize("kind", dict.fromkeys(type(code) for code in CODES.values()))
def test_no_two_codes_have_one_title(kind: type[Code]) -> None:
    assert len({code.title for code in kind}) == len(kind)
    assert all(CODES[code.name] is code for code in kind)


def test_every_code_is_made_somewhere() -> None:
    registry = SOURCE / "diagnostics"
    used = {
        found[1] or found[2]
        for path in SOURCE.rglob("*.py")
        if registry not in path.parents or path.name == "problems.py"
        for found in _USED.finditer(path.read_text(encoding="utf-8"))
    }
    assert used == set(CODES)


def test_codes_are_listed_as_people_count() -> None:
    assert sorted([Finding.Q4, Pitfall.D40, Pitfall.D9], key=lambda code: code.order) == [
        Pitfall.D9,
        Pitfall.D40,
        Finding.Q4,
    ]


@pytest.mark.parametrize("code", [Pitfall.D31, Pitfall.D33])
def test_c93_what_makes_cards_look_outdated_is_told_where_they_are_examined(code: Pitfall) -> None:
    assert "7 days" in code.fix
    assert "Refresh Person Info" in code.fix


@pytest.mark.parametrize(("name", "near"), [("d42 ", "D42"), ("Q6l", "Q61"), ("D-4", "D4"), ("xyz", None)])
def test_the_nearest_codes_to_one_that_does_not_exist(name: str, near: str | None) -> None:
    assert (near in near_codes(name)) if near else near_codes(name) == []
