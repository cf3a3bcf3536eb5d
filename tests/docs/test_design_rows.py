"""Every row and section that code, tests and pages cite is in docs/design, and has its number alone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.diagnostics import CODES

ROOT = Path(__file__).parent.parent.parent
DESIGN = ROOT / "docs" / "design"
PAGES = sorted(DESIGN.glob("*.md"))
FINDINGS = ROOT / "docs" / "reference" / "findings.md"

SECTIONED = {"config": DESIGN / "sametime-configuration.md"}
"""The word before a section number, and the page whose headings have these numbers."""

BASES = (
    "documented 12",
    "documented 11",
    "documented 10",
    "API 9",
    "reported",
    "observed",
    "standard",
    "inferred",
    "ours",
    "open",
)
"""What a fact may rest on, as docs/design/README.md explains."""

_SEPARATOR = r"(?:,?\s+and\s+|,\s+|\s+to\s+)"
_ROW = r"[ACDFQ]\d{1,3}"
_SECTION = r"\d{1,2}(?:\.\d{1,2})*"
# A letter and a number alone, as in "(D38)". Those beside a colon or after a sign are bytes in hexadecimal.
_BARE = re.compile(
    r"(?<![\w:.%\\/#+-])(?P<kind>[CDQ])(?P<first>\d{1,3})"
    r"(?:\s+to\s+(?P=kind)(?P<last>\d{1,3}))?(?!\w|:[0-9A-F]{2}\b)"
)
# Decisions and found facts only after their word: "A4" is a size of paper, and "F5" a key.
_AFTER_WORD = re.compile(rf"\b(?:[Dd]ecisions?|[Rr]ows?)\s+(?P<list>{_ROW}(?:{_SEPARATOR}{_ROW})*)(?!\w)")
_SECTIONS = re.compile(
    rf"\b(?P<word>{'|'.join(SECTIONED)})\s+(?P<list>{_SECTION}(?:{_SEPARATOR}\d{{1,2}}\.\d{{1,2}})*)(?![\w.]*\d)",
    re.IGNORECASE,
)
# The section that a table of settings gives as the source of an entry; after "=" it is an attribute of XML.
_SOURCE = re.compile(r'(?<!=)"(?P<list>\d\.\d{1,2})"')
_TABLES = ROOT / "src" / "quintet" / "config"

_ROW_DEFINED = re.compile(r"^(?:\| |#{2,4} )(?P<row>[ACDFQ]\d{1,3})\b", re.MULTILINE)
_SECTION_DEFINED = re.compile(rf"^#{{2,4}} (?P<section>{_SECTION}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Citation:
    """One number that is cited: a row ("C42"), or a section with its page's word ("config 2.9")."""

    number: str
    line: int


def rows_in(text: str) -> Iterator[Citation]:
    """Every row that the text cites; of a range, all of them."""
    for found in _BARE.finditer(text):
        begin, end = int(found["first"]), int(found["last"] or found["first"])
        yield from (Citation(f"{found['kind']}{n}", _line_of(text, found)) for n in range(begin, end + 1))
    for found in _AFTER_WORD.finditer(text):
        rows = (row for row in _expanded(found["list"]) if row[0] in "AF")
        yield from (Citation(row, _line_of(text, found)) for row in rows)


def sections_in(text: str, *, table: bool = False) -> Iterator[Citation]:
    """Every section that the text cites; of a range, all of them. `table`: sources of settings count too."""
    for found in _SECTIONS.finditer(text):
        for number in _expanded(found["list"]):
            yield Citation(f"{found['word'].lower()} {number}", _line_of(text, found))
    for found in _SOURCE.finditer(text) if table else ():
        yield Citation(f"config {found['list']}", _line_of(text, found))


def _expanded(numbers: str) -> Iterator[str]:
    """The items of "C2 to C4, C39 and C41" or "2.3 to 2.5, 4.2"."""
    for item in re.split(r",?\s+and\s+|,\s+", numbers):
        first, *last = re.split(r"\s+to\s+", item)
        stem, begin = _parted(first)
        _, end = _parted(last[0] if last else first)
        yield from (f"{stem}{number}" for number in range(begin, end + 1))


def _parted(number: str) -> tuple[str, int]:
    """What counts up, and what stands before it: "C" and 42, "2." and 9."""
    digits = re.search(r"\d+\Z", number)
    assert digits is not None
    return number[: digits.start()], int(digits[0])


def _line_of(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def citing_files() -> Iterator[Path]:
    """Source, tests and pages, apart from this file, whose samples name rows that are not there."""
    for folder, pattern in (("src", "*.py"), ("tests", "*.py"), ("docs", "*.md")):
        yield from (path for path in sorted((ROOT / folder).rglob(pattern)) if path != Path(__file__))


def defined_rows(pages: Iterable[Path]) -> list[str]:
    return [row for page in pages for row in _ROW_DEFINED.findall(page.read_text(encoding="utf-8"))]


def defined_sections(page: Path) -> list[str]:
    return _SECTION_DEFINED.findall(page.read_text(encoding="utf-8"))


def test_every_row_that_is_cited_exists() -> None:
    known = set(defined_rows(PAGES)) | set(CODES)
    cited = [(path, each) for path in citing_files() for each in rows_in(path.read_text(encoding="utf-8"))]
    assert cited
    assert [_told(path, each) for path, each in cited if each.number not in known] == []


def test_every_section_that_is_cited_exists() -> None:
    known = {f"{word} {number}" for word, page in SECTIONED.items() for number in defined_sections(page)}
    cited = [
        (path, each)
        for path in citing_files()
        for each in sections_in(path.read_text(encoding="utf-8"), table=_TABLES in path.parents)
    ]
    assert cited
    assert [_told(path, each) for path, each in cited if each.number not in known] == []


def _told(path: Path, citation: Citation) -> str:
    return f"{path.relative_to(ROOT)}:{citation.line} cites {citation.number}"


def test_no_row_number_is_used_twice() -> None:
    assert [row for row, times in Counter(defined_rows(PAGES)).items() if times > 1] == []


@pytest.mark.parametrize("page", set(SECTIONED.values()), ids=lambda page: page.name)
def test_no_section_number_is_used_twice(page: Path) -> None:
    assert [number for number, times in Counter(defined_sections(page)).items() if times > 1] == []


@pytest.mark.parametrize("kind", ["A", "C", "D", "F"])
def test_rows_are_numbered_from_1_without_a_gap(kind: str) -> None:
    numbers = [int(row[1:]) for row in defined_rows(PAGES) if row[0] == kind]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


@pytest.mark.parametrize("page", set(SECTIONED.values()), ids=lambda page: page.name)
def test_every_fact_says_what_it_rests_on(page: Path) -> None:
    assert [cell for cell in _last_cells(page) if not cell.startswith(BASES)] == []


def _last_cells(page: Path) -> Iterator[str]:
    """The last cell of each row of the tables whose last column is "basis"."""
    header = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            header = False
            continue
        last = re.split(r"(?<!\\)\|", line)[-2].strip()
        if last == "basis":
            header = True
        elif header and last != "---":
            yield last


@pytest.mark.parametrize("basis", BASES)
def test_what_a_fact_may_rest_on_is_explained(basis: str) -> None:
    assert re.search(rf"^\| {basis} \| \w", (DESIGN / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("as others do (row C40), or entries", ["C40"]),
        ("rows C2 to C4, C39,\nC41 and C42", ["C2", "C3", "C4", "C39", "C41", "C42"]),
        ("(rows C11 to C12, C86; D5, D34)", ["C11", "C12", "C86", "D5", "D34"]),
        ("# D36 under 'only passwords', Q14", ["D36", "Q14"]),
        ('report.add("D36")', ["D36"]),
        ("or None (D38).", ["D38"]),
        ("C1 to C3: which; Q30: members", ["C1", "C2", "C3", "Q30"]),
        ("[D37](findings.md#d37)", ["D37"]),
        ("decision A7; decisions A9 to A11 and A13", ["A7", "A9", "A10", "A11", "A13"]),
        ("Rows F3 and C2", ["C2", "F3"]),
        ("SHA-256 D6:4A:C3:90:0D:C2", []),
        ("%C3%A9, \\C3\\A9, 0xC02C, +D7, A4, F5, C-3, C1234, example.C3", []),
    ],
)
def test_rows_are_found_in_every_spelling(text: str, rows: list[str]) -> None:
    assert [each.number for each in rows_in(text)] == rows


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("(config 2.9)", ["2.9"]),
        ("Config 2.5, rows C23 to C25", ["2.5"]),
        ("config 2.3 to 2.5.", ["2.3", "2.4", "2.5"]),
        ("config 2.3, 2.6 and 2.7", ["2.3", "2.6", "2.7"]),
        ("config 2.9,\n2.10", ["2.9", "2.10"]),
        ("(config 3): the servers", ["3"]),
        ("config 4.3, D10", ["4.3"]),
        ("the config of 4.3, preconfig 4.3, RFC 4511 4.2", []),
    ],
)
def test_sections_are_found_in_every_spelling(text: str, sections: list[str]) -> None:
    assert [each.number for each in sections_in(text)] == [f"config {number}" for number in sections]


def test_a_citation_knows_its_line() -> None:
    assert list(rows_in("\n\nrow C42")) == [Citation("C42", 3)]


def test_the_source_of_a_setting_in_a_table_is_a_citation() -> None:
    text = 'IniKey("DirectoryType", "2.9"), "2.5.4.3", "12.0"'
    assert [each.number for each in sections_in(text, table=True)] == ["config 2.9"]
    assert list(sections_in(text)) == []
