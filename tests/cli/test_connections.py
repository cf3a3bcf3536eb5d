"""`quintet connections` against real servers: what it tells, and what it says when they do not answer."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from support import certs, keytool, small
from support.command import Quintet
from support.folder import LEVELS, settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

FIVE = ["authenticate", "resolve-login", "resolve-names", "browse", "group-content"]
ENCRYPTED = {"all": set(FIVE), "passwords": {"authenticate"}, "none": set[str]()}
KEYS = {
    "task",
    "server",
    "address",
    "encrypted",
    "tls_version",
    "cipher",
    "certificate",
    "bound_as",
    "state",
    "error",
}


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_encrypts_what_it_says(
    quintet: Quintet, tmp_path: Path, small_slapd: Slapd, level: str
) -> None:
    """C1 to C4."""
    folder = settings_folder(tmp_path / "settings", small_slapd, level=level, cards_encrypted=True)
    ran = quintet("--config", folder, "connections", "--json")
    assert (ran.code, ran.document["protection"]) == (0, level)
    rows = {row["task"]: row for row in ran.document["connections"]}
    assert list(rows) == [*FIVE, "business-card"]
    assert {task for task, row in rows.items() if row["encrypted"]} == {*ENCRYPTED[level], "business-card"}
    for row in rows.values():
        assert set(row) == KEYS
        assert (row["state"], row["error"]) == ("connected", None)
        assert (row["tls_version"] is not None) is (row["certificate"] is not None) is row["encrypted"]
    assert set(rows["business-card"]["certificate"]) == {"subject", "issuer", "expires"}


def test_the_table_fits_80_columns(quintet: Quintet, sound_folder: Path) -> None:
    ran = quintet("--config", sound_folder, "connections")
    assert ran.code == 0
    assert all(task in ran.out for task in FIVE)
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    assert ran.err == ""


def test_a_server_that_is_down_is_3_and_told_for_each_connection(quintet: Quintet, tmp_path: Path) -> None:
    with Slapd() as server:
        folder = settings_folder(tmp_path / "settings", server, cards_encrypted=True)
    ran = quintet("--config", folder, "connections", "--json")
    assert ran.code == 3
    assert all(row["error"] and row["state"] != "connected" for row in ran.document["connections"])
    for arguments in (("resolve", "alice"), ("browse",), ("members", "sales"), ("card", "alice")):
        ran = quintet("--config", folder, *arguments)
        assert (ran.code, ran.out) == (3, "")
        assert "nothing listens" in ran.err


def test_an_outage_is_never_a_wrong_password(quintet: Quintet, tmp_path: Path) -> None:
    with Slapd() as server:
        folder = settings_folder(tmp_path / "settings", server)
    ran = quintet("--config", folder, "authenticate", "alice", "--password-stdin", typed="alice-secret\n")
    assert (ran.code, ran.out) == (3, "")


def test_a_certificate_that_does_not_hold_is_3_with_a_cure(
    quintet: Quintet, tmp_path: Path, small_slapd: Slapd
) -> None:
    store = keytool.trust_store(tmp_path / "other.p12", {"other": certs.authority("Somebody else")})
    folder = settings_folder(tmp_path / "settings", small_slapd, store=store)
    ran = quintet("--config", folder, "resolve", "alice")
    assert (ran.code, ran.out) == (3, "")
    assert "quintet trust" in ran.err
    assert quintet("--config", folder, "connections", "--json").code == 3


def test_a_password_that_would_cross_in_clear_is_2_with_the_ways_out(
    quintet: Quintet, tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    folder = settings_folder(tmp_path / "settings", make_slapd(anonymous_read=False), level="passwords")
    ran = quintet("--config", folder, "connections")
    assert (ran.code, ran.out) == (2, "")
    assert "QUINTET_ALLOW_CLEAR_SERVICE_BIND" in ran.err
    assert small.READER_PASSWORD not in ran.err


def test_a_server_that_speaks_something_else_is_3(quintet: Quintet, tmp_path: Path) -> None:
    """A port that is open and says nothing, or nonsense."""
    with Slapd() as server:
        folder = settings_folder(
            tmp_path / "settings", server, level="none", config={}, directory={"QUINTET_CONNECT_TIMEOUT": "1"}
        )
        port = server.port
    with socket.create_server(("127.0.0.1", port)):
        ran = quintet("--config", folder, "resolve", "alice")
    assert (ran.code, ran.out) == (3, "")
