"""Code cites rows of docs/design/sametime-protocol.md, and those rows exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/quintet/sametime").rglob("*.py"))
ROWS = re.findall(
    r"^\| P(\d+) \|", (ROOT / "docs/design/sametime-protocol.md").read_text("utf-8"), re.MULTILINE
)


def test_every_row_has_a_number_of_its_own() -> None:
    assert sorted(map(int, ROWS)) == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_module_cites_rows_that_exist(path: Path) -> None:
    cited = set(re.findall(r"\bP(\d+)\b", path.read_text("utf-8")))
    assert cited <= set(ROWS)
