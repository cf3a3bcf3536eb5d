"""Every failure in its own words, from real handshakes."""

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from quintet.tls.context import inspection_context, make_context
from quintet.tls.explain import Explanation, Reason, Seen, explain, peer_chain
from quintet.tls.profile import SecurityLevel, StoreKind, StoreRef, TlsProfile
from quintet.tls.stores import KeyEntry, Store, new_store
from support import certs
from support.certs import Issued

Serve = Callable[..., AbstractContextManager[int]]
Answer = Callable[[bytes | None], AbstractContextManager[int]]
Hands = Callable[..., Awaitable[Any]]
Failing = Callable[..., Awaitable[Explanation]]

V1_0, V1_1, V1_2 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2
CA = certs.authority()
TRUST = new_store().with_trusted("ca", CA.certificate)
GOOD = certs.leaf(CA, *certs.LOCAL)


@pytest.fixture
def failing(serve: Serve, shake_hands: Hands) -> Failing:
    """The explanation of a handshake that fails, with a server of that certificate."""

    async def fail(
        issued: Issued,
        profile: TlsProfile | None = None,
        *,
        trust: Store = TRUST,
        host: str = "localhost",
        key: Store | None = None,
        **options: Any,
    ) -> Explanation:
        profile = profile or TlsProfile()
        with serve(issued, **options) as port:
            chain, seen = await inspect(port)
            with pytest.raises((OSError, EOFError)) as raised:
                await shake_hands(make_context(profile, trust=trust, key=key), port, host)
            return explain(
                raised.value, host=host, port=port, chain=chain, trust=trust, profile=profile, seen=seen
            )

    return fail


async def inspect(port: int) -> tuple[tuple[x509.Certificate, ...], Seen]:
    """What a handshake that verifies nothing shows; nothing when it fails, too."""
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=inspection_context(TlsProfile()), server_hostname="localhost"
        )
    except OSError:
        return (), Seen()
    secured, (suite, version, _) = writer.get_extra_info("ssl_object"), writer.get_extra_info("cipher")
    found = peer_chain(secured), Seen(secured.version() or version, suite)
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return found


def house(name: str) -> Issued:
    """An authority of another organisation."""
    key = certs.key("p256", name)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(9))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


async def test_unknown_issuer(failing: Failing) -> None:
    told = await failing(certs.leaf(house("Elsewhere"), *certs.LOCAL))
    assert told.reason is Reason.UNKNOWN_ISSUER
    assert told.subject == "CN=Elsewhere,O=Elsewhere"
    assert "which is not in the trust store" in told.sentence
    assert "quintet trust fetch localhost:" in told.cure


async def test_an_unknown_root_that_the_server_sends_is_named(failing: Failing) -> None:
    root = house("Elsewhere")
    leaf = certs.leaf(root, *certs.LOCAL)
    told = await failing(Issued(leaf.certificate, leaf.key, (root.certificate,)))
    assert told.reason is Reason.UNKNOWN_ISSUER
    assert "ends at the root CN=Elsewhere" in told.sentence


async def test_an_issuer_of_the_same_name_with_another_key_is_told(failing: Failing) -> None:
    renewed = certs.authority(use="renewed")
    told = await failing(certs.leaf(renewed, *certs.LOCAL))
    assert told.reason is Reason.UNKNOWN_ISSUER
    assert "another key of that name" in told.sentence


async def test_missing_intermediate(failing: Failing) -> None:
    middle = certs.authority("Intermediate", issuer=CA)
    told = await failing(certs.leaf(middle, *certs.LOCAL).alone())
    assert told.reason is Reason.MISSING_INTERMEDIATE
    assert told.subject == "CN=Intermediate,O=Quintet Tests"
    assert "quintet trust import" in told.cure


async def test_self_signed(failing: Failing) -> None:
    told = await failing(certs.self_signed())
    assert told.reason is Reason.SELF_SIGNED
    assert told.subject == "CN=localhost,O=Quintet Tests"
    assert "quintet trust fetch" in told.cure


async def test_expired(failing: Failing) -> None:
    told = await failing(certs.expired(CA))
    expected = f"{dt.datetime.now(dt.UTC) - dt.timedelta(2):%Y-%m-%d}"
    assert told.reason is Reason.EXPIRED
    assert told.sentence.endswith(f"expired on {expected}")


async def test_an_expired_trusted_certificate_is_told_as_that(failing: Failing) -> None:
    root = certs.authority("Old CA", starts=-20, ends=-1)
    told = await failing(
        certs.leaf(root, *certs.LOCAL), trust=new_store().with_trusted("old", root.certificate)
    )
    assert told.reason is Reason.EXPIRED
    assert told.subject == "CN=Old CA,O=Quintet Tests"
    assert "in the trust store" in told.sentence


async def test_not_yet_valid(failing: Failing) -> None:
    told = await failing(certs.not_yet_valid(CA))
    assert told.reason is Reason.NOT_YET_VALID
    assert "not yet valid until" in told.sentence
    assert "clocks" in told.cure


async def test_wrong_name_tells_the_names_that_the_certificate_has(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, "ldap.example.com", "10.0.0.1"))
    assert told.reason is Reason.WRONG_NAME
    assert "is for ldap.example.com, 10.0.0.1, not for localhost" in told.sentence
    assert "STLDAP_TLS_TRUSTED_HOSTS=ldap.example.com" in told.cure


async def test_a_name_that_stands_only_in_the_cn(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, "ldap.example.com", cn="localhost"))
    assert told.reason is Reason.NAME_ONLY_IN_CN
    assert "subjectAltName" in told.cure


async def test_an_address_that_stands_only_in_the_cn(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, cn="127.0.0.1"), host="127.0.0.1")
    assert told.reason is Reason.NAME_ONLY_IN_CN


@pytest.mark.parametrize(
    ("make", "why"), [(certs.sha1, "SHA-1"), (certs.rsa1024, "RSA 1024")], ids=["SHA-1", "RSA 1024"]
)
async def test_d38_too_weak_for_the_level(
    failing: Failing, make: Callable[[Issued], Issued], why: str
) -> None:
    told = await failing(make(CA), TlsProfile(level=SecurityLevel(2), maximum=V1_2))
    assert told.reason is Reason.TOO_WEAK
    assert told.subject == "CN=localhost,O=Quintet Tests"
    assert why in told.sentence
    assert "STLDAP_TLS_SECURITY_LEVEL" in told.cure


async def test_d38_rsa_under_suite_b(failing: Failing) -> None:
    root = certs.authority("EC", kind="p384", digest=hashes.SHA384())
    trust = new_store().with_trusted("ec", root.certificate)
    told = await failing(GOOD, TlsProfile(level=SecurityLevel(4), maximum=V1_2), trust=trust)
    assert told.reason is Reason.NO_COMMON_SUITE


async def test_a_suite_b_curve_that_does_not_fit_the_suite(failing: Failing) -> None:
    root = certs.authority("EC", kind="p384", digest=hashes.SHA384())
    trust = new_store().with_trusted("ec", root.certificate)
    told = await failing(
        certs.leaf(root, *certs.LOCAL, kind="p384", digest=hashes.SHA384()),
        TlsProfile(level=SecurityLevel(3), maximum=V1_2),
        trust=trust,
        ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
    )
    assert told.reason is Reason.NO_COMMON_SUITE
    assert "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" in told.cure


async def test_d3_no_common_version_tells_what_the_server_speaks(failing: Failing) -> None:
    told = await failing(GOOD, minimum=V1_0, maximum=V1_1)
    assert told.reason is Reason.NO_COMMON_VERSION
    assert "does not speak TLS 1.2 to TLS 1.3, which we offer, it speaks TLS 1.1" in told.sentence
    assert "STLDAP_TLS_MIN_PROTOCOL_VERSION" in told.cure


async def test_d2_no_common_suite_tells_what_the_server_would_take(failing: Failing) -> None:
    profile = TlsProfile(suites=("AES256-GCM-SHA384", "AES128-SHA"), maximum=V1_2)
    told = await failing(GOOD, profile, ciphers="ECDHE-RSA-AES256-GCM-SHA384", maximum=V1_2)
    assert told.reason is Reason.NO_COMMON_SUITE
    assert "STLDAP_TLS_CIPHER_SUITES=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" in told.cure


async def test_an_unlisted_suite_of_tls_1_3(failing: Failing) -> None:
    profile = TlsProfile(suites_13=("TLS_CHACHA20_POLY1305_SHA256",), minimum=ssl.TLSVersion.TLSv1_3)
    told = await failing(GOOD, profile)
    assert told.reason is Reason.NO_COMMON_SUITE
    assert "TLS_AES_256_GCM_SHA384" in told.sentence


async def test_a_client_certificate_is_demanded(failing: Failing) -> None:
    told = await failing(GOOD, clients=CA)
    assert told.reason is Reason.CLIENT_CERTIFICATE_WANTED
    assert "STLDAP_TLS_KEY_STORE_FILE" in told.cure


@pytest.mark.parametrize("version", [V1_2, ssl.TLSVersion.TLSv1_3])
async def test_our_client_certificate_is_refused(failing: Failing, version: ssl.TLSVersion) -> None:
    stranger = certs.leaf(house("Elsewhere"), cn="me", client=True)
    key = replace(new_store(), keys=(KeyEntry("me", stranger.key, stranger.certificate),))
    profile = TlsProfile(key_store=StoreRef(Path("key.p12"), StoreKind.PKCS12))
    told = await failing(GOOD, profile, key=key, clients=CA, maximum=version)
    assert told.reason is Reason.CLIENT_CERTIFICATE_REFUSED
    assert "key.p12" in told.sentence


async def failure(port: int, shake_hands: Hands, **options: Any) -> BaseException:
    with pytest.raises(OSError) as raised:  # noqa: PT011  whatever it is, it is what is to be explained
        await shake_hands(make_context(TlsProfile(), trust=TRUST), port, **options)
    return raised.value


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"220 mail.example.com ESMTP\r\n", "a mail"),
        (bytes.fromhex("300c02010061070a010204000400"), "clear LDAP"),
    ],
)
async def test_not_tls_at_all(answer: Answer, shake_hands: Hands, said: bytes, what: str) -> None:
    with answer(said) as port:
        error = await failure(port, shake_hands)
    seen = Seen(first_bytes=said)
    told = explain(error, host="localhost", port=port, chain=(), trust=TRUST, profile=TlsProfile(), seen=seen)
    assert told.reason is Reason.NOT_TLS
    assert f"it speaks {what}" in told.sentence
    assert "636" in told.cure


async def test_the_ldap_port_given_as_the_tls_port(answer: Answer, shake_hands: Hands) -> None:
    with answer(bytes.fromhex("300c02010061070a010204000400")) as port:
        error = await failure(port, shake_hands)
    told = explain(error, host="localhost", port=389, chain=(), trust=TRUST, profile=TlsProfile())
    assert told.reason is Reason.NOT_TLS
    assert "clear LDAP" in told.sentence


async def test_closed_during_the_handshake(answer: Answer, shake_hands: Hands) -> None:
    with answer(b"") as port:
        error = await failure(port, shake_hands)
    told = explain(error, host="localhost", port=port, chain=(), trust=TRUST, profile=TlsProfile())
    assert told.reason is Reason.CLOSED


async def test_silent(answer: Answer, shake_hands: Hands) -> None:
    with answer(None) as port:
        error = await failure(port, shake_hands, ssl_handshake_timeout=0.05)
    told = explain(error, host="localhost", port=port, chain=(), trust=TRUST, profile=TlsProfile())
    assert told.reason is Reason.SILENT


def test_a_server_that_closes_without_a_word_is_explained_by_what_was_seen() -> None:
    profile = TlsProfile(suites=("AES128-SHA",), maximum=V1_2)

    def told(seen: Seen) -> Reason:
        error = ConnectionResetError(104, "Connection reset by peer")
        return explain(error, host="ad", port=636, chain=(), trust=None, profile=profile, seen=seen).reason

    assert told(Seen("TLSv1.1", "AES128-SHA")) is Reason.NO_COMMON_VERSION
    assert told(Seen("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384")) is Reason.NO_COMMON_SUITE
    assert told(Seen("TLSv1.2", "AES128-SHA")) is Reason.CLOSED


def test_the_cause_is_found_under_what_was_raised_from_it() -> None:
    outer = RuntimeError("could not connect")
    outer.__cause__ = TimeoutError()
    told = explain(outer, host="h", port=1, chain=(), trust=None, profile=TlsProfile())
    assert told.reason is Reason.SILENT


def test_what_is_not_known_is_told_as_it_is() -> None:
    told = explain(ValueError("odd"), host="h", port=1, chain=(), trust=None, profile=TlsProfile())
    assert (told.reason, told.subject) == (Reason.OTHER, "h:1")
    assert "odd" in told.sentence
