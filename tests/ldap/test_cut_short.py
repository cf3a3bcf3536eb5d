"""What takes several steps and ends before the last: SASL binds and StartTLS. Nothing is left half done."""

import asyncio
import base64
import ssl

import pytest

from quintet.ldap.connection import Connection
from quintet.ldap.errors import (
    ConnectionLostError,
    LocalProtocolError,
    OperationTimeoutError,
    RemoteProtocolError,
    ResultError,
)
from quintet.ldap.messages import (
    START_TLS,
    BindRequest,
    BindResponse,
    ExtendedRequest,
    ExtendedResponse,
    Result,
    Sasl,
)
from support.peer import ANY, DONE, Peer, served, silence


def challenge(message: BindRequest, iterations: int) -> bytes:
    assert isinstance(message.authentication, Sasl)
    nonce = (message.authentication.credentials or b"").split(b"r=")[1]
    return b"r=%bserver,s=%b,i=%d" % (nonce, base64.b64encode(b"salt of it"), iterations)


async def closed(connection: Connection) -> None:
    assert connection.closed
    with pytest.raises(ConnectionLostError, match="cut short"):
        await connection.search("", 2, ANY)


async def test_a_cancelled_start_tls_closes_the_connection() -> None:
    async with served(silence) as connection:
        task = asyncio.create_task(connection.start_tls(ssl.create_default_context()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed(connection)


async def test_a_start_tls_that_is_out_of_time_closes_the_connection() -> None:
    async with served(silence) as connection:
        with pytest.raises(OperationTimeoutError):
            await connection.start_tls(ssl.create_default_context(), timeout=0.01)
        assert connection.closed


async def test_a_refused_start_tls_leaves_the_connection_as_it_was() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.expect(ExtendedRequest)).id, ExtendedResponse(Result(2), START_TLS))
        peer.put((await peer.get()).id, DONE)
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(ResultError):
            await connection.start_tls(ssl.create_default_context())
        await connection.search("", 2, ANY)


async def test_a_scram_bind_cancelled_between_its_steps_closes_the_connection() -> None:
    second = asyncio.Event()

    async def play(peer: Peer) -> None:
        first = await peer.expect(BindRequest)
        assert isinstance(first.op, BindRequest)
        peer.put(first.id, BindResponse(Result(14), challenge(first.op, 4096)))
        await peer.expect(BindRequest)
        second.set()
        await peer.gone()

    async with served(play) as connection:
        task = asyncio.create_task(connection.bind_scram("a", "secret", mechanism="SCRAM-SHA-256"))
        await second.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed(connection)


async def test_one_time_limit_holds_for_all_steps_of_a_scram_bind_and_its_hashing() -> None:
    async def play(peer: Peer) -> None:
        first = await peer.expect(BindRequest)
        assert isinstance(first.op, BindRequest)
        peer.put(first.id, BindResponse(Result(14), challenge(first.op, 2_000_000)))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(OperationTimeoutError):
            await connection.bind_scram("a", "secret", mechanism="SCRAM-SHA-1", timeout=0.05)
        assert connection.closed


async def test_a_scram_bind_during_another_bind_is_misuse_and_disturbs_nobody() -> None:
    answer = asyncio.Event()

    async def play(peer: Peer) -> None:
        message = await peer.expect(BindRequest)
        await answer.wait()
        peer.put(message.id, BindResponse(Result()))
        await peer.gone()

    async with served(play) as connection:
        first = asyncio.create_task(connection.bind("cn=a", "secret"))
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError):
            await connection.bind_scram("b", "secret", mechanism="SCRAM-SHA-256")
        answer.set()
        await first


async def test_another_step_in_a_bind_that_has_but_one_is_the_peers_fault() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, BindResponse(Result(14)))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(RemoteProtocolError, match="step"):
            await connection.bind("cn=a", "x")
        assert connection.closed
