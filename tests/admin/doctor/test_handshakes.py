"""Findings about addresses and TLS: real handshakes with real servers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.doctor import connect, handshakes
from support import certs
from support.certs import Issued
from support.slapd import Slapd

pytestmark = pytest.mark.real

Make = Callable[..., Path]
MakeSlapd = Callable[..., Slapd]
ECDSA = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that says `answer` to whatever comes, or nothing at all."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(4096):
                if answer:
                    writer.write(answer)
                    break
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def test_d2_no_common_suite(make_folder: Make, doctor: Any) -> None:
    suites = {"STLDAP_TLS_CIPHER_SUITES": ECDSA, "STLDAP_TLS_MAX_PROTOCOL_VERSION": "0x303"}

    assert await doctor.codes(make_folder(config=suites)) == {"D2", "Q90"}
    assert "STLDAP_TLS_CIPHER_SUITES=TLS_ECDHE_RSA" in doctor.one("D2").fix


async def test_d2_sametime_itself_offers_two_suites_only(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    folder = small_folder(make_slapd(head="TLSCipherSuite NORMAL:-RSA"))

    assert await doctor.codes(folder) == set()
    assert await doctor.codes(folder, for_sametime=True) == {"D1", "D2"}
    assert "STLDAP_TLS_CIPHER_SUITES=TLS_ECDHE_RSA_WITH_" in doctor.one("D2").fix


async def test_d3_sametime_itself_has_nothing_newer_than_tls_1_2(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    folder = small_folder(make_slapd(head="TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.3"))

    assert await doctor.codes(folder) == set()
    assert await doctor.codes(folder, for_sametime=True) == {"D1", "D3"}


async def test_d3_no_common_version(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    old = make_slapd(head="TLSCipherSuite NORMAL:-VERS-TLS1.3")
    only_13 = {"STLDAP_TLS_MIN_PROTOCOL_VERSION": "0x304", "STLDAP_TLS_MAX_PROTOCOL_VERSION": "0x304"}

    assert await doctor.codes(small_folder(old, config=only_13)) == {"D3", "Q90"}
    assert "TLS 1.2" in doctor.one("D3").found


async def test_d8_tls_is_spoken_to_the_clear_port(make_folder: Make, slapd: Slapd, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"SSLPort": str(slapd.port)})) == {"D8", "Q90"}
    assert "a plain LDAP server answers" in doctor.one("D8").found


async def test_d8_clear_ldap_is_spoken_to_the_tls_port(make_folder: Make, slapd: Slapd, doctor: Any) -> None:
    swapped = make_folder(level="none", connection={"Port": str(slapd.tls_port)})

    assert await doctor.codes(swapped) == {"D8", "Q90"}
    assert "TLS server answers" in doctor.one("D8").found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "web server"),
        (b"", "does not answer"),
        (b"\0\1junk\n", "neither"),
    ],
    ids=["HTTP", "silence", "garbage"],
)
async def test_d8_another_service_on_the_tls_port(
    make_folder: Make, doctor: Any, monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str
) -> None:
    monkeypatch.setattr(handshakes, "PATIENCE", 0.3)
    async with answering(answer) as port:
        assert await doctor.codes(make_folder(connection={"SSLPort": str(port)})) == {"D8", "Q90"}
    assert words in doctor.one("D8").found


async def test_d16_the_host_name_does_not_resolve(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(host="no-such-host.invalid")) == {"D16", "Q90"}


async def test_d17_nothing_listens(make_folder: Make, doctor: Any, closed_port: int) -> None:
    assert await doctor.codes(make_folder(connection={"SSLPort": str(closed_port)})) == {"D17", "Q90"}
    assert "refuses connections" in doctor.one("D17").found


async def test_d17_a_firewall_is_silent(
    make_folder: Make, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "PATIENCE", 0.3)
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for other in (first, second):  # the queue of a server that accepts no connection
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        folder = make_folder(host="127.0.0.1", connection={"SSLPort": str(port)})

        assert await doctor.codes(folder) == {"D17", "Q90"}
    assert "does not answer within" in doctor.one("D17").found


@pytest.mark.parametrize(
    ("make_leaf", "code"),
    [
        (lambda ca: certs.leaf(certs.authority("Another CA"), *certs.LOCAL), "Q10"),
        (lambda ca: certs.self_signed(), "Q10"),
        (lambda ca: certs.leaf(ca, "other.example.com"), "Q11"),
        (certs.expired, "D40"),
        (certs.not_yet_valid, "D40"),
    ],
    ids=["unknown issuer", "self-signed", "wrong name", "expired", "not yet valid"],
)
async def test_a_certificate_that_cannot_be_trusted_is_one_finding(
    small_folder: Make,
    make_slapd: MakeSlapd,
    slapd: Slapd,
    doctor: Any,
    make_leaf: Callable[[Issued], Issued],
    code: str,
) -> None:
    server = make_slapd(certificate=make_leaf(slapd.authority))

    assert await doctor.codes(small_folder(server)) == {code, "Q90"}


@pytest.mark.parametrize(
    ("config", "fix"),
    [
        ({}, "TLS_TRUSTED_HOSTS=other.example.com"),
        ({"STLDAP_TLS_TRUSTED_HOSTS": "other.example.com"}, "set HostName in UserInfoConfig.xml to one"),
    ],
    ids=["tasks", "cards"],
)
async def test_q11_the_cure_is_one_of_the_connection_that_is_refused(
    small_folder: Make,
    make_slapd: MakeSlapd,
    slapd: Slapd,
    doctor: Any,
    config: dict[str, str],
    fix: str,
) -> None:
    """Cards take nothing of sametime.ini, so that a name listed there does not help them."""
    server = make_slapd(certificate=certs.leaf(slapd.authority, "other.example.com"))

    assert "Q11" in await doctor.codes(small_folder(server, config=config))
    assert fix in doctor.one("Q11").fix


async def test_d38_a_certificate_is_too_weak_for_the_level(
    small_folder: Make, make_slapd: MakeSlapd, slapd: Slapd, doctor: Any
) -> None:
    server = make_slapd(certificate=certs.sha1(slapd.authority))
    folder = small_folder(server, config={"STLDAP_TLS_SECURITY_LEVEL": "2"})

    assert await doctor.codes(folder) == {"D38", "Q90"}
    assert "SHA-1" in doctor.one("D38").found.upper().replace("SHA1", "SHA-1")


async def test_d38_suite_b_takes_no_rsa(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(config={"STLDAP_TLS_SECURITY_LEVEL": "3"})) == {"D38", "Q90"}
    assert "RSA 2048" in doctor.one("D38").found


async def test_d40_the_server_certificate_ends_soon(
    small_folder: Make, make_slapd: MakeSlapd, slapd: Slapd, doctor: Any
) -> None:
    server = make_slapd(certificate=certs.leaf(slapd.authority, *certs.LOCAL, ends=20))

    assert await doctor.codes(small_folder(server)) == {"D40"}
    assert "in 19 days" in doctor.one("D40").found


async def test_the_server_wants_a_certificate_from_us(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    server = make_slapd(verify_client="demand")

    assert await doctor.codes(small_folder(server)) == {"Q12", "Q90"}


async def test_starttls_that_the_server_does_not_offer(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    server = make_slapd(tls=False)
    folder = small_folder(server, directory={"QUINTET_START_TLS": "1"}, cards_encrypted=False)

    assert await doctor.codes(folder) == {"Q15", "D6", "D36", "Q90"}


@pytest.mark.parametrize("demand", ["ssf=128", "simple_bind=128"])
async def test_the_server_wants_encrypted_connections(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any, demand: str
) -> None:
    server = make_slapd(head=f"security {demand}")

    assert "Q16" in await doctor.codes(small_folder(server, level="none"))
    assert not {"D8", "D9", "Q91"} & {each.code.name for each in doctor.found}


async def test_two_hosts_of_one_server_of_which_one_is_unknown(make_folder: Make, doctor: Any) -> None:
    """What can be examined is; the other host is told."""
    folder = make_folder(connection={"HostName": "no-such-host.invalid,localhost"})

    assert await doctor.codes(folder) == {"D16"}
