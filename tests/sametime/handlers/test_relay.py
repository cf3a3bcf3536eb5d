"""IM and FILE TRANSFER over the port: two clients talk, the server reads nothing and forges nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.file_transfer import FileChunk, FileChunkTaken, FileOffer
from quintet.sametime.services.im import ImAcceptance, ImFlavour, ImOpening, ImText, typing
from quintet.sametime.wire.blocks import LoginInfo, StatusCode, UserStatus
from quintet.sametime.wire.encryption import CipherId
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate, ChannelDestroy, encode
from support.community_directory import FakeDirectory, user_id
from support.sametime_client import BOTH_CIPHERS
from support.sametime_server import SETTINGS, LiveClient, running, signed_in, with_limits

FORGED = LoginInfo("7F00FORGED", 0x1700, "uid=mallory", "Mallory")


async def conversation(
    alice: LiveClient, bob: LiveClient, ciphers: tuple[CipherId, ...] = (), target: str | None = None
) -> tuple[int, int]:
    """Alice opens, Bob accepts; the channels of both."""
    mine = alice.client.create(
        ServiceId.IM, target or user_id("bob"), ImOpening(ImFlavour.RICH).encode(), ciphers
    )
    await alice.flush()
    count = len(bob.messages(ChannelCreate))
    await bob.until(lambda: len(bob.messages(ChannelCreate)) > count)
    create = bob.messages(ChannelCreate)[-1]
    bob.client.accept(create, ImAcceptance(ImFlavour.RICH, UserStatus(StatusCode.ACTIVE)).encode())
    await bob.flush()
    await alice.answered(mine)
    return mine, create.new_channel


@pytest.mark.parametrize("ciphers", [(), (CipherId.RC2_40,), BOTH_CIPHERS], ids=["none", "40", "128"])
async def test_two_users_talk_under_each_cipher(
    server: SametimeServer, ciphers: tuple[CipherId, ...]
) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    mine, theirs = await conversation(alice, bob, ciphers)
    for nth in range(3):
        for message in (typing(True), ImText(f"hello {nth}")):
            alice.client.send(mine, message.TYPE, message.encode())
            bob.client.send(theirs, message.TYPE, message.encode())
    await alice.flush()
    await bob.until(lambda: len(bob.sent(theirs)) == 6)
    await alice.until(lambda: len(alice.sent(mine)) == 6)
    assert bob.sent(theirs)[5].data == alice.sent(mine)[5].data == ImText("hello 2").encode()
    for each in (alice, bob):
        await each.close()


async def test_creator_and_acceptor_are_those_of_the_servers_sessions(server: SametimeServer) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    create = ChannelCreate(9, ServiceId.IM, 0x1000, 3, additional=ImOpening().encode(), creator=FORGED)
    create = replace(create, target=replace(create.target, user=user_id("bob")))
    alice.writer.write(encode(create))
    await bob.until(lambda: bob.messages(ChannelCreate))
    told = bob.messages(ChannelCreate)[0]
    assert told.creator == alice.client.login
    assert told.additional == create.additional
    accept = ChannelAccept(told.new_channel, ServiceId.IM, 0x1000, 3, acceptor=FORGED)
    bob.writer.write(encode(accept))
    await alice.until(lambda: alice.messages(ChannelAccept))
    assert alice.messages(ChannelAccept)[0].acceptor == bob.client.login
    for each in (alice, bob):
        await each.close()


async def test_a_refusal_of_the_client_passes_with_its_reason_and_text(server: SametimeServer) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    mine = alice.client.create(ServiceId.IM, user_id("bob"), ImOpening().encode())
    await alice.flush()
    await bob.until(lambda: bob.messages(ChannelCreate))
    create = bob.messages(ChannelCreate)[0]
    bob.client.say(ChannelDestroy(create.new_channel, ReasonCode.DO_NOT_DISTURB, b"later"))
    await bob.flush()
    await alice.answered(mine)
    assert alice.channel_messages(mine) == [ChannelDestroy(mine, ReasonCode.DO_NOT_DISTURB, b"later")]
    for each in (alice, bob):
        await each.close()


async def test_closing_and_breaking_reach_the_other_side(server: SametimeServer) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    first, theirs = await conversation(alice, bob)
    second, _ = await conversation(alice, bob)
    bob.client.destroy(theirs)
    await bob.flush()
    await alice.until(lambda: first not in alice.client.channels)
    assert alice.channel_messages(first)[-1].reason == ReasonCode.SUCCESS
    bob.writer.transport.abort()
    await alice.until(lambda: second not in alice.client.channels)
    assert alice.channel_messages(second)[-1].reason == ReasonCode.USER_NOT_ONLINE
    await alice.close()


async def test_messages_go_to_the_session_that_was_active_last(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    first, second = await signed_in(server, "bob"), await signed_in(server, "bob")
    await conversation(alice, second)
    await conversation(first, alice, target=user_id("alice"))
    await conversation(alice, first)
    assert len(second.messages(ChannelCreate)) == 1
    for each in (alice, first, second):
        await each.close()


async def test_a_user_may_write_to_their_own_session(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    mine, theirs = await conversation(alice, alice, target=user_id("alice"))
    message = ImText("note")
    alice.client.send(mine, message.TYPE, message.encode())
    await alice.until(lambda: alice.sent(theirs))
    assert alice.sent(theirs)[0].data == message.encode()
    await alice.close()


async def test_a_channel_to_nobody_or_to_a_user_who_is_offline_is_refused(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    for target in (user_id("bob"), "nobody", "x" * 60_000, "\udcff"):
        channel = alice.client.create(ServiceId.IM, target, ImOpening().encode())
        await alice.answered(channel)
        assert alice.channel_messages(channel) == [ChannelDestroy(channel, ReasonCode.USER_NOT_ONLINE)]
    await alice.close()


async def test_a_client_with_too_many_channels_is_not_given_more(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, with_limits(channels=8)) as server:
        alice, carol, bob = [await signed_in(server, name) for name in ("alice", "carol", "bob")]
        for opener in (alice, carol):
            for _ in range(4):
                await conversation(opener, bob)
        mine = alice.client.create(ServiceId.IM, user_id("bob"), ImOpening().encode())
        await alice.answered(mine)
        assert alice.channel_messages(mine)[0].reason == ReasonCode.OUT_OF_RESOURCES
        for each in (alice, carol, bob):
            await each.close()


# Files


async def test_a_file_passes_chunk_by_chunk(server: SametimeServer) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    offer = FileOffer("report.pdf", "for you", 20_000)
    mine = alice.client.create(ServiceId.FILE_TRANSFER, user_id("bob"), offer.encode())
    await alice.flush()
    await bob.until(lambda: bob.messages(ChannelCreate))
    create = bob.messages(ChannelCreate)[0]
    assert FileOffer.decode(create.additional) == offer
    bob.client.accept(create)
    await bob.flush()
    await alice.answered(mine)
    for nth in range(3):
        chunk = FileChunk(bytes((nth,)) * 8192)
        alice.client.send(mine, chunk.TYPE, chunk.encode())
        await alice.flush()
        await bob.sent_to(create.new_channel, nth + 1)
        taken = FileChunkTaken()
        bob.client.send(create.new_channel, taken.TYPE, taken.encode())
        await bob.flush()
        await alice.sent_to(mine, nth + 1)
    assert b"".join(each.data for each in bob.sent(create.new_channel)) == b"".join(
        bytes((nth,)) * 8192 for nth in range(3)
    )
    for each in (alice, bob):
        await each.close()


async def test_a_file_that_is_too_large_is_rejected(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, replace(SETTINGS, largest_file_kb=10)) as server:
        alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
        for data, reason in (
            (FileOffer("a", "", 10_241).encode(), ReasonCode.FILE_TRANSFER_REJECTED),
            (b"\0", ReasonCode.BAD_DATA),
        ):
            channel = alice.client.create(ServiceId.FILE_TRANSFER, user_id("bob"), data)
            await alice.answered(channel)
            assert alice.channel_messages(channel)[0].reason == reason
        for each in (alice, bob):
            await each.close()


async def test_where_files_are_switched_off_the_service_is_not_offered(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, file_transfer=False)) as server:
        alice = await signed_in(server, "alice")
        offer = FileOffer("a", "", 1).encode()
        channel = alice.client.create(ServiceId.FILE_TRANSFER, user_id("bob"), offer)
        await alice.answered(channel)
        assert alice.channel_messages(channel)[0].reason == ReasonCode.SERVICE_NOT_SUPPORTED
        await alice.close()
