"""`quintet check`, which names every problem of the settings, and `quintet explain`, which explains one."""

from pathlib import Path

import pytest

from quintet.diagnostics import CODES
from support.command import Quintet

INI, COMMUNITY = "sametime.ini", "StCommunityConfig.xml"
SOUND = '<R><LDAP>\n<Connection HostName="h"\n{0}/></LDAP></R>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `check` finds nothing wrong with, apart from the note that there are no cards."""
    (tmp_path / INI).write_text("[Config]\n", encoding="utf-8")
    (tmp_path / COMMUNITY).write_text(SOUND.format(""), encoding="utf-8")
    (tmp_path / "UserInfoConfig.xml").write_text(
        '<U><Resources><Storage type="LDAP"><StorageDetails HostName="h"/><Details><Detail Id="Name"'
        ' FieldName="cn"/></Details></Storage></Resources><ParamsSets><Set SetId="1" params="Name"/>'
        "</ParamsSets></U>",
        encoding="utf-8",
    )
    return tmp_path


def test_settings_without_problems_are_told_in_a_sentence(quintet: Quintet, folder: Path) -> None:
    ran = quintet("check")
    assert (ran.code, ran.out, ran.err) == (0, "No problems found.\n", "")
    assert quintet("check", "--json").document == {"problems": []}


def test_each_problem_is_a_line_with_its_fix_below_and_a_count_at_the_end(
    quintet: Quintet, folder: Path
) -> None:
    (folder / COMMUNITY).write_text(SOUND.format('Port="many" OrganizationName="x"'), encoding="utf-8")
    (folder / INI).write_text("[Config]\nX_SHOE_SIZE=1\n", encoding="utf-8")
    ran = quintet("check")
    assert ran.code == 2
    assert ran.out.splitlines() == [
        f'{COMMUNITY}:3: error Q61: Port "many" is not valid: expected a whole number from 1 to 65535',
        "    set Port to a whole number from 1 to 65535",
        f"{COMMUNITY}:3: warning D24: OrganizationName is accepted and ignored: it is deprecated",
        "    remove OrganizationName",
        f'{INI}:2: note Q58: "X_SHOE_SIZE" is not a known setting; it is ignored',
        "    nothing has to be done if another program uses it",
        "1 error, 1 warning, 1 note",
    ]


def test_no_line_is_cut_or_folded_however_narrow_the_terminal(
    quintet: Quintet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    (folder / INI).write_text("[Config]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n", encoding="utf-8")
    first, fix, count = quintet("check").out.splitlines()
    assert first.startswith(f"{INI}:2: warning Q55: ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS ")
    assert fix == f"    move it to [Directory] of {INI}"
    assert count == "0 errors, 1 warning, 0 notes"


def test_json_has_the_fields_of_a_problem_and_no_others(quintet: Quintet, folder: Path) -> None:
    (folder / COMMUNITY).write_text(SOUND.format('SSLEnable="1"'), encoding="utf-8")
    ran = quintet("check", "--json")
    assert ran.code == 2
    (problem,) = ran.document["problems"]
    assert problem.pop("message").startswith('"SSLEnable" is not a known setting')
    assert problem == {
        "code": "Q60",
        "severity": "error",
        "file": COMMUNITY,
        "line": 3,
        "key": "SSLEnable",
        "fix": 'write SSLEnabled in place of "SSLEnable", or remove it',
    }


def test_a_problem_in_the_environment_has_no_line(
    quintet: Quintet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STI__Directory__QUINTET_START_TLS", "perhaps")
    (problem,) = quintet("check", "--json").document["problems"]
    assert (problem["file"], problem["line"]) == ("environment", None)
    assert quintet("check").out.startswith("environment: error Q61: STI__Directory__QUINTET_START_TLS ")


@pytest.mark.parametrize(
    ("ini", "code", "strict"),
    [
        ("[Config]\n", 0, 0),
        ("X_SHOE_SIZE=1\n", 0, 0),
        ("prose\n", 0, 2),
        ("[Directory]\nQUINTET_MAX_MEMBERS=x\n", 2, 2),
    ],
    ids=["nothing", "a note", "a warning", "an error"],
)
def test_warnings_fail_with_strict_alone(
    quintet: Quintet, folder: Path, ini: str, code: int, strict: int
) -> None:
    (folder / INI).write_text(ini, encoding="utf-8")
    assert (quintet("check").code, quintet("check", "--strict").code) == (code, strict)
    assert quintet("check", "--strict", "--json").code == strict


def test_what_a_file_holds_does_not_steer_the_terminal(quintet: Quintet, folder: Path) -> None:
    (folder / INI).write_text("[Config]\nX\x1b[31mSHOE\u202e[bold]SIZE=1\n", encoding="utf-8")
    out = quintet("check").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[bold]SIZE" in out


@pytest.mark.parametrize("name", ["D4", "d4", " q61 "])
def test_explain_prints_what_is_known_of_a_code(quintet: Quintet, name: str) -> None:
    code = CODES[name.strip().upper()]
    ran = quintet("explain", name)
    assert ran.code == 0
    assert ran.out.startswith(f"{code} {code.title}\n")
    for part in (code.severity.value, code.impact, code.fix, "docs/reference/findings.md#"):
        assert part in ran.out
    assert quintet("explain", name, "--json").document == {
        "code": code.name,
        "severity": code.severity.value,
        "title": code.title,
        "impact": code.impact,
        "fix": code.fix,
        "links": [f"docs/reference/findings.md#{code.name.lower()}", *(f"docs/{page}" for page in code.see)],
    }


@pytest.mark.parametrize(("name", "near"), [("D4O", "D40"), ("Q6000", "Q60"), ("Q 61", "Q61")])
def test_explain_of_an_unknown_code_is_2_with_codes_of_nearly_that_name(
    quintet: Quintet, name: str, near: str
) -> None:
    ran = quintet("explain", name)
    assert (ran.code, ran.out) == (2, "")
    assert near in ran.err


@pytest.mark.parametrize("name", ["", "nonsense", "D13"])
def test_explain_of_what_is_no_code_is_2(quintet: Quintet, name: str) -> None:
    assert quintet("explain", name).code == 2
