"""The connection against a real slapd: every operation, unencrypted and encrypted, and slapd's own death."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from quintet.ldap.connection import Address, Connection, Limits, connect
from quintet.ldap.errors import (
    ClientLimitError,
    ConnectionLostError,
    InvalidCredentials,
    LdapError,
    NoSuchObject,
    RemoteProtocolError,
    ResultError,
    SizeLimitExceeded,
    TlsError,
)
from quintet.ldap.filters import Template, parse
from support import certs
from support.slapd import Slapd
from support.small import PEOPLE, person_dn

pytestmark = pytest.mark.real

EVERYBODY = parse("(objectClass=inetOrgPerson)")


def context(server: Slapd) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca)


async def open_clear(server: Slapd, limits: Limits | None = None) -> Connection:
    return await connect(Address(server.host, server.port), limits=limits)


async def open_ldaps(server: Slapd, limits: Limits | None = None) -> Connection:
    return await connect(Address(server.host, server.tls_port), tls=context(server), limits=limits)


async def open_start_tls(server: Slapd, limits: Limits | None = None) -> Connection:
    address = Address(server.host, server.port)
    return await connect(address, tls=context(server), start_tls=True, limits=limits)


WAYS = {"clear": open_clear, "LDAPS": open_ldaps, "StartTLS": open_start_tls}


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
async def connection(request: pytest.FixtureRequest, small_slapd: Slapd) -> AsyncIterator[Connection]:
    async with await request.param(small_slapd) as connection:
        yield connection


async def test_a_search_finds_whom_it_should(connection: Connection) -> None:
    found = await connection.search(PEOPLE, 2, parse("(uid=jose)"), ["cn"])
    (entry,) = found.entries
    assert (entry.dn, entry.attributes) == (person_dn("jose"), {"cn": ["José Núñez".encode()]})


async def test_a_thousand_searches_at_once_each_have_their_own_answer(connection: Connection) -> None:
    template = Template("(uid=%s)")
    names = ["alice", "bob", "carol", "nobody"] * 250

    async def uid_of(name: str) -> list[str]:
        found = await connection.search(PEOPLE, 2, template.encode(name), ["uid"])
        return [entry.attributes["uid"][0].decode() for entry in found.entries]

    before = connection.operations
    answers = await asyncio.gather(*map(uid_of, names))
    assert answers == [[name] if name != "nobody" else [] for name in names]
    assert connection.operations - before == 1000


async def test_bind_and_who_am_i(connection: Connection) -> None:
    assert await connection.who_am_i() == ""
    await connection.bind(person_dn("alice"), "alice-secret")
    assert await connection.who_am_i() == f"dn:{person_dn('alice')}"
    await connection.bind_anonymous()
    assert await connection.who_am_i() == ""


async def test_a_wrong_password_is_refused_and_the_connection_is_good(connection: Connection) -> None:
    with pytest.raises(InvalidCredentials):
        await connection.bind(person_dn("alice"), "wrong")
    assert (await connection.search(PEOPLE, 2, EVERYBODY)).entries


async def test_a_base_that_is_not_there_is_told_with_what_is(connection: Connection) -> None:
    with pytest.raises(NoSuchObject) as caught:
        await connection.search("ou=nowhere,o=example", 2, EVERYBODY)
    assert caught.value.matched_dn == "o=example"


async def test_pages_bring_everybody_once(connection: Connection) -> None:
    whole = {entry.dn for entry in (await connection.search(PEOPLE, 2, EVERYBODY)).entries}
    found, cookie = [], b""
    while True:
        page = await connection.search_page(PEOPLE, 2, EVERYBODY, page_size=3, cookie=cookie)
        assert len(page.entries) <= 3
        found += [entry.dn for entry in page.entries]
        if not (cookie := page.cookie):
            break
    assert len(found) == len(whole)
    assert set(found) == whole


async def test_a_stream_brings_everybody(connection: Connection) -> None:
    whole = (await connection.search(PEOPLE, 2, EVERYBODY)).entries
    assert [entry async for entry in connection.stream(PEOPLE, 2, EVERYBODY)] == whole


async def test_a_stream_that_is_left_leaves_the_connection_good(connection: Connection) -> None:
    async with contextlib.aclosing(connection.stream(PEOPLE, 2, EVERYBODY)) as stream:
        await anext(stream)
    assert (await connection.search(PEOPLE, 0, parse("(ou=people)"))).entries


async def test_limits_of_both_sides_are_told_apart(connection: Connection) -> None:
    with pytest.raises(SizeLimitExceeded) as caught:
        await connection.search(PEOPLE, 2, EVERYBODY, size_limit=2)
    assert caught.value.partial is not None
    assert len(caught.value.partial.entries) == 2
    with pytest.raises(ClientLimitError):
        await connection.search(PEOPLE, 2, EVERYBODY, max_entries=2)
    assert (await connection.search(PEOPLE, 2, EVERYBODY)).entries


async def test_compare(connection: Connection) -> None:
    assert await connection.compare(person_dn("bob"), "uid", "bob")
    assert not await connection.compare(person_dn("bob"), "uid", "alice")


async def test_an_extended_operation_that_slapd_does_not_know(connection: Connection) -> None:
    with pytest.raises(ResultError):
        await connection.extended("1.2.3.4")


async def test_what_is_encrypted_says_so(small_slapd: Slapd) -> None:
    async with await open_clear(small_slapd) as clear:
        assert (clear.encrypted, clear.tls_version, clear.cipher, clear.peer_certificate) == (False,) + (
            None,
        ) * 3
        await clear.start_tls(context(small_slapd))
        assert clear.tls_version == "TLSv1.3"
        assert clear.cipher is not None
        assert clear.peer_certificate == ssl.PEM_cert_to_DER_cert(small_slapd.certificate.pem.decode())
        assert await clear.who_am_i() == ""


async def test_the_name_of_the_address_is_checked_wherever_one_dials(small_slapd: Slapd) -> None:
    via = (small_slapd.host, small_slapd.tls_port)
    tls = context(small_slapd)
    async with await connect(Address("localhost", 636), tls=tls, via=via) as connection:
        assert connection.encrypted
    with pytest.raises(TlsError, match=r"ldap\.other\.example") as caught:
        await connect(Address("ldap.other.example", 636), tls=tls, via=via)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_an_unknown_authority_is_refused(small_slapd: Slapd) -> None:
    with pytest.raises(TlsError) as caught:
        await connect(Address("127.0.0.1", small_slapd.tls_port), tls=ssl.create_default_context())
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_ldaps_on_the_clear_port_is_tls_failed(small_slapd: Slapd) -> None:
    with pytest.raises(TlsError):
        await connect(Address("127.0.0.1", small_slapd.port), tls=context(small_slapd))


async def test_ldap_on_the_tls_port_is_a_clear_error(small_slapd: Slapd) -> None:
    async with await connect(Address("127.0.0.1", small_slapd.tls_port)) as connection:
        with pytest.raises((RemoteProtocolError, ConnectionLostError)):
            await connection.search("", 0, EVERYBODY, timeout=5)


async def test_a_photo_of_some_megabytes_comes_whole_and_limits_hold(
    make_slapd: Callable[..., Slapd],
) -> None:
    photo = "A" * 3_000_000
    ldif = f"dn: o=example\nobjectClass: organization\no: example\ndescription: {photo}\n".encode()
    server = make_slapd(ldif, extra="sizelimit unlimited")
    for way in WAYS.values():
        async with await way(server) as connection:
            (entry,) = (await connection.search("o=example", 0, parse("(o=*)"))).entries
            assert entry.attributes["description"] == [photo.encode()]
        async with await way(server, Limits(message_size=1_000_000)) as connection:
            with pytest.raises(RemoteProtocolError, match="1000000 are allowed"):
                await connection.search("o=example", 0, parse("(o=*)"))


async def test_a_killed_slapd_is_a_lost_connection_for_all(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd()
    async with await open_clear(server) as connection:
        await connection.who_am_i()
        tasks = [asyncio.create_task(connection.search(PEOPLE, 2, EVERYBODY)) for _ in range(20)]
        server.kill()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, ConnectionLostError)
        with pytest.raises(ConnectionLostError):
            await connection.who_am_i()
        assert connection.closed


@pytest.fixture(scope="module")
def sasl_slapd() -> Iterator[Slapd]:
    with Slapd(sasl=True) as server:
        yield server


@pytest.mark.parametrize("mechanism", [None, "SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize("way", [open_clear, open_ldaps], ids=["clear", "LDAPS"])
async def test_scram_binds(
    sasl_slapd: Slapd, way: Callable[[Slapd], Awaitable[Connection]], mechanism: str | None
) -> None:
    async with await way(sasl_slapd) as connection:
        await connection.bind_scram("alice", "alice-secret", mechanism=mechanism)
        assert await connection.who_am_i() == f"dn:{person_dn('alice')}"


@pytest.mark.parametrize("way", [open_ldaps, open_start_tls], ids=["LDAPS", "StartTLS"])
async def test_scram_is_bound_to_tls_where_slapd_offers_it(
    make_slapd: Callable[..., Slapd], way: Callable[[Slapd], Awaitable[Connection]]
) -> None:
    server = make_slapd(sasl=True, head="sasl-cbinding tls-endpoint")
    for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", None):
        async with await way(server) as connection:
            await connection.bind_scram("alice", "alice-secret", mechanism=mechanism)
            assert await connection.who_am_i() == f"dn:{person_dn('alice')}"
    assert "mech=SCRAM-SHA-256-PLUS" in server.log()


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "x")])
async def test_scram_refuses_a_wrong_password_and_the_next_bind_works(
    sasl_slapd: Slapd, user: str, password: str
) -> None:
    async with await open_clear(sasl_slapd) as connection:
        with pytest.raises(LdapError):
            await connection.bind_scram(user, password)
        await connection.bind_scram("bob", "bob-secret")
        assert await connection.who_am_i() == f"dn:{person_dn('bob')}"


async def test_external_binds_as_the_client_certificate(make_slapd: Callable[..., Slapd]) -> None:
    authority = certs.authority()
    server = make_slapd(authority=authority, verify_client="demand")
    mine = certs.leaf(authority, *certs.LOCAL)
    mine.write(server.folder, "mine")
    tls = context(server)
    tls.load_cert_chain(server.folder / "mine.pem", server.folder / "mine.key")
    async with await connect(Address("127.0.0.1", server.tls_port), tls=tls) as connection:
        await connection.bind_external()
        assert (await connection.who_am_i()).startswith("dn:")


async def test_a_missing_client_certificate_is_an_error_and_no_hang(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd(verify_client="demand")
    with pytest.raises((TlsError, ConnectionLostError)):
        async with await open_ldaps(server) as connection:
            await connection.who_am_i(timeout=5)
