"""Commands run in this process, and settings to run them on."""

import io
import sys
from pathlib import Path

import pytest

from quintet.cli import main
from support.command import PLAIN, Quintet, Ran
from support.folder import settings_folder
from support.slapd import Slapd


@pytest.fixture
def quintet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Quintet:
    """Runs a command in this process, without colour, 80 columns wide, in an empty folder."""
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def sound_folder(tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd) -> Path:
    """Settings at the level "all", cards included, for the small organisation."""
    folder = tmp_path_factory.mktemp("settings") / "all"
    return settings_folder(folder, small_slapd, level="all", cards_encrypted=True)
