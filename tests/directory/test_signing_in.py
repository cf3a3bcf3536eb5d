"""Walk 1: names and passwords to people, and what a refusal gives away."""

from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from quintet.directory.authenticate import ConstantTimeRefusal
from quintet.directory.directory import Directory
from quintet.directory.errors import (
    AmbiguousNameError,
    AuthenticationError,
    DirectoryUnavailableError,
    UnknownNameError,
)
from quintet.directory.events import Event, SignedIn
from quintet.directory.login_lookup import _opened_template
from quintet.directory.services import Service
from quintet.embedded.faults import AnswerWith, Drop, Faults, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Template, parse
from quintet.runtime.event_log import EventLogger
from support import small
from support.directories import DEAD

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]


async def test_the_right_password_gives_the_person(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    alice = await directory.authenticate("alice", "alice-secret")
    assert (alice.id, alice.name, alice.mail) == (
        small.person_dn("alice"),
        "Alice Adams",
        "alice@example.com",
    )


@pytest.mark.parametrize("uid", ["comma", "odd", "jose"])
async def test_odd_names_sign_in(serve: Serve, directory_of: DirectoryOf, uid: str) -> None:
    directory = await directory_of(await serve())
    assert (await directory.authenticate(uid, f"{uid}-secret")).mail == f"{uid}@example.com"


async def test_unknown_name_wrong_password_and_ambiguous_name_are_told_alike(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    server = await serve()
    directory = await directory_of(server)
    said, binds = set(), []
    for name, password in (("alice", "wrong"), ("nobody", "wrong"), ("smith", "wrong")):
        before = server.counts["bind"]
        with pytest.raises(AuthenticationError) as refused:
            await directory.authenticate(name, password)
        said.add((str(refused.value), repr(refused.value)))
        binds.append(server.counts["bind"] - before)
    assert len(said) == 1
    # The first also opened the login connection, which binds anonymously.
    assert binds == [2, 1, 1]


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", ""), ("", "x"), ("  ", "x"), ("alice", "\0"), ("alice", "\ud800"), ("*", "x")],
)
async def test_what_is_empty_never_binds_as_anybody(
    serve: Serve, directory_of: DirectoryOf, name: str, password: str
) -> None:
    directory = await directory_of(await serve())
    with pytest.raises(AuthenticationError):
        await directory.authenticate(name, password)


async def test_an_empty_password_reaches_no_server(directory_of: DirectoryOf) -> None:
    directory = await directory_of(DEAD)
    with pytest.raises(AuthenticationError):
        await directory.authenticate("alice", "")


async def test_the_sub_code_of_active_directory_goes_to_the_trace_only(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    server = await serve()
    told: list[Event] = []
    directory = await directory_of(server, trace=told.append)
    await directory.authenticate("alice", "alice-secret")
    server.faults = failing(AnswerWith(49, "80090308: LdapErr: DSID-0C, data 775, v1db1"), "bind")
    with pytest.raises(AuthenticationError) as refused:
        await directory.authenticate("alice", "alice-secret")
    assert "locked" not in str(refused.value)
    assert "locked" in [event.reason for event in told if isinstance(event, SignedIn)][-1]


async def test_c48_the_log_of_a_server_tells_a_name_that_several_have_and_the_person_is_not_told(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve(), trace=EventLogger())
    said = []
    with capture_logs() as logs:
        for name in ("smith", "nobody"):
            with pytest.raises(AuthenticationError) as refused:
                await directory.authenticate(name, "alice-secret")
            said.append(str(refused.value))
    signed_in = [each for each in logs if each["event"] == "sign-in"]
    reasons = [each["reason"] for each in signed_in]
    assert (reasons, len(set(said))) == (["several people have this name", "no person has this name"], 1)
    assert {each["log_level"] for each in signed_in} == {"info"}
    assert "alice-secret" not in str(logs)


async def test_every_refusal_waits_as_long_as_a_wrong_password_may_take_and_nobody_else_waits(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))

    server = await serve()
    directory = await directory_of(server)
    pace = directory._refusals = ConstantTimeRefusal(now=lambda: 0.0, sleep=sleep, lot=lambda: 0.0)
    pace.accepted(-0.2)
    for name in ("nobody", "smith", "*", "a" * 2000, "alice"):
        with pytest.raises(AuthenticationError):
            await directory.authenticate(name, "wrong")
    server.faults = failing(AnswerWith(49, "80090308: LdapErr: DSID-0C, data 775, v1db1"), "bind")
    with pytest.raises(AuthenticationError):
        await directory.authenticate("alice", "alice-secret")
    assert slept == [0.3] * 6
    server.faults = Faults()
    await directory.authenticate("alice", "alice-secret")
    assert slept == [0.3] * 6


@pytest.mark.parametrize("name", ["alice", "nobody", "smith"])
async def test_a_refusal_comes_after_every_server_was_asked(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    servers = await serve(), await serve("dn: o=other\nobjectClass: organization\no: other\n")
    directory = await directory_of(*servers)
    with pytest.raises(AuthenticationError):
        await directory.authenticate(name, "wrong")
    logins = [row.operations for row in directory.status() if row.service is Service.RESOLVE_LOGIN]
    assert logins == [2, 2]  # an anonymous bind and a search


@pytest.mark.parametrize("name", ["alice", "nobody"])
@pytest.mark.parametrize("code", [10, 19, 32, 34, 48, 49, 50, 53])
async def test_whatever_a_server_refuses_a_bind_with_reads_the_same_for_all(
    serve: Serve, directory_of: DirectoryOf, name: str, code: int
) -> None:
    """A locked account, one elsewhere, one without a password: all are told as the wrong password is."""
    server = await serve()
    told: list[Event] = []
    directory = await directory_of(server, trace=told.append)
    await directory.authenticate("alice", "alice-secret")
    server.faults = failing(AnswerWith(code), "bind")
    with pytest.raises(AuthenticationError) as refused:
        await directory.authenticate(name, "alice-secret")
    assert str(refused.value) == str(AuthenticationError())
    assert [event.outcome for event in told if isinstance(event, SignedIn)] == ["ok", "refused"]


@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_a_directory_that_fails_is_never_called_a_wrong_password(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    server = await serve()
    directory = await directory_of(server)
    await directory.resolve_login("alice")
    for fault in (Drop(), AnswerWith(80), AnswerWith(52), AnswerWith(51), AnswerWith(8)):
        server.faults = failing(fault, "bind")
        with pytest.raises(DirectoryUnavailableError):
            await directory.authenticate(name, "alice-secret")
        server.faults = failing(AnswerWith(0), "compare")
        await directory.connect_all()


async def test_c48_a_login_name_is_one_person_or_a_clear_refusal(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(await serve())
    assert (await directory.resolve_login("alice")).dn == small.person_dn("alice")
    with pytest.raises(AmbiguousNameError):
        await directory.resolve_login("smith")
    with pytest.raises(UnknownNameError):
        await directory.resolve_login("nobody")


@pytest.mark.parametrize("name", ["ali*", "*", "alice)(uid=*", "al\\69ce", "a" * 100_000, "\0", "\ud800"])
async def test_c47_no_name_can_widen_the_login_filter(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    directory = await directory_of(await serve())
    with pytest.raises(UnknownNameError):
        await directory.resolve_login(name)


async def test_c39_the_first_server_with_the_name_signs_in(serve: Serve, directory_of: DirectoryOf) -> None:
    zoe = (
        "dn: uid=zoe,o=example\nobjectClass: inetOrgPerson\nuid: zoe\ncn: Zoe Z\nsn: Z\n"
        "userPassword: zoe-secret\n"
    )
    first, second = await serve(), await serve(zoe)
    directory = await directory_of(first, second)
    await directory.authenticate("zoe", "zoe-secret")
    await directory.authenticate("alice", "alice-secret")
    assert first.counts["bind"] > 0


async def test_c40_a_server_that_is_down_does_not_hide_the_others(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    directory = await directory_of(DEAD, await serve())
    assert (await directory.authenticate("alice", "alice-secret")).name == "Alice Adams"
    with pytest.raises(DirectoryUnavailableError):
        await directory.authenticate("nobody", "x")
    with pytest.raises(AuthenticationError):
        await directory.authenticate("alice", "wrong")


async def test_c51_the_id_is_the_attribute_that_is_set(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve(), server={"user_id_attribute": "UID"})
    assert (await directory.resolve_login("alice@example.com")).id == "alice"


async def test_c87_a_dn_signs_in_as_the_entry_that_has_it(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    for uid in ("alice", "comma", "odd"):
        dn = small.person_dn(uid)
        for typed in (dn, dn.upper(), f" {dn} "):
            assert (await directory.resolve_login(typed)).id == dn
        assert (await directory.authenticate(dn, f"{uid}-secret")).id == dn
        with pytest.raises(AuthenticationError):
            await directory.authenticate(dn, "wrong")


@pytest.mark.parametrize(
    "dn",
    [small.group_dn("engineers"), small.BASE, small.person_dn("nobody"), "uid=alice,o=other", "uid="],
)
async def test_c87_a_dn_of_no_user_is_no_login_name(serve: Serve, directory_of: DirectoryOf, dn: str) -> None:
    directory = await directory_of(await serve())
    with pytest.raises(UnknownNameError):
        await directory.resolve_login(dn)
    with pytest.raises(AuthenticationError):
        await directory.authenticate(dn, "alice-secret")


_BARS = "(&(objectclass=inetOrgPerson)(!(mail=bob@example.com))(|(uid=%s)(mail=%s)))"


async def test_c87_no_dn_and_no_id_goes_past_a_filter_that_bars_a_user(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    changes = {"login_filter": Template(_BARS), "user_id_attribute": "cn"}
    directory = await directory_of(await serve(), server=changes)
    assert (await directory.authenticate("Alice Adams", "alice-secret")).id == "Alice Adams"
    assert (await directory.authenticate(small.person_dn("alice"), "alice-secret")).id == "Alice Adams"
    for name in ("bob", "Bob Brown", small.person_dn("bob")):
        with pytest.raises(AuthenticationError):
            await directory.authenticate(name, "bob-secret")


async def test_c87_a_login_name_goes_before_the_id_of_another_user(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    changes = {"login_filter": Template("(&(objectclass=inetOrgPerson)(uid=%s))"), "user_id_attribute": "sn"}
    other = f"dn: {small.person_dn('brown')}\nobjectClass: inetOrgPerson\nuid: brown\ncn: Other\nsn: Other\n"
    directory = await directory_of(await serve(other), server=changes)
    assert (await directory.resolve_login("brown")).name == "Other"
    assert (await directory.resolve_login("Adams")).name == "Alice Adams"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("(&(objectclass=person)(STUser=1)(uid=%s))", "(&(objectclass=person)(STUser=1)(uid=*))"),
        ("(|(cn=%s*)(mail~=%s))", "(|(cn=*)(mail=*))"),
        ("(&(uid=%s)(!(blocked=%s)))", None),
        ("(uid:caseExactMatch:=%s)", "(uid=*)"),
        ("(uid>=%s)", "(uid=*)"),
    ],
)
def test_the_filter_of_any_name_keeps_what_else_is_demanded(template: str, expected: str | None) -> None:
    found = _opened_template(template)
    assert found == (None if expected is None else parse(expected))
