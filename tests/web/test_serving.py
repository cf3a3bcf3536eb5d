"""`quintet serve` with HTTP: it answers, and a port in use is a clear error."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.command import run_program
from support.serving import free_port, serve
from support.waiting import wait_until

pytestmark = pytest.mark.real


def when_ready(url: str) -> str:
    """The answer of the health check as soon as it is good; it is red while connections are opened."""
    answers: list[str] = []

    def answered() -> bool:
        try:
            with urllib.request.urlopen(url) as answer:
                answers.append(answer.read().decode())
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
        return bool(answers)

    assert wait_until(answered, seconds=20)
    return answers[0]


def test_it_serves_business_cards_and_ends_in_order(folder: Path) -> None:
    port = str(free_port())
    with serve(folder, STI__Config__QUINTET_HTTP_PORT=port) as told:
        assert told["http"] == f"http://localhost:{port}"
        with urllib.request.urlopen(
            f"{told['http']}/servlet/UserInfoServlet?operation=3&userId=helpdesk"
        ) as answer:
            assert b'<field name="Name" type="text/plain">#1 Help Desk</field>' in answer.read()


def test_it_is_ready_when_all_connections_were_tried(folder: Path) -> None:
    port = str(free_port())
    with serve(folder, STI__Config__QUINTET_METRICS_PORT=port) as told:
        assert told["metrics"] == f"http://127.0.0.1:{port}"
        text = when_ready(f"{told['metrics']}/readyz?verbose")
        with urllib.request.urlopen(f"{told['metrics']}/metrics") as answer:
            metrics = answer.read().decode()
    assert text.splitlines() == ["[+] ready", "[+] directory", "[+] cards", "ok"]
    assert 'quintet_ldap_connects_total{outcome="ok",service="browse"} 1.0' in metrics


def test_a_port_in_use_is_exit_2_and_names_the_setting(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = run_program("--config", folder, "serve", environ={"STI__Config__QUINTET_HTTP_PORT": port})
    assert ran.code == 2
    assert "QUINTET_HTTP_PORT" in ran.err
    assert "Traceback" not in ran.err
