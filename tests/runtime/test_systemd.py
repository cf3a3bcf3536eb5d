"""What systemd is told."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.runtime import systemd


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        yield sock


def test_ready_carries_the_status(manager: socket.socket) -> None:
    systemd.ready("six connections")
    assert manager.recv(1000) == b"READY=1\nSTATUS=six connections"


def test_reloading_carries_the_monotonic_time(manager: socket.socket) -> None:
    systemd.reloading()
    state, clock = manager.recv(1000).decode().split("\n")
    assert state == "RELOADING=1"
    assert clock.removeprefix("MONOTONIC_USEC=").isdigit()


def test_stopping_is_told(manager: socket.socket) -> None:
    systemd.stopping()
    assert manager.recv(1000) == b"STOPPING=1"


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert systemd.status("fine") is None  # type: ignore[func-returns-value]  # that it returns is the point


def test_a_manager_that_went_away_does_no_harm(manager: socket.socket) -> None:
    manager.close()
    assert systemd.status("fine") is None  # type: ignore[func-returns-value]  # that it returns is the point
