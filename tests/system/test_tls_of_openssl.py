"""What a server may do to TLS in the middle of a session: new keys and new handshakes of `openssl s_server`.

The test is the LDAP server: it reads requests from the program's output and writes answers to its input.
"""

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.messages import Message, encode
from support import certs
from support.peer import ANY, DONE, entry

pytestmark = pytest.mark.real

HANDSHAKE, TEXT = 0x16, 0x17


class OpenSsl:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said = bytearray()
        self.port = 0

    async def start(self) -> None:
        self.port = int((await self.says(rb"ACCEPT \S+:(\d+)\s"))[1])

    async def says(self, pattern: bytes) -> re.Match[bytes]:
        """What it says next that fits; what it said before that is done with."""
        async with asyncio.timeout(20):
            while not (found := re.search(pattern, bytes(self.said))):
                assert self._process.stdout is not None
                data = await self._process.stdout.read(65536)
                assert data, bytes(self.said)
                self.said += data
        del self.said[: found.end()]
        return found

    def command(self, letter: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(letter + b"\n")

    def answer(self, message_id: int) -> None:
        assert self._process.stdin is not None
        ops = (entry(message_id), DONE)
        self._process.stdin.write(b"".join(encode(Message(message_id, op)) for op in ops))


class Gate:
    """A relay between client and server that knows TLS's records and can hold back those of the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._armed = False
        self._open = asyncio.Event()
        self._open.set()
        self.asked_anew = asyncio.Event()
        self.passed: list[int] = []
        """The kinds of the client's records since it was armed."""

    def arm(self) -> None:
        """Let the server's next handshake record through, and hold everything after it."""
        self._armed = True

    def open(self) -> None:
        self._open.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        with suppress(asyncio.IncompleteReadError, OSError):
            await asyncio.gather(self._up(reader, to_server), self._down(from_server, writer))
        for each in (writer, to_server):
            each.close()

    async def _down(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while True:
            await self._open.wait()
            kind, record = await _record(server)
            client.write(record)
            if self._armed and kind == HANDSHAKE:
                self._armed = False
                self._open.clear()

    async def _up(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while True:
            kind, record = await _record(client)
            server.write(record)
            if not self._open.is_set():
                self.passed.append(kind)
                if kind == HANDSHAKE:
                    self.asked_anew.set()


async def _record(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(5)
    return head[0], head + await reader.readexactly(int.from_bytes(head[3:], "big"))


@asynccontextmanager
async def talking(folder: Path, *options: str) -> AsyncIterator[tuple[OpenSsl, Gate, Connection]]:
    openssl = shutil.which("openssl")
    assert openssl
    ca = certs.authority()
    certificate, key = certs.leaf(ca).write(folder, "server")
    process = await asyncio.create_subprocess_exec(
        openssl, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-msg",
        "-cert", certificate, "-key", key, *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    server = OpenSsl(process)
    try:
        await server.start()
        gate = Gate(server.port)
        relay = await asyncio.start_server(gate, "127.0.0.1", 0)
        try:
            connection = await connect(
                Address("localhost", server.port),
                via=relay.sockets[0].getsockname()[:2],
                tls=ssl.create_default_context(cadata=ca.pem.decode()),
            )
            yield server, gate, connection
            await connection.close()
        finally:
            relay.close()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def search(connection: Connection, name: str) -> list[object]:
    return list((await connection.search(name, 2, ANY)).entries)


async def test_a_request_for_new_keys_is_answered_before_anything_else_is_sent(tmp_path: Path) -> None:
    async with talking(tmp_path, "-tls1_3") as (server, _, connection):
        for number in range(1, 4):
            asked = asyncio.create_task(search(connection, f"cn=base{number}"))
            if number > 1:
                await server.says(rb"<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate")
            await server.says(b"cn=base%d" % number)
            server.command(b"K")
            await server.says(rb">>> TLS 1.3, Handshake \[length 0005\], KeyUpdate")
            server.answer(number)
            assert await asked == [entry(number)]


async def test_requests_of_the_time_of_a_new_handshake_leave_after_it(tmp_path: Path) -> None:
    async with talking(tmp_path, "-tls1_2") as (server, gate, connection):
        gate.arm()
        server.command(b"r")
        async with asyncio.timeout(20):
            await gate.asked_anew.wait()
        before = asyncio.create_task(search(connection, "cn=base1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # it is sent, and found to have to wait
        later = asyncio.create_task(search(connection, "cn=base2"))
        await asyncio.sleep(0)
        assert (connection.operations, connection.in_flight) == (1, 1)
        assert TEXT not in gate.passed
        gate.open()
        await server.says(b"cn=base1")
        server.answer(1)
        assert await before == [entry(1)]
        await server.says(b"cn=base2")
        server.answer(2)
        assert await later == [entry(2)]
