"""`quintet doctor` as people and scripts run it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.cli import main
from quintet.embedded import sample
from support.command import at_terminal

pytestmark = pytest.mark.real

Make = Callable[..., Path]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(folder: Path, *options: str) -> tuple[int, str]:
        code = main(["--config", str(folder), "doctor", *options])
        return code, capsys.readouterr().out

    return run


def test_a_sound_folder_is_told_in_a_word(make_folder: Make, run: Any) -> None:
    code, out = run(make_folder())

    assert code == 0
    assert out.startswith("No problems found. ")
    assert out.endswith(" checks finished, 0 failed, 0 not made.\n")


def test_json_of_a_sound_folder_has_no_findings(make_folder: Make, run: Any) -> None:
    code, out = run(make_folder(), "--json")

    document = json.loads(out)
    assert (code, document["findings"]) == (0, [])
    assert document["checks"].pop("finished") > 5
    assert document["checks"] == {"failed": 0, "not_made": 0}


def test_warnings_alone_do_not_fail(make_folder: Make, run: Any) -> None:
    code, out = run(make_folder(connection={"OrganizationName": "x"}), "--json")

    assert code == 0
    assert [each["code"] for each in json.loads(out)["findings"]] == ["D24"]


def test_an_error_is_exit_code_1_and_comes_first(make_folder: Make, run: Any) -> None:
    folder = make_folder(connection={"OrganizationName": "x"}, account=(sample.READER, "wrong-secret"))
    code, out = run(folder, "--json")

    findings = json.loads(out)["findings"]
    assert code == 1
    assert [set(each) for each in findings] == [
        {"code", "severity", "title", "found", "impact", "fix"} for _ in findings
    ]
    assert findings[0]["severity"] == "error"


def test_people_read_it_in_80_columns(make_folder: Make) -> None:
    folder = make_folder(account=(sample.READER, "wrong-secret"), level="passwords")
    with at_terminal("--config", folder, "doctor") as terminal:
        assert terminal.end() == 1

    assert all(len(line) <= 80 for line in terminal.lines if line.startswith(" "))
    assert any(line.startswith("    fix") for line in terminal.lines)


def test_programs_read_a_value_on_a_line_without_colour(make_folder: Make, run: Any) -> None:
    _, out = run(make_folder(account=(sample.READER, "wrong-secret"), level="passwords"))

    lines = out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    values = [line.split("\t") for line in lines if "\t" in line]
    assert {label for label, _ in values} == {"found", "impact", "fix"}
    assert "\x1b" not in out


def test_no_password_is_shown(make_folder: Make, run: Any) -> None:
    folder = make_folder(account=(sample.READER, "wrong-secret"), config={"STLDAP_TLS_KEY_STORE_TYPE": "p12"})

    shown = run(folder)[1] + run(folder, "--json")[1]

    assert "D9" in shown
    assert not any(secret in shown for secret in ("wrong-secret", "store-secret"))


@pytest.mark.parametrize(
    "check",
    [
        "read",
        "stores.examine",
        "sites_of",
        "handshakes.examine",
        "handshakes.reach",
        "handshakes._speaks",
        "try_as_sametime",
        "accounts.examine",
        "accounts._try",
        "accounts._check_unencrypted",
        "read_root",
        "check_kind",
        "compare",
        "people.examine",
        "groups.examine",
        "cards.examine",
        "cards.report_absent",
        "check_mail_shortcut",
    ],
)
def test_a_check_that_breaks_is_never_taken_for_success(
    make_folder: Make, run: Any, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr(f"quintet.admin.doctor.examination.{check}", broken)
    code, out = run(make_folder(), "--sametime", "--json")

    document = json.loads(out)
    assert code == 1
    assert document["checks"]["failed"] >= 1
    assert "RuntimeError: not foreseen" in next(
        each["found"] for each in document["findings"] if each["code"] == "Q91"
    )


def test_what_could_not_be_examined_fails(make_folder: Make, run: Any) -> None:
    folder = make_folder()
    (folder / "StCommunityConfig.xml").write_text("<")
    code, out = run(folder, "--json")

    assert code == 1
    assert json.loads(out)["checks"]["not_made"] >= 1
