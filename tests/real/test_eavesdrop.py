"""Eavesdropping on ourselves, at a real slapd: level, verdict and bytes agree."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.admin.eavesdrop import CARD, Report, ServiceDisclosure, SignIn, eavesdrop
from quintet.admin.pcap import pcap
from quintet.admin.proxy import Direction
from quintet.config import load
from quintet.directory.services import Protection, Service
from quintet.secret import Secret
from support import small
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

_TASKS = [task.value for task in Service]
_CLEAR_UNDER_PASSWORDS = [task.value for task in Service if task is not Service.AUTHENTICATE]


async def _report(folder: Path, level: Protection | None = None, sign_in: SignIn | None = None) -> Report:
    return await eavesdrop(load(folder, {}), level=level, sign_in=sign_in)


def _by_task(report: Report) -> dict[str, ServiceDisclosure]:
    assert all(each.error is None for each in report.tasks), [each.error for each in report.tasks]
    return {each.task: each for each in report.tasks}


def _bytes(report: Report) -> bytes:
    return b"".join(r.sent(d) for r in report.recordings for d in Direction)


async def test_encrypt_all_with_cards_gives_away_nothing(tmp_path: Path, small_slapd: Slapd) -> None:
    report = await _report(settings_folder(tmp_path / "s", small_slapd, level="all", cards_encrypted=True))
    for task, each in _by_task(report).items():
        heard = each.overheard
        assert heard is not None
        assert heard.encrypted, task
        assert (heard.names, heard.filters, heard.values, heard.passwords) == (False,) * 4, task
        assert heard.bytes_seen > 1000
    assert b"example" not in _bytes(report)
    assert small.READER_PASSWORD.encode() not in _bytes(report)


async def test_cards_in_clear_are_told_while_the_rest_is_encrypted(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    report = await _report(settings_folder(tmp_path / "s", small_slapd, level="all", account=None))
    tasks = _by_task(report)
    card = tasks[CARD].overheard
    assert card is not None
    assert not card.encrypted
    assert (card.names, card.values, card.passwords) == (True, True, False)
    assert all(not (heard := tasks[t].overheard) or not heard.names for t in _TASKS)


async def test_passwords_only_shows_names_and_values_but_no_password(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(
        tmp_path / "s", small_slapd, level="passwords", account=None, cards_encrypted=True
    )
    tasks = _by_task(await _report(folder))
    signing_in = tasks["authenticate"].overheard
    assert signing_in is not None
    assert (signing_in.encrypted, signing_in.names, signing_in.passwords) == (True, False, False)
    for task in _CLEAR_UNDER_PASSWORDS:
        heard = tasks[task].overheard
        assert heard is not None
        assert (heard.encrypted, heard.names, heard.values, heard.passwords) == (False, True, True, False), (
            task
        )
        assert heard.evidence


async def test_encrypt_nothing_shows_everything_and_the_evidence_masks_the_passwords(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    report = await _report(settings_folder(tmp_path / "s", small_slapd, level="none"))
    tasks = _by_task(report)
    for task in [*_TASKS, CARD]:
        heard = tasks[task].overheard
        assert heard is not None
        assert (heard.encrypted, heard.names, heard.passwords) == (False, True, True), task
        assert small.READER_PASSWORD not in str(heard.evidence)
    assert small.READER_PASSWORD.encode() in _bytes(report)


async def test_another_level_is_tried_without_the_account_in_clear(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="all", cards_encrypted=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    report = await _report(folder, Protection.NONE)
    assert report.protection is Protection.NONE
    signing_in = _by_task(report)["authenticate"].overheard
    assert signing_in is not None
    assert signing_in.passwords
    assert small.READER_PASSWORD.encode() not in _bytes(report)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_a_real_sign_in_is_heard_under_none(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="none", account=None)
    report = await _report(folder, sign_in=SignIn("alice", Secret("alice-secret")))
    assert b"alice-secret" in _bytes(report)
    assert "alice-secret" not in str(report.tasks)


async def test_a_server_that_is_down_is_never_called_silent(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd()
    settings = load(settings_folder(tmp_path / "s", server, level="none", account=None), {})
    server.kill()
    report = await eavesdrop(settings)
    assert all(each.error for each in report.tasks)
    assert all(each.overheard is None or not each.overheard.names for each in report.tasks)


async def test_the_capture_holds_what_was_heard(tmp_path: Path, small_slapd: Slapd) -> None:
    report = await _report(settings_folder(tmp_path / "s", small_slapd, level="none", account=None))
    capture = tmp_path / "a.pcap"
    capture.write_bytes(pcap(report.recordings))
    reader = await asyncio.create_subprocess_exec(
        *("tcpdump", "-nn", "-A", "-r", str(capture)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    read = (await reader.communicate())[0].decode(errors="replace")
    assert "alice@example.com" in read.replace("\n", "")


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quintet", "--config", str(folder), "eavesdrop", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
    )


def test_the_command_prints_one_document(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="passwords", account=None)
    capture = tmp_path / "wire.pcap"
    done = _command(folder, "--json", "--record", str(capture))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["protection"] == "passwords"
    assert [each["task"] for each in document["connections"]] == [*_TASKS, CARD]
    keys = {"task", "encrypted", "names_visible", "values_visible", "passwords_visible", "evidence"}
    assert all(each.keys() == keys for each in document["connections"])
    assert capture.stat().st_mode & 0o777 == 0o600


def test_the_command_says_in_words_what_a_listener_reads(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="none")
    done = _command(folder)
    assert done.returncode == 0, done.stderr
    assert "PASSWORDS" in done.stdout
    assert "Whoever listens gets passwords" in done.stdout
    assert small.READER_PASSWORD not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
