"""What holds for every command: where settings come from, exit codes, one JSON document, no traceback."""

import errno
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.report_error import EXITS, exit_code_of, report_error
from quintet.cli.show import print_json, printable, text
from quintet.diagnostics import SettingsError
from quintet.directory import (
    AuthenticationError,
    DirectoryError,
    DirectoryUnavailableError,
    UnencryptedBindError,
    UnknownGroupError,
    UnknownNameError,
    UntrustedServerError,
)
from support.command import Quintet, at_terminal, run_program
from support.folder import settings_folder
from support.slapd import Slapd

COMMANDS = (
    ("check",),
    ("connections",),
    ("resolve", "alice"),
    ("browse",),
    ("members", "sales"),
    ("card", "alice"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_an_empty_folder_is_2_and_says_what_is_missing(quintet: Quintet, arguments: tuple[str, ...]) -> None:
    ran = quintet(*arguments)
    assert ran.code == 2
    assert "StCommunityConfig.xml" in ran.out + ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("resolve",),
        ("--nonsense",),
        ("card", "alice", "--set", "2"),
        ("browse", "--page-size", "many"),
        (),
    ],
    ids=str,
)
def test_wrong_usage_is_2_on_standard_error(quintet: Quintet, arguments: tuple[str, ...]) -> None:
    ran = quintet(*arguments)
    assert ran.code == 2
    assert ran.err or not arguments


def test_help_and_version_are_0(quintet: Quintet) -> None:
    assert quintet("--help").code == 0
    assert quintet("--version").out.startswith("quintet ")
    for arguments in COMMANDS:
        assert quintet(arguments[0], "--help").code == 0


def test_help_shows_flags_without_a_value(quintet: Quintet) -> None:
    for arguments in (("--help",), ("resolve", "-h"), ("trust", "import", "--help")):
        shown = quintet(*arguments).out
        assert "--help" in shown
        assert "bool" not in shown.lower()


def test_a_command_in_an_error_is_not_broken_over_lines(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(
        UsageError("x" * 70, "run quintet trust fetch dir.example:636 --store /some/where/long/store.p12")
    )
    assert (
        "quintet trust fetch dir.example:636 --store /some/where/long/store.p12\n" in capsys.readouterr().err
    )


def test_an_error_of_the_system_names_the_file_and_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(FileNotFoundError(errno.ENOENT, "No such file or directory", "somewhere"))
    assert capsys.readouterr().err == "error: somewhere: No such file or directory\n"


@pytest.mark.real
def test_sound_settings_are_0(quintet: Quintet, sound_folder: Path) -> None:
    ran = quintet("--config", sound_folder, "check", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [each for each in ran.document["problems"] if each["severity"] == "error"] == []


@pytest.mark.real
def test_the_folder_comes_from_the_option_else_the_variable_else_where_one_is(
    quintet: Quintet, sound_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert quintet("check").code == 2
    monkeypatch.setenv("QUINTET_CONFIG", str(sound_folder))
    assert quintet("check").code == 0
    assert quintet("--config", tmp_path, "check").code == 2
    monkeypatch.delenv("QUINTET_CONFIG")
    monkeypatch.chdir(sound_folder)
    assert quintet("check").code == 0


@pytest.mark.real
def test_warnings_keep_out_of_the_document(quintet: Quintet, tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(
        tmp_path / "settings",
        small_slapd,
        level="passwords",
        directory={"QUINTET_ALLOW_CLEAR_SERVICE_BIND": "1"},
    )
    ran = quintet("--config", folder, "eavesdrop", "--json")
    assert ran.code == 0
    assert ran.document["protection"] == "passwords"
    assert "QUINTET_ALLOW_CLEAR_SERVICE_BIND" in ran.err


@pytest.mark.real
def test_warnings_about_the_account_come_where_they_matter_and_once(
    quintet: Quintet, tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(tmp_path / "settings", small_slapd, level="passwords")
    about = {
        command: [
            line
            for line in quintet("--config", folder, command, *given).err.splitlines()
            if line.startswith("warning: ") and "SCRAM" in line
        ]
        for command, *given in (("resolve", "alice"), ("card", "alice"), ("connections",), ("eavesdrop",))
    }
    assert about["resolve"] == about["card"] == []
    assert len(about["connections"]) == len(about["eavesdrop"]) == 2, "one for the tasks, one for the cards"


@pytest.mark.real
def test_the_installed_program_behaves_the_same(sound_folder: Path) -> None:
    ran = run_program("resolve", "José", "--json", environ={"QUINTET_CONFIG": str(sound_folder)})
    assert (ran.code, ran.err) == (0, "")
    assert ran.document["matches"][0]["name"] == "José Núñez"
    ascii_only = run_program(
        "resolve",
        "jose@example.com",
        "--json",
        environ={"QUINTET_CONFIG": str(sound_folder), "PYTHONIOENCODING": "ascii"},
    )
    assert ascii_only.document["matches"][0]["name"] == "José Núñez"


@pytest.mark.real
def test_a_password_typed_at_a_terminal_is_not_echoed(sound_folder: Path) -> None:
    with at_terminal("--config", sound_folder, "authenticate", "alice") as terminal:
        terminal.until("Password")
        terminal.type("alice-secret\n")
        terminal.until("Alice Adams")
        assert terminal.end() == 0
        assert b"alice-secret" not in terminal.shown


@given(st.text())
def test_what_is_printable_steers_nothing(value: str) -> None:
    assert all(c.isprintable() or c in "\u200c\u200d" for c in printable(value))


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P"])))
def test_letters_stay_as_they_are(value: str) -> None:
    assert printable(value) == value


def test_markup_is_not_read() -> None:
    assert text("[red]x[/red]").plain == "[red]x[/red]"


@given(st.dictionaries(st.text(), st.text() | st.none() | st.booleans() | st.lists(st.text())))
def test_a_document_is_read_back_as_it_was_and_steers_nothing(document: dict[str, object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr("sys.stdout", Stdout(written))
        print_json(document)
    printed = "".join(written)
    assert json.loads(printed) == document
    assert all(c.isprintable() or c in "\n\u200c\u200d" for c in printed)


class Stdout:
    encoding = "utf-8"

    def __init__(self, written: list[str]) -> None:
        self._written = written

    def write(self, data: str) -> int:
        self._written.append(data)
        return len(data)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthenticationError(), ExitCode.NO),
        (UnknownNameError("x"), ExitCode.NO),
        (UnknownGroupError("x"), ExitCode.NO),
        (DirectoryError("x"), ExitCode.NO),
        (UsageError("x"), ExitCode.USAGE),
        (SettingsError(Path(), ()), ExitCode.USAGE),
        (UnencryptedBindError("x"), ExitCode.USAGE),
        (DirectoryUnavailableError("x"), ExitCode.UNREACHABLE),
        (UntrustedServerError("x"), ExitCode.UNREACHABLE),
        (RuntimeError("x"), ExitCode.BUG),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_error_has_its_code(error: Exception, code: ExitCode) -> None:
    assert exit_code_of(error) is code
    assert set(EXITS.values()) <= set(ExitCode)


def test_an_error_says_its_cure_once(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(UsageError("it is broken", "mend it"))
    report_error(UnknownNameError("nobody has it", fix="Ask for somebody else"))
    said = capsys.readouterr().err
    assert said.count("mend it") == said.count("Ask for somebody else") == 1


def test_a_bug_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(ZeroDivisionError("division by zero"))
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said
