"""TLS as the protocol drives it, against a server that decides which bytes of TLS leave when."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.errors import ConnectionLostError, TlsError, UnencryptedPasswordError
from quintet.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    Operation,
    Result,
    SearchRequest,
    UnbindRequest,
    decode,
    encode,
)
from quintet.ldap.operations import BindOperation
from support.contexts import client_context, each_version, server_context
from support.peer import ANY, DONE, Peer, entry, serving

both_ways = pytest.mark.parametrize("start_tls", [False, True], ids=["LDAPS", "StartTLS"])


class TlsPeer:
    """The server's end. Nothing leaves it before `flush`."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._in, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = server_context().wrap_bio(self._in, self.out, server_side=True)

    async def agree(self) -> None:
        """To StartTLS."""
        self.peer.put((await self.peer.expect(ExtendedRequest)).id, ExtendedResponse(Result(), START_TLS))

    async def shake_hands(self) -> None:
        """Its last bytes are not sent yet."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                await self._more()
            else:
                return

    async def _more(self) -> None:
        data = await self.peer.reader.read(65536)
        self._in.write(data)
        if not data:
            self._in.write_eof()

    def flush(self) -> None:
        self.peer.writer.write(self.out.read())

    def put(self, message_id: int, *ops: Operation) -> None:
        for op in ops:
            self.tls.write(encode(Message(message_id, op)))

    async def read(self) -> bytes:
        """One record; empty after a close_notify. Without one, the end is ssl.SSLEOFError."""
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self._more()

    async def get(self) -> Message:
        return decode(await self.read())


Part = Callable[[TlsPeer], Awaitable[None]]


@contextlib.asynccontextmanager
async def encrypted(
    part: Part, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, *, start_tls: bool = False
) -> AsyncIterator[Connection]:
    """A connection to a server that plays `part` from the handshake on, and whose failure is the test's."""
    failures: list[BaseException] = []

    async def play(peer: Peer) -> None:
        server = TlsPeer(peer)
        try:
            if start_tls:
                await server.agree()
            await part(server)
        except BaseException as failure:  # noqa: BLE001 (pytest.fail's as well)
            failures.append(failure)

    try:
        async with serving(play) as address:
            there = Address("localhost", address.port)
            connection = await connect(
                there, via=("127.0.0.1", address.port), tls=client_context(version), start_tls=start_tls
            )
            try:
                yield connection
            finally:
                await connection.close()
    finally:
        for failure in failures:
            raise failure


@each_version
@both_ways
async def test_many_answers_in_one_piece(version: ssl.TLSVersion, start_tls: bool) -> None:
    first = 2 if start_tls else 1

    async def part(server: TlsPeer) -> None:
        await server.shake_hands()
        server.flush()
        assert isinstance((await server.get()).op, SearchRequest)
        server.put(first, *(entry(number, 100) for number in range(2000)), DONE)
        server.flush()
        await server.peer.gone()

    async with encrypted(part, version, start_tls=start_tls) as connection:
        found = await connection.search("", 2, ANY)
        assert found.entries == [entry(number, 100) for number in range(2000)]


@each_version
@both_ways
async def test_a_notice_in_one_piece_with_the_end_of_the_handshake(
    version: ssl.TLSVersion, start_tls: bool
) -> None:
    async def part(server: TlsPeer) -> None:
        await server.shake_hands()
        server.put(0, ExtendedResponse(Result(51, "", "busy"), NOTICE_OF_DISCONNECTION))
        server.flush()
        await server.peer.gone()

    async with encrypted(part, version, start_tls=start_tls) as connection:
        with pytest.raises(ConnectionLostError, match="busy"):
            await connection.search("", 2, ANY)


async def leave_without_goodbye(server: TlsPeer) -> None:
    server.peer.writer.close()


async def leave_with_goodbye(server: TlsPeer) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        server.tls.unwrap()
    server.flush()
    with pytest.raises(ssl.SSLZeroReturnError):
        await server.read()  # the client's own goodbye


async def send_no_tls(server: TlsPeer) -> None:
    server.peer.writer.write(b"no TLS at all")
    with pytest.raises(ssl.SSLError, match="ALERT"):
        await server.read()


@each_version
@pytest.mark.parametrize(
    ("leave", "cause"),
    [(leave_without_goodbye, type(None)), (leave_with_goodbye, type(None)), (send_no_tls, ssl.SSLError)],
)
async def test_what_is_under_way_when_tls_ends_is_told(
    version: ssl.TLSVersion, leave: Part, cause: type
) -> None:
    async def part(server: TlsPeer) -> None:
        await server.shake_hands()
        server.flush()
        await server.get()
        server.put(1, entry(1))
        await leave(server)

    async with encrypted(part, version) as connection:
        with pytest.raises(ConnectionLostError):
            await connection.search("", 2, ANY)
        assert connection.closed
        assert isinstance(connection.close_reason, ConnectionLostError)
        assert type(connection.close_reason.__cause__) is cause


async def test_an_answer_counts_that_came_right_before_the_end() -> None:
    async def part(server: TlsPeer) -> None:
        await server.shake_hands()
        server.flush()
        await server.get()
        server.put(1, entry(1), DONE)
        await leave_with_goodbye(server)

    async with encrypted(part) as connection:
        assert (await connection.search("", 2, ANY)).entries == [entry(1)]


@each_version
async def test_closing_unbinds_and_says_goodbye(version: ssl.TLSVersion) -> None:
    last: list[object] = []

    async def part(server: TlsPeer) -> None:
        await server.shake_hands()
        server.flush()
        last.extend([(await server.get()).op, await server.read()])

    async with encrypted(part, version) as connection:
        pass
    assert last == [UnbindRequest(), b""]
    assert connection.close_reason is None


@both_ways
async def test_a_reset_in_the_handshake_is_tls_failed(start_tls: bool) -> None:
    async def part(server: TlsPeer) -> None:
        assert await server.peer.reader.read(10)  # the rest lies unread, so that closing resets
        server.peer.writer.transport.abort()

    with pytest.raises(TlsError) as caught:
        async with encrypted(part, start_tls=start_tls):
            pass
    assert isinstance(caught.value.__cause__, ConnectionResetError)


@both_ways
async def test_an_alert_followed_by_the_end_is_told_as_the_alert(start_tls: bool) -> None:
    async def part(server: TlsPeer) -> None:
        await server.peer.reader.read(65536)
        server.peer.writer.write(bytes([21, 3, 3, 0, 2, 2, 40]))  # fatal: handshake_failure

    with pytest.raises(TlsError, match="handshake failure"):
        async with encrypted(part, start_tls=start_tls):
            pass


async def test_no_password_leaves_during_the_handshake() -> None:
    def bind() -> None:
        operation = BindOperation("cn=x", b"cn=x", b"secret", unencrypted=False)
        protocol.bind(operation)

    heard = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.reader.read(65536)
        heard.set()
        assert await peer.reader.read(65536) == b""

    async with serving(play) as address:
        connection = await connect(address)
        protocol = connection.protocol
        handshake = asyncio.create_task(protocol.upgrade(client_context(), "localhost", agreed=False))
        await heard.wait()
        assert not connection.encrypted
        with pytest.raises(UnencryptedPasswordError):
            bind()
        handshake.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handshake
        with pytest.raises(ConnectionLostError):
            bind()
