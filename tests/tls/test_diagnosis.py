"""Every failure in its own words, from real handshakes."""

import asyncio
import contextlib
import datetime as dt
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from quintet.diagnostics import CODES, Place
from quintet.ldap import TlsError, connect
from quintet.tls.certificates import load_certificate
from quintet.tls.context import MalformedChainError, make_context
from quintet.tls.diagnosis import Explanation, Reason, explain
from quintet.tls.inspect import Presented, inspection_context, presented_by
from quintet.tls.revocation import CrlError
from quintet.tls.settings import (
    Origin,
    SecurityLevel,
    SettingNames,
    StoreKind,
    StoreLocation,
    TlsSettings,
    TlsSettingsError,
    read_tls_settings,
)
from quintet.tls.stores import KeyEntry, Store, StoreError, der, new_store
from support import certs, odd
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
        profile: TlsSettings | None = None,
        *,
        trust: Store = TRUST,
        host: str = "localhost",
        key: Store | None = None,
        **options: Any,
    ) -> Explanation:
        profile = profile or TlsSettings()
        with serve(issued, **options) as port:
            presented = await inspect(port)
            with pytest.raises((OSError, EOFError)) as raised:
                await shake_hands(make_context(profile, trust=trust, key=key), port, host)
            return explain(
                raised.value, host=host, port=port, settings=profile, trust=trust, presented=presented
            )

    return fail


async def inspect(port: int) -> Presented:
    """What a handshake that verifies nothing shows; nothing when it fails, too."""
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=inspection_context(), server_hostname="localhost"
        )
    except OSError:
        return Presented()
    found = presented_by(writer.get_extra_info("ssl_object"))
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return found


def alert(reason: str) -> ssl.SSLError:
    """What Python raises for it."""
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')} (_ssl.c:1006)")
    error.reason = reason
    return error


def house(name: str, *, starts: float = -1, ends: float = 9) -> Issued:
    """An authority of another organisation."""
    key = certs.key("p256", name)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + dt.timedelta(starts)).not_valid_after(now + dt.timedelta(ends))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


async def test_unknown_issuer(failing: Failing) -> None:
    told = await failing(certs.leaf(house("Elsewhere"), *certs.LOCAL))
    assert told.reason is Reason.UNKNOWN_ISSUER
    assert told.subject == "CN=Elsewhere,O=Elsewhere"
    assert "quintet trust fetch localhost:" in told.fix


async def test_an_unknown_root_that_the_server_sends_is_named(failing: Failing) -> None:
    root = house("Elsewhere")
    leaf = certs.leaf(root, *certs.LOCAL)
    told = await failing(Issued(leaf.certificate, leaf.key, (root.certificate,)))
    assert (told.reason, told.subject) == (Reason.UNKNOWN_ISSUER, "CN=Elsewhere,O=Elsewhere")


async def test_an_issuer_of_the_same_name_with_another_key_is_told(failing: Failing) -> None:
    renewed = certs.authority(use="renewed")
    told = await failing(certs.leaf(renewed, *certs.LOCAL))
    assert (told.reason, told.subject) == (Reason.UNKNOWN_ISSUER, "CN=localhost,O=Quintet Tests")
    assert "quintet trust fetch localhost:" in told.fix


async def test_missing_intermediate(failing: Failing) -> None:
    middle = certs.authority("Intermediate", issuer=CA)
    told = await failing(certs.leaf(middle, *certs.LOCAL).alone())
    assert told.reason is Reason.MISSING_INTERMEDIATE
    assert told.subject == "CN=Intermediate,O=Quintet Tests"
    assert "quintet trust import" in told.fix


async def test_a_leaf_whose_issuer_is_unknown_may_miss_an_intermediate_or_its_root(failing: Failing) -> None:
    """An unknown root of a house of which another root is trusted looks the same from outside."""
    for issuer in (certs.authority("Second Root"), certs.authority("Intermediate", issuer=CA)):
        told = await failing(certs.leaf(issuer, *certs.LOCAL).alone())
        assert told.subject == issuer.certificate.subject.rfc4514_string()
        assert "whole chain" in told.fix
        assert "quintet trust fetch localhost:" in told.fix


@pytest.mark.parametrize(
    ("issuers", "reason"),
    [("Second Root", Reason.UNKNOWN_ISSUER), ("Quintet Test CA", Reason.MISSING_INTERMEDIATE)],
)
async def test_a_leaf_that_names_its_issuers_issuer_tells_root_from_intermediate(
    failing: Failing, issuers: str, reason: Reason
) -> None:
    second = certs.authority("Second Root")
    leaf = naming_issuer(second, house_name(issuers))
    told = await failing(leaf)
    assert told.reason is reason


def house_name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Quintet Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def naming_issuer(issuer: Issued, above: x509.Name) -> Issued:
    """A leaf whose authority key identifier names who issued its issuer, as some authorities write it."""
    key, now = certs.key("p256", "naming"), dt.datetime.now(dt.UTC)
    subject = issuer.certificate.subject
    builder = x509.CertificateBuilder(subject, house_name("leaf"), key.public_key(), 7)
    builder = builder.not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(9))
    identifier = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(above)], 1)
    builder = builder.add_extension(identifier, critical=False)
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


async def test_self_signed(failing: Failing) -> None:
    told = await failing(certs.self_signed())
    assert told.reason is Reason.SELF_SIGNED
    assert told.subject == "CN=localhost,O=Quintet Tests"
    assert "quintet trust fetch" in told.fix


async def test_expired(failing: Failing) -> None:
    told = await failing(certs.expired(CA))
    expected = f"{dt.datetime.now(dt.UTC) - dt.timedelta(2):%Y-%m-%d}"
    assert told.reason is Reason.EXPIRED
    assert told.message.endswith(f"expired on {expected}")


async def test_an_expired_trusted_certificate_is_told_as_that(failing: Failing) -> None:
    root = certs.authority("Old CA", starts=-20, ends=-1)
    told = await failing(
        certs.leaf(root, *certs.LOCAL), trust=new_store().with_trusted("old", root.certificate)
    )
    assert told.reason is Reason.EXPIRED
    assert told.subject == "CN=Old CA,O=Quintet Tests"
    assert "in the trust store" in told.message


async def test_an_expired_root_is_to_be_imported_anew_not_renewed_on_the_server(failing: Failing) -> None:
    root = certs.authority("Old CA", starts=-20, ends=-1)
    told = await failing(
        certs.leaf(root, *certs.LOCAL), trust=new_store().with_trusted("old", root.certificate)
    )
    assert "quintet trust fetch localhost:" in told.fix
    assert "on the server" not in told.fix


async def test_an_expired_certificate_of_the_store_that_vouches_for_nothing_here_is_not_blamed(
    failing: Failing,
) -> None:
    """Neither for an expired root, nor for one of the server, be the chain known or not."""
    stranger = house("Elsewhere", ends=-0.5)
    root = certs.authority("Old CA", starts=-20, ends=-1)
    trust = new_store().with_trusted("stranger", stranger.certificate)
    told = await failing(certs.leaf(root, *certs.LOCAL), trust=trust.with_trusted("old", root.certificate))
    assert told.subject == "CN=Old CA,O=Quintet Tests"
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = 10
    told = explain(error, host="h", port=636, trust=trust, settings=TlsSettings())
    assert (told.reason, told.subject) == (Reason.EXPIRED, "h:636")
    assert "Elsewhere" not in told.message


async def test_an_expired_intermediate_that_the_server_sends_is_told_as_that(failing: Failing) -> None:
    middle = certs.authority("Old Intermediate", issuer=CA, starts=-20, ends=-1)
    told = await failing(certs.leaf(middle, *certs.LOCAL))
    assert told.subject == "CN=Old Intermediate,O=Quintet Tests"
    assert "quintet trust remove" not in told.fix


async def test_an_expired_intermediate_of_the_store_is_to_be_imported_anew(failing: Failing) -> None:
    """OpenSSL prefers it to the one that the server sends, which is renewed."""
    old = certs.authority("Intermediate", issuer=CA, starts=-20, ends=-1)
    new = certs.authority("Intermediate", issuer=CA)
    told = await failing(certs.leaf(new, *certs.LOCAL), trust=TRUST.with_trusted("old", old.certificate))
    assert (told.reason, told.subject) == (Reason.EXPIRED, "CN=Intermediate,O=Quintet Tests")
    assert "in the trust store" in told.message


async def test_a_root_that_is_not_yet_valid_is_told_as_that_of_the_store(failing: Failing) -> None:
    stranger, root = house("Elsewhere", starts=1), certs.authority("New CA", starts=1)
    trust = new_store().with_trusted("stranger", stranger.certificate).with_trusted("new", root.certificate)
    told = await failing(certs.leaf(root, *certs.LOCAL), trust=trust)
    assert (told.reason, told.subject) == (Reason.NOT_YET_VALID, "CN=New CA,O=Quintet Tests")
    assert "in the trust store" in told.message
    assert "import the one that is valid until then" in told.fix


async def test_not_yet_valid(failing: Failing) -> None:
    told = await failing(certs.not_yet_valid(CA))
    assert told.reason is Reason.NOT_YET_VALID
    assert "clocks" in told.fix


async def test_wrong_name_tells_the_names_that_the_certificate_has(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, "ldap.example.com", "10.0.0.1"))
    assert told.reason is Reason.WRONG_NAME
    assert "is for ldap.example.com, 10.0.0.1, not for localhost" in told.message
    assert "STLDAP_TLS_TRUSTED_HOSTS=ldap.example.com" in told.fix


async def test_a_wildcard_over_a_public_suffix_is_not_advised(failing: Failing) -> None:
    """Config 2.8: such a name is never believed, whether it is listed or not."""
    told = await failing(certs.leaf(CA, "*.com"))
    assert told.reason is Reason.WRONG_NAME
    assert "*.com" not in told.fix
    told = await failing(certs.leaf(CA, "*.com"), TlsSettings(trusted_hosts=("*.com",)))
    assert told.reason is Reason.HOST_NOT_LISTED
    assert "*.com" not in told.fix
    told = await failing(certs.leaf(CA, "*.com", "ldap.example.com"))
    assert "STLDAP_TLS_TRUSTED_HOSTS=ldap.example.com" in told.fix


async def test_a_server_that_does_not_know_the_name_it_is_asked_for(failing: Failing) -> None:
    told = await failing(GOOD, known_by_name=False)
    assert told.reason is Reason.WRONG_NAME
    assert "the server's host name" in told.fix


CARDS = SettingNames(
    host="HostName in UserInfoConfig.xml", store="SslProperties in UserInfoConfig.xml", prefix=None
)


async def test_a_connection_without_keys_of_its_own_is_not_cured_by_keys(failing: Failing) -> None:
    """Business cards take nothing of sametime.ini (config 4.3)."""
    store = StoreLocation(Path("the cards.p12"), StoreKind.PKCS12)
    cards = TlsSettings(trust_store=store, names=CARDS)
    wrong = await failing(certs.leaf(CA, "ldap.example.com"), cards)
    assert wrong.fix == "set HostName in UserInfoConfig.xml to one of its names"
    unknown = await failing(certs.leaf(house("Elsewhere"), *certs.LOCAL), cards)
    assert "quintet trust fetch localhost:" in unknown.fix
    assert "--store 'the cards.p12'" in unknown.fix
    others = (
        await failing(GOOD, cards, clients=CA),
        await failing(GOOD, cards, minimum=V1_0, maximum=V1_1),
        await failing(GOOD, cards, ciphers="RSA+CAMELLIA:@SECLEVEL=0", maximum=V1_2),
        await failing(GOOD, replace(cards, suites_13=("TLS_CHACHA20_POLY1305_SHA256",))),
        explain(
            alert("WRONG_VERSION_NUMBER"),
            host="h",
            port=389,
            trust=None,
            settings=cards,
        ),
    )
    reasons = (
        Reason.CLIENT_CERTIFICATE_WANTED,
        Reason.NO_COMMON_VERSION,
        Reason.NO_COMMON_SUITE,
        Reason.NO_COMMON_SUITE,
        Reason.NOT_TLS,
    )
    assert tuple(each.reason for each in others) == reasons
    for each in (wrong, unknown, *others):
        assert not re.search(r"STLDAP|None|QUINTET_START_TLS=1", each.fix), each.fix


async def test_a_name_that_stands_only_in_the_cn(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, "ldap.example.com", cn="localhost"))
    assert told.reason is Reason.NAME_ONLY_IN_CN
    assert "subjectAltName" in told.fix


async def test_an_address_that_stands_only_in_the_cn(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, cn="127.0.0.1"), host="127.0.0.1")
    assert told.reason is Reason.NAME_ONLY_IN_CN


@pytest.mark.parametrize(
    ("make", "why"), [(certs.sha1, "SHA-1"), (certs.rsa1024, "RSA 1024")], ids=["SHA-1", "RSA 1024"]
)
async def test_d38_too_weak_for_the_level(
    failing: Failing, make: Callable[[Issued], Issued], why: str
) -> None:
    told = await failing(make(CA), TlsSettings(level=SecurityLevel(2), maximum=V1_2))
    assert told.reason is Reason.TOO_WEAK
    assert told.subject == "CN=localhost,O=Quintet Tests"
    assert why in told.message
    assert "STLDAP_TLS_SECURITY_LEVEL" in told.fix


async def test_d38_rsa_under_suite_b(failing: Failing) -> None:
    root = certs.authority("EC", kind="p384", digest=hashes.SHA384())
    trust = new_store().with_trusted("ec", root.certificate)
    told = await failing(GOOD, TlsSettings(level=SecurityLevel(4), maximum=V1_2), trust=trust)
    assert told.reason is Reason.NO_COMMON_SUITE


async def test_a_suite_b_curve_that_does_not_fit_the_suite(failing: Failing) -> None:
    root = certs.authority("EC", kind="p384", digest=hashes.SHA384())
    trust = new_store().with_trusted("ec", root.certificate)
    told = await failing(
        certs.leaf(root, *certs.LOCAL, kind="p384", digest=hashes.SHA384()),
        TlsSettings(level=SecurityLevel(3), maximum=V1_2),
        trust=trust,
        ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
    )
    assert told.reason is Reason.NO_COMMON_SUITE
    assert "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" in told.fix


async def test_d3_no_common_version_tells_what_the_server_speaks(failing: Failing) -> None:
    told = await failing(GOOD, minimum=V1_0, maximum=V1_1)
    assert told.reason is Reason.NO_COMMON_VERSION
    assert "TLS 1.1" in told.message
    assert "STLDAP_TLS_MIN_PROTOCOL_VERSION" in told.fix


async def test_d2_no_common_suite_tells_what_the_server_would_take(failing: Failing) -> None:
    profile = TlsSettings(suites=("AES256-GCM-SHA384", "AES128-SHA"), maximum=V1_2)
    told = await failing(GOOD, profile, ciphers="ECDHE-RSA-AES256-GCM-SHA384", maximum=V1_2)
    assert told.reason is Reason.NO_COMMON_SUITE
    assert "STLDAP_TLS_CIPHER_SUITES=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" in told.fix


KEYS = "TLS_MIN_PROTOCOL_VERSION", "TLS_MAX_PROTOCOL_VERSION", "TLS_SECURITY_LEVEL", "TLS_CIPHER_SUITES"


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
@pytest.mark.parametrize(
    "settings",
    [
        ("", "0x303", "", "AES256-GCM-SHA384"),
        ("", "", "", "AES256-GCM-SHA384"),
        ("0x303", "0x303", "2", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
        ("0x304", "", "1", "TLS_AES_128_GCM_SHA256"),
        ("", "", "4", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("", "0x303", "3", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("0x301", "0x302", "", "TLS_RSA_WITH_AES_128_CBC_SHA"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("free", ["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-SHA", "CAMELLIA128-SHA", None])
def test_d2_a_suite_is_advised_only_where_the_settings_take_it(
    settings: tuple[str, ...], kind: str, free: str | None
) -> None:
    values = dict(zip(KEYS, settings, strict=True))
    profile = resolved(values)
    chain = (certs.leaf(CA, *certs.LOCAL, kind=kind).certificate,)
    error, presented = alert("SSLV3_ALERT_HANDSHAKE_FAILURE"), Presented(chain, cipher=free)
    told = explain(error, host="h", port=636, trust=TRUST, settings=profile, presented=presented)
    assert told.reason is Reason.NO_COMMON_SUITE
    advised = re.search(r"STLDAP_TLS_CIPHER_SUITES=(\w+)", told.fix)
    if advised:
        changed = resolved(values | {"TLS_CIPHER_SUITES": advised[1]})
        assert (changed.suites, changed.suites_13) != (profile.suites, profile.suites_13)
        assert "_WITH_" not in advised[1] or ("_ECDSA_" in advised[1]) is (kind == "p256")
    named = re.search(r"TLS_\w+_SHA\d*", told.fix)
    assert named or "EC key" in told.fix
    if named:
        assert resolved(values | {"TLS_CIPHER_SUITES": named[0]})


def resolved(values: Mapping[str, str]) -> TlsSettings:
    def value(key: str) -> tuple[str, Origin] | None:
        return (values[key], Origin(f"STLDAP_{key}", Place("sametime.ini", 1))) if key in values else None

    profile, problems = read_tls_settings(value, base=Path())
    assert not [problem for problem in problems if problem.fatal]
    return profile


def test_level_4_is_not_told_to_take_p256() -> None:
    profile = TlsSettings(level=SecurityLevel(4), maximum=V1_2)
    told = explain(alert("WRONG_CURVE"), host="h", port=636, trust=None, settings=profile)
    assert "P-384" in told.fix
    assert "P-256" not in told.fix


async def test_an_unlisted_suite_of_tls_1_3(failing: Failing) -> None:
    profile = TlsSettings(suites_13=("TLS_CHACHA20_POLY1305_SHA256",), minimum=ssl.TLSVersion.TLSv1_3)
    told = await failing(GOOD, profile)
    assert told.reason is Reason.NO_COMMON_SUITE
    assert "TLS_AES_256_GCM_SHA384" in told.message
    assert "add TLS_AES_256_GCM_SHA384 to STLDAP_TLS_CIPHER_SUITES" in told.fix
    assert "0x303" not in told.fix, "TLS 1.2 has none of the listed suites"


async def test_a_client_certificate_is_demanded(failing: Failing) -> None:
    told = await failing(GOOD, clients=CA)
    assert told.reason is Reason.CLIENT_CERTIFICATE_WANTED
    assert "STLDAP_TLS_KEY_STORE_FILE" in told.fix


@pytest.mark.parametrize("version", [V1_2, ssl.TLSVersion.TLSv1_3])
async def test_our_client_certificate_is_refused(failing: Failing, version: ssl.TLSVersion) -> None:
    stranger = certs.leaf(house("Elsewhere"), cn="me", client=True)
    key = replace(new_store(), keys=(KeyEntry("me", stranger.key, stranger.certificate),))
    profile = TlsSettings(key_store=StoreLocation(Path("key.p12"), StoreKind.PKCS12))
    told = await failing(GOOD, profile, key=key, clients=CA, maximum=version)
    assert told.reason is Reason.CLIENT_CERTIFICATE_REFUSED
    assert "key.p12" in told.message


async def failure(port: int, shake_hands: Hands, **options: Any) -> BaseException:
    with pytest.raises(OSError) as raised:  # noqa: PT011  whatever it is, it is what is to be explained
        await shake_hands(make_context(TlsSettings(), trust=TRUST), port, **options)
    return raised.value


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example.com ESMTP\r\n",
        bytes.fromhex("300c02010061070a010204000400"),
    ],
    ids=["HTTP", "SSH", "SMTP", "LDAP"],
)
@pytest.mark.parametrize("port", [389, 8080])
async def test_not_tls_at_all(answer: Answer, shake_hands: Hands, said: bytes, port: int) -> None:
    with answer(said) as real:
        error = await failure(real, shake_hands)
    told = explain(error, host="localhost", port=port, trust=TRUST, settings=TlsSettings())
    assert told.reason is Reason.NOT_TLS
    assert told.subject == f"localhost:{port}"
    assert "636" in told.fix


async def test_closed_during_the_handshake(answer: Answer, shake_hands: Hands) -> None:
    with answer(b"") as port:
        error = await failure(port, shake_hands)
    told = explain(error, host="localhost", port=port, trust=TRUST, settings=TlsSettings())
    assert told.reason is Reason.CLOSED


async def test_silent(answer: Answer) -> None:
    context = make_context(TlsSettings(), trust=TRUST)
    with answer(None) as port, pytest.raises(TlsError) as raised:
        await connect(f"ldaps://localhost:{port}", tls=context, timeout=0.1)
    told = explain(raised.value, host="localhost", port=port, trust=TRUST, settings=TlsSettings())
    assert told.reason is Reason.SILENT


def test_a_server_that_closes_without_a_word_is_explained_by_what_was_seen() -> None:
    profile = TlsSettings(suites=("AES128-SHA",), maximum=V1_2)

    def told(version: str, suite: str) -> Reason:
        error = ConnectionResetError(104, "Connection reset by peer")
        presented = Presented((), version, suite)
        return explain(error, host="ad", port=636, settings=profile, presented=presented).reason

    assert told("TLSv1.1", "AES128-SHA") is Reason.NO_COMMON_VERSION
    assert told("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384") is Reason.NO_COMMON_SUITE
    assert told("TLSv1.2", "AES128-SHA") is Reason.CLOSED


def test_the_cause_is_found_under_what_was_raised_from_it() -> None:
    outer = RuntimeError("could not connect")
    outer.__cause__ = TimeoutError()
    told = explain(outer, host="h", port=1, trust=None, settings=TlsSettings())
    assert told.reason is Reason.SILENT


def test_what_is_not_known_is_told_as_it_is() -> None:
    told = explain(ValueError("odd"), host="h", port=1, trust=None, settings=TlsSettings())
    assert (told.reason, told.subject) == (Reason.OTHER, "h:1")
    assert "odd" in told.message


# Certificates that were issued for something else


def issued(data: bytes, key: certs.PrivateKey = CA.key) -> Issued:
    return Issued(load_certificate(data), key)


NO_CA = {
    "CA:FALSE": (odd.extension(odd.CONSTRAINTS, der.sequence(), critical=True), odd.without(odd.USAGE)),
    "no basic constraints": (odd.without(odd.CONSTRAINTS), odd.without(odd.USAGE)),
    "no keyCertSign": (odd.extension(odd.USAGE, der.tlv(0x03, b"\7\x80"), critical=True),),
}


@pytest.mark.parametrize("what", NO_CA)
async def test_an_issuer_that_is_no_ca_is_named_and_the_server_is_not_blamed(
    failing: Failing, what: str
) -> None:
    root = issued(odd.edited(CA, CA, *NO_CA[what]))
    told = await failing(GOOD, trust=new_store().with_trusted("home", root.certificate))
    assert (told.reason, told.subject) == (Reason.NOT_A_CA, "CN=Quintet Test CA,O=Quintet Tests")
    assert "--force" in told.fix
    middle = certs.authority("Intermediate", issuer=CA)
    false = issued(odd.edited(middle, CA, *NO_CA[what]), middle.key)
    told = await failing(certs.leaf(replace(false, chain=()), *certs.LOCAL))
    assert (told.reason, told.subject) == (Reason.NOT_A_CA, "CN=Intermediate,O=Quintet Tests")


async def test_a_certificate_for_clients_is_told_as_that(failing: Failing) -> None:
    told = await failing(certs.leaf(CA, *certs.LOCAL, client=True))
    assert (told.reason, told.subject) == (Reason.WRONG_PURPOSE, "CN=localhost,O=Quintet Tests")
    assert "client authentication" in told.message
    assert "serverAuth" in told.fix


async def test_a_certificate_whose_key_may_not_be_used_in_a_handshake_is_told_as_that(
    failing: Failing,
) -> None:
    only_certificates = odd.extension(odd.USAGE, der.tlv(0x03, b"\1\6"), critical=True)
    told = await failing(issued(odd.edited(GOOD, CA, only_certificates), GOOD.key))
    assert (told.reason, told.subject) == (Reason.WRONG_PURPOSE, "CN=localhost,O=Quintet Tests")


async def test_a_ca_for_other_purposes_is_told_as_what_is_at_fault(failing: Failing) -> None:
    middle = certs.authority("Intermediate", issuer=CA)
    code_signing = der.sequence(der.tlv(der.OID, der.oid("1.3.6.1.5.5.7.3.3")))
    limited = issued(odd.edited(middle, CA, odd.extension(odd.PURPOSES, code_signing)), middle.key)
    told = await failing(certs.leaf(limited, *certs.LOCAL))
    assert (told.reason, told.subject) == (Reason.WRONG_PURPOSE, "CN=Intermediate,O=Quintet Tests")


async def test_a_path_that_is_longer_than_its_root_allows(failing: Failing) -> None:
    short = der.sequence(der.tlv(0x01, b"\xff"), der.integer(0))
    root = issued(odd.edited(CA, CA, odd.extension(odd.CONSTRAINTS, short, critical=True)))
    leaf = certs.leaf(certs.authority("Intermediate", issuer=CA), *certs.LOCAL)
    told = await failing(leaf, trust=new_store().with_trusted("short", root.certificate))
    assert (told.reason, told.subject) == (Reason.CONSTRAINED, "CN=Quintet Test CA,O=Quintet Tests")


async def test_a_name_that_the_root_does_not_permit(failing: Failing) -> None:
    permitted = der.tlv(0xA0, der.sequence(der.tlv(0x82, b"example.com")))
    constraints = odd.extension(der.oid("2.5.29.30"), der.sequence(permitted), critical=True, also=True)
    root = issued(odd.edited(CA, CA, constraints))
    told = await failing(GOOD, trust=new_store().with_trusted("constrained", root.certificate))
    assert (told.reason, told.subject) == (Reason.CONSTRAINED, "CN=Quintet Test CA,O=Quintet Tests")


async def test_a_critical_extension_that_openssl_does_not_know_is_named(failing: Failing) -> None:
    told = await failing(
        issued(odd.edited(GOOD, CA, *odd.EDITS["unknown critical extension"]), GOOD.key),
    )
    assert (told.reason, told.subject) == (Reason.CONSTRAINED, "CN=localhost,O=Quintet Tests")
    assert "1.2.3.4.5" in told.message


async def test_a_certificate_that_cannot_be_read_is_told_as_malformed(failing: Failing) -> None:
    error = MalformedChainError("3 is not a valid X509 version")
    told = explain(error, host="h", port=636, settings=TlsSettings())
    assert (told.reason, told.subject) == (Reason.MALFORMED, "h:636")


@pytest.mark.parametrize("cn", ["dir", "127.0.0.1"])
async def test_an_address_that_is_written_as_a_dns_name_is_told_as_that(failing: Failing, cn: str) -> None:
    written = odd.extension(odd.SAN, der.sequence(der.tlv(0x82, b"127.0.0.1")))
    leaf = certs.leaf(CA, *certs.LOCAL, cn=cn)
    told = await failing(issued(odd.edited(leaf, CA, written), leaf.key), host="127.0.0.1")
    assert told.reason is Reason.ADDRESS_AS_DNS_NAME
    assert "IP:127.0.0.1" in told.fix
    assert "not for 127.0.0.1" not in told.message


async def test_a_certificate_without_subject_is_called_by_its_names(failing: Failing) -> None:
    leaf = certs.leaf(CA, "ldap.example.com")
    told = await failing(issued(odd.edited(leaf, CA, odd.put(odd.SUBJECT, odd.NO_NAME)), leaf.key))
    assert told.reason is Reason.WRONG_NAME
    assert "ldap.example.com" in told.subject


# TRUSTED_HOSTS (config 2.8)


async def test_d44_a_host_that_is_not_listed_is_told_with_the_name_to_add(failing: Failing) -> None:
    settings = TlsSettings(trusted_hosts=("ldap.example.com", "*.example.org"))
    told = await failing(GOOD, settings)
    assert (told.reason, told.subject) == (Reason.HOST_NOT_LISTED, "CN=localhost,O=Quintet Tests")
    assert "ldap.example.com" in told.message
    assert "localhost" in told.fix
    assert "STLDAP_TLS_TRUSTED_HOSTS" in told.fix


def test_every_reason_and_every_error_of_a_store_has_a_code_in_the_registry() -> None:
    kinds = [StoreError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {reason.value for reason in Reason} | {kind.code for kind in kinds} <= CODES.keys()
    assert {CrlError.code, TlsSettingsError.code} <= CODES.keys()
