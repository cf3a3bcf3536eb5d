"""Contexts, proven by handshakes with real TLS servers."""

import asyncio
import contextlib
import os
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from quintet.tls import context as module
from quintet.tls.context import (
    CertificateNameError,
    CertificateStrengthError,
    UnlistedSuiteError,
    chosen_key,
    make_context,
)
from quintet.tls.inspect import inspection_context, presented_by, verified_chain
from quintet.tls.settings import SecurityLevel, TlsSettings, TlsSettingsError
from quintet.tls.stores import (
    KeyEntry,
    NoSuchEntryError,
    Store,
    StoreError,
    StoreNotFoundError,
    new_store,
    read_store,
    write_store,
)
from support import certs
from support.certs import Issued

Serve = Callable[..., AbstractContextManager[int]]
Hands = Callable[..., Awaitable[Any]]

V1_0, V1_2, V1_3 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def ca() -> Issued:
    return certs.authority()


@pytest.fixture(scope="module")
def good(ca: Issued) -> Issued:
    return certs.leaf(ca, *certs.LOCAL)


@pytest.fixture(scope="module")
def elliptic() -> SimpleNamespace:
    """A Suite B authority and leaf on P-384, and leaf and authority on P-256."""
    made = {}
    for kind, digest in (("p256", hashes.SHA256()), ("p384", hashes.SHA384())):
        root = certs.authority(f"EC {kind}", kind=kind, digest=digest)
        made[kind] = (root, certs.leaf(root, *certs.LOCAL, kind=kind, digest=digest))
    return SimpleNamespace(**made)


def trusting(*issued: Issued) -> Store:
    store = new_store()
    for number, each in enumerate(issued):
        store = store.with_trusted(str(number), each.certificate)
    return store


def at_level(level: int, **changes: Any) -> TlsSettings:
    highest = V1_3 if level < 2 else V1_2
    return TlsSettings(level=SecurityLevel(level), maximum=highest, **changes)


async def test_c8_a_certificate_of_a_trusted_ca_is_accepted(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    with serve(good) as port:
        version, suite, _ = await shake_hands(make_context(TlsSettings(), trust=trusting(ca)), port)
    assert (version, suite) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")


async def test_an_address_is_met_by_an_address_entry(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    with serve(good) as port:
        assert (await shake_hands(make_context(TlsSettings(), trust=trusting(ca)), port, "127.0.0.1"))[
            0
        ] == "TLSv1.3"


async def test_c8_an_unknown_ca_is_refused(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    context = make_context(TlsSettings(), trust=trusting(certs.self_signed("other")))
    with serve(good) as port, pytest.raises(ssl.SSLCertVerificationError) as raised:
        await shake_hands(context, port)
    assert raised.value.verify_code == 20


async def test_the_machines_own_roots_are_not_trusted(ca: Issued) -> None:
    assert make_context(TlsSettings(), trust=trusting(ca)).get_ca_certs(binary_form=True) == [ca.der]


async def test_c9_an_imported_self_signed_certificate_is_trusted(serve: Serve, shake_hands: Hands) -> None:
    own = certs.self_signed()
    with serve(own) as port:
        assert (await shake_hands(make_context(TlsSettings(), trust=trusting(own)), port))[0] == "TLSv1.3"


async def test_an_imported_leaf_is_trusted_by_itself(serve: Serve, shake_hands: Hands, good: Issued) -> None:
    with serve(good) as port:
        assert (await shake_hands(make_context(TlsSettings(), trust=trusting(good)), port))[0] == "TLSv1.3"


async def test_an_imported_intermediate_is_trusted_by_itself(
    serve: Serve, shake_hands: Hands, ca: Issued
) -> None:
    middle = certs.authority("Intermediate", issuer=ca)
    with serve(certs.leaf(middle, *certs.LOCAL)) as port:
        assert (await shake_hands(make_context(TlsSettings(), trust=trusting(middle)), port))[0] == "TLSv1.3"


async def test_c10_every_certificate_of_the_store_is_trusted(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    own = certs.self_signed()
    context = make_context(TlsSettings(), trust=trusting(own, ca))
    for issued in (good, own):
        with serve(issued) as port:
            assert (await shake_hands(context, port))[0] == "TLSv1.3"


def test_strict_rules_that_refuse_home_made_roots_are_off_on_every_python(ca: Issued) -> None:
    flags = make_context(TlsSettings(), trust=trusting(ca)).verify_flags
    assert not flags & ssl.VerifyFlags.VERIFY_X509_STRICT
    assert flags & ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


def test_renegotiation_is_off(ca: Issued) -> None:
    assert make_context(TlsSettings(), trust=trusting(ca)).options & ssl.OP_NO_RENEGOTIATION


async def test_c37_another_hosts_certificate_is_refused_in_the_handshake(
    serve: Serve, shake_hands: Hands, ca: Issued
) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    with serve(certs.leaf(ca, "ldap.example.com")) as port, pytest.raises(CertificateNameError) as raised:
        await shake_hands(context, port)
    assert "ldap.example.com, not for localhost" in str(raised.value)


async def test_without_a_host_name_nothing_is_accepted(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    with serve(good) as port, pytest.raises(CertificateNameError):
        await shake_hands(context, port, "")


@pytest.mark.parametrize("listed", ["ldap.example.com", "*.example.com", "LDAP.Example.COM"])
async def test_c35_a_certificate_for_a_listed_host_is_accepted(
    serve: Serve, shake_hands: Hands, ca: Issued, listed: str
) -> None:
    context = make_context(TlsSettings(trusted_hosts=("no.example", listed)), trust=trusting(ca))
    with serve(certs.leaf(ca, "ldap.example.com")) as port:
        assert (await shake_hands(context, port))[0] == "TLSv1.3"


async def test_c35_the_host_name_does_not_count_where_names_are_listed(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    context = make_context(TlsSettings(trusted_hosts=("ldap.example.com",)), trust=trusting(ca))
    with serve(good) as port, pytest.raises(CertificateNameError):
        await shake_hands(context, port, "localhost")


@pytest.mark.parametrize(
    ("listed", "mirror", "accepted"),
    [
        ((), False, {"localhost"}),
        (("listed.example",), False, {"listed.example"}),
        ((), True, {"own.example", "any.own.example"}),
        (("listed.example",), True, {"listed.example", "own.example", "any.own.example"}),
    ],
    ids=["neither", "listed", "mirrored", "both"],
)
async def test_c38_the_names_that_count_are_those_of_the_table(
    serve: Serve,
    shake_hands: Hands,
    ca: Issued,
    listed: tuple[str, ...],
    mirror: bool,
    accepted: set[str],
) -> None:
    """The table of config 2.8. A name of our own that would match everything counts for nothing."""
    own = certs.leaf(ca, "own.example", "*.own.example", "*", cn="common.example", client=True)
    settings = TlsSettings(trusted_hosts=listed, mirror_hosts=mirror)
    context = make_context(settings, trust=trusting(ca), key=key_store(("me", own)))
    found = set()
    for name in ("localhost", "listed.example", "own.example", "any.own.example", "common.example", "other"):
        with serve(certs.leaf(ca, name)) as port, contextlib.suppress(CertificateNameError):
            await shake_hands(context, port)
            found.add(name)
    assert found == accepted


def test_c38_mirrored_names_need_our_own_certificate(ca: Issued) -> None:
    with pytest.raises(TlsSettingsError):
        make_context(TlsSettings(mirror_hosts=True), trust=trusting(ca))


async def test_c36_a_wildcard_stands_for_one_component_only(
    serve: Serve, shake_hands: Hands, ca: Issued
) -> None:
    context = make_context(TlsSettings(trusted_hosts=("*.com",)), trust=trusting(ca))
    with serve(certs.leaf(ca, "ldap.example.com")) as port, pytest.raises(CertificateNameError):
        await shake_hands(context, port)


async def test_c35_the_cn_counts_when_there_is_no_dns_name(
    serve: Serve, shake_hands: Hands, ca: Issued
) -> None:
    with serve(certs.cn_only(ca)) as port:
        assert (await shake_hands(make_context(TlsSettings(), trust=trusting(ca)), port))[0] == "TLSv1.3"


def test_plain_sockets_are_checked_as_well(serve: Serve, ca: Issued) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    with (
        serve(certs.leaf(ca, "ldap.example.com")) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        pytest.raises(CertificateNameError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


async def test_start_tls_is_checked_as_well(serve: Serve, ca: Issued) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    loop = asyncio.get_running_loop()
    with serve(certs.leaf(ca, "ldap.example.com")) as port:
        transport, protocol = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
        try:
            with pytest.raises(CertificateNameError):
                await loop.start_tls(transport, protocol, context, server_hostname="localhost")
        finally:
            transport.abort()
            await asyncio.sleep(0)


@pytest.mark.parametrize("suite", ["AES256-GCM-SHA384", "AES128-SHA"])
async def test_c30_a_server_that_knows_only_sametimes_two_suites_is_reached(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued, suite: str
) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    with serve(good, ciphers=suite, maximum=V1_2) as port:
        assert (await shake_hands(context, port))[1] == suite


def test_c30_plain_rsa_suites_are_offered_last(ca: Issued) -> None:
    names = [each["name"] for each in make_context(TlsSettings(), trust=trusting(ca)).get_ciphers()]
    plain = [name.startswith("AES") for name in names]
    assert plain == sorted(plain)
    assert plain[-1]


async def test_c31_the_suite_for_domino_alone_works(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    suites = ("ECDHE-RSA-AES256-GCM-SHA384",)
    context = make_context(TlsSettings(suites=suites, maximum=V1_2), trust=trusting(ca))
    with serve(good, ciphers=suites[0]) as port:
        assert (await shake_hands(context, port))[:2] == ("TLSv1.2", suites[0])


def test_c29_suites_are_offered_in_the_order_of_the_list(ca: Issued) -> None:
    suites = ("AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384")
    context = make_context(TlsSettings(suites=suites, maximum=V1_2), trust=trusting(ca))
    assert tuple(each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3") == suites


async def test_c29_a_suite_of_tls_1_3_that_is_not_listed_is_refused(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    profile = TlsSettings(suites_13=("TLS_CHACHA20_POLY1305_SHA256",), minimum=V1_3)
    with serve(good) as port, pytest.raises(UnlistedSuiteError):
        await shake_hands(make_context(profile, trust=trusting(ca)), port)


async def test_c28_old_versions_are_spoken_when_the_settings_say_so(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    context = make_context(TlsSettings(minimum=V1_0), trust=trusting(ca))
    with serve(good, minimum=V1_0, maximum=V1_0) as port:
        assert (await shake_hands(context, port))[0] == "TLSv1"


async def test_c27_tls_1_0_is_not_spoken_by_default(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    with serve(good, minimum=V1_0, maximum=V1_0) as port, pytest.raises(ssl.SSLError):
        await shake_hands(context, port)


@pytest.mark.parametrize("make", [certs.sha1, certs.rsa1024], ids=["SHA-1", "RSA 1024"])
@pytest.mark.parametrize("level", [0, 1])
async def test_c32_the_lower_levels_tolerate(
    serve: Serve, shake_hands: Hands, ca: Issued, make: Callable[[Issued], Issued], level: int
) -> None:
    with serve(make(ca)) as port:
        assert (await shake_hands(make_context(at_level(level), trust=trusting(ca)), port))[0] == "TLSv1.3"


@pytest.mark.parametrize("make", [certs.sha1, certs.rsa1024], ids=["SHA-1", "RSA 1024"])
async def test_c32_level_2_refuses(
    serve: Serve, shake_hands: Hands, ca: Issued, make: Callable[[Issued], Issued]
) -> None:
    with serve(make(ca)) as port, pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(make_context(at_level(2), trust=trusting(ca)), port)


async def test_c32_level_2_accepts_rsa_2048_with_sha_256(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    with serve(good) as port:
        assert (await shake_hands(make_context(at_level(2), trust=trusting(ca)), port))[0] == "TLSv1.2"


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "secp521r1", "X25519"])
async def test_c32_level_2_refuses_no_server_for_its_curve(
    serve_group: Serve, ca: Issued, good: Issued, curve: str
) -> None:
    """X25519 is a difference from config 2.7: Python could name one curve only, and lose the other two."""
    context = make_context(at_level(2), trust=trusting(ca))
    with serve_group(good, curve) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()


@pytest.mark.parametrize(("level", "curve"), [(3, "X25519"), (3, "secp521r1"), (4, "prime256v1")])
async def test_c32_levels_3_and_4_keep_to_their_curves(
    serve_group: Serve, elliptic: SimpleNamespace, level: int, curve: str
) -> None:
    root, leaf = elliptic.p384
    context = make_context(at_level(level), trust=trusting(root))
    with serve_group(leaf, curve) as port, pytest.raises(ssl.SSLError):
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")


async def test_a_weakness_that_openssl_tolerates_is_refused_in_the_handshake(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "check_strength", lambda certificate, level, *, anchor: None if anchor else "too short"
    )
    with serve(good) as port, pytest.raises(CertificateStrengthError, match="too short"):
        await shake_hands(make_context(TlsSettings(), trust=trusting(ca)), port)


async def test_c32_level_3_takes_p256_with_aes_128(
    serve: Serve, shake_hands: Hands, elliptic: SimpleNamespace
) -> None:
    root, leaf = elliptic.p256
    with serve(leaf, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256") as port:
        suite = (await shake_hands(make_context(at_level(3), trust=trusting(root)), port))[1]
    assert suite == "ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.mark.parametrize("level", [3, 4])
async def test_c32_levels_3_and_4_take_p384_with_aes_256(
    serve: Serve, shake_hands: Hands, elliptic: SimpleNamespace, level: int
) -> None:
    root, leaf = elliptic.p384
    only = "ECDHE-ECDSA-AES256-GCM-SHA384"
    with serve(leaf) as port:
        context = make_context(at_level(level, suites=(only,)), trust=trusting(root))
        assert (await shake_hands(context, port))[1] == only


async def test_c32_level_4_refuses_p256(serve: Serve, shake_hands: Hands, elliptic: SimpleNamespace) -> None:
    root, _ = elliptic.p384
    weak = certs.leaf(root, *certs.LOCAL, kind="p256", digest=hashes.SHA384())
    with serve(weak) as port, pytest.raises(ssl.SSLError):
        await shake_hands(make_context(at_level(4), trust=trusting(root)), port)


@pytest.mark.parametrize("level", [3, 4])
def test_a_trust_store_of_rsa_alone_is_refused_for_suite_b_before_connecting(ca: Issued, level: int) -> None:
    with pytest.raises(TlsSettingsError, match="RSA 2048"):
        make_context(at_level(level), trust=trusting(ca))


def test_c33_fips_is_refused_where_it_is_not_active(ca: Issued) -> None:
    with pytest.raises(TlsSettingsError, match="FIPS"):
        make_context(TlsSettings(fips=True), trust=trusting(ca))


def test_c20_no_key_store_is_needed_but_a_trust_store_is() -> None:
    with pytest.raises(StoreNotFoundError, match="quintet trust fetch"):
        make_context(TlsSettings())


def test_an_empty_trust_store_is_an_error_not_a_context_that_trusts_nobody() -> None:
    with pytest.raises(NoSuchEntryError, match="no trusted certificate"):
        make_context(TlsSettings(), trust=new_store())


# Client certificates


def key_store(*entries: tuple[str, Issued]) -> Store:
    keys = tuple(KeyEntry(alias, each.key, each.certificate, each.chain) for alias, each in entries)
    return replace(new_store(), keys=keys)


@pytest.fixture(scope="module")
def client(ca: Issued) -> Issued:
    middle = certs.authority("Client CA", issuer=ca)
    return certs.leaf(middle, cn="quintet", client=True)


@pytest.mark.parametrize("version", [V1_2, V1_3])
async def test_c21_our_certificate_is_presented_with_its_chain(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued, client: Issued, version: ssl.TLSVersion
) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca), key=key_store(("me", client)))
    with serve(good, clients=ca, maximum=version) as port:
        assert (await shake_hands(context, port))[0] == version.name.replace("_", ".")


async def test_c21_without_a_certificate_the_server_refuses(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    context = make_context(TlsSettings(), trust=trusting(ca))
    with serve(good, clients=ca) as port, pytest.raises(ssl.SSLError):
        await shake_hands(context, port)


def test_c22_the_label_chooses_among_several_keys(client: Issued, good: Issued) -> None:
    store = key_store(("one", good), ("two", client))
    assert chosen_key(store, TlsSettings(key_label="TWO")).alias == "two"


def test_c22_the_label_is_ignored_when_there_is_one_key(client: Issued) -> None:
    assert chosen_key(key_store(("one", client)), TlsSettings(key_label="other")).alias == "one"


@pytest.mark.parametrize("label", [None, "three"])
def test_c22_an_unknown_label_among_several_is_an_error_that_names_them(
    client: Issued, good: Issued, label: str | None
) -> None:
    with pytest.raises(NoSuchEntryError, match="one, two"):
        chosen_key(key_store(("one", good), ("two", client)), TlsSettings(key_label=label))


def sealed(store: Store, *aliases: str) -> Store:
    """The store with these keys under passwords of their own."""
    keys = (replace(e, key=None, sealed=b"?") if e.alias in aliases else e for e in store.keys)
    return replace(store, keys=tuple(keys))


@pytest.mark.parametrize("label", ["three", None])
def test_c22_no_other_key_is_presented_because_it_alone_can_be_opened(
    client: Issued, good: Issued, label: str | None
) -> None:
    store = sealed(key_store(("one", good), ("two", client)), "two")
    with pytest.raises(NoSuchEntryError, match="one, two"):
        chosen_key(store, TlsSettings(key_label=label))


def test_c22_a_labelled_key_with_a_password_of_its_own_is_an_error_that_says_so(
    client: Issued, good: Issued
) -> None:
    store = sealed(key_store(("one", good), ("two", client)), "two")
    with pytest.raises(NoSuchEntryError, match=r"'two' is protected by a password of its own.*-keypasswd"):
        chosen_key(store, TlsSettings(key_label="Two"))
    assert chosen_key(store, TlsSettings(key_label="one")).alias == "one"


def test_c22_the_only_key_with_a_password_of_its_own_is_an_error_that_says_so(client: Issued) -> None:
    with pytest.raises(NoSuchEntryError, match="password of its own"):
        chosen_key(sealed(key_store(("one", client)), "one"), TlsSettings())


def test_a_key_store_without_a_key_is_an_error(ca: Issued) -> None:
    with pytest.raises(NoSuchEntryError, match="no key"):
        make_context(TlsSettings(), trust=trusting(ca), key=new_store())


def test_a_key_that_does_not_belong_to_its_certificate_is_an_error(ca: Issued, good: Issued) -> None:
    stranger = replace(key_store(("one", good)).keys[0], key=certs.key("rsa2048", "stranger"))
    with pytest.raises(StoreError, match="'one' cannot be used: key values mismatch"):
        make_context(TlsSettings(), trust=trusting(ca), key=replace(new_store(), keys=(stranger,)))


def test_a_key_whose_numbers_do_not_fit_together_is_never_used(ca: Issued, client: Issued) -> None:
    """One faulty signature would give its secret away. Reading the store does not look, since that costs."""
    assert isinstance(client.key, rsa.RSAPrivateKey)
    numbers = client.key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    store = replace(key_store(("one", client)).keys[0], key=wrong)
    read = read_store(write_store(replace(new_store(), keys=(store,)), "secret"), "secret")
    with pytest.raises(StoreError, match="'one' is damaged"):
        make_context(TlsSettings(), trust=trusting(ca), key=read)


def files_open() -> set[str]:
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(each.readlink()))
    return found


def test_the_private_key_never_lies_in_a_file(
    ca: Issued, client: Issued, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "mkstemp", lambda: pytest.fail("a file was made"))
    make_context(TlsSettings(), trust=trusting(ca), key=key_store(("me", client)))
    assert not any("memfd:" in each for each in files_open())


def test_where_memory_files_are_missing_the_file_is_private_and_gone_at_once(
    ca: Issued, client: Issued, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def watching(context: ssl.SSLContext, path: str) -> None:
        seen.append(Path(path).stat().st_mode & 0o777)
        load(context, path)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watching)
    make_context(TlsSettings(), trust=trusting(ca), key=key_store(("me", client)))
    assert seen == [0o600]
    assert not list(tmp_path.iterdir())


# Inspection


@pytest.fixture
def chain_of(serve: Serve) -> Any:
    async def fetch(issued: Issued, **options: Any) -> list[str]:
        with serve(issued, **options) as port:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=inspection_context(TlsSettings()), server_hostname="any.example"
            )
            assert await reader.readexactly(5) == b"hello"
            chain = presented_by(writer.get_extra_info("ssl_object")).chain
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
        return [certificate.subject.rfc4514_string() for certificate in chain]

    return fetch


async def test_the_chain_is_seen_whatever_it_is_worth(chain_of: Any, ca: Issued) -> None:
    middle = certs.authority("Intermediate", issuer=ca)
    bad = certs.leaf(middle, "other.example", starts=-9, ends=-1)
    assert await chain_of(bad) == ["CN=other.example,O=Quintet Tests", "CN=Intermediate,O=Quintet Tests"]


async def test_a_server_of_old_versions_is_seen(chain_of: Any, good: Issued) -> None:
    assert await chain_of(good, minimum=V1_0, maximum=V1_0)


async def test_the_verified_chain_ends_at_the_trusted_certificate(
    serve: Serve, shake_hands: Hands, ca: Issued, good: Issued
) -> None:
    with serve(good) as port:
        _, _, secured = await shake_hands(make_context(TlsSettings(), trust=trusting(ca)), port)
    assert verified_chain(secured) == (good.certificate, ca.certificate)
