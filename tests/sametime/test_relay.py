"""Conversations between two clients: what passes unchanged, what is replaced, what is stopped."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.errors import UnencodableValueError
from quintet.sametime.events import ChannelClosed, ChannelData, ChannelOpened, ChannelRequested
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.im import ImAcceptance, ImFlavour, ImOpening, ImText
from quintet.sametime.wire.blocks import IdBlock, LoginInfo, UserStatus
from quintet.sametime.wire.encryption import CipherId, EncryptionChoice, EncryptionOffer, EncryptItem
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate, ChannelDestroy, ChannelSend, encode
from support.sametime_sessions import Pair, login_of

CIPHERS: dict[str, tuple[CipherId, ...]] = {
    "no cipher": (),
    "RC2/40": (CipherId.RC2_40,),
    "RC2/128": (CipherId.RC2_128,),
    "both": (CipherId.RC2_40, CipherId.RC2_128),
}
OPENING = ImOpening(ImFlavour.RICH).encode()
ACCEPTANCE = ImAcceptance(ImFlavour.RICH, UserStatus(0x20)).encode()


class Relay:
    """Alice and Bob, and what a port does between them: alice opens a conversation."""

    def __init__(self, ciphers: tuple[CipherId, ...] = ()) -> None:
        self.alice, self.bob = Pair("alice").online(), Pair("bob").online()
        self.request = self.alice.request(ServiceId.IM, "uid=bob", additional=OPENING, ciphers=ciphers)
        self.at_alice = self.request.channel
        self.at_bob = self.bob.session.channels.open_relayed(self.request.create, self.alice.login)
        (create,) = self.bob.to_client()
        assert isinstance(create, ChannelCreate)
        self.create = create

    def accepted(self) -> "Relay":
        self.bob.client.accept(self.create, ACCEPTANCE)
        (opened,) = self.bob.to_server()
        assert isinstance(opened, ChannelOpened)
        assert self.alice.session.channels.accept_relayed(self.at_alice, opened.accept, self.bob.login)
        (accept,) = self.alice.to_client()
        assert isinstance(accept, ChannelAccept)
        self.accept = accept
        return self

    def say(self, from_alice: bool, text: bytes) -> bytes:
        """What arrives at the other client."""
        sender, receiver = (self.alice, self.bob) if from_alice else (self.bob, self.alice)
        here, there = (self.at_alice, self.at_bob) if from_alice else (self.at_bob, self.at_alice)
        sender.client.send(here, 0x64, text)
        (data,) = sender.to_server()
        assert isinstance(data, ChannelData)
        assert receiver.session.channels.send(there, data.type, data.data, encrypted=data.encrypted)
        (message,) = receiver.to_client()
        assert isinstance(message, ChannelSend)
        return message.data


@pytest.mark.parametrize("ciphers", CIPHERS.values(), ids=CIPHERS.keys())
def test_two_clients_talk_by_the_cipher_that_they_agree_on(ciphers: tuple[CipherId, ...]) -> None:
    relay = Relay(ciphers).accepted()
    for number in range(3):
        for from_alice in (True, False):
            text = ImText(f"message {number}").encode()
            assert relay.say(from_alice, text) == text


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=8))
def test_any_data_in_any_order_arrives(turns: list[tuple[bool, bytes]]) -> None:
    relay = Relay(CIPHERS["both"]).accepted()
    for from_alice, text in turns:
        assert relay.say(from_alice, text) == text


def test_the_create_passes_unchanged_but_for_id_and_creator() -> None:
    relay = Relay(CIPHERS["both"])
    expected = replace(relay.request.create, new_channel=relay.at_bob, creator=login_of("alice"))
    assert relay.create == expected
    assert relay.create.encryption.block == relay.request.create.encryption.block


def test_options_and_versions_pass_unchanged() -> None:
    alice, bob = Pair("alice").online(), Pair("bob").online()
    create = ChannelCreate(1, ServiceId.IM, 0x1000, 77, IdBlock("uid=bob", "x"), options=0xDEADBEEF)
    (event,) = alice.session.receive(encode(create))
    assert isinstance(event, ChannelRequested)
    channel = bob.session.channels.open_relayed(event.create, alice.login)
    assert bob.to_client() == [replace(create, new_channel=channel, creator=alice.login)]


def test_the_accept_passes_unchanged_but_for_id_and_acceptor() -> None:
    relay = Relay(CIPHERS["RC2/40"]).accepted()
    expected = ChannelAccept(
        relay.at_alice,
        ServiceId.IM,
        0x1000,
        3,
        ACCEPTANCE,
        login_of("bob"),
        EncryptionChoice.of(EncryptItem(CipherId.RC2_40), 1),
    )
    assert relay.accept == expected


def test_ciphertext_passes_the_server_unread() -> None:
    relay = Relay(CIPHERS["RC2/128"]).accepted()
    relay.alice.client.send(relay.at_alice, 0x64, b"readable")
    (data,) = relay.alice.to_server()
    assert isinstance(data, ChannelData)
    assert data.encrypted
    assert b"readable" not in data.data


@pytest.mark.parametrize("data", [b"", b"1234567", bytes(17)])
def test_ciphertext_that_crashes_clients_is_stopped_where_it_comes_in(data: bytes) -> None:
    relay = Relay(CIPHERS["RC2/128"]).accepted()
    for pair, channel in ((relay.alice, relay.at_alice), (relay.bob, relay.at_bob)):
        events = pair.session.receive(encode(ChannelSend(channel, 0x64, data, encrypted=True)))
        assert events == [ChannelClosed(channel, ReasonCode.ENCRYPTION_DATA_INVALID, by_client=False)]


def test_ciphertext_without_a_cipher_is_stopped_where_it_comes_in() -> None:
    relay = Relay().accepted()
    for pair, channel in ((relay.alice, relay.at_alice), (relay.bob, relay.at_bob)):
        events = pair.session.receive(encode(ChannelSend(channel, 0x64, bytes(8), encrypted=True)))
        assert events == [ChannelClosed(channel, ReasonCode.ENCRYPTION_NOT_INITIALIZED, by_client=False)]


@pytest.mark.parametrize("block", [b"\xff" * 9, EncryptItem(1, bytes(65)).encode() + bytes(3)])
def test_a_choice_that_crashes_clients_is_stopped_where_it_comes_in(block: bytes) -> None:
    relay = Relay(CIPHERS["both"])
    choice = EncryptionChoice(0x2000, block)
    events = relay.bob.session.receive(
        encode(ChannelAccept(relay.at_bob, 0x1000, 0x1000, 3, encryption=choice))
    )
    assert events == [ChannelClosed(relay.at_bob, ReasonCode.BAD_DATA, by_client=False)]


def test_an_offer_that_crashes_clients_is_refused() -> None:
    offer = EncryptionOffer.of(1, [EncryptItem(CipherId.RC2_128, bytes(65))])
    create = ChannelCreate(1, ServiceId.IM, 0x1000, 3, IdBlock("uid=bob"), encryption=offer)
    pair = Pair().online()
    pair.session.receive(encode(create))
    assert pair.to_client() == [ChannelDestroy(1, ReasonCode.BAD_DATA)]


def test_a_cipher_that_the_creator_did_not_offer_is_not_relayed() -> None:
    relay = Relay(CIPHERS["RC2/40"])
    choice = EncryptionChoice.of(EncryptItem(CipherId.RC2_128, relay.bob.session.data_to_send() or b"\5"), 1)
    accept = ChannelAccept(relay.at_bob, 0x1000, 0x1000, 3, encryption=choice)
    (opened,) = relay.bob.session.receive(encode(accept))
    assert isinstance(opened, ChannelOpened)
    channels = relay.alice.session.channels
    assert channels.accept_relayed(relay.at_alice, opened.accept, login_of("bob")) is False
    assert relay.alice.to_client() == [ChannelDestroy(relay.at_alice, ReasonCode.NO_COMMON_ENCRYPTION)]


def test_an_acceptor_that_crashes_clients_is_never_sent() -> None:
    relay = Relay()
    with pytest.raises(UnencodableValueError):
        relay.alice.session.channels.accept_relayed(
            relay.at_alice, ChannelAccept(relay.at_bob, 1, 1, 1), LoginInfo("7F00", 0, "uid=bob", "Bob")
        )
    assert relay.alice.session.data_to_send() == b""


def test_each_half_is_closed_by_itself() -> None:
    relay = Relay().accepted()
    relay.bob.client.destroy(relay.at_bob, ReasonCode.SUCCESS)
    assert relay.bob.to_server() == [ChannelClosed(relay.at_bob, 0)]
    assert relay.alice.session.channels.close(relay.at_alice, 0)
    assert relay.alice.to_client() == [ChannelDestroy(relay.at_alice, 0)]
