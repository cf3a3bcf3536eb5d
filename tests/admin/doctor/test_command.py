"""`quintet doctor` as people and scripts run it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.cli import main
from quintet.embedded import sample

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
    assert run(make_folder()) == (0, "No problems found.\n")


def test_json_of_a_sound_folder_has_no_findings(make_folder: Make, run: Any) -> None:
    code, out = run(make_folder(), "--json")

    assert (code, json.loads(out)) == (0, {"findings": []})


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


def test_people_read_it_in_80_columns_without_colour(make_folder: Make, run: Any) -> None:
    _, out = run(make_folder(account=(sample.READER, "wrong-secret"), level="passwords"))

    assert all(len(line) <= 80 for line in out.splitlines())
    assert "\x1b" not in out
    for word in ("found", "impact", "fix"):
        assert f"    {word}" in out


def test_no_password_is_shown(make_folder: Make, run: Any) -> None:
    folder = make_folder(account=(sample.READER, "wrong-secret"), config={"STLDAP_TLS_KEY_STORE_TYPE": "p12"})

    shown = run(folder)[1] + run(folder, "--json")[1]

    assert "D9" in shown
    assert not any(secret in shown for secret in ("wrong-secret", "store-secret"))
