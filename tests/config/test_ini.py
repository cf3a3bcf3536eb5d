"""Reading sametime.ini (rows C11 and C13 of the reference)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.ini import IniEntry, LineKind, parse_ini, read_ini
from quintet.diagnostics import Diagnostics, Finding, Severity

NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12)
VALUES = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\u2028\u2029"), max_size=20
)


def read(text: str | bytes) -> tuple[tuple[IniEntry, ...], Diagnostics]:
    findings = Diagnostics()
    data = text.encode() if isinstance(text, str) else text
    return read_ini(data, findings), findings


def values(text: str | bytes) -> dict[tuple[str | None, str], str]:
    return {(e.section, e.key): e.value for e in read(text)[0]}


def test_c11_blanks_around_the_equals_sign_are_stripped() -> None:
    assert values("[Config]\nA = 1\n  B=  2  \n") == {("Config", "A"): "1", ("Config", "B"): "2"}


def test_c11_a_key_belongs_to_the_section_above_it() -> None:
    assert values("[Config]\nA=1\n[Debug]\nA=2") == {("Config", "A"): "1", ("Debug", "A"): "2"}


def test_a_key_above_all_sections_has_none() -> None:
    assert values("A=1") == {(None, "A"): "1"}


def test_a_value_keeps_its_equals_signs_and_hashes() -> None:
    assert values("[C]\nA=cn=x,o=y#1;2") == {("C", "A"): "cn=x,o=y#1;2"}


@pytest.mark.parametrize("comment", ["; A=1", "# A=1", "   ;A=1"])
def test_comments_are_no_keys(comment: str) -> None:
    entries, findings = read(f"[C]\n{comment}\n")
    assert not entries
    assert not findings.problems


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_understood(end: str) -> None:
    entries, _ = read(f"[C]{end}A=1{end}B=2")
    assert [(e.key, e.value, e.place.line) for e in entries] == [("A", "1", 2), ("B", "2", 3)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_read(encoding: str) -> None:
    assert values("[C]\nA=Zoë".encode(encoding)) == {("C", "A"): "Zoë"}


def test_a_file_that_is_no_utf_8_is_read_as_latin_1_with_a_note() -> None:
    entries, findings = read("[C]\nA=Zoë".encode("latin-1"))
    assert entries[0].value == "Zoë"
    assert [(p.code, p.severity) for p in findings.problems] == [(Finding.Q45, Severity.NOTE)]


def test_utf_16_without_a_mark_is_an_error() -> None:
    _, findings = read("[C]\nA=1".encode("utf-16-le"))
    assert findings.failed
    assert findings.problems[0].code is Finding.Q46


def test_of_a_key_given_twice_the_last_counts_and_both_lines_are_named() -> None:
    entries, findings = read("[C]\nKEY=1\nOTHER=2\nkey=3\n")
    assert {e.key: e.value for e in entries} == {"OTHER": "2", "key": "3"}
    (problem,) = findings.problems
    assert (problem.code, problem.place.line if problem.place else 0) == (Finding.Q50, 4)
    assert problem.fix == "remove line 2"


def test_c13_sections_that_differ_in_case_or_hyphen_are_one() -> None:
    entries, findings = read("[Debug-StUsers]\nA=1\n[DEBUG_STUSERS]\nA=2\n")
    assert [e.value for e in entries] == ["2"]
    assert (findings.problems[0].code, str(findings.problems[0].place)) == (Finding.Q48, "sametime.ini:3")


def test_a_line_that_is_nothing_is_told_with_its_number() -> None:
    _, findings = read("[C]\nthis is prose\n=1\n")
    assert [(p.code, p.place and p.place.line) for p in findings.problems] == [
        (Finding.Q49, 2),
        (Finding.Q49, 3),
    ]


def test_a_control_character_in_a_value_is_told() -> None:
    _, findings = read("[C]\nA=1\x07\n")
    assert findings.problems[0].code is Finding.Q51
    assert "U+0007" in findings.problems[0].message


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_the_lines_joined_are_the_text(text: str) -> None:
    assert "".join(line.text + line.end for line in parse_ini(text)) == text


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert len(read_ini(data, Diagnostics())) <= data.count(b"=")


@given(st.dictionaries(st.tuples(NAMES, NAMES), VALUES, max_size=8))
def test_what_is_written_is_read(wanted: dict[tuple[str, str], str]) -> None:
    text = "".join(f"[{section}]\n{key}={value}\n" for (section, key), value in wanted.items())
    assert values(text) == {name: value.strip() for name, value in wanted.items()}


def test_every_line_has_its_kind() -> None:
    lines = parse_ini("[C]\n\n; x\nA=1\nprose")
    assert [line.kind for line in lines] == [
        LineKind.SECTION,
        LineKind.BLANK,
        LineKind.COMMENT,
        LineKind.KEY,
        LineKind.OTHER,
    ]
    assert lines[3].section == "C"
