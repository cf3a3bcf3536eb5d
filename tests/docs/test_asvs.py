"""The table of OWASP ASVS: each row names tests that exist, or says that there is none."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "explanation" / "asvs.md"
_ROW = re.compile(r"^\| (V\d+\.\d+\.\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"\btest_\w+")
_DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
ROWS = _ROW.findall(PAGE.read_text(encoding="utf-8"))


def defined() -> set[str]:
    return {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in _DEFINED.findall(file.read_text(encoding="utf-8"))
    }


def test_every_test_that_a_row_names_exists() -> None:
    named = {name for _, _, shown in ROWS for name in _TEST.findall(shown)}
    assert len(named) > 50
    assert named - defined() == set()


def test_a_row_names_tests_or_says_no_or_that_it_is_not_applicable() -> None:
    for number, _, shown in ROWS:
        assert re.match(r"`test_\w+`(, `test_\w+`)*$|no$|no: |not applicable: ", shown), number


def test_every_requirement_is_there_once_and_in_order() -> None:
    numbers = [tuple(map(int, number[1:].split("."))) for number, _, _ in ROWS]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 217  # levels 1 and 2, but for the chapters 10 and 17
