"""CONFERENCE over the port: three users in one conversation."""

from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import (
    ConferenceInvitation,
    ConferenceInvite,
    ConferenceJoin,
    ConferenceJoined,
    ConferenceLeft,
    ConferenceNotice,
    ConferenceOpening,
    ConferenceSaid,
    ConferenceText,
    ConferenceTyping,
    ConferenceWelcome,
    decode_notice,
)
from quintet.sametime.wire.blocks import IdBlock, PrivacyInfo
from quintet.sametime.wire.messages import ChannelCreate, ChannelDestroy, SetPrivacyList
from support.community_directory import user_id
from support.sametime_server import LiveClient, signed_in


def heard(client: LiveClient, channel: int) -> list[ConferenceNotice]:
    return [decode_notice(each.type, each.data) for each in client.sent(channel)]


def say(
    client: LiveClient,
    channel: int,
    message: ConferenceInvite | ConferenceJoin | ConferenceText | ConferenceTyping,
) -> None:
    client.client.send(channel, message.TYPE, message.encode())


async def opened(client: LiveClient, name: str = "lunch#1") -> int:
    channel = await client.open(ServiceId.CONFERENCE, "", ConferenceOpening(name, "Lunch").encode())
    await client.until(lambda: client.sent(channel))
    return channel


async def joined(host: LiveClient, channel: int, guest: LiveClient, name: str) -> int:
    count = len(guest.messages(ChannelCreate))
    say(host, channel, ConferenceInvite(IdBlock(user_id(name)), "come"))
    await host.flush()
    await guest.until(lambda: len(guest.messages(ChannelCreate)) > count)
    create = guest.messages(ChannelCreate)[-1]
    invitation = ConferenceInvitation.decode(create.additional)
    assert (invitation.title, invitation.text, invitation.inviter) == ("Lunch", "come", host.client.login)
    guest.client.accept(create)
    say(guest, create.new_channel, ConferenceJoin())
    await guest.until(lambda: guest.sent(create.new_channel))
    return create.new_channel


async def test_three_users_confer_and_leave(server: SametimeServer) -> None:
    alice, bob, carol = [await signed_in(server, name) for name in ("alice", "bob", "carol")]
    alices = await opened(alice)
    bobs = await joined(alice, alices, bob, "bob")
    carols = await joined(alice, alices, carol, "carol")
    welcome = heard(carol, carols)[0]
    assert isinstance(welcome, ConferenceWelcome)
    assert [each.login.user_id for each in welcome.members] == [user_id(n) for n in ("alice", "bob", "carol")]
    say(bob, bobs, ConferenceText("hello"))
    say(bob, bobs, ConferenceTyping(typing=True))
    await bob.flush()
    expected = [ConferenceSaid(2, ConferenceText("hello")), ConferenceSaid(2, ConferenceTyping(typing=True))]
    await carol.until(lambda: len(heard(carol, carols)) == 3)
    await alice.until(lambda: len(heard(alice, alices)) == 5)
    assert heard(carol, carols)[1:] == expected
    assert [type(each) for each in heard(alice, alices)[:3]] == [
        ConferenceWelcome,
        ConferenceJoined,
        ConferenceJoined,
    ]
    assert heard(alice, alices)[3:] == expected
    bob.client.destroy(bobs)
    await bob.flush()
    await carol.until(lambda: heard(carol, carols)[-1] == ConferenceLeft(2))
    carol.writer.transport.abort()
    await alice.until(lambda: heard(alice, alices)[-1] == ConferenceLeft(3))
    for each in (alice, bob):
        await each.close()


async def test_who_declines_is_told_to_nobody(server: SametimeServer) -> None:
    alice, bob = [await signed_in(server, name) for name in ("alice", "bob")]
    channel = await opened(alice)
    say(alice, channel, ConferenceInvite(IdBlock(user_id("bob"))))
    await alice.flush()
    await bob.until(lambda: bob.messages(ChannelCreate))
    bob.client.say(ChannelDestroy(bob.messages(ChannelCreate)[0].new_channel, 0, b"Declined"))
    await bob.settle()
    await alice.settle()
    assert len(heard(alice, channel)) == 1
    for each in (alice, bob):
        await each.close()


async def test_when_the_last_member_leaves_an_open_invitation_ends(server: SametimeServer) -> None:
    alice, bob = [await signed_in(server, name) for name in ("alice", "bob")]
    channel = await opened(alice)
    say(alice, channel, ConferenceInvite(IdBlock(user_id("bob"))))
    await alice.flush()
    await bob.until(lambda: bob.messages(ChannelCreate))
    await alice.close()
    await bob.until(lambda: bob.messages(ChannelDestroy))
    assert bob.messages(ChannelDestroy)[0].reason == ReasonCode.PARTY_LEFT
    await bob.close()


async def test_a_hidden_user_is_invited_by_nobody_who_may_not_see_them(server: SametimeServer) -> None:
    alice, bob = [await signed_in(server, name) for name in ("alice", "bob")]
    bob.client.say(SetPrivacyList(PrivacyInfo(deny=False)))
    await bob.until(lambda: bob.messages(SetPrivacyList))
    channel = await opened(alice)
    for name in ("bob", "carol"):
        say(alice, channel, ConferenceInvite(IdBlock(user_id(name))))
    await alice.settle()
    await bob.settle()
    assert bob.messages(ChannelCreate) == []
    assert len(alice.channel_messages(channel)) == 2, "accept and welcome: nothing tells the two apart"
    for each in (alice, bob):
        await each.close()


async def test_a_name_in_use_and_a_malformed_opening_are_refused(server: SametimeServer) -> None:
    alice, bob = [await signed_in(server, name) for name in ("alice", "bob")]
    await opened(alice)
    for data, reason in (
        (ConferenceOpening("lunch#1", "").encode(), ReasonCode.CHANNEL_EXISTS),
        (b"\0", ReasonCode.BAD_DATA),
    ):
        channel = bob.client.create(ServiceId.CONFERENCE, "", data)
        await bob.answered(channel)
        assert bob.channel_messages(channel)[0].reason == reason
    for each in (alice, bob):
        await each.close()
