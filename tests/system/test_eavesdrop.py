"""Capturing our own traffic to a real slapd: level, report and bytes agree."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.admin.eavesdrop import Report, ServiceDisclosure, SignInCredentials, eavesdrop
from quintet.admin.pcap import pcap
from quintet.admin.proxy import Direction
from quintet.config.load import load
from quintet.directory import TASKS, Protection, Service
from quintet.secret import Secret
from support import small
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

_CLEAR_UNDER_PASSWORDS = [task for task in TASKS if task is not Service.AUTHENTICATE]


async def _report(
    folder: Path, level: Protection | None = None, sign_in: SignInCredentials | None = None
) -> Report:
    return await eavesdrop(load(folder, {}), level=level, sign_in=sign_in)


def _by_task(report: Report) -> dict[Service, ServiceDisclosure]:
    assert all(each.error is None for each in report.services), [each.error for each in report.services]
    return {each.service: each for each in report.services}


def _bytes(report: Report) -> bytes:
    return b"".join(r.sent(d) for r in report.recordings for d in Direction)


async def test_encrypt_all_with_cards_discloses_nothing(tmp_path: Path, small_slapd: Slapd) -> None:
    report = await _report(settings_folder(tmp_path / "s", small_slapd, level="all", cards_encrypted=True))
    for task, each in _by_task(report).items():
        heard = each.disclosure
        assert heard is not None
        assert heard.encrypted, task
        assert (heard.names, heard.filters, heard.values, heard.passwords) == (False,) * 4, task
        assert heard.bytes_seen > 1000
    assert b"example" not in _bytes(report)
    assert small.READER_PASSWORD.encode() not in _bytes(report)


async def test_unencrypted_cards_are_reported_while_the_rest_is_encrypted(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    report = await _report(settings_folder(tmp_path / "s", small_slapd, level="all", account=None))
    tasks = _by_task(report)
    card = tasks[Service.BUSINESS_CARD].disclosure
    assert card is not None
    assert not card.encrypted
    assert (card.names, card.values, card.passwords) == (True, True, False)
    assert all(not (heard := tasks[t].disclosure) or not heard.names for t in TASKS)


async def test_passwords_only_shows_names_and_values_but_no_password(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(
        tmp_path / "s", small_slapd, level="passwords", account=None, cards_encrypted=True
    )
    tasks = _by_task(await _report(folder))
    signing_in = tasks[Service.AUTHENTICATE].disclosure
    assert signing_in is not None
    assert (signing_in.encrypted, signing_in.names, signing_in.passwords) == (True, False, False)
    for task in _CLEAR_UNDER_PASSWORDS:
        heard = tasks[task].disclosure
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
    for task in Service:
        heard = tasks[task].disclosure
        assert heard is not None
        assert (heard.encrypted, heard.names, heard.passwords) == (False, True, True), task
        assert small.READER_PASSWORD not in str(heard.evidence)
    assert small.READER_PASSWORD.encode() in _bytes(report)


async def test_another_level_is_tried_without_sending_the_account_unencrypted(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="all", cards_encrypted=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    report = await _report(folder, Protection.NONE)
    assert report.protection is Protection.NONE
    signing_in = _by_task(report)[Service.AUTHENTICATE].disclosure
    assert signing_in is not None
    assert signing_in.passwords
    assert small.READER_PASSWORD.encode() not in _bytes(report)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_a_real_sign_in_is_captured_under_none(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="none", account=None)
    report = await _report(folder, sign_in=SignInCredentials("alice", Secret("alice-secret")))
    assert b"alice-secret" in _bytes(report)
    assert "alice-secret" not in str(report.services)


async def test_an_unreachable_server_is_an_error_and_not_a_good_result(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd()
    settings = load(settings_folder(tmp_path / "s", server, level="none", account=None), {})
    server.kill()
    report = await eavesdrop(settings)
    assert all(each.error for each in report.services)
    assert all(each.disclosure is None or not each.disclosure.names for each in report.services)


async def test_the_capture_holds_what_was_readable(tmp_path: Path, small_slapd: Slapd) -> None:
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


def _command(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quintet", "--config", str(folder), "eavesdrop", *arguments],
        input=typed,
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
    assert [each["task"] for each in document["connections"]] == [service.value for service in Service]
    keys = {"task", "encrypted", "names_visible", "values_visible", "passwords_visible", "evidence"}
    assert all(each.keys() == keys for each in document["connections"])
    assert capture.stat().st_mode & 0o777 == 0o600


def test_the_command_says_what_is_readable(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="none")
    done = _command(folder)
    assert done.returncode == 0, done.stderr
    assert "PASSWORDS" in done.stdout
    assert "Passwords are readable on the network." in done.stdout
    assert small.READER_PASSWORD not in done.stdout + done.stderr
    assert "connection\ton the network\treadable\n" in done.stdout


def test_a_capture_does_not_overwrite_or_follow_a_link(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="none", account=None)
    capture, link = tmp_path / "there.pcap", tmp_path / "link.pcap"
    capture.write_bytes(b"mine")
    link.symlink_to(capture)
    for path in (capture, link):
        done = _command(folder, "--record", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert "--force" in done.stderr
    assert capture.read_bytes() == b"mine"
    assert _command(folder, "--record", str(capture), "--force").returncode == 0
    assert capture.read_bytes().startswith(b"\xd4\xc3\xb2\xa1")


@pytest.mark.parametrize("level", ["none", "all"])
def test_a_sign_in_that_would_be_sent_unencrypted_must_be_agreed_to(
    tmp_path: Path, small_slapd: Slapd, level: str
) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd, level="none", account=None)
    arguments = ("--sign-in", "alice", "--password-stdin", "--level", level)
    done = _command(folder, *arguments, typed="alice-secret\n")
    assert done.returncode == (2 if level == "none" else 0), done.stderr
    assert ("--yes" in done.stderr) == (level == "none")
    assert _command(folder, *arguments, "--yes", typed="alice-secret\n").returncode == 0
