"""The harness itself: what other tests lean on must hold."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.embedded import sample
from support import certs, keytool, small
from support.relay import Relay, in_thread
from support.server_process import listenable
from support.slapd import Slapd

pytestmark = pytest.mark.real


def ldapsearch(url: str, *arguments: str, ca: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", url, "-b", small.BASE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"LDAPTLS_CACERT": str(ca), "PATH": "/usr/bin:/bin"} if ca else None,
    )


def test_slapd_serves_its_data_in_clear_and_over_tls(small_slapd: Slapd) -> None:
    clear = ldapsearch(small_slapd.url, "(uid=alice)", "mail")
    secure = ldapsearch(small_slapd.tls_url, "(uid=alice)", "mail", ca=small_slapd.ca)
    assert "mail: alice@example.com" in clear.stdout
    assert secure.stdout == clear.stdout


def test_the_sample_organisation_loads_into_slapd(slapd: Slapd) -> None:
    found = ldapsearch(slapd.url, "(objectClass=inetOrgPerson)", "dn")
    assert found.stdout.count("\ndn:") + 1 >= 480


def test_people_of_the_sample_sign_in_at_slapd(slapd: Slapd) -> None:
    found = ldapsearch(
        slapd.url, "-s", "sub", "(&(objectClass=inetOrgPerson)(mail=*))", "uid", "-z", "1"
    ).stdout
    dn, uid = found.split("dn: ")[1].splitlines()[0], found.split("uid: ")[1].splitlines()[0]
    done = ldapsearch(slapd.url, "-D", dn, "-w", sample.password_of(uid), "(uid=none)")
    assert done.returncode == 0, done.stderr


def test_slapd_offers_start_tls(small_slapd: Slapd) -> None:
    assert ldapsearch(small_slapd.url, "-ZZ", "(uid=bob)", ca=small_slapd.ca).returncode == 0


@pytest.mark.parametrize("uid", ["alice", "comma", "odd"])
def test_everybody_signs_in_with_their_password(small_slapd: Slapd, uid: str) -> None:
    done = ldapsearch(small_slapd.url, "-D", small.person_dn(uid), "-w", f"{uid}-secret", "(uid=bob)", "mail")
    assert "bob@example.com" in done.stdout, done.stderr


def test_slapd_writes_what_it_is_asked_into_its_log(small_slapd: Slapd) -> None:
    ldapsearch(small_slapd.url, "(uid=asked-for)")
    assert 'filter="(uid=asked-for)"' in small_slapd.log()


def test_reading_can_be_closed_to_anonymous(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd(anonymous_read=False)
    as_reader = ("-D", small.READER_DN, "-w", small.READER_PASSWORD)
    assert ldapsearch(server.url, "(uid=alice)").stdout == ""
    assert "alice" in ldapsearch(server.url, *as_reader, "(uid=alice)").stdout


def test_attributes_can_be_hidden_from_anonymous(make_slapd: Callable[..., Slapd]) -> None:
    found = ldapsearch(make_slapd(hidden=("mail",)).url, "(uid=alice)").stdout
    assert "cn: Alice Adams" in found
    assert "mail:" not in found


def test_scram_is_offered_to_people(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd(sasl=True)
    done = subprocess.run(
        ["ldapwhoami", "-Q", "-Y", "SCRAM-SHA-256", "-U", "reader", "-w", "reader-secret", "-H", server.url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert small.READER_DN in done.stdout, done.stderr


def test_a_killed_slapd_comes_back_on_the_same_ports(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd()
    ports = server.port, server.tls_port
    server.kill()
    assert not server.running
    server.restart()
    assert (server.port, server.tls_port) == ports
    assert "alice" in ldapsearch(server.url, "(uid=alice)").stdout


def test_extra_configuration_reaches_the_server(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd(
        modules=("back_mdb", "memberof"),
        extra="overlay memberof\nmemberof-group-oc groupOfNames",
        head="sizelimit 3",
    )
    assert ldapsearch(server.url, "(objectClass=inetOrgPerson)").returncode == 4  # sizeLimitExceeded


@pytest.mark.parametrize("ending", ["p12", "jks"])
@pytest.mark.parametrize("legacy", [False, True])
def test_keytool_makes_and_lists_stores(tmp_path: Path, ending: str, *, legacy: bool) -> None:
    ca = certs.authority()
    trust = keytool.trust_store(tmp_path / f"trust.{ending}", {"ldap": ca}, legacy=legacy)
    assert keytool.entries(trust) == {"ldap": "trustedCertEntry"}


def test_keytool_makes_key_stores(tmp_path: Path) -> None:
    own = certs.leaf(certs.authority(), "client.example", client=True)
    store = keytool.key_store(tmp_path / "key.jks", {"own": own})
    assert keytool.entries(store) == {"own": "PrivateKeyEntry"}


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


async def test_the_relay_records_both_ways_and_knows_the_task(relay: Relay) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(*relay.route("browse", "127.0.0.1", port))
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()
    (carried,) = relay.of("browse")
    assert (bytes(carried.sent), bytes(carried.received)) == (b"hello", b"hello")


async def test_the_relay_holds_back_and_lets_go(relay: Relay) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", relay.to(server.sockets[0].getsockname()[1])
        )
        relay.stall()
        writer.write(b"held")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(4), 0.05)
        relay.restore()
        assert await reader.readexactly(4) == b"held"
        writer.close()
        await writer.wait_closed()


async def test_the_relay_drops_and_refuses(relay: Relay) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = relay.to(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        await reader.readexactly(1)
        relay.drop()
        with pytest.raises(ConnectionError):
            assert await reader.read(1)
        relay.refuse()
        second, closing = await asyncio.open_connection("127.0.0.1", port)
        assert await second.read(1) == b""
        for each in (writer, closing):
            each.transport.abort()


def test_the_relay_runs_in_a_thread(small_slapd: Slapd) -> None:
    with in_thread(small_slapd.port) as (relay, port):
        assert "alice" in ldapsearch(f"ldap://127.0.0.1:{port}", "(uid=alice)").stdout
    assert b"alice@example.com" in relay.connections[0].received


def test_ports_are_free_again_after_a_server_ends(certificates: object) -> None:
    with Slapd(tls=False) as server:
        port = server.port
        assert not listenable(server.host, port)
    assert listenable(server.host, port)


@pytest.mark.parametrize(
    "make", [certs.expired, certs.not_yet_valid, certs.cn_only, certs.sha1, certs.rsa1024]
)
def test_odd_certificates_are_signed_by_the_authority(
    tmp_path: Path, make: Callable[[certs.Issued], certs.Issued]
) -> None:
    ca = certs.authority()
    ca.write(tmp_path, "ca")
    make(ca).write(tmp_path, "odd")
    lenient = ("-no_check_time", "-auth_level", "0")
    done = subprocess.run(
        ["openssl", "verify", *lenient, "-CAfile", tmp_path / "ca.pem", tmp_path / "odd.pem"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_intermediate_stands_in_the_chain_and_can_be_left_out() -> None:
    middle = certs.authority("Quintet Test Intermediate", issuer=certs.authority())
    shown = certs.leaf(middle, "localhost")
    assert shown.chain == (middle.certificate,)
    assert shown.alone().chain == ()
