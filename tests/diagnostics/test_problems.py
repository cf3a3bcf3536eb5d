"""One problem as data, and the collector."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.diagnostics import (
    Diagnostic,
    Diagnostics,
    Finding,
    Pitfall,
    Place,
    SettingsError,
    Severity,
    nearest,
    shown,
)

HERE = Place("sametime.ini", 3)


def test_severity_and_fix_are_those_of_the_code_unless_given() -> None:
    plain = Diagnostic.of(Pitfall.D24, HERE, "OrganizationName", "it is set")
    assert (plain.severity, plain.fix, plain.impact) == (Severity.WARNING, Pitfall.D24.fix, None)
    exact = Diagnostic.of(
        Pitfall.D24, HERE, None, "it is set", "remove line 3", severity=Severity.ERROR, impact="all fails"
    )
    assert (exact.severity, exact.fix, exact.impact) == (Severity.ERROR, "remove line 3", "all fails")


def test_a_problem_in_words() -> None:
    problem = Diagnostic.of(Pitfall.D24, HERE, "OrganizationName", "it is set", "remove it")
    assert str(problem) == "sametime.ini:3: it is set (D24)"
    assert Diagnostic.of(Finding.Q90, None, None, "the server").found == "the server"


def test_settings_that_cannot_be_used_tell_their_errors_alone_and_keep_all() -> None:
    note = Diagnostic.of(Finding.Q58, HERE, None, "a note")
    error = Diagnostic.of(Finding.Q61, HERE, None, "an error", "correct it")
    raised = SettingsError(Path("folder"), [note, error])
    assert raised.problems == (error, note)
    assert str(raised) == "sametime.ini:3: an error; correct it (Q61)"


def test_the_same_problem_counts_once_and_errors_come_first() -> None:
    found = Diagnostics()
    for _ in range(2):
        found.add(Finding.Q58, HERE, "X", "a note")
        found.add(Finding.Q61, HERE, "X", "an error")
    assert [problem.code for problem in found.problems] == [Finding.Q61, Finding.Q58]
    assert found.failed


@pytest.mark.parametrize(
    ("name", "code"), [("SSLEnable", Finding.Q60), ("Prot", Finding.Q59), ("Shoe", Finding.Q58)]
)
def test_an_unknown_name_is_the_worse_the_nearer_it_is_to_a_setting_that_matters(
    name: str, code: Finding
) -> None:
    found = Diagnostics()
    found.unknown_name(HERE, name, ("SSLEnabled", "Port"), {"SSLEnabled"})
    assert [problem.code for problem in found.problems] == [code]


def test_a_setting_of_sametimes_own_that_is_merely_like_one_that_matters_is_no_error() -> None:
    found = Diagnostics()
    found.unknown_name(HERE, "VP_SECURITY_LEVEL", ("ST_TLS_SECURITY_LEVEL",), {"ST_TLS_SECURITY_LEVEL"})
    assert [problem.code for problem in found.problems] == [Finding.Q59]


def test_a_name_that_is_nearly_none_is_told_only_where_unknown_names_are() -> None:
    found = Diagnostics()
    assert not found.warn_misspelling(HERE, "Shoe", ("SSLEnabled", "Port"))
    assert found.problems == ()


@given(st.text(max_size=30))
def test_what_is_shown_is_printable_and_on_one_line(text: str) -> None:
    assert shown(text).isprintable()


def test_an_invisible_character_is_shown_by_its_number() -> None:
    assert shown("a\u200b\u00a0\n") == '"a<U+200B><U+00A0><U+000A>"'
    assert shown("ab" * 50, 3) == '"aba…"'


def test_the_nearest_name_ignores_case() -> None:
    assert nearest("sslenable", ["SSLPort", "SSLEnabled"]) == "SSLEnabled"
    assert nearest("shoe", ["SSLPort"]) is None
