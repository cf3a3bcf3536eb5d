"""`quintet connections` against real servers: what it tells, and what it says when they do not answer."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from support import certs, keytool, small
from support.command import Quintet, at_terminal
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
        assert row["state"] == "connected"
        assert row["error"] is None
        assert (row["tls_version"] is not None) is (row["certificate"] is not None) is row["encrypted"]
    assert set(rows["business-card"]["certificate"]) == {"subject", "issuer", "expires"}


def test_an_account_that_was_not_taken_is_told_beside_the_rows(
    quintet: Quintet, tmp_path: Path, small_slapd: Slapd
) -> None:
    """Rows C57, C59: the connections serve, and the screen says that users may see less."""
    folder = settings_folder(tmp_path / "settings", small_slapd, level="passwords", cards_encrypted=True)
    ran = quintet("--config", folder, "connections", "--json")
    assert "resolve-login, resolve-names, browse, group-content: it is anonymous" in ran.err
    assert {row["bound_as"] for row in ran.document["connections"][1:5]} == {None}


def test_the_table_fits_80_columns(quintet: Quintet, sound_folder: Path) -> None:
    with at_terminal("--config", sound_folder, "connections") as terminal:
        assert terminal.end() == 0
    table = [line for line in terminal.lines if line.startswith(" ")]
    assert all(any(task in line for line in table) for task in FIVE)
    assert max(map(len, table)) <= 80


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
    for ran in (quintet("--config", folder, "connections"), quintet("--config", folder, "browse")):
        assert ran.code == 2
        assert "let the server offer SASL SCRAM to the account" in ran.err
        assert "QUINTET_ALLOW_CLEAR_SERVICE_BIND=1 in [Directory]" in ran.err
        assert small.READER_PASSWORD not in ran.out + ran.err


def test_c59_connections_that_would_show_a_password_have_their_rows_all_the_same(
    quintet: Quintet, tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd(anonymous_read=False)
    folder = settings_folder(tmp_path / "settings", server, level="passwords", cards_encrypted=True)
    ran = quintet("--config", folder, "connections", "--json")
    assert (ran.code, ran.document["protection"]) == (2, "passwords")
    rows = {row["task"]: row for row in ran.document["connections"]}
    assert list(rows) == [*FIVE, "business-card"]
    failed = {task for task, row in rows.items() if row["error"] is not None}
    assert failed == {*FIVE} - {"authenticate"}
    assert all("would be sent unencrypted" in rows[task]["error"] for task in failed)


def test_c59_a_clear_card_whose_account_would_be_shown_is_2_too(
    quintet: Quintet, tmp_path: Path, small_slapd: Slapd, make_slapd: Callable[..., Slapd]
) -> None:
    """The five tasks have a server that anonymous people may read; the cards have another."""
    folder = settings_folder(tmp_path / "settings", small_slapd, level="passwords")
    closed = settings_folder(tmp_path / "closed", make_slapd(anonymous_read=False), level="passwords")
    (folder / "UserInfoConfig.xml").write_bytes((closed / "UserInfoConfig.xml").read_bytes())
    ran = quintet("--config", folder, "connections", "--json")
    assert ran.code == 2
    (row,) = [row for row in ran.document["connections"] if row["state"] != "connected"]
    assert (row["task"], "would be sent unencrypted" in row["error"]) == ("business-card", True)
    assert quintet("--config", folder, "card", "alice").code == 2


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
