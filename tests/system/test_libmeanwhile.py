"""libmeanwhile, an independent client, reads what sessions and codecs write, and they read what it writes."""

import ctypes
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Certificates
from quintet.sametime.credentials import AuthType, PasswordCredentials, read_credentials
from quintet.sametime.events import LoginRequested, MessageIgnored
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.contact_list import (
    Contact,
    ContactGroup,
    ContactGroupType,
    ContactList,
    parse_contact_list,
    render_contact_list,
)
from quintet.sametime.services.im import MESSAGE, ImOpening, ImText, decode_message
from quintet.sametime.services.server_attributes import ServerAttribute
from quintet.sametime.services.storage import text_of
from quintet.sametime.session import SessionState
from quintet.sametime.wire import rc2
from quintet.sametime.wire.diffie_hellman import KeyPair
from quintet.sametime.wire.framing import frame
from quintet.sametime.wire.messages import (
    Admin,
    Announce,
    ChannelSend,
    HandshakeAck,
    Login,
    LoginAck,
    SametimeMessage,
    SetUserStatus,
    UnknownMessage,
    decode,
    encode,
)
from support import meanwhile_abi as abi
from support import sametime_vectors as vectors
from support.meanwhile import (
    LIBMEANWHILE,
    Announcement,
    Connected,
    ImKind,
    Match,
    MeanwhileClient,
    ServiceState,
    State,
)
from support.meanwhile_abi import g_list_items, glib, meanwhile, text
from support.sametime_client import BOTH_CIPHERS, SametimeClient
from support.sametime_exchange import BOOKS, GROUP, PASSWORD, Exchange, Line, user_id
from support.sametime_sessions import KEYS, MAGIC, SERVER
from support.sametime_values import MESSAGES

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not abi.is_installed(), reason="needs Debian's libmeanwhile1"),
]


@pytest.fixture(autouse=True)
def complaints() -> Iterator[list[str]]:
    """What the library finds wrong with what it gets. A test that expects something clears it."""
    found = abi.watch_log()
    yield found
    assert found == []


def signed_in(exchange: Exchange, *names: str) -> list[MeanwhileClient]:
    clients = [MeanwhileClient(name, PASSWORD.decode()) for name in names]
    for each in clients:
        exchange.connect(each)
        each.start()
    exchange.run()
    assert all(each.is_started for each in clients)
    return clients


def line_of(exchange: Exchange, name: str) -> Line:
    return next(each for each in exchange.lines if each.id == user_id(name))


# Codecs beside the library's own


def reencoded(content: bytes) -> bytes | None:
    """The message as the library reads and writes it, or None if it finds it malformed."""
    lib = meanwhile()
    buffer = lib.mwGetBuffer_new(ctypes.byref(abi.Opaque.of(content)))
    message = lib.mwMessage_get(buffer)
    failed = lib.mwGetBuffer_error(buffer)
    lib.mwGetBuffer_free(buffer)
    if not message or failed:
        return None
    out, written = lib.mwPutBuffer_new(), abi.Opaque()
    lib.mwMessage_put(out, message)
    lib.mwPutBuffer_finalize(ctypes.byref(written), out)
    lib.mwMessage_free(message)
    return written.content()


_NOT_WRITTEN_BY_THE_LIBRARY = (LoginAck, Admin)


@pytest.mark.parametrize("vector", vectors.VECTORS.values(), ids=vectors.VECTORS.keys())
def test_the_library_reads_and_writes_the_vectors(vector: vectors.Vector) -> None:
    if not isinstance(decode(vector.content), _NOT_WRITTEN_BY_THE_LIBRARY):
        assert reencoded(vector.content) == vector.content


@pytest.mark.parametrize(
    "name",
    [
        "Handshake",
        "HandshakeAck",
        "Login",
        "LoginRedirect",
        "ChannelSend",
        "ChannelDestroy",
        "SetUserStatus",
        "SetPrivacyList",
        "SenseService",
        "Announce",
    ],
)
@given(st.data())
def test_the_library_reads_and_writes_any_message_as_we_do(name: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[name])
    content = reencoded(encode(message)[4:])
    assert content is not None
    again = decode(content)
    if isinstance(message, SetUserStatus):  # the library drops the time
        message = SetUserStatus(replace(message.status, time=0))
    if isinstance(again, Announce):  # and turns recipients round
        again = replace(again, recipients=again.recipients[::-1])
    assert again == message


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100])
@pytest.mark.parametrize("key", [b"12345", b"0123456789abcdef"])
def test_the_library_encrypts_and_decrypts_as_we_do(key: bytes, size: int) -> None:
    lib, plain = meanwhile(), bytes(range(size))

    def run(function: Callable[..., None], data: bytes) -> bytes:
        iv, out = ctypes.create_string_buffer(rc2.FIRST_IV, 8), abi.Opaque()
        function(key, len(key), iv, ctypes.byref(abi.Opaque.of(data)), ctypes.byref(out))
        return out.content()

    assert run(lib.mwEncrypt, plain) == rc2.encrypt(key, plain)
    assert run(lib.mwDecrypt, rc2.encrypt(key, plain)) == plain


def test_the_library_finds_the_same_shared_secret() -> None:
    lib = meanwhile()
    peer, own = KeyPair.from_private(vectors.CLIENT_PRIVATE), KeyPair.from_private(vectors.SERVER_PRIVATE)
    numbers = [lib.mwMpi_new() for _ in range(3)]
    shared, remote, private = numbers
    lib.mwMpi_import(remote, ctypes.byref(abi.Opaque.of(peer.public)))
    lib.mwMpi_import(private, ctypes.byref(abi.Opaque.of(own.private.to_bytes(64, "big"))))
    lib.mwMpi_calculateDHShared(shared, remote, private)
    out = abi.Opaque()
    lib.mwMpi_export(shared, ctypes.byref(out))
    for each in numbers:
        lib.mwMpi_free(each)
    assert out.content().rjust(64, b"\0") == own.shared_secret(peer.public)


def test_the_library_reads_contact_lists_as_we_do() -> None:
    lib = meanwhile()
    contacts = ContactList(
        (
            ContactGroup(
                "Work",
                "At work",
                (
                    Contact("uid=bob, ou=people", "Example, Bob", "Bobby"),
                    Contact("eve@example.net", "Eve", "", "2"),
                ),
            ),
            ContactGroup("cn=devs", "Developers", type=ContactGroupType.PUBLIC, open=False),
        )
    )
    written = render_contact_list(contacts)
    loaded = lib.mwSametimeList_load(abi.c_text(written))
    groups = list(g_list_items(lib.mwSametimeList_getGroups(loaded)))
    assert [text(lib.mwSametimeGroup_getName(each)) for each in groups] == ["Work", "cn=devs"]
    assert [text(lib.mwSametimeGroup_getAlias(each)) for each in groups] == ["At work", "Developers"]
    assert [lib.mwSametimeGroup_isOpen(each) for each in groups] == [1, 0]
    users = [
        (
            text(lib.mwSametimeUser_getUser(each)),
            text(lib.mwSametimeUser_getShortName(each)),
            text(lib.mwSametimeUser_getAlias(each)),
        )
        for each in g_list_items(lib.mwSametimeGroup_getUsers(groups[0]))
    ]
    assert users == [("uid=bob, ou=people", "Example, Bob", "Bobby"), ("eve@example.net", "Eve", "")]
    stored = lib.mwSametimeList_store(loaded)
    again = text(ctypes.string_at(stored))
    glib().g_free(stored)
    lib.mwSametimeList_free(loaded)
    assert parse_contact_list(again) == contacts


# Signing in


def test_it_signs_in_by_type_4_and_keeps_what_the_login_ack_says() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    line = line_of(exchange, "alice")
    assert line.auth_type is AuthType.RC2_128
    assert line.login is not None
    assert alice.login_info == {
        "login_id": line.login.login_id,
        "type": LIBMEANWHILE,
        "user_id": user_id("alice"),
        "user_name": "Alice",
        "community": "",
        "full": 1,
        "desc": "",
        "ip_addr": 0x7F000001,
        "server_id": SERVER.server_id,
    }
    assert [state for state, _ in alice.states] == [
        State.STARTING,
        State.HANDSHAKE,
        State.HANDSHAKE_ACK,
        State.LOGIN,
        State.LOGIN_ACK,
        State.STARTED,
    ]


@pytest.mark.parametrize("password", ["secret", "", "pässwörd ", "x" * 10_000])
@pytest.mark.parametrize(
    ("ack", "auth_type"),
    [
        (HandshakeAck(0, MAGIC, KEYS.public), AuthType.RC2_128),
        (HandshakeAck(0, MAGIC, KEYS.public[:63]), AuthType.RC2_40),
        (HandshakeAck(0, minor=0x18), AuthType.RC2_40),
    ],
    ids=["whole key", "short key", "old server"],
)
def test_the_type_of_its_login_follows_the_ack_and_its_password_is_read(
    ack: HandshakeAck, auth_type: AuthType, password: str
) -> None:
    alice = MeanwhileClient("alice", password)
    alice.start()
    alice.data_to_send()
    alice.receive(encode(ack))
    login = decode(alice.data_to_send()[4:])
    assert isinstance(login, Login)
    credentials = read_credentials(login.auth_type, login.auth_data, KEYS, MAGIC)
    assert credentials == PasswordCredentials(auth_type, password.encode())


@pytest.mark.parametrize(
    "reason",
    [
        ReasonCode.INCORRECT_LOGIN,
        ReasonCode.USER_RESTRICTED,
        ReasonCode.SERVER_FULL,
        ReasonCode.LDAP_UNREACHABLE,
        ReasonCode.LDAP_QUEUE_FULL,
        ReasonCode.LOGGED_IN_TWICE,
    ],
)
def test_it_learns_why_its_login_is_refused(reason: ReasonCode) -> None:
    exchange = Exchange(refuse=reason)
    alice = MeanwhileClient("alice", "secret")
    exchange.connect(alice)
    alice.start()
    exchange.run()
    assert (alice.reason, alice.is_closed) == (reason, True)


def test_a_wrong_password_is_refused() -> None:
    exchange = Exchange()
    alice = MeanwhileClient("alice", "wrong")
    exchange.connect(alice)
    alice.start()
    exchange.run()
    assert alice.reason == ReasonCode.INCORRECT_LOGIN


def test_a_redirected_client_that_stays_is_signed_in_without_another_login() -> None:
    exchange = Exchange(redirect="im2.example.org")
    alice = MeanwhileClient("alice", "secret")
    line = exchange.connect(alice)
    alice.start()
    exchange.run()
    assert alice.redirected_to == "im2.example.org"
    alice.stay()
    exchange.run()
    exchange.sign_in(line)
    exchange.run()
    assert alice.is_started
    assert sum(isinstance(each, LoginRequested) for each in line.events) == 1


def test_it_leaves_in_good_order() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    line = line_of(exchange, "alice")
    alice.keep_alive()
    exchange.run()
    alice.stop()
    exchange.run()
    assert line.session.state is SessionState.CLOSED
    assert len(line.session.channels) == 0


def test_what_it_says_after_the_server_ends_the_session_is_ignored() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    line = line_of(exchange, "alice")
    line.session.end(ReasonCode.SERVER_SHUTTING_DOWN)
    exchange.run()
    assert (alice.reason, alice.is_closed) == (ReasonCode.SERVER_SHUTTING_DOWN, True)
    assert not [each for each in line.events if isinstance(each, MessageIgnored)]


# Services


def test_services_that_are_refused_do_not_stop_it_and_are_sensed() -> None:
    exchange = Exchange(offered=[ServiceId.IM])
    (alice,) = signed_in(exchange, "alice")
    assert alice.service_state("aware") is ServiceState.STOPPED
    ignored = [each for each in line_of(exchange, "alice").events if isinstance(each, MessageIgnored)]
    assert {each.detail for each in ignored} >= {"STORAGE (0x18)", "RESOLVE (0x15)"}


def test_a_service_that_was_closed_is_opened_again_once_it_is_announced() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    line = line_of(exchange, "alice")
    line.session.channels.close(line.channel_of(ServiceId.RESOLVE), ReasonCode.GENERAL_FAILURE)
    line.services.pop(line.channel_of(ServiceId.RESOLVE))
    exchange.run()
    assert alice.service_state("resolve") is ServiceState.STARTED
    number = alice.resolve("alice")
    exchange.run()
    assert alice.resolutions[number].code == 0


def test_names_are_resolved() -> None:
    exchange = Exchange()
    alice, _ = signed_in(exchange, "alice", "bob")
    number = alice.resolve("bob", "xyz", "*")
    exchange.run()
    one, none, several = alice.resolutions[number].results
    bob = Match(user_id("bob"), "Bob", "", 1)
    assert one == (0, "bob", (bob,))
    assert none == (0, "xyz", ())
    assert several[2] == (Match(user_id("alice"), "Alice", "", 1), bob)


def test_groups_are_resolved() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    number = alice.resolve("devs", flags=0x12)
    exchange.run()
    assert alice.resolutions[number].results == (
        (0, "devs", (Match(GROUP, "Developers", "all of them", 2),)),
    )


def test_presence_is_seen_changing() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    alice.watch(user_id("bob"), user_id("eve"))
    exchange.run()
    told = alice.presence(user_id("bob"))
    assert told is not None
    assert (told.online, told.status, told.name) == (True, 0x20, "Bob")
    eve = alice.presence(user_id("eve"))
    assert eve is not None
    assert not eve.online
    bob.set_status(0x60, "at lunch – ü")
    exchange.run()
    told = alice.presence(user_id("bob"))
    assert told is not None
    assert (told.status, told.text) == (0x60, "at lunch – ü")
    bob.stop()
    exchange.run()
    told = alice.presence(user_id("bob"))
    assert told is not None
    assert not told.online


def test_who_is_not_watched_any_more_is_not_told() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    alice.watch(user_id("bob"))
    exchange.run()
    alice.unwatch(user_id("bob"))
    exchange.run()
    seen = len(alice.presence_log)
    bob.set_status(0x60)
    exchange.run()
    assert len(alice.presence_log) == seen


def test_members_of_a_group_are_told_with_the_group() -> None:
    exchange = Exchange(members=["bob", "eve"])
    alice, _ = signed_in(exchange, "alice", "bob")
    alice.watch(GROUP, kind=3)
    exchange.run()
    members = {each.user: each.online for each in alice.presence_log if each.group == GROUP}
    assert members == {user_id("bob"): True, user_id("eve"): False}
    watched = {each.user for each in line_of(exchange, "alice").watched}
    assert {user_id("bob"), user_id("eve")} <= watched  # it asks for each member by itself


def test_attributes_are_told_to_whom_watches_them() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    bob.set_flag(6)
    alice.watch_attributes(6, 1)
    alice.watch(user_id("bob"))
    exchange.run()
    assert alice.attributes[user_id("bob"), 6] == b"\x00\x01"
    bob.unset(6)
    exchange.run()
    assert alice.attributes[user_id("bob"), 6] is None


def test_attributes_of_the_server_are_told() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    alice.watch_attributes(ServerAttribute.BROWSE_ENABLED, ServerAttribute.LARGEST_FILE)
    alice.watch(SERVER.server_id, kind=8)
    exchange.run()
    assert alice.attributes == {
        (SERVER.server_id, ServerAttribute.BROWSE_ENABLED): b"\x00\x01",
        (SERVER.server_id, ServerAttribute.LARGEST_FILE): b"\x00\x00\x04\x00",
    }


def test_a_contact_list_is_saved_and_loaded_again() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    contacts = render_contact_list(
        ContactList((ContactGroup("Work", "Work", (Contact(user_id("bob"), "Bob"),)),))
    )
    alice.load(0)
    alice.save(0, contacts)
    alice.load(0)
    exchange.run()
    assert alice.saved == [(0, 0)]
    missing, loaded = alice.loaded
    assert missing == (0, ReasonCode.NO_SUCH_ELEMENT, b"")
    assert loaded[:2] == (0, 0)
    assert text_of(loaded[2]) == contacts


def test_a_value_as_long_as_a_string_can_be_is_kept() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    alice.save(0x1234567, "x" * 65_535)
    alice.load(0x1234567)
    exchange.run()
    assert alice.loaded[0][2] == b"\xff\xff" + b"x" * 65_535


def test_address_books_are_listed_and_opening_one_is_answered() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    alice.list_books()
    exchange.run()
    assert set(alice.books) == set(BOOKS)
    alice.open_book(BOOKS[0])
    exchange.run()
    assert alice.is_started


@pytest.mark.parametrize("ciphers", [True, False], ids=["encrypted", "unencrypted"])
def test_two_of_them_talk(ciphers: bool) -> None:
    exchange = Exchange()
    alice, bob = (MeanwhileClient(name, "secret", ciphers=ciphers) for name in ("alice", "bob"))
    for each in (alice, bob):
        exchange.connect(each)
        each.start()
    exchange.run()
    alice.open_conversation(user_id("bob"))
    exchange.run()
    alice.say(user_id("bob"), "hello bob")
    exchange.run()
    bob.say(user_id("alice"), "hello alice – ü")
    bob.say_typing(user_id("alice"), True)
    bob.say(user_id("alice"), "<b>x</b>", ImKind.HTML)
    bob.say(user_id("alice"), "lunch", ImKind.SUBJECT)
    exchange.run()
    assert bob.conversations[user_id("alice")].texts == ["hello bob"]
    assert alice.conversations[user_id("bob")].received == [
        (ImKind.TEXT, "hello alice – ü"),
        (ImKind.TYPING, True),
        (ImKind.HTML, "<b>x</b>"),
        (ImKind.SUBJECT, "lunch"),
    ]
    encrypted = [each.encrypted for each in line_of(exchange, "alice").session.channels if each.relayed]
    assert encrypted == [ciphers]
    alice.close_conversation(user_id("bob"))
    exchange.run()
    assert bob.conversations[user_id("alice")].closed == [0]


def test_long_html_arrives_whole() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    alice.open_conversation(user_id("bob"))
    exchange.run()
    html = "<p>" + "x" * 10_000 + "</p>"
    alice.say(user_id("bob"), html, ImKind.HTML)
    exchange.run()
    assert bob.conversations[user_id("alice")].received == [(ImKind.HTML, html)]


def test_a_conversation_with_a_user_who_is_offline_is_refused() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    conversation = alice.open_conversation(user_id("eve"))
    exchange.run()
    assert conversation.closed == [ReasonCode.USER_NOT_ONLINE]
    assert conversation.opened == 0


@pytest.mark.parametrize("ciphers", [(), BOTH_CIPHERS[:1], BOTH_CIPHERS[1:], BOTH_CIPHERS])
def test_it_accepts_an_encrypted_channel_and_we_accept_its(ciphers: tuple[int, ...]) -> None:
    """The library as the acceptor of each cipher, with our client as the creator."""
    exchange = Exchange()
    (bob,) = signed_in(exchange, "bob")
    ours = SametimeClient("carol")
    heard: list[SametimeMessage | UnknownMessage] = []

    class Recorder:
        def receive(self, data: bytes) -> None:
            heard.extend(ours.receive(data))

        def data_to_send(self) -> bytes:
            return ours.data_to_send()

    exchange.connect(Recorder())
    ours.start()
    exchange.run()
    channel = ours.create(ServiceId.IM, user_id("bob"), ImOpening().encode(), ciphers)  # type: ignore[arg-type]
    exchange.run()
    ours.send(channel, MESSAGE, ImText("one").encode())
    ours.send(channel, MESSAGE, ImText("two").encode())
    exchange.run()
    assert bob.conversations[user_id("carol")].texts == ["one", "two"]
    bob.say(user_id("carol"), "three")
    bob.say(user_id("carol"), "four")
    exchange.run()
    said = [decode_message(each.type, each.data) for each in heard if isinstance(each, ChannelSend)]
    assert said == [ImText("three"), ImText("four")]
    assert (ours.channels[channel].cipher is not None) is bool(ciphers)


def test_three_of_them_confer() -> None:
    exchange = Exchange()
    alice, bob, carol = signed_in(exchange, "alice", "bob", "carol")
    at_alice = alice.open_conference("Release – ü")
    exchange.run()
    assert (at_alice.opened, at_alice.members) == (True, [user_id("alice")])
    for guest in (bob, carol):
        alice.invite(at_alice, user_id(guest.name), "come in")
        exchange.run()
        (invited,) = guest.conferences.values()
        assert (invited.invited_by, invited.invitation, invited.title) == (
            user_id("alice"),
            "come in",
            "Release – ü",
        )
        guest.accept_invitation(invited)
        exchange.run()
    (at_bob,), (at_carol,) = bob.conferences.values(), carol.conferences.values()
    assert at_alice.joined == [user_id("bob"), user_id("carol")]
    assert set(at_carol.members) == {user_id(name) for name in ("alice", "bob", "carol")}
    bob.confer(at_bob, "hello all")
    bob.confer_typing(at_bob, True)
    exchange.run()
    for each in (at_alice, at_carol):
        assert each.texts == [(user_id("bob"), "hello all")]
        assert each.typing == [(user_id("bob"), True)]
    carol.leave(at_carol, "bye")
    exchange.run()
    assert at_alice.parted == at_bob.parted == [user_id("carol")]


def test_an_invitation_is_declined() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    conference = alice.open_conference("Release")
    exchange.run()
    alice.invite(conference, user_id("bob"))
    exchange.run()
    (invited,) = bob.conferences.values()
    bob.leave(invited, "no time")
    exchange.run()
    assert conference.joined == []


def test_a_file_arrives_whole() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    data = bytes(range(256)) * 100
    sent = alice.offer_file(user_id("bob"), "report.pdf", data, "have a look")
    exchange.run()
    (offered,) = bob.files.values()
    assert (offered.peer, offered.name, offered.message, offered.size) == (
        user_id("alice"),
        "report.pdf",
        "have a look",
        len(data),
    )
    bob.accept_file(offered)
    exchange.run()
    assert bytes(offered.received) == data
    assert sent.closed == [0]


def test_a_file_is_rejected() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    sent = alice.offer_file(user_id("bob"), "report.pdf", b"data")
    exchange.run()
    (offered,) = bob.files.values()
    bob.reject_file(offered)
    exchange.run()
    assert sent.closed == [ReasonCode.FILE_TRANSFER_REJECTED]


def test_privacy_lists_come_and_go() -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    alice.set_privacy(True, user_id("eve"), user_id("mallory"))
    exchange.run()
    assert alice.privacy_changes[-1] == (True, (user_id("eve"), user_id("mallory")))


def test_announcements_and_texts_of_the_administrator_arrive() -> None:
    exchange = Exchange()
    alice, bob = signed_in(exchange, "alice", "bob")
    alice.announce("fire drill", f"@U {user_id('bob')}")
    line_of(exchange, "bob").session.notify(Admin("Restart at 18:00 – ü"))
    exchange.run()
    assert bob.announcements == [Announcement(user_id("alice"), True, "fire drill")]
    assert bob.admin_texts == ["Restart at 18:00 – ü"]


def test_an_unknown_message_and_keep_alives_from_the_server_do_it_no_harm(complaints: list[str]) -> None:
    exchange = Exchange()
    (alice,) = signed_in(exchange, "alice")
    alice.receive(b"\x80\x81\xff" + frame(b"\x77\x77" + bytes(20)) + bytes(4) + b"\x80")
    number = alice.resolve("alice")
    exchange.run()
    assert number in alice.resolutions
    complaints.clear()  # it may complain of the unknown type


# On a socket


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """One connection, until the client closes it."""
    connection, _ = listener.accept()
    connection.settimeout(20)
    with context.wrap_socket(connection, server_side=True) if context else connection as stream:
        exchange = Exchange()
        line = exchange.connect(_Silent())
        while data := stream.recv(65536):
            exchange.take(line, data)
            stream.sendall(line.session.data_to_send())


class _Silent:
    def receive(self, data: bytes) -> None:
        """Everything goes over the socket."""

    def data_to_send(self) -> bytes:
        return b""


@pytest.mark.parametrize("encrypted", [False, True], ids=["unencrypted", "TLS"])
def test_it_signs_in_over_a_socket(certificates: Certificates, tmp_path: Path, encrypted: bool) -> None:
    server_context = client_context = None
    if encrypted:
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(*certificates.server.write(tmp_path, "server"))
        client_context = ssl.create_default_context(cadata=certificates.ca.pem.decode())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, server_context), daemon=True)
        thread.start()
        alice = MeanwhileClient("alice", "secret")
        with Connected("127.0.0.1", listener.getsockname()[1], client_context) as connected:
            connected.connect(alice)
            connected.pump(lambda: alice.is_started)
            number = alice.resolve("alice")
            connected.pump(lambda: number in alice.resolutions)
        thread.join(20)
    assert not thread.is_alive()
    assert alice.resolutions[number].results[0][2] == (Match(user_id("alice"), "Alice", "", 1),)
