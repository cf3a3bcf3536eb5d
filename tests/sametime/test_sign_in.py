"""Signing in over the port: who gets in, and by which code those who do not are refused."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.directory.attempts import AttemptRules, LocalAttempts
from quintet.directory.errors import (
    AmbiguousNameError,
    AuthenticationError,
    DirectoryError,
    DirectoryUnavailableError,
    UnencryptedBindError,
    UnreachableReason,
    UntrustedServerError,
)
from quintet.directory.records import Person
from quintet.sametime.community import SignInRule
from quintet.sametime.credentials import AuthType
from quintet.sametime.housekeeping import recheck
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.sign_in import rejection_of
from quintet.sametime.trace import ConnectionTurnedAway, SignInRefused
from quintet.sametime.wire.blocks import StatusCode, UserStatus
from quintet.sametime.wire.framing import frame
from quintet.sametime.wire.messages import Admin, LoginAck, SetUserStatus
from support.community_directory import FakeDirectory, person, user_id
from support.directories import until
from support.sametime_client import SametimeClient
from support.sametime_server import SETTINGS, LiveClient, refused, running, signed_in, with_limits


async def test_a_user_is_known_by_what_the_directory_says(server: SametimeServer) -> None:
    alice = await signed_in(server, "alice")
    login = alice.client.login
    assert login is not None
    assert (login.user_id, login.user_name) == (user_id("alice"), "Alice Example")
    assert login.server_id == "server.example.org"
    assert len(login.login_id) >= 5
    await alice.close()


async def test_every_session_has_an_id_of_its_own(server: SametimeServer) -> None:
    clients = [await signed_in(server, "alice") for _ in range(3)]
    ids = {each.client.login.login_id for each in clients if each.client.login}
    assert len(ids) == 3
    assert len({each[:5] for each in ids}) == 3, "the beginning is a key"
    for each in clients:
        await each.close()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", b"wrong"),
        ("nobody", b"secret"),
        ("alice", b""),
        ("", b"secret"),
        ("alice", b"x" * 10_000),
        ("alice", b"\xff\xfe"),
        ("\udcff\udcfe", b"secret"),
        ("a;b c*)(uid=*", b"secret"),
    ],
    ids=["wrong", "unknown", "empty", "no name", "10 KB", "not UTF-8", "name not UTF-8", "filter"],
)
@pytest.mark.parametrize("auth_type", [AuthType.PLAIN, AuthType.RC2_40, AuthType.RC2_128])
async def test_whatever_is_wrong_with_name_or_password_looks_the_same(
    server: SametimeServer, name: str, password: bytes, auth_type: AuthType
) -> None:
    reason = await refused(server, name, password=password, auth_type=auth_type)
    assert reason is ReasonCode.INCORRECT_LOGIN


@pytest.mark.parametrize("auth_type", [1, 5, 6, 7, 8, 9])
async def test_tokens_are_refused_by_name(server: SametimeServer, auth_type: int) -> None:
    kind = AuthType(auth_type)
    assert await refused(server, "alice", auth_type=kind) is ReasonCode.INCORRECT_LOGIN
    assert server.counter.count(SignInRefused, auth_type=kind.name) == 1


async def test_a_validator_may_say_whose_a_token_is(people: FakeDirectory, tmp_path: Path) -> None:
    async def validate(auth_type: int, data: bytes) -> Person | None:
        return person("alice") if (auth_type, data) == (AuthType.TOKEN, b"") else None

    async with running(people, tmp_path, validate_token=validate) as server:
        alice = await signed_in(server, "whatever", auth_type=AuthType.TOKEN)
        assert [each.user_id for each in server.sessions()] == [user_id("alice")]
        assert await refused(server, "x", auth_type=AuthType.DH_TOKEN) is ReasonCode.INCORRECT_LOGIN
        await alice.close()


async def test_anonymous_users_are_refused_by_default(server: SametimeServer) -> None:
    assert await refused(server, "guest", auth_type=AuthType.ANONYMOUS) is ReasonCode.INCORRECT_LOGIN


async def test_an_anonymous_user_cannot_pass_for_another_or_store_anything(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, anonymous=True)) as server:
        guest = await signed_in(server, "Alice Example", auth_type=AuthType.ANONYMOUS)
        assert guest.client.login is not None
        assert guest.client.login.user_name == "Alice Example (guest)"
        assert guest.client.login.user_id != user_id("alice")
        guest.client.create(ServiceId.STORAGE)
        await guest.until(
            lambda: ServiceId.STORAGE not in {c.service for c in guest.client.channels.values()}
        )
        assert people.calls["authenticate"] == 0
        await guest.close()


def unavailable(why: UnreachableReason) -> DirectoryUnavailableError:
    return DirectoryUnavailableError.because(why)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AuthenticationError(), ReasonCode.INCORRECT_LOGIN),
        (unavailable(UnreachableReason.REFUSED), ReasonCode.LDAP_UNREACHABLE),
        (unavailable(UnreachableReason.TIMED_OUT), ReasonCode.LDAP_UNREACHABLE),
        (unavailable(UnreachableReason.LOST), ReasonCode.LDAP_UNREACHABLE),
        (unavailable(UnreachableReason.BUSY), ReasonCode.LDAP_UNREACHABLE),
        (unavailable(UnreachableReason.ACCOUNT), ReasonCode.LDAP_UNREACHABLE),
        (unavailable(UnreachableReason.OVERLOADED), ReasonCode.LDAP_QUEUE_FULL),
        (unavailable(UnreachableReason.NO_SERVER), ReasonCode.VERIFICATION_DOWN),
        (UntrustedServerError("x"), ReasonCode.LDAP_UNREACHABLE),
        (UnencryptedBindError("x"), ReasonCode.VERIFICATION_DOWN),
        (AmbiguousNameError("x"), ReasonCode.LDAP_UNREACHABLE),
    ],
)
def test_the_code_says_whether_coming_back_helps(error: DirectoryError, reason: ReasonCode) -> None:
    assert rejection_of(error).reason is reason


async def test_while_the_directory_is_away_clients_are_told_to_come_back(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.failure = unavailable(UnreachableReason.REFUSED)
    assert await refused(server, "alice") is ReasonCode.LDAP_UNREACHABLE
    people.failure = None
    await (await signed_in(server, "alice")).close()


async def test_a_fault_in_the_directory_ends_that_sign_in_only(
    server: SametimeServer, people: FakeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_name: str, _password: str) -> Person:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(people, "authenticate", broken)
        assert await refused(server, "alice") is ReasonCode.GENERAL_FAILURE
    await (await signed_in(server, "alice")).close()


async def test_a_full_server_says_so(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(sessions=1)) as server:
        alice = await signed_in(server, "alice")
        assert await refused(server, "bob") is ReasonCode.SERVER_FULL
        await alice.close()
        await until(lambda: not server.sessions())
        await (await signed_in(server, "bob")).close()


async def test_when_too_many_wait_one_more_is_told_to_come_back(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, with_limits(sign_ins_at_once=1, sign_ins_waiting=1)) as server:
        people.gate = asyncio.Event()
        waiting = [await LiveClient.connect(server.port, SametimeClient(name)) for name in ("alice", "bob")]
        for each in waiting:
            await each.got(object)
            await each.flush()
        await until(lambda: server._reception._sign_in.waiting == 1)
        assert await refused(server, "carol") is ReasonCode.LDAP_QUEUE_FULL
        people.gate.set()
        for each in waiting:
            await (await each.sign_in()).close()


async def test_a_client_that_went_away_does_not_wait(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(sign_ins_at_once=1, sign_ins_waiting=1)) as server:
        people.gate = asyncio.Event()
        first, gone = [
            await LiveClient.connect(server.port, SametimeClient(name)) for name in ("alice", "bob")
        ]
        for each in (first, gone):
            await each.got(object)
            await each.flush()
        await until(lambda: server._reception._sign_in.waiting == 1)
        gone.writer.transport.abort()
        await until(lambda: server._reception._sign_in.waiting == 0)
        third = await LiveClient.connect(server.port, SametimeClient("carol"))
        await third.until(lambda: third.said)
        await third.flush()
        await until(lambda: server._reception._sign_in.waiting == 1)
        people.gate.set()
        for each in (first, third):
            await (await each.sign_in()).close()
        assert people.calls["authenticate"] == 2


async def test_a_client_that_leaves_during_its_sign_in_is_not_signed_in(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.gate = asyncio.Event()
    client = await LiveClient.connect(server.port, SametimeClient("alice"))
    await client.until(lambda: client.said)
    await client.flush()
    await until(lambda: people.calls["authenticate"])
    client.writer.transport.abort()
    await until(lambda: not server._connections)
    people.gate.set()
    await until(lambda: not server._context._tasks)
    assert server.sessions() == ()


async def test_guessing_is_slowed_down(people: FakeDirectory, tmp_path: Path) -> None:
    attempts = LocalAttempts(AttemptRules(limit=2, hold=0.0))
    async with running(people, tmp_path, attempts=attempts) as server:
        for _ in range(2):
            assert await refused(server, "alice", password=b"guess") is ReasonCode.INCORRECT_LOGIN
        assert await refused(server, "alice") is ReasonCode.LDAP_QUEUE_FULL
        assert people.calls["authenticate"] == 2
        await (await signed_in(server, "bob")).close()


async def test_a_newer_family_of_messages_is_refused_by_version(server: SametimeServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(frame(bytes.fromhex("0027000000000000") + b"unknown"))
    client = SametimeClient("x")
    async with asyncio.timeout(5):
        client.receive(await reader.read())
    writer.close()
    assert client.ended is ReasonCode.VERSION_MISMATCH
    (counted,) = [each for each in server.counter.counts if each[0] == ConnectionTurnedAway.__name__]
    assert "cause=PROTOCOL" in counted


async def test_a_server_application_is_refused(server: SametimeServer) -> None:
    assert await refused(server, "alice", client_type=0x2000) is ReasonCode.USER_RESTRICTED


# Several sessions of a user


async def test_by_default_a_user_may_have_several_sessions(server: SametimeServer) -> None:
    first = await signed_in(server, "alice")
    first.client.say(SetUserStatus(UserStatus(StatusCode.AWAY, 0, "lunch")))
    await first.settle()
    second = await signed_in(server, "alice")
    (ack,) = second.messages(LoginAck)
    assert ack.status == UserStatus(StatusCode.AWAY, 0, "lunch")
    second.client.say(SetUserStatus(UserStatus(StatusCode.IDLE)))
    await second.flush()
    await first.until(lambda: first.messages(SetUserStatus))
    assert first.messages(SetUserStatus)[0].status.status == StatusCode.IDLE
    for each in (first, second):
        await each.close()


async def test_under_newest_the_old_session_ends_for_good(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, replace(SETTINGS, sign_ins=SignInRule.NEWEST)) as server:
        first = await signed_in(server, "alice")
        second = await signed_in(server, "alice")
        await first.until_closed()
        assert first.client.ended is ReasonCode.LOGGED_IN_TWICE
        assert len(server.sessions()) == 1
        for each in (first, second):
            await each.close()


async def test_under_oldest_the_new_session_is_refused_for_good(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, sign_ins=SignInRule.OLDEST)) as server:
        first = await signed_in(server, "alice")
        assert await refused(server, "alice") is ReasonCode.LOGGED_IN_TWICE
        await first.settle()
        await first.close()


# Looking after sessions


async def test_a_user_who_is_gone_from_the_directory_is_signed_out(
    server: SametimeServer, people: FakeDirectory
) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    del people.people["alice"]
    people.people["bob"] = person("bobby")
    for client in server._context.clients.values():
        await recheck(server._context, client, client.person, asyncio.Semaphore(1)) if client.person else None
        break
    await alice.until_closed()
    assert alice.client.ended is ReasonCode.USER_RESTRICTED
    (client,) = server._context.clients.values()
    assert client.person is not None
    await recheck(server._context, client, client.person, asyncio.Semaphore(1))
    await bob.until_closed()
    assert bob.client.ended is ReasonCode.USER_RESTRICTED
    for each in (alice, bob):
        await each.close()


async def test_a_look_up_that_failed_ends_no_session(server: SametimeServer, people: FakeDirectory) -> None:
    alice = await signed_in(server, "alice")
    (client,) = server._context.clients.values()
    assert client.person is not None
    for failure in (unavailable(UnreachableReason.REFUSED), AmbiguousNameError("x")):
        people.failure = failure
        await recheck(server._context, client, client.person, asyncio.Semaphore(1))
    assert len(server.sessions()) == 1
    await alice.close()


async def test_sessions_are_rechecked_within_their_time(people: FakeDirectory, tmp_path: Path) -> None:
    settings = replace(with_limits(keep_alive_seconds=5), recheck_minutes=0.001)
    async with running(people, tmp_path, settings) as server:
        alice = await signed_in(server, "alice")
        del people.people["alice"]
        await alice.until_closed(6)
        assert alice.client.ended is ReasonCode.USER_RESTRICTED
        await alice.close()


@pytest.mark.parametrize("name", ["alice", user_id("alice").upper(), "ID"])
async def test_an_administrator_ends_sessions_by_name_user_id_or_session_id(
    server: SametimeServer, name: str
) -> None:
    alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
    assert alice.client.login is not None
    assert await server.end_sessions(alice.client.login.login_id if name == "ID" else name) == 1
    await alice.until_closed()
    assert alice.client.ended is ReasonCode.USER_RESTRICTED
    assert [each.user_id for each in server.sessions()] == [user_id("bob")]
    assert await server.end_sessions("nobody") == 0
    for each in (alice, bob):
        await each.close()


async def test_an_administrator_tells_everybody_something(server: SametimeServer) -> None:
    clients = [await signed_in(server, name) for name in ("alice", "bob")]
    assert await server.broadcast("Restart at 18:00") == 2
    for each in clients:
        await each.got(Admin)
        assert each.messages(Admin) == [Admin("Restart at 18:00")]
        await each.close()
