"""`quintet limits`: what the running server counts of failed sign-ins."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.command import run_program
from support.folder import settings_folder
from support.serving import free_port, serve
from support.slapd import Slapd

pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(
        tmp_path / "s", small_slapd, level="none", account=None, config={"QUINTET_SIGN_IN_LIMIT": "1"}
    )


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    port = free_port()
    with serve(folder, STI__Config__QUINTET_HTTP_PORT=str(port)):
        yield f"http://localhost:{port}"


def sign_in(url: str, name: str, password: str) -> int:
    body = {"name": name, "password": password}
    return httpx.post(f"{url}/api/v1/session", json=body, headers={"origin": url}).status_code


def test_an_administrator_sees_who_is_refused_and_lets_them_in_again(folder: Path, url: str) -> None:
    assert [sign_in(url, "alice", each) for each in ("wrong", "alice-secret")] == [401, 429]
    assert sign_in(url, "nobody", "wrong") == 401

    listed = run_program("--config", folder, "limits", "list", "--json")
    assert listed.code == 0
    rows = listed.document["limits"]
    assert [(row["scope"], row["name"]) for row in rows if row["blocked"]] == [
        ("name at network", "alice"),
        ("name at network", "nobody"),
    ]
    assert all(0 < row["seconds"] <= 60 for row in rows if row["blocked"])
    assert "alice" in run_program("--config", folder, "limits", "list").out

    assert run_program("--config", folder, "limits", "clear", "ALICE").code == 0
    assert sign_in(url, "alice", "alice-secret") == 201
    assert sign_in(url, "nobody", "wrong") == 429
    assert run_program("--config", folder, "limits", "clear", "127.0.0.1").code == 0
    assert sign_in(url, "nobody", "wrong") == 401
    assert run_program("--config", folder, "limits", "clear").code == 0
    assert run_program("--config", folder, "limits", "clear").code == 1
    assert run_program("--config", folder, "limits", "list", "--json").document == {"limits": []}


@pytest.mark.parametrize("command", ["list", "clear"])
def test_without_a_running_server_there_is_nothing_to_ask(folder: Path, command: str) -> None:
    done = run_program("--config", folder, "limits", command)
    assert (done.code, done.out) == (2, "")
