"""The running server as a process: what it logs, how it reloads, and how it ends."""

import asyncio
import gc
import json
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quintet.runtime.application import rare_collections
from quintet.runtime.status_socket import SOCKET, read_status
from support import keytool, small
from support.command import run_program
from support.folder import settings_folder
from support.serving import SOON, Serving
from support.slapd import Slapd

pytestmark = pytest.mark.real

SECRETS = (small.READER_PASSWORD, keytool.PASSWORD)


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(folder: Path, *options: str, **environ: str) -> Serving:
        started.append(Serving(folder, *options, **environ))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", small_slapd, cards_encrypted=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_opens_all_connections_and_ends_in_order_when_told(
    serve: Callable[..., Serving], folder: Path, number: signal.Signals
) -> None:
    running = serve(folder)
    assert running.until("serving")["state"] == "protection all, 6 of 6 connections"
    assert running.end(number) == (130 if number is signal.SIGINT else 0)
    assert not [each for each in folder.iterdir() if each.name.startswith("quintet.")]


def test_every_line_of_the_log_is_an_event_and_none_holds_a_secret_or_the_accounts_dn(
    serve: Callable[..., Serving], folder: Path
) -> None:
    with (folder / "sametime.ini").open("a") as ini:
        ini.write("[Debug]\nVP_LDAP_TRACE=1\nST_TLS_DEBUG=1\nUSERINFO_DEBUG_LEVEL=5\n")
    running = serve(folder)
    assert running.until("handshake")["tls_version"] == "TLSv1.3"
    running.end()
    events = [json.loads(line) for line in running.text.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(each) for each in events)
    assert not [each for each in (*SECRETS, small.READER_DN) if each in running.text]


def test_an_account_that_is_refused_is_logged_without_its_name(
    serve: Callable[..., Serving], folder: Path
) -> None:
    community = folder / "StCommunityConfig.xml"
    community.write_text(community.read_text().replace(small.READER_PASSWORD, "wrong-secret"))
    running = serve(folder)
    assert "service account" in running.until("no connection")["error"]
    running.until("serving")
    assert running.end() == 0
    assert not [each for each in ("wrong-secret", small.READER_DN) if each in running.text]


def test_not_even_debug_logs_a_secret(serve: Callable[..., Serving], folder: Path) -> None:
    running = serve(folder, "--debug")
    running.until("serving")
    running.end()
    assert not [each for each in SECRETS if each in running.text]


def test_sighup_takes_new_settings(serve: Callable[..., Serving], folder: Path, small_slapd: Slapd) -> None:
    running = serve(folder)
    running.until("serving")
    settings_folder(folder, small_slapd, level="none", store=folder / "ldaptruststore.p12")
    running.send(signal.SIGHUP)
    assert running.until("new settings")["protection"] == "none"
    assert running.until("connection opened")["encrypted"] is False
    assert running.end() == 0


def test_wrong_settings_leave_the_old_ones_and_every_problem_is_logged(
    serve: Callable[..., Serving], folder: Path
) -> None:
    running = serve(folder)
    running.until("serving")
    community = folder / "StCommunityConfig.xml"
    broken = community.read_text().replace('SSLEnabled="1"', 'SSLEnabled="perhaps"')
    community.write_text(broken.replace('SearchOrder="1"', 'SearchOrder="soon"'))
    running.send(signal.SIGHUP)
    told = {running.until("settings")["key"] for _ in range(2)}
    assert told == {"SSLEnabled", "SearchOrder"}
    running.until("new settings rejected; the old ones stay in use")
    found = asyncio.run(read_status(folder, {}))
    assert found is not None
    assert found.protection == "all"
    assert running.end() == 0


def test_a_directory_that_is_down_does_not_prevent_the_start(
    serve: Callable[..., Serving], tmp_path: Path
) -> None:
    with Slapd() as server:
        folder = settings_folder(tmp_path / "s", server, cards_encrypted=True)
    running = serve(folder)
    assert "nothing listens" in running.until("no connection")["error"]
    assert running.until("serving")["state"] == "protection all, 0 of 6 connections"
    assert running.end() == 0


def test_wrong_settings_at_the_start_are_2(folder: Path) -> None:
    (folder / "StCommunityConfig.xml").write_text("<StCommunityConfig>")
    ran = run_program("--config", folder, "serve")
    assert (ran.code, ran.out) == (2, "")
    assert "StCommunityConfig.xml" in ran.err


def test_a_password_that_would_cross_in_clear_prevents_the_start_with_2(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    folder = settings_folder(tmp_path / "s", make_slapd(anonymous_read=False), level="passwords")
    ran = run_program("--config", folder, "serve")
    assert ran.code == 2
    assert "QUINTET_ALLOW_CLEAR_SERVICE_BIND" in ran.err
    assert small.READER_PASSWORD not in ran.err


def test_a_second_server_on_the_same_folder_is_2(serve: Callable[..., Serving], folder: Path) -> None:
    serve(folder).until("serving")
    ran = run_program("--config", folder, "serve")
    assert ran.code == 2
    assert "already running" in ran.err


def test_c23_the_first_start_moves_the_store_password_into_its_stash(
    serve: Callable[..., Serving], folder: Path
) -> None:
    ini = folder / "sametime.ini"
    stash = folder / "store.sth"
    ini.write_text(
        ini.read_text().replace(
            "[Directory]", f"STLDAP_TLS_TRUST_STORE_PASSWORD_STASH_FILE={stash}\n[Directory]"
        )
    )
    running = serve(folder)
    assert running.until("serving")["state"].startswith("protection all, 6 of 6")
    running.end()
    assert keytool.PASSWORD not in ini.read_text()
    assert stat.S_IMODE(stash.stat().st_mode) == 0o600


def test_the_socket_is_for_its_owner_and_tells_of_every_connection(
    serve: Callable[..., Serving], folder: Path
) -> None:
    running = serve(folder)
    running.until("serving")
    assert stat.S_IMODE((folder / SOCKET).stat().st_mode) == 0o600
    found = asyncio.run(read_status(folder, {}))
    assert found is not None
    assert [each.state.value for each in found.connections] == ["connected"] * 6


def test_systemd_is_told_of_start_reload_and_end(
    serve: Callable[..., Serving], folder: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(SOON)

        def told(beginning: str) -> str:
            while not (message := manager.recv(1000).decode()).startswith(beginning):
                pass
            return message

        running = serve(folder, NOTIFY_SOCKET=str(tmp_path / "n"), WATCHDOG_USEC="300000")
        assert "6 of 6 connections" in told("READY=1")
        told("WATCHDOG=1")
        running.send(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in told("RELOADING=1")
        told("READY=1")
        running.send(signal.SIGTERM)
        told("STOPPING=1")
        assert running.end(None) == 0


def test_reference_cycles_are_looked_for_seldom_while_serving_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
