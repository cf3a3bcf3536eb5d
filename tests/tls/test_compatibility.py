"""What `trust list` says of Java is what keytool does, and stores of ours are read by it (D1, C19)."""

import hashlib
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.tls.certificates import MalformedCertificateError, load_certificate
from quintet.tls.settings import StoreKind
from quintet.tls.stores import (
    KeyEntry,
    Store,
    TrustedEntry,
    java_objection,
    new_store,
    open_store,
    read_store,
    save_store,
    seen_by_java,
    seen_by_sametime,
    write_store,
)
from support import certs, keytool, odd
from support.keytool import PASSWORD
from support.stores import CA, FORMS, IDS, LEAF, OWN, full, pem, ref

pytestmark = pytest.mark.real


def java_sees(path: Path) -> set[str]:
    """The aliases that keytool lists; none when it refuses the store."""
    try:
        return set(keytool.entries(path))
    except RuntimeError:
        return set()


def odd_authorities() -> dict[str, x509.Certificate]:
    found = {}
    for what, edits in odd.EDITS.items():
        with suppress(MalformedCertificateError):
            found[what] = load_certificate(odd.edited(CA, CA, *edits))
    return found


ODD = odd_authorities()
ORDINARY = {
    "serial 0",
    "negative serial",
    "version 1",
    "subject in BMPString",
    "year 9999",
    "DSA",
    "Ed25519",
    "Ed448",
    "unknown critical extension",
    "no extensions",
}


@pytest.mark.parametrize("kind", StoreKind)
def test_what_is_said_to_be_read_by_java_is_read_by_it(tmp_path: Path, kind: StoreKind) -> None:
    """The other way round it need not be: yes is said only of what is known to work."""
    said = {what for what in ODD if seen_by_java(Store(kind, (TrustedEntry(what, ODD[what]),)))}
    assert said >= ORDINARY
    path = tmp_path / f"odd.{kind.value}"
    entries = tuple(TrustedEntry(f"entry {n}", ODD[what]) for n, what in enumerate(sorted(said)))
    save_store(path, Store(kind, entries), PASSWORD)
    assert seen_by_java(open_store(ref(path))) == java_sees(path) == {each.alias for each in entries}


@pytest.mark.parametrize(
    "what",
    [
        "version 1 with extensions",
        "no issuer",
        "explicit curve",
        "issuer's algorithm differs",
    ],
)
def test_a_certificate_that_java_refuses_hides_the_whole_store_and_that_is_said(
    tmp_path: Path, what: str
) -> None:
    entries = (TrustedEntry("odd", ODD[what]), TrustedEntry("good", CA.certificate))
    path = tmp_path / "odd.jks"
    path.write_bytes(write_store(Store(StoreKind.JKS, entries), PASSWORD))
    store = open_store(ref(path))
    assert seen_by_java(store) == java_sees(path) == set()
    assert "odd" in (java_objection(store) or "")


ENCODINGS = [
    ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1", "-legacy"),
    ("-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-40", "-macalg", "sha1", "-legacy"),
    ("-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128", "-macalg", "sha1", "-legacy"),
    ("-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-legacy"),
    ("-keypbe", "AES-256-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha256"),
    ("-keypbe", "AES-192-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha512"),
    ("-keypbe", "DES-EDE3-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256"),
    ("-keypbe", "NONE", "-certpbe", "NONE"),
    ("-keypbe", "AES-256-CBC", "-certpbe", "NONE", "-nomac"),
]


@pytest.mark.parametrize("options", ENCODINGS, ids=" ".join)
def test_every_encoding_of_openssl_is_read_and_judged_as_keytool_does(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    certificate, key = LEAF.write(tmp_path, "leaf")
    path = tmp_path / "key.p12"
    making: list[str | Path] = ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key]
    making += ["-name", "mine", *options, "-out", path, "-passout", f"pass:{PASSWORD}"]
    subprocess.run(making, check=True, capture_output=True)
    store = open_store(ref(path))
    (entry,) = store.keys
    assert (entry.alias, entry.certificate, entry.chain) == ("mine", LEAF.certificate, LEAF.chain)
    assert seen_by_java(store) <= java_sees(path)
    if "PBE-SHA1-RC2-40" in options or options[1] == "AES-256-CBC":
        assert seen_by_java(store) == {"mine"}
    assert bool(seen_by_sametime(store)) is (seen_by_java(store) == {"mine"} and "sha1" in options)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA224", "SHA384", "SHA512", "SHA512/224", "SHA512/256"])
def test_every_mac_of_java_is_read(tmp_path: Path, algorithm: str) -> None:
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    path = tmp_path / "trust.p12"
    keytool.keytool(
        f"-J-Dkeystore.pkcs12.macAlgorithm=HmacPBE{algorithm}",
        *("-importcert", "-noprompt", "-alias", "ca", "-file", tmp_path / "ca.pem"),
        *("-keystore", path, "-storetype", "PKCS12", "-storepass", PASSWORD),
    )
    assert seen_by_java(open_store(ref(path))) == {"ca"}


@pytest.mark.parametrize("cipher", ["PBEWithHmacSHA512AndAES_128", "PBEWithSHA1AndRC4_128", "NONE"])
def test_every_protection_of_java_is_read(tmp_path: Path, cipher: str) -> None:
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    path = tmp_path / "trust.p12"
    keytool.keytool(
        f"-J-Dkeystore.pkcs12.certProtectionAlgorithm={cipher}",
        *("-importcert", "-noprompt", "-alias", "ca", "-file", tmp_path / "ca.pem"),
        *("-keystore", path, "-storetype", "PKCS12", "-storepass", PASSWORD),
    )
    assert seen_by_java(open_store(ref(path))) == {"ca"}


def test_entries_of_one_alias_are_said_to_be_seen_only_where_java_sees_them(tmp_path: Path) -> None:
    """Java keeps the last one of an alias, whatever its case."""
    two = (TrustedEntry("ca", CA.certificate), TrustedEntry("ba", OWN.certificate))
    data = write_store(Store(StoreKind.PKCS12, two), PASSWORD, legacy=False)
    assert len(java_sees_data(tmp_path, data)) == 2
    body = write_store(Store(StoreKind.JKS, two), PASSWORD)[:-20].replace(b"\0\2ba", b"\0\2ca")
    data = body + keytool_digest(body)
    store = read_store(data, PASSWORD)
    assert len(store.trusted) == 2
    assert len(seen_by_java(store)) == len(java_sees_data(tmp_path, data)) == 1


def java_sees_data(folder: Path, data: bytes) -> set[str]:
    path = folder / ("store.jks" if data.startswith(b"\xfe\xed") else "store.p12")
    path.write_bytes(data)
    return java_sees(path)


def keytool_digest(body: bytes) -> bytes:
    return hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


@pytest.mark.parametrize("kind", StoreKind)
@pytest.mark.parametrize("rest", [b"\n", bytes(512), b"garbage"])
def test_bytes_behind_the_end_are_ignored_as_java_does(tmp_path: Path, kind: StoreKind, rest: bytes) -> None:
    path = tmp_path / f"trust.{kind.value}"
    path.write_bytes(write_store(full(), PASSWORD, kind=kind) + rest)
    store = open_store(ref(path))
    assert [note.code for note in store.notes] == ["T127"]
    assert seen_by_java(store) == java_sees(path) == {"ca", "own", "mux", "other"}


KEYS = {
    "RSA 4096": certs.key("rsa4096"),
    "DSA": dsa.generate_private_key(2048),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "Ed448": ed448.Ed448PrivateKey.generate(),
}


@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_keys_of_every_kind_that_we_write_are_seen_and_opened_by_java(
    tmp_path: Path, kind: StoreKind, legacy: bool
) -> None:
    entries = []
    for alias, key in KEYS.items():
        certificate = load_certificate(odd.edited(LEAF, CA, odd.put(odd.KEY, odd.public(key))))
        entries.append(KeyEntry(alias.lower(), key, certificate))
    path, moved = tmp_path / f"ours.{kind.value}", tmp_path / "moved.p12"
    store = replace(new_store(kind).with_trusted("ca", CA.certificate), keys=tuple(entries))
    save_store(path, store, PASSWORD, legacy=legacy)
    written = open_store(ref(path))
    every = {"ca", *(each.alias for each in entries)}
    assert seen_by_java(written) == java_sees(path) == every
    old = kind is StoreKind.JKS or legacy
    assert seen_by_sametime(written) == (every - {"ed25519", "ed448"} if old else set())
    keytool.keytool(
        *("-importkeystore", "-noprompt", "-srckeystore", path, "-srcstorepass", PASSWORD),
        *("-destkeystore", moved, "-deststorepass", PASSWORD),
    )
    again = {each.alias: each.key for each in open_store(ref(moved)).keys}
    assert {alias: pem(key) for alias, key in again.items()} == {e.alias: pem(e.key) for e in entries}


def test_a_store_of_ours_is_in_the_encoding_that_sametime_reads_by_default(tmp_path: Path) -> None:
    save_store(tmp_path / "ours.p12", new_store().with_trusted("ca", CA.certificate), PASSWORD)
    store = open_store(ref(tmp_path / "ours.p12"))
    assert store.encoding.legacy
    assert seen_by_sametime(store) == {"ca"}


@given(alias=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_alias_is_seen_by_java(tmp_path: Path, alias: str) -> None:
    if not alias.strip():
        return
    path = tmp_path / "ours.p12"
    path.unlink(missing_ok=True)
    save_store(path, new_store().with_trusted(alias, CA.certificate), PASSWORD)
    assert len(keytool.keytool("-list", "-keystore", path, "-storepass", PASSWORD).split("SHA-256")) == 2
