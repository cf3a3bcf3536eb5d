"""`quintet serve` with Sametime clients: libmeanwhile signs in over the port, and commands see it."""

import json
import signal
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from quintet.sametime.reason import ReasonCode
from support import certs, small
from support import meanwhile_abi as abi
from support.certs import Issued
from support.command import Ran, run_program
from support.folder import settings_folder
from support.meanwhile import Connected, MeanwhileClient
from support.postgres import Postgres
from support.served_clients import certificate_keys, port_environ, sign_in, write_certificate
from support.serving import Serving, free_port
from support.slapd import Slapd

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not abi.is_installed(), reason="needs Debian's libmeanwhile1"),
]

LISTENING = "listening for Sametime clients"
Serve = Callable[..., Serving]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Serving] = []

    def start(folder: Path, **environ: str) -> Serving:
        started.append(Serving(folder, **environ))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", small_slapd)


def command(folder: Path, *arguments: str) -> Ran:
    return run_program("--config", folder, *arguments)


def sessions(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = command(folder, "sessions", "--json").document["sessions"]
    return rows


def trusting(authority: Issued) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


def test_failures_over_http_and_over_the_port_are_counted_together(serve: Serve, folder: Path) -> None:
    http = f"http://localhost:{free_port()}"
    environ = port_environ(QUINTET_SIGN_IN_LIMIT="1", QUINTET_HTTP_PORT=http.rpartition(":")[2])
    port = serve(folder, **environ).until(LISTENING)["port"]
    guess = {"name": "alice", "password": "wrong"}
    assert httpx.post(f"{http}/api/v1/session", json=guess, headers={"origin": http}).status_code == 401
    with Connected("127.0.0.1", port) as line:
        alice = MeanwhileClient("alice", "alice-secret")
        line.connect(alice)
        line.pump(lambda: alice.reason is not None)
        assert alice.reason == ReasonCode.LDAP_QUEUE_FULL
        assert command(folder, "limits", "clear", "alice").code == 0
        sign_in(line, "alice", "bob")


def test_a_client_signs_in_resolves_is_listed_gets_a_broadcast_and_is_ended(
    serve: Serve, folder: Path
) -> None:
    running = serve(folder, **port_environ())
    port = running.until(LISTENING)["port"]
    with Connected("127.0.0.1", port) as line:
        (alice,) = sign_in(line, "alice")
        request = alice.resolve("bob")
        line.pump(lambda: request in alice.resolutions)
        (row,) = sessions(folder)
        assert (row["user_id"], row["user_name"]) == (small.person_dn("alice"), "Alice Adams")
        assert (row["client"], row["tls"], row["address"]) == ("LIBMEANWHILE (0x1700)", None, "127.0.0.1")
        assert row["ldap"] == {"resolve-login": 1, "authenticate": 1, "resolve-names": 1}
        assert "Alice Adams" in command(folder, "sessions").out
        sent = command(folder, "broadcast", "Restart at 18:00")
        assert (sent.code, sent.err) == (0, "Sent to 1 session.\n")
        line.pump(lambda: alice.admin_texts == ["Restart at 18:00"])
        nobody = command(folder, "sessions", "end", "bob")
        assert (nobody.code, nobody.err) == (1, "bob is not signed in.\n")
        ended = command(folder, "sessions", "end", "ALICE")
        assert (ended.code, ended.err) == (0, "1 session ended.\n")
        line.pump(lambda: alice.reason is not None)
        assert alice.reason == ReasonCode.USER_RESTRICTED
    assert sessions(folder) == []
    assert command(folder, "sessions").err == "No user is signed in.\n"
    assert running.end() == 0
    for secret in ("alice-secret", "Restart at", "Alice", small.person_dn("alice")):
        assert secret not in running.text
    assert [json.loads(each)["event"] for each in running.text.splitlines()].count("client signed in") == 1


def test_commands_say_that_no_server_runs(folder: Path) -> None:
    for arguments in (("sessions",), ("sessions", "end", "alice"), ("broadcast", "hello")):
        ran = command(folder, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "quintet serve" in ran.err


def test_a_server_without_the_port_says_so(serve: Serve, folder: Path) -> None:
    serve(folder).until("serving")
    ran = command(folder, "sessions")
    assert (ran.code, ran.out) == (2, "")
    assert "no port for Sametime clients" in ran.err


def test_a_new_certificate_is_shown_after_sighup_and_nobody_is_disconnected(
    serve: Serve, folder: Path, authority: Issued, tmp_path: Path
) -> None:
    store = write_certificate(tmp_path / "port.p12", certs.leaf(authority, *certs.LOCAL))
    running = serve(folder, **port_environ(0, **certificate_keys(store)))
    found = running.until(LISTENING)
    assert found["tls"] is True
    with Connected("127.0.0.1", found["port"], trusting(authority)) as line:
        (alice,) = sign_in(line, "alice")
        (row,) = sessions(folder)
        assert row["tls"] == "TLSv1.3"
        other = certs.authority("Another authority")
        write_certificate(store, certs.leaf(other, *certs.LOCAL))
        running.send(signal.SIGHUP)
        running.until("new settings")
        request = alice.resolve("bob")
        line.pump(lambda: request in alice.resolutions)
        assert shown(found["port"], other)
        assert not shown(found["port"], authority)


def shown(port: int, authority: Issued) -> bool:
    """Whether the certificate of the port is one of this authority."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        try:
            with trusting(authority).wrap_socket(plain, server_hostname="localhost"):
                return True
        except ssl.SSLCertVerificationError:
            return False


def test_a_certificate_that_cannot_be_used_any_more_leaves_the_old_one(
    serve: Serve, folder: Path, authority: Issued, tmp_path: Path
) -> None:
    store = write_certificate(tmp_path / "port.p12", certs.leaf(authority, *certs.LOCAL))
    running = serve(folder, **port_environ(0, **certificate_keys(store)))
    port = running.until(LISTENING)["port"]
    store.write_bytes(b"what is this?")
    running.send(signal.SIGHUP)
    running.until("new settings rejected; the old ones stay in use")
    assert shown(port, authority)


def test_clients_without_tls_are_refused_where_the_settings_say_so_and_after_sighup_not_any_more(
    serve: Serve, folder: Path, authority: Issued, tmp_path: Path
) -> None:
    store = write_certificate(tmp_path / "port.p12", certs.leaf(authority, *certs.LOCAL))
    ini = folder / "sametime.ini"
    written = ini.read_text()
    ini.write_text(f"{written}[Config]\nQUINTET_LEGACY_CLIENTS=refuse\n")
    running = serve(folder, **port_environ(0, **certificate_keys(store)))
    port = running.until(LISTENING)["port"]
    with Connected("127.0.0.1", port) as line:
        alice = MeanwhileClient("alice", "alice-secret")
        line.connect(alice)
        line.pump(lambda: alice.reason is not None)
        assert alice.reason == ReasonCode.USER_RESTRICTED
        assert running.until("client turned away")["cause"] == "unencrypted clients are refused"
        ini.write_text(written)
        running.send(signal.SIGHUP)
        running.until("new settings")
    with Connected("127.0.0.1", port) as line:
        sign_in(line, "alice")


def test_a_port_in_use_is_an_error_of_the_settings_with_a_code(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run_program("--config", folder, "serve", environ=port_environ(port))
    assert (ran.code, ran.out) == (2, "")
    last = [line for line in ran.err.splitlines() if not line.startswith("{")]
    assert f"port {port}" in last[0]
    assert "(PORT)" in last[0]
    assert "VPMX_PORT in [Debug]" in last[1]
    assert "Traceback" not in ran.err


def test_a_database_url_of_another_kind_is_found_before_anything_is_opened(folder: Path) -> None:
    environ = port_environ(QUINTET_DATABASE="oracle://scott:tiger@db/x")
    for arguments in (("check",), ("serve",)):
        ran = run_program("--config", folder, *arguments, environ=environ)
        assert ran.code == 2
        assert "Q110" in ran.out + ran.err
        assert "tiger" not in ran.out + ran.err


def test_a_database_that_is_away_is_told_and_hinders_nobody_from_signing_in(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    metrics = free_port()
    with Postgres() as database:
        environ = port_environ(QUINTET_DATABASE=database.new_database(), QUINTET_METRICS_PORT=str(metrics))
        running = serve(folder, **environ)
        port = running.until(LISTENING)["port"]
        running.until("serving")
        assert "[+] database" in readiness(metrics)
        database.stop()
        with Connected("127.0.0.1", port) as line:
            (alice,) = sign_in(line, "alice")
            alice.load(0)
            running.until("database trouble")
            assert "[-] database degraded" in readiness(metrics)
            assert "[+] sametime" in readiness(metrics)


def readiness(port: int) -> str:
    """What `/readyz?verbose` answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz?verbose", timeout=10) as answer:
        return str(answer.read().decode())
