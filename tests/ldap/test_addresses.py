"""A name with several addresses: those that are dead or silent do not hide the one that serves."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from quintet.ldap import address
from quintet.ldap.connection import Address, connect
from quintet.ldap.errors import ConnectError
from support.peer import serving, silence


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    async def look_up(*_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(address, "look_up", look_up)


@contextlib.contextmanager
def black_hole() -> Iterator[tuple[str, int]]:
    """An address that answers no call: its queue of connections is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()


def closed_port() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address: tuple[str, int] = probe.getsockname()
    return address


async def test_an_address_that_does_not_answer_costs_a_moment_and_not_the_whole_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with black_hole() as silent:
        async with serving(silence) as good:
            resolves_to(monkeypatch, silent, (good.host, good.port))
            async with await connect(Address("two.example", 389), timeout=5) as connection:
                assert not connection.closed


async def test_where_every_address_refuses_that_is_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, closed_port(), closed_port())
    with pytest.raises(ConnectError, match="refused") as caught:
        await connect(Address("two.example", 389))
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Every socket that is made from now on."""
    made: list[socket.socket] = []

    class Kept(socket.socket):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(socket, "socket", Kept)
    return made


def open_ones(sockets: list[socket.socket]) -> list[socket.socket]:
    return [each for each in sockets if each.fileno() != -1]


async def test_who_gives_up_while_several_addresses_are_tried_leaves_no_socket_open(
    monkeypatch: pytest.MonkeyPatch, sockets: list[socket.socket]
) -> None:
    with black_hole() as one, black_hole() as other:
        before = len(sockets)
        resolves_to(monkeypatch, one, other)
        with pytest.raises(ConnectError, match="timed out"):
            await connect(Address("two.example", 389), timeout=2 * address.NEXT_ADDRESS)
        assert len(sockets[before:]) == 2
        assert not open_ones(sockets[before:])


async def test_of_two_that_answer_at_once_one_is_taken_and_the_other_closed(
    monkeypatch: pytest.MonkeyPatch, sockets: list[socket.socket]
) -> None:
    monkeypatch.setattr(address, "NEXT_ADDRESS", 0)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        before = len(sockets)
        resolves_to(monkeypatch, one.getsockname(), other.getsockname())
        with await address.dial(Address("two.example", 389)) as taken:
            assert len(sockets[before:]) == 2
            assert open_ones(sockets[before:]) == [taken]


_SILENT_NAME_SERVER = """
import asyncio, socket, sys, threading
from quintet.ldap.connection import Address, connect
from quintet.ldap.errors import ConnectError, LdapError

real = socket.getaddrinfo

def getaddrinfo(host, *rest, **options):
    if not options.get("flags"):
        threading.Event().wait(600)
    return real(host, *rest, **options)

socket.getaddrinfo = getaddrinfo

async def main():
    try:
        await connect(Address("silent.example", 389), timeout=0.2)
    except LdapError as error:
        print(type(error).__name__)

asyncio.run(main())
"""


async def test_a_name_server_that_does_not_answer_holds_nothing_longer_than_its_limit() -> None:
    """Neither the connect, nor the end of the loop, nor that of the process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SILENT_NAME_SERVER, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert (said.split(), process.returncode) == ([b"ConnectError"], 0)


async def test_what_the_name_service_says_is_raised_where_it_was_asked() -> None:
    with pytest.raises(UnicodeError):
        await address.look_up("a" * 70 + ".example", 389)
    with pytest.raises(socket.gaierror):
        await address.look_up("host.invalid", 389)
    assert await address.look_up("localhost", 389)
