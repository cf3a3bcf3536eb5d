"""What a running server tells about its connections, and to whom."""

import asyncio
import os
import socket
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.directory import Certificate, ConnectionState, ConnectionStatus, Service
from quintet.runtime.status_socket import (
    SOCKET,
    Answered,
    RequestUnavailableError,
    Running,
    StatusSocketError,
    ask_running,
    decode,
    encode,
    read_status,
    serve_status,
)

_TEXT = st.text(max_size=20)
_NUMBER = st.integers(min_value=0, max_value=10**9)
STATUSES = st.builds(
    ConnectionStatus,
    service=st.sampled_from(Service),
    server=_TEXT,
    address=_TEXT,
    encrypted=st.booleans(),
    tls_version=st.none() | _TEXT,
    cipher=st.none() | _TEXT,
    certificate=st.none() | st.builds(Certificate, _TEXT, _TEXT, _TEXT),
    bound_as=st.none() | _TEXT,
    state=st.sampled_from(ConnectionState),
    operations=_NUMBER,
    in_flight=_NUMBER,
    reconnects=_NUMBER,
    error=st.none() | _TEXT,
)


def running(folder: Path) -> Running:
    return Running(os.getpid(), str(folder.resolve()), "all", ())


@given(st.builds(Running, _NUMBER, _TEXT, _TEXT, st.lists(STATUSES, max_size=3).map(tuple)))
def test_what_is_told_arrives_as_it_was(told: Running) -> None:
    assert decode(encode(told)) == told


@given(st.binary(max_size=50) | st.sampled_from([b"[]", b"{}", b'{"pid": 1}', b"null"]))
def test_anything_else_is_a_strange_answer(data: bytes) -> None:
    with pytest.raises(StatusSocketError):
        decode(data)


async def test_the_server_of_the_folder_answers_its_owner(tmp_path: Path) -> None:
    told = running(tmp_path)
    async with serve_status(tmp_path / SOCKET, lambda: told):
        assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
        assert await read_status(tmp_path, {}) == told
    assert not (tmp_path / SOCKET).exists()


async def test_nobody_answers_where_no_server_runs(tmp_path: Path) -> None:
    assert await read_status(tmp_path, {}) is None


async def test_a_left_over_socket_is_nobody_and_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET))
    assert await read_status(tmp_path, {}) is None
    told = running(tmp_path)
    async with serve_status(tmp_path / SOCKET, lambda: told):
        assert await read_status(tmp_path, {}) == told


async def test_a_living_server_is_not_pushed_aside(tmp_path: Path) -> None:
    told = running(tmp_path)
    async with serve_status(tmp_path / SOCKET, lambda: told):
        with pytest.raises(OSError, match="another server"):
            async with serve_status(tmp_path / SOCKET, lambda: replace(told, pid=1)):
                pass
        assert await read_status(tmp_path, {}) == told


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / SOCKET).write_text("mine")
    with pytest.raises(OSError, match="in use"):
        async with serve_status(tmp_path / SOCKET, lambda: running(tmp_path)):
            pass
    assert (tmp_path / SOCKET).read_text() == "mine"


async def test_the_services_own_folder_is_asked_first_and_a_server_of_another_folder_is_not_ours(
    tmp_path: Path,
) -> None:
    runtime, ours, other = tmp_path / "run", tmp_path / "ours", tmp_path / "other"
    for each in (runtime, ours, other):
        each.mkdir()
    async with serve_status(runtime / SOCKET, lambda: running(ours)):
        assert await read_status(ours, {"RUNTIME_DIRECTORY": str(runtime)}) == running(ours)
        assert await read_status(other, {"RUNTIME_DIRECTORY": str(runtime)}) is None


async def test_a_request_is_answered_with_its_arguments(tmp_path: Path) -> None:
    async def shout(request: dict[str, Any]) -> str:
        return str(request["text"]).upper()

    async with serve_status(tmp_path / SOCKET, lambda: running(tmp_path), {"shout": shout}):
        assert await ask_running(tmp_path, {}, "shout", text="hey") == Answered("HEY")
        with pytest.raises(RequestUnavailableError):
            await ask_running(tmp_path, {}, "whisper")
        assert await read_status(tmp_path, {}) == running(tmp_path)
    assert await ask_running(tmp_path, {}, "shout", text="hey") is None


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"null\n", b"{\n", b"\xff\n", b"x" * 100_000])
async def test_what_is_no_request_gets_no_answer_and_the_next_one_does(tmp_path: Path, line: bytes) -> None:
    async with serve_status(tmp_path / SOCKET, lambda: running(tmp_path)):
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
        writer.write(line)
        writer.write_eof()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert await read_status(tmp_path, {}) == running(tmp_path)
