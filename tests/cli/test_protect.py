"""`quintet protect` shows the change, tries it, asks, and only then writes."""

import io
import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from quintet.cli.app import main
from quintet.files import locked
from quintet.runtime.pidfile import pid_file
from support import certs, keytool
from support.folder import settings_folder
from support.slapd import Slapd

FILES = ("sametime.ini", "StCommunityConfig.xml", "UserInfoConfig.xml")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd) -> Path:
    path = tmp_path_factory.mktemp("store") / "ldaptruststore.p12"
    return keytool.trust_store(path, {"ldap": small_slapd.authority})


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd, store: Path) -> Path:
    return settings_folder(tmp_path / "settings", small_slapd, level="none", store=store, account=None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def protect(folder: Path, *arguments: str) -> int:
    return main(["--config", str(folder), "protect", *arguments])


def connections(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, bool]:
    """Which connections are encrypted, as `quintet connections --json` tells."""
    capsys.readouterr()
    assert main(["--config", str(folder), "connections", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["connections"]
    return {row["task"]: row["encrypted"] for row in rows}


FIVE = ("authenticate", "resolve-login", "resolve-names", "browse", "group-content")


@pytest.mark.real
def test_each_level_takes_effect_on_real_connections(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"business-card": False}
    assert protect(folder, "all", "--yes") == 0
    assert connections(folder, capsys) == dict.fromkeys(FIVE, True) | card
    assert protect(folder, "passwords", "--yes") == 0
    assert connections(folder, capsys) == {task: task == "authenticate" for task in FIVE} | card
    assert protect(folder, "none", "--yes") == 0
    assert connections(folder, capsys) == dict.fromkeys(FIVE, False) | card
    assert protect(folder, "all", "--cards", "--yes") == 0
    assert connections(folder, capsys) == dict.fromkeys((*FIVE, "business-card"), True)


@pytest.mark.real
def test_the_difference_is_shown_and_yes_at_the_prompt_writes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert protect(folder, "passwords") == 0
    shown = capsys.readouterr()
    assert "+ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n" in shown.out
    assert "Write this?" in shown.err
    assert b"ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1" in (folder / "sametime.ini").read_bytes()
    assert (folder / "sametime.ini.bak").exists()


@pytest.mark.real
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_any_other_answer_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    before = contents(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert protect(folder, "all") == 1
    assert contents(folder) == before


@pytest.mark.real
def test_a_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    assert protect(folder, "all", "--dry-run") == 0
    assert contents(folder) == before
    assert "All connections were opened" in capsys.readouterr().err


@pytest.mark.real
def test_a_setting_that_would_not_connect_is_refused_with_the_reason(
    folder: Path, small_slapd: Slapd, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "StCommunityConfig.xml"
    path.write_text(path.read_text().replace(f'"{small_slapd.tls_port}"', f'"{small_slapd.port}"'))
    before = contents(folder)
    assert protect(folder, "all", "--yes") == 3
    assert contents(folder) == before
    shown = capsys.readouterr().err
    assert "this would fail" in shown
    assert "Nothing was written" in shown


@pytest.mark.real
def test_an_untrusted_server_is_refused_with_its_certificate(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = keytool.trust_store(tmp_path / "other.p12", {"x": certs.authority("Another", use="another")})
    ini = folder / "sametime.ini"
    ini.write_text(re.sub(r"(?m)^(\w+FILE)=.*", rf"\1={other}", ini.read_text()))
    assert protect(folder, "all", "--yes") == 3
    assert "Quintet Test CA" in capsys.readouterr().err


@pytest.mark.real
def test_cards_that_the_change_affects_are_tried(
    folder: Path, small_slapd: Slapd, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an encrypted level, their account's password may be sent unencrypted; their file stays."""
    assert protect(folder, "passwords", "--yes") == 0
    path = folder / "UserInfoConfig.xml"
    path.write_text(path.read_text().replace(f'Port="{small_slapd.port}"', 'Port="1"'))
    assert protect(folder, "all", "--yes") == 0
    before = contents(folder)
    capsys.readouterr()
    assert protect(folder, "none", "--yes", "--json") == 3
    assert contents(folder) == before
    document = json.loads(capsys.readouterr().out)
    assert [reason.partition(":")[0] for reason in document["refused"]] == ["business-card"]


@pytest.mark.real
def test_force_writes_what_would_not_connect(folder: Path, small_slapd: Slapd) -> None:
    path = folder / "StCommunityConfig.xml"
    path.write_text(path.read_text().replace(f'"{small_slapd.tls_port}"', '"1"'))
    assert protect(folder, "all", "--yes", "--force") == 0
    assert b'SSLEnabled="1"' in path.read_bytes()


@pytest.mark.real
def test_c59_an_account_that_would_show_its_password_is_refused(
    tmp_path: Path, make_slapd: Callable[..., Slapd], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = make_slapd(head="disallow bind_anon")
    folder = settings_folder(tmp_path / "settings", server, level="all", store=store)
    before = contents(folder)
    assert protect(folder, "passwords", "--yes") == 3
    assert contents(folder) == before
    assert "QUINTET_ALLOW_CLEAR_SERVICE_BIND" in capsys.readouterr().err


@pytest.mark.real
def test_json_is_one_document_with_what_was_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert protect(folder, "all", "--json", "--yes") == 0
    document = json.loads(capsys.readouterr().out)
    assert document.pop("difference").startswith("--- StCommunityConfig.xml")
    assert document == {
        "protection": "all",
        "cards": None,
        "changed": ["StCommunityConfig.xml"],
        "refused": [],
        "written": True,
        "backups": [str(folder / "StCommunityConfig.xml.bak")],
        "reloaded": None,
    }


def test_nothing_is_opened_or_written_when_the_files_say_so_already(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    assert protect(folder, "none") == 0
    assert contents(folder) == before
    assert "already have this level" in capsys.readouterr().out


@pytest.mark.real
def test_a_running_server_is_told_to_reload(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = signal.signal(signal.SIGHUP, note)
    try:
        with pid_file(folder):
            assert protect(folder, "all", "--yes") == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert got == [signal.SIGHUP]
    assert f"process {os.getpid()}" in capsys.readouterr().out


def test_a_second_protect_meanwhile_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.files.LOCK_WAIT", 0.0)
    before = contents(folder)
    with locked(folder):
        assert protect(folder, "all", "--yes") == 1
    assert contents(folder) == before
    assert "another command is changing the files" in capsys.readouterr().err


@pytest.mark.real
def test_two_at_once_leave_whole_files_of_one_or_the_other(folder: Path) -> None:
    levels = ("all", "passwords")
    codes: list[int] = []

    def one(level: str) -> None:
        codes.append(protect(folder, level, "--yes"))

    threads = [threading.Thread(target=one, args=(level,)) for level in levels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0]
    assert b'SSLEnabled="1"' in (folder / "StCommunityConfig.xml").read_bytes()
    assert not [name for name in contents(folder) if name.startswith(".")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("some",), "is not one of"), ((), "Missing argument")],
)
def test_a_wrong_command_line_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert protect(folder, *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_missing_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert protect(tmp_path / "none", "all") == 2
    assert f"{tmp_path / 'none'}: No such file or directory" in capsys.readouterr().err
