"""The port on real sockets: who is let in, by what first byte, and what floods, silence and junk cost."""

import asyncio
import contextlib
import ipaddress
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.proxy_protocol import SIGNATURE
from quintet.sametime.credentials import AuthType
from quintet.sametime.housekeeping import keep_house
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.im import ImOpening, ImText
from quintet.sametime.settings import LegacyClients
from quintet.sametime.trace import ConnectionTurnedAway, SlowReader, TurnedAway, UnencryptedClientsAllowed
from quintet.sametime.wire.blocks import StatusCode, UserStatus
from quintet.sametime.wire.framing import frame
from quintet.sametime.wire.messages import (
    ChannelAccept,
    ChannelCreate,
    ChannelSend,
    Handshake,
    SetUserStatus,
    encode,
)
from support.community_directory import FakeDirectory, user_id
from support.directories import until
from support.sametime_client import SametimeClient
from support.sametime_server import SETTINGS, LiveClient, proxy_header, running, with_limits

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
BEHIND_PROXY = replace(SETTINGS, trusted_proxies=LOOPBACK)


async def signed_in(
    server: SametimeServer, name: str, context: ssl.SSLContext | None = None, prefix: bytes = b""
) -> LiveClient:
    return await (await LiveClient.connect(server.port, SametimeClient(name), context, prefix)).sign_in()


async def ended(
    server: SametimeServer, client: SametimeClient, context: ssl.SSLContext | None = None, prefix: bytes = b""
) -> ReasonCode | None:
    """The reason by which the server ends the session."""
    live = await LiveClient.connect(server.port, client, context, prefix)
    await live.until_closed()
    await live.close()
    return client.ended


async def raw(server: SametimeServer, *parts: bytes) -> bytes:
    """Send this and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with contextlib.suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    answer = b""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
    writer.close()
    return answer


def turned_away(server: SametimeServer, cause: TurnedAway) -> int:
    return server.counter.count(ConnectionTurnedAway, cause=cause)


# The first byte


async def test_clients_with_and_without_tls_sign_in_on_the_same_port(
    people: FakeDirectory, tmp_path: Path, port_context: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with running(people, tmp_path, tls_context=port_context) as server:
        inside = await signed_in(server, "alice", trusting)
        outside = await signed_in(server, "bob")
        assert [each.tls for each in server.sessions()] == ["TLSv1.3", None]
        for each in (inside, outside):
            await each.close()


async def test_a_client_may_begin_with_a_byte_between_frames(server: SametimeServer) -> None:
    live = await LiveClient.connect(server.port, SametimeClient("alice"), prefix=b"\x80\x81\xff")
    await live.until(lambda: live.client.login or live.client.ended)
    assert live.client.login is not None
    await live.close()


@pytest.mark.parametrize("first", [b"G", b"\x01", b"\x7f", b"\r"])
async def test_other_first_bytes_are_dropped_without_a_word(server: SametimeServer, first: bytes) -> None:
    assert await raw(server, first) == b""
    assert turned_away(server, TurnedAway.NOT_THE_PROTOCOL) == 1


async def test_tls_where_none_is_set_up_is_dropped(server: SametimeServer) -> None:
    assert await raw(server, b"\x16\x03\x01") == b""
    assert turned_away(server, TurnedAway.NO_TLS_HERE) == 1


async def test_garbage_inside_of_tls_ends_with_an_alert(
    people: FakeDirectory, tmp_path: Path, port_context: ssl.SSLContext
) -> None:
    async with running(people, tmp_path, tls_context=port_context) as server:
        answer = await raw(server, b"\x16\x03\x01\x00\x05hello")
        assert answer[:1] == b"\x15"
        assert turned_away(server, TurnedAway.TLS_FAILED) == 1


async def test_a_client_that_sends_byte_by_byte_signs_in(server: SametimeServer) -> None:
    client = SametimeClient("alice")
    live = await LiveClient.connect(server.port, client)
    while client.login is None:
        for byte in client.data_to_send():
            live.writer.write(bytes((byte,)))
            await live.writer.drain()
        await live._read()
    assert len(server.sessions()) == 1
    await live.close()


# Unencrypted clients


@pytest.mark.parametrize(
    ("handshake", "reason"),
    [
        (Handshake(0x1700), ReasonCode.USER_RESTRICTED),
        (Handshake(0x1002, minor=0x196F), ReasonCode.USER_RESTRICTED),
        (Handshake(0x1002, local_address=0x0A000001, local_host="pc"), ReasonCode.TLS_MANDATORY),
    ],
    ids=["libmeanwhile", "Pidgin that claims to be Connect", "Connect"],
)
async def test_where_tls_is_mandatory_a_client_is_refused_before_it_sends_a_password(
    people: FakeDirectory, tmp_path: Path, handshake: Handshake, reason: ReasonCode
) -> None:
    settings = replace(SETTINGS, legacy_clients=LegacyClients.REFUSE)
    async with running(people, tmp_path, settings) as server:
        answer = await raw(server, encode(handshake))
        client = SametimeClient("x")
        client.receive(answer)
        assert client.ended is reason
        assert turned_away(server, TurnedAway.UNENCRYPTED) == 1


async def test_behind_a_proxy_on_this_machine_an_unencrypted_client_is_not_loopback(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, BEHIND_PROXY) as server:
        for address in ("192.0.2.7", "127.0.0.1"):
            header = proxy_header(address, 5)
            assert await ended(server, SametimeClient("alice"), prefix=header) is ReasonCode.USER_RESTRICTED


@pytest.mark.parametrize("legacy", list(LegacyClients))
async def test_each_start_that_allows_unencrypted_clients_says_so(
    people: FakeDirectory, tmp_path: Path, legacy: LegacyClients
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, legacy_clients=legacy)) as server:
        told = server.counter.count(UnencryptedClientsAllowed)
        assert told == (legacy is LegacyClients.ALLOW)


@pytest.mark.parametrize("auth_type", [AuthType.PLAIN, AuthType.RC2_40])
async def test_a_password_that_listeners_can_read_is_taken_from_loopback(
    server: SametimeServer, auth_type: AuthType
) -> None:
    client = SametimeClient("alice", auth_type=auth_type)
    live = await LiveClient.connect(server.port, client)
    await live.until(lambda: client.login or client.ended)
    assert client.login is not None
    await live.close()


@pytest.mark.parametrize("auth_type", [AuthType.PLAIN, AuthType.RC2_40])
async def test_from_elsewhere_it_is_refused_whatever_the_setting(
    people: FakeDirectory, tmp_path: Path, auth_type: AuthType
) -> None:
    settings = replace(BEHIND_PROXY, legacy_clients=LegacyClients.ALLOW)
    async with running(people, tmp_path, settings) as server:
        header = proxy_header("192.0.2.7", 5)
        client = SametimeClient("alice", auth_type=auth_type)
        assert await ended(server, client, prefix=header) is ReasonCode.USER_RESTRICTED
        assert people.calls["authenticate"] == 0
        await (await signed_in(server, "alice", prefix=header)).close()


async def test_inside_of_tls_it_is_taken_from_anywhere(
    people: FakeDirectory, tmp_path: Path, port_context: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    settings = replace(SETTINGS, legacy_clients=LegacyClients.REFUSE)
    async with running(people, tmp_path, settings, tls_context=port_context) as server:
        client = SametimeClient("alice", auth_type=AuthType.PLAIN)
        live = await LiveClient.connect(server.port, client, trusting)
        await live.until(lambda: client.login or client.ended)
        assert client.login is not None
        await live.close()


# Proxies


async def test_the_address_that_a_trusted_proxy_names_counts(people: FakeDirectory, tmp_path: Path) -> None:
    settings = replace(BEHIND_PROXY, legacy_clients=LegacyClients.ALLOW)
    async with running(people, tmp_path, settings) as server:
        client = await signed_in(server, "alice", prefix=proxy_header("192.0.2.7", 5))
        (session,) = server.sessions()
        assert session.address == "192.0.2.7"
        assert client.client.login is not None
        assert client.client.login.address == int(ipaddress.ip_address("192.0.2.7"))
        await client.close()


async def test_a_trusted_proxy_without_a_header_is_dropped(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, BEHIND_PROXY) as server:
        assert await raw(server, encode(Handshake(0x1700))) == b""
        assert turned_away(server, TurnedAway.NO_PROXY_HEADER) == 1


async def test_a_header_from_elsewhere_is_dropped(server: SametimeServer) -> None:
    assert await raw(server, proxy_header("192.0.2.7", 5)) == b""
    assert turned_away(server, TurnedAway.NOT_THE_PROTOCOL) == 1


async def test_a_header_in_pieces_before_tls_is_read(
    people: FakeDirectory, tmp_path: Path, port_context: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with running(people, tmp_path, BEHIND_PROXY, tls_context=port_context) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for byte in proxy_header("2001:db8::7", 5, b"\x04\x00\x01\x00"):
            writer.write(bytes((byte,)))
            await writer.drain()
        await writer.start_tls(trusting, server_hostname="localhost")
        live = LiveClient(SametimeClient("alice"), reader, writer)
        live.client.start()
        await live.sign_in()
        assert server.sessions()[0].address == "2001:db8::7"
        await live.close()


async def test_a_check_by_the_proxy_is_no_failure_and_no_loopback(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, BEHIND_PROXY) as server:
        header = SIGNATURE + b"\x20\x00\x00\x00"
        assert await ended(server, SametimeClient("alice"), prefix=header) is ReasonCode.USER_RESTRICTED


# Limits before sign-in


async def test_who_does_not_sign_in_in_time_is_closed(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(sign_in_seconds=1)) as server:
        assert await raw(server) == b""
        assert await raw(server, encode(Handshake(0x1700))[:5]) == b""
        assert turned_away(server, TurnedAway.LATE) == 2


async def test_the_time_includes_the_tls_handshake(
    people: FakeDirectory, tmp_path: Path, port_context: ssl.SSLContext
) -> None:
    async with running(people, tmp_path, with_limits(sign_in_seconds=1), tls_context=port_context) as server:
        assert await raw(server, b"\x16\x03\x01") == b""
        assert turned_away(server, TurnedAway.LATE) == 1


async def test_who_sends_too_much_before_signing_in_is_closed(server: SametimeServer) -> None:
    await raw(server, *[b"\x80" * 8192] * 20)
    assert turned_away(server, TurnedAway.PROTOCOL) == 1


async def test_a_frame_that_announces_too_much_is_refused_at_once(server: SametimeServer) -> None:
    answer = await raw(server, b"\x00\x10\x00\x00")
    client = SametimeClient("x")
    client.receive(answer)
    assert client.ended is ReasonCode.MESSAGE_TOO_LARGE


async def test_a_full_address_loses_the_connection_that_has_waited_longest(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, with_limits(places_per_address=2)) as server:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
        assert await idle[0][0].read() == b""
        assert turned_away(server, TurnedAway.CROWDED) == 1
        client = await signed_in(server, "alice")
        assert await idle[1][0].read() == b""
        for _, writer in idle:
            writer.close()
        await client.close()


async def test_who_has_signed_in_needs_no_place(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(places=1)) as server:
        clients = [await signed_in(server, name) for name in ("alice", "bob", "carol")]
        assert len(server.sessions()) == 3
        for each in clients:
            await each.close()


# After sign-in


async def test_a_client_above_its_rate_is_read_more_slowly_and_loses_nothing(
    people: FakeDirectory, tmp_path: Path
) -> None:
    settings = with_limits(bytes_per_second=200_000, burst=64 * 1024)
    async with running(people, tmp_path, settings) as server:
        alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
        channel = await talking(alice, bob)
        before = asyncio.get_running_loop().time()
        texts = [ImText(f"{nth:04}" + "x" * 1000).encode() for nth in range(200)]
        for text in texts:
            alice.client.send(channel, ImText.TYPE, text)
        sending = asyncio.create_task(alice.flush())
        await bob.got(ChannelSend, 200)
        assert asyncio.get_running_loop().time() - before > 0.5
        await sending
        assert [each.data for each in bob.messages(ChannelSend)] == texts
        for each in (alice, bob):
            await each.close()


async def test_a_flood_of_one_client_does_not_hold_up_another(server: SametimeServer) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    flood = encode(SetUserStatus(UserStatus(StatusCode.AWAY, 0, "x"))) * 20_000
    writing = asyncio.create_task(_write(alice, flood))
    longest = 0.0
    loop = asyncio.get_running_loop()
    for _ in range(10):
        started = loop.time()
        channel = bob.client.create(ServiceId.RESOLVE)
        await bob.answered(channel)
        longest = max(longest, loop.time() - started)
    assert longest < 1
    writing.cancel()
    for client in (alice, bob):
        await client.close()


async def _write(client: LiveClient, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        client.writer.write(data)
        await client.writer.drain()


async def talking(alice: LiveClient, bob: LiveClient) -> int:
    """A conversation of the two is open; Alice's channel."""
    channel = alice.client.create(ServiceId.IM, user_id("bob"), ImOpening().encode())
    await alice.flush()
    await bob.got(ChannelCreate)
    bob.client.accept(bob.messages(ChannelCreate)[0])
    await bob.flush()
    await alice.answered(channel)
    return channel


async def test_a_client_that_never_reads_is_cut_off_and_others_do_not_notice(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, with_limits(unsent=64 * 1024)) as server:
        alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
        channel = await talking(alice, bob)
        _stop_reading(bob)
        text = ImText("x" * 60_000).encode()
        while channel in alice.client.channels:
            alice.client.send(channel, ImText.TYPE, text)
            await alice.settle()
        assert server.counter.count(SlowReader) == 1
        assert [each.user_id for each in server.sessions()] == [user_id("alice")]
        await alice.close()
        bob.writer.transport.abort()


async def test_a_client_that_leaves_data_unread_for_too_long_is_cut_off(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, with_limits(unsent=16 * 1024 * 1024, stalled_seconds=1)) as server:
        alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
        channel = await talking(alice, bob)
        _stop_reading(bob)
        text = ImText("x" * 60_000).encode()
        while channel in alice.client.channels:
            alice.client.send(channel, ImText.TYPE, text)
            await alice.settle()
        assert server.counter.count(SlowReader) == 1
        await alice.close()
        bob.writer.transport.abort()


def _stop_reading(client: LiveClient) -> None:
    transport = client.writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()


async def test_idle_clients_are_shown_that_the_server_is_there(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(keep_alive_seconds=5)) as server:
        alice = await signed_in(server, "alice")
        (connection,) = server._connections
        connection.last_sent -= 10
        server._housekeeping.cancel()  # type: ignore[union-attr]
        keeping = asyncio.create_task(keep_house(server._context))
        async with asyncio.timeout(10):
            assert await alice.reader.read(10) == b"\x80"
        keeping.cancel()
        await alice.close()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100])
async def test_frames_of_junk_after_sign_in_harm_nobody(server: SametimeServer, size: int) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    alice.writer.write(frame(b"\xff" * size) * 50)
    await alice.writer.drain()
    channel = bob.client.create(ServiceId.RESOLVE)
    await bob.answered(channel)
    assert isinstance(bob.channel_messages(channel)[0], ChannelAccept)
    for each in (alice, bob):
        await each.close()


async def test_a_connection_that_breaks_leaves_nothing(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    alice.client.greet()
    await alice.flush()
    alice.writer.transport.abort()
    await until(lambda: not server._connections)
    assert server.sessions() == ()
    assert len(server._community.presence) == 0


async def test_at_shutdown_connections_are_closed_over_some_time(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, with_limits(shutdown_seconds=0.4)) as server:
        clients = [await signed_in(server, name) for name in ("alice", "bob", "carol", "dave")]
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def watch(client: LiveClient) -> None:
            await client.until_closed()
            times.append(loop.time())

        watching = [asyncio.create_task(watch(each)) for each in clients]
        await server.close()
        await asyncio.gather(*watching)
        assert max(times) - min(times) > 0.2
        assert all(each.client.ended is None for each in clients), "clients come back by themselves"
        for each in clients:
            await each.close()
