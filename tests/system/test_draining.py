"""Clients are let go: all at the end of `quintet serve`, a share of them by `quintet drain`."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.command import Ran, run_program
from support.folder import settings_folder
from support.sametime_client import SametimeClient
from support.sametime_server import LiveClient
from support.served_clients import port_environ
from support.serving import Serving, free_port
from support.slapd import Slapd

pytestmark = pytest.mark.real

SignIn = Callable[..., Awaitable[list[LiveClient]]]


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", small_slapd)


@pytest.fixture
def metrics() -> int:
    return free_port()


@pytest.fixture
def http() -> int:
    return free_port()


@pytest.fixture
def running(folder: Path, metrics: int, http: int) -> Iterator[Serving]:
    ports = {"QUINTET_METRICS_PORT": str(metrics), "QUINTET_HTTP_PORT": str(http)}
    serving = Serving(folder, **port_environ(**ports, QUINTET_SHUTDOWN_SECONDS="30"))
    yield serving
    serving.end()


@pytest.fixture
async def sign_in(running: Serving) -> AsyncIterator[SignIn]:
    port = running.until("listening for Sametime clients")["port"]
    running.until("serving")
    clients: list[LiveClient] = []

    async def sign_in(count: int) -> list[LiveClient]:
        for _ in range(count):
            client = await LiveClient.connect(port, SametimeClient("alice", b"alice-secret"))
            clients.append(await client.sign_in())
        return clients

    yield sign_in
    for each in clients:
        await each.close()


async def command(folder: Path, *arguments: str) -> Ran:
    return await asyncio.to_thread(run_program, "--config", folder, *arguments)


def is_closed(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
    except httpx.ConnectError:
        return True
    return False


async def test_at_the_end_readiness_is_red_ports_are_closed_and_clients_are_let_go_one_after_the_other(
    running: Serving, sign_in: SignIn, metrics: int, http: int
) -> None:
    clients = await sign_in(10)
    port = clients[0].writer.get_extra_info("peername")[1]
    async with httpx.AsyncClient() as checks:
        url = f"http://127.0.0.1:{metrics}/readyz"
        assert (await checks.get(url)).status_code == 200
        ending = [asyncio.create_task(each.until_closed()) for each in clients]
        running.send(signal.SIGTERM)
        running.until("stopping")
        answer = await checks.get(url)
        assert (answer.status_code, answer.text.splitlines()[0]) == (503, "[-] draining")
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        assert not all(each.done() for each in ending)
        assert is_closed(http)
        assert is_closed(port)
        await asyncio.gather(*ending)
    assert await asyncio.to_thread(running.end, None) == 0
    assert all(client.client.ended is None for client in clients)


async def test_a_share_of_the_sessions_is_closed_and_the_server_goes_on(
    folder: Path, running: Serving, sign_in: SignIn
) -> None:
    clients = await sign_in(10)
    ending = [asyncio.create_task(each.until_closed(60)) for each in clients]
    ran = await command(folder, "drain", "--share", "25%")
    assert (ran.code, ran.out, ran.err) == (0, "", "Closing 3 of 10 sessions.\n")
    while sum(each.done() for each in ending) < 3:
        await asyncio.wait(
            [each for each in ending if not each.done()], return_when=asyncio.FIRST_COMPLETED, timeout=20
        )
    listed = await command(folder, "sessions", "--json")
    assert len(listed.document["sessions"]) == 7
    alone = await command(folder, "sessions", "--all", "--json")
    assert (alone.code, alone.err, alone.document.keys()) == (0, "", {"sessions"})
    assert [each["id"] for each in alone.document["sessions"]] == [
        each["id"] for each in listed.document["sessions"]
    ]
    assert len(await sign_in(1)) == 11
    ran = await command(folder, "drain", "--share", "100")
    assert ran.err == "Closing 8 of 8 sessions.\n"
    await asyncio.gather(*ending)


async def test_without_sessions_none_is_closed(folder: Path, running: Serving) -> None:
    running.until("serving")
    ran = await command(folder, "drain", "--share", "50%")
    assert (ran.code, ran.err) == (0, "Closing 0 of 0 sessions.\n")


@pytest.mark.parametrize("share", ["0", "101%", "-5%", "many", "nan", "%", ""])
def test_a_share_that_is_none_is_refused(folder: Path, share: str) -> None:
    ran = run_program("--config", folder, "drain", f"--share={share}")
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_without_a_server_it_says_so(folder: Path) -> None:
    ran = run_program("--config", folder, "drain", "--share", "25%")
    assert (ran.code, ran.out) == (2, "")
    assert "quintet serve" in ran.err
