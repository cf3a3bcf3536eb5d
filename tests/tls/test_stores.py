"""Stores: what `keytool` and `openssl` wrote is read, what is written they read, what is broken is told."""

import dataclasses
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12 as library
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quintet.secret import Secret
from quintet.tls import der
from quintet.tls.entries import KeyEntry
from quintet.tls.pkcs12 import encoding_of
from quintet.tls.stash import write_stash
from quintet.tls.stores import (
    CannotWrite,
    DamagedStore,
    EntryExists,
    NoSuchEntry,
    NotAStore,
    StashError,
    Store,
    StoreError,
    StoreKind,
    StoreMissing,
    StoreRef,
    StoreUnreadable,
    TooCostly,
    UnsupportedStore,
    WrongKind,
    WrongPassword,
    new_store,
    open_store,
    read_store,
    save_store,
    write_store,
)
from support import certs, keytool
from support.keytool import PASSWORD

FORMS = [(StoreKind.PKCS12, False), (StoreKind.PKCS12, True), (StoreKind.JKS, False)]
IDS = ["p12", "p12-legacy", "jks"]
CA = certs.authority()
MIDDLE = certs.authority("Intermediate", issuer=CA)
LEAF = certs.leaf(MIDDLE, *certs.LOCAL)
OWN = certs.self_signed(kind="p256")


def full() -> Store:
    """Two trusted certificates and two keys, one with a chain."""
    store = new_store().with_trusted("ca", CA.certificate).with_trusted("own", OWN.certificate)
    keys = (
        KeyEntry("mux", LEAF.key, LEAF.certificate, LEAF.chain),
        KeyEntry("other", OWN.key, OWN.certificate),
    )
    return dataclasses.replace(store, keys=keys)


def essence(store: Store) -> object:
    """All that must survive writing and reading."""
    keys = {
        entry.alias: (pem(entry.key), entry.certificate, entry.chain) for entry in store.keys if entry.key
    }
    return {entry.alias: entry.certificate for entry in store.trusted}, keys


def pem(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def ref(path: Path, **changes: object) -> StoreRef:
    kind = StoreKind.JKS if path.suffix == ".jks" else StoreKind.PKCS12
    return dataclasses.replace(StoreRef(path, kind, Secret(PASSWORD)), **changes)  # type: ignore[arg-type]


# Written by others


@pytest.mark.real
@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_c18_c19_trust_stores_of_keytool_are_read(tmp_path: Path, kind: StoreKind, legacy: bool) -> None:
    path = keytool.trust_store(tmp_path / f"trust.{kind.value}", {"ca": CA, "own": OWN}, legacy=legacy)
    store = open_store(ref(path))
    assert {entry.alias: entry.certificate for entry in store.trusted} == {
        "ca": CA.certificate,
        "own": OWN.certificate,
    }
    assert (store.kind, store.keys, store.notes, store.java_entries) == (kind, (), (), 2)
    assert store.encoding.legacy is (legacy or kind is StoreKind.JKS)


@pytest.mark.real
@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_c21_key_stores_of_keytool_with_several_keys_are_read(
    tmp_path: Path, kind: StoreKind, legacy: bool
) -> None:
    path = keytool.key_store(tmp_path / f"key.{kind.value}", {"mux": LEAF, "other": OWN}, legacy=legacy)
    store = open_store(ref(path))
    keys = {entry.alias: entry for entry in store.keys}
    assert pem(keys["mux"].key) == LEAF.key_pem
    assert keys["mux"].certificate == LEAF.certificate
    assert MIDDLE.certificate in keys["mux"].chain
    assert pem(keys["other"].key) == OWN.key_pem
    assert store.trusted == ()


@pytest.mark.real
def test_a_key_pair_made_by_keytool_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pair.p12"
    keytool.keytool(
        *("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=me", "-alias", "Me"),
        *("-keystore", path, "-storepass", PASSWORD),
    )
    (entry,) = open_store(ref(path)).keys
    assert entry.alias == "me"
    assert entry.key is not None
    assert entry.key.public_key() == entry.certificate.public_key()


@pytest.mark.real
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-legacy",),
        ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
        ("-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC", "-macalg", "sha512"),
        ("-keypbe", "NONE", "-certpbe", "NONE"),
        ("-nomac",),
        ("-noiter", "-nomaciter"),
    ],
    ids=lambda options: " ".join(options) or "default",
)
def test_key_stores_of_openssl_are_read(tmp_path: Path, options: tuple[str, ...]) -> None:
    certificate, key = LEAF.write(tmp_path, "leaf")
    path = tmp_path / "key.p12"
    making: list[str | Path] = ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key]
    making += ["-name", "Müx", *options, "-out", path, "-passout", f"pass:{PASSWORD}"]
    subprocess.run(making, check=True, capture_output=True)
    (entry,) = open_store(ref(path)).keys
    assert (entry.alias, entry.certificate, entry.chain) == ("Müx", LEAF.certificate, LEAF.chain)
    assert pem(entry.key) == LEAF.key_pem


@pytest.mark.real
def test_a_p12_of_bare_certificates_is_trusted_here_and_empty_to_java(tmp_path: Path) -> None:
    path = tmp_path / "bare.p12"
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    subprocess.run(
        [
            *("openssl", "pkcs12", "-export", "-nokeys", "-in", tmp_path / "ca.pem"),
            *("-out", path, "-passout", f"pass:{PASSWORD}"),
        ],
        check=True,
    )
    store = open_store(ref(path))
    assert store.certificates == (CA.certificate,)
    assert store.java_entries == len(keytool.entries(path)) == 0
    assert "Java sees 0 entries" in store.notes[0]


@pytest.mark.real
def test_d1_the_encoding_is_told_without_the_password(tmp_path: Path) -> None:
    new = encoding_of(keytool.trust_store(tmp_path / "new.p12", {"ca": CA}).read_bytes())
    old = encoding_of(keytool.trust_store(tmp_path / "old.p12", {"ca": CA}, legacy=True).read_bytes())
    assert (new.certificates, new.digest, new.legacy) == (
        "PBES2 (SHA-256, AES-256-CBC)",
        "HMAC-SHA256",
        False,
    )
    assert (old.certificates, old.digest, old.legacy) == ("pbeWithSHA1And40BitRC2-CBC", "HMAC-SHA1", True)


@pytest.mark.real
def test_a_jks_key_with_a_password_of_its_own_is_kept_and_told(tmp_path: Path) -> None:
    path = keytool.key_store(tmp_path / "key.jks", {"mux": LEAF})
    keytool.keytool(
        *("-keypasswd", "-alias", "mux", "-keystore", path, "-storepass", PASSWORD),
        *("-keypass", PASSWORD, "-new", "another-one"),
    )
    store = open_store(ref(path))
    assert store.keys[0].key is None
    assert "a password of its own" in store.notes[0]
    again = read_store(write_store(store, PASSWORD), PASSWORD)
    assert again.keys[0].sealed == store.keys[0].sealed
    with pytest.raises(UnsupportedStore, match="-keypasswd"):
        write_store(store, PASSWORD, kind=StoreKind.PKCS12)


@pytest.mark.real
def test_a_store_with_a_secret_key_is_read_but_not_written_over(tmp_path: Path) -> None:
    path = keytool.trust_store(tmp_path / "mixed.p12", {"ca": CA})
    keytool.keytool(
        *("-genseckey", "-keyalg", "AES", "-keysize", "128", "-alias", "s"),
        *("-keystore", path, "-storepass", PASSWORD),
    )
    store = open_store(ref(path))
    assert store.certificates == (CA.certificate,)
    with pytest.raises(UnsupportedStore, match="would be lost"):
        write_store(store, PASSWORD)


# Written by us


@pytest.mark.real
@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_stores_that_we_write_are_listed_by_keytool_with_all_entries(
    tmp_path: Path, kind: StoreKind, legacy: bool
) -> None:
    path = tmp_path / f"ours.{kind.value}"
    save_store(path, full(), PASSWORD, kind=kind, legacy=legacy)
    assert keytool.entries(path) == {
        "ca": "trustedCertEntry",
        "own": "trustedCertEntry",
        "mux": "PrivateKeyEntry",
        "other": "PrivateKeyEntry",
    }


@pytest.mark.real
@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_keys_that_we_write_are_opened_by_keytool(tmp_path: Path, kind: StoreKind, legacy: bool) -> None:
    path, moved = tmp_path / f"ours.{kind.value}", tmp_path / "moved.p12"
    save_store(path, full(), PASSWORD, kind=kind, legacy=legacy)
    keytool.keytool(
        *("-importkeystore", "-noprompt", "-srckeystore", path, "-srcstorepass", PASSWORD),
        *("-srcalias", "mux", "-destkeystore", moved, "-deststorepass", PASSWORD),
    )
    (entry,) = open_store(ref(moved)).keys
    assert pem(entry.key) == LEAF.key_pem


@pytest.mark.real
@pytest.mark.parametrize("legacy", [False, True])
def test_openssl_reads_what_we_write(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "ours.p12"
    save_store(path, full(), PASSWORD, legacy=legacy)
    done = subprocess.run(
        ["openssl", "pkcs12", "-in", path, "-nodes", "-passin", f"pass:{PASSWORD}"],
        check=True,
        capture_output=True,
    )
    assert done.stdout.count(b"BEGIN PRIVATE KEY") == 2
    assert done.stdout.count(b"BEGIN CERTIFICATE") == 5


@pytest.mark.parametrize("legacy", [False, True])
def test_the_library_reads_what_we_write(legacy: bool) -> None:
    data = write_store(full().without("other"), PASSWORD, legacy=legacy)
    found = library.load_pkcs12(data, PASSWORD.encode())
    assert found.cert is not None
    assert found.cert.certificate == LEAF.certificate
    assert found.cert.friendly_name == b"mux"


def test_we_read_what_the_library_writes() -> None:
    entries = [library.PKCS12Certificate(CA.certificate, b"root")]
    data = library.serialize_java_truststore(
        entries, serialization.BestAvailableEncryption(PASSWORD.encode())
    )
    (entry,) = read_store(data, PASSWORD).trusted
    assert (entry.alias, entry.certificate, entry.marked) == ("root", CA.certificate, True)


def test_what_is_legacy_says_so() -> None:
    old = read_store(write_store(full(), PASSWORD, legacy=True), PASSWORD).encoding
    assert old.legacy
    assert old.certificates == old.keys == "pbeWithSHA1And3-KeyTripleDES-CBC"
    assert not read_store(write_store(full(), PASSWORD), PASSWORD).encoding.legacy


ALIASES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    aliases=st.lists(ALIASES, unique_by=str.lower, max_size=4),
    key=st.none() | ALIASES,
    password=PASSWORDS,
    kind=st.sampled_from(StoreKind),
)
@example(aliases=["a\0b", "😀"], key="ä", password="", kind=StoreKind.JKS)
@settings(max_examples=40, deadline=None)
def test_a_store_survives_writing_and_reading(
    aliases: list[str], key: str | None, password: str, kind: StoreKind
) -> None:
    store = new_store(kind)
    for alias in aliases:
        if alias.strip():
            store = store.with_trusted(alias, CA.certificate)
    if key is not None and key.lower() not in [alias.lower() for alias in aliases]:
        store = dataclasses.replace(store, keys=(KeyEntry(key, OWN.key, OWN.certificate),))
    again = read_store(write_store(store, password), password, kind)
    assert essence(again) == essence(store)


@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_another_password_is_refused(kind: StoreKind, legacy: bool) -> None:
    data = write_store(full(), PASSWORD, kind=kind, legacy=legacy)
    with pytest.raises(WrongPassword):
        read_store(data, PASSWORD + "x")


@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_a_changed_byte_of_a_certificate_is_noticed(kind: StoreKind, legacy: bool) -> None:
    data = bytearray(write_store(full(), PASSWORD, kind=kind, legacy=legacy))
    data[len(data) // 2] ^= 1
    with pytest.raises(StoreError):
        read_store(bytes(data), PASSWORD)


# Broken ones


WRITTEN = {form: write_store(full(), PASSWORD, kind=form[0], legacy=form[1]) for form in FORMS}


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_a_truncated_store_is_told_from_a_wrong_password(form: tuple[StoreKind, bool]) -> None:
    data = WRITTEN[form]
    for kept in (30, len(data) // 2, len(data) - 1):
        with pytest.raises(DamagedStore):
            read_store(data[:kept], PASSWORD, form[0])


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_random_bytes_raise_nothing_but_store_errors(data: bytes) -> None:
    for start in (b"", b"\xfe\xed\xfe\xed", b"\xfe\xed\xfe\xed\0\0\0\2", b"\x30\x80\x02\x01\x03\x30\x80"):
        with pytest.raises(StoreError):
            read_store(start + data, PASSWORD)


@given(
    form=st.sampled_from([FORMS[0], FORMS[2]]),
    at=st.floats(0, 1, exclude_max=True),
    patch=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_stores_raise_nothing_but_store_errors(
    form: tuple[StoreKind, bool], at: float, patch: bytes, cut: bool
) -> None:
    data = bytearray(WRITTEN[form])
    place = int(at * len(data))
    data[place : place + (0 if cut else len(patch))] = patch
    try:
        read_store(bytes(data), PASSWORD)
    except StoreError:
        return
    assert bytes(data).startswith(WRITTEN[form])


def test_hostile_lengths_cost_nothing() -> None:
    claims = b"\xfe\xed\xfe\xed\0\0\0\2" + b"\xff" * 4 + b"\0\0\0\2\0\1a" + b"\0" * 8 + b"\xff" * 4
    begun = time.monotonic()
    with pytest.raises(DamagedStore):
        read_store(claims + bytes(40), PASSWORD)
    assert time.monotonic() - begun < 1


def test_a_file_that_asks_for_hours_of_hashing_is_refused() -> None:
    content = der.sequence()
    rounds = der.integer(2_000_000_000)
    sha1 = der.sequence(der.tlv(der.OID, der.oid("1.3.14.3.2.26")), der.tlv(der.NULL))
    mac = der.sequence(der.sequence(sha1, der.octets(bytes(20))), der.octets(b"salt"), rounds)
    plain = der.sequence(
        der.tlv(der.OID, der.oid("1.2.840.113549.1.7.1")), der.tlv(der.CONTEXT_0, der.octets(content))
    )
    with pytest.raises(TooCostly):
        read_store(der.sequence(der.integer(3), plain, mac), PASSWORD)


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(TooCostly, match="16 MiB"):
        read_store(b"\xfe\xed\xfe\xed" + bytes(16 * 1024 * 1024), PASSWORD)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(StoreError):
        read_store(b"\x30\x80" * 100_000, PASSWORD)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "it is empty"),
        (CA.pem, "PEM text with certificates"),
        (b"subject=CN=x\n" + CA.pem, "PEM text with certificates"),
        (LEAF.key_pem, "PEM text with a private key"),
        (CA.der, r"a single certificate \(DER\)"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n<?xml version='1.0'?>", "a web page or XML"),
        (b"[Config]\nA=b\n", "it is a text"),
        (b"\xce\xce\xce\xce\0\0\0\2", "a .jceks store"),
        (bytes(range(128, 200)), "neither a .p12 nor a .jks"),
    ],
    ids=["empty", "pem", "pem-bag", "key", "der", "html", "xml", "text", "jceks", "noise"],
)
def test_d4_what_is_no_store_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(data)
    with pytest.raises(NotAStore, match=what) as raised:
        open_store(ref(path))
    assert str(raised.value).startswith(f"{path}: ")
    assert raised.value.cure


def test_a_jks_named_p12_is_told_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(WRITTEN[FORMS[2]])
    with pytest.raises(WrongKind, match=r"it is a \.jks store.*_STORE_TYPE=jks"):
        open_store(ref(path))


def test_a_p12_named_jks_is_told_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "trust.jks"
    path.write_bytes(WRITTEN[FORMS[0]])
    with pytest.raises(WrongKind, match=r"it is a \.p12 store.*_STORE_TYPE=p12"):
        open_store(ref(path))


def test_d4_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match=r"no such file.*quintet trust fetch"):
        open_store(ref(tmp_path / "none.p12"))


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="a folder"):
        open_store(ref(tmp_path))


def test_a_pipe_in_its_place_is_told_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "trust.p12")
    with pytest.raises(StoreUnreadable, match="no regular file"):
        open_store(ref(tmp_path / "trust.p12"))


def test_a_bag_of_countless_attributes_is_refused() -> None:
    attribute = der.sequence(der.tlv(der.OID, b"\x2a"), der.tlv(der.SET))
    value = der.tlv(der.CONTEXT_0, der.sequence())
    bag = der.sequence(der.tlv(der.OID, b"\x2a"), value, der.tlv(der.SET, attribute * 21))
    data = der.tlv(der.OID, der.oid("1.2.840.113549.1.7.1"))
    inner = der.sequence(data, der.tlv(der.CONTEXT_0, der.octets(der.sequence(bag))))
    outer = der.sequence(data, der.tlv(der.CONTEXT_0, der.octets(der.sequence(inner))))
    with pytest.raises(DamagedStore, match="more than 20 attributes"):
        read_store(der.sequence(der.integer(3), outer), PASSWORD)


def test_a_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreUnreadable, match="must not read it"):
        open_store(ref(tmp_path / "trust.p12"))


def test_the_password_is_never_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(WRITTEN[FORMS[0]])
    with pytest.raises(WrongPassword) as raised:
        open_store(ref(path, password=Secret("top-secret-words")))
    assert "top-secret-words" not in f"{raised.value!r}{raised.value}"


# Changing and saving


def test_an_alias_is_taken_whatever_its_case() -> None:
    with pytest.raises(EntryExists, match="'CA'"):
        full().with_trusted("CA", CA.certificate)


def test_removing_takes_the_entry_and_no_other() -> None:
    store = full().without("CA")
    assert [entry.alias for entry in store.entries] == ["own", "mux", "other"]


def test_removing_what_is_not_there_names_what_is() -> None:
    with pytest.raises(NoSuchEntry, match="ca, own, mux, other"):
        full().without("none")


def test_a_new_store_is_private_and_an_old_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    assert save_store(path, full(), PASSWORD) is None
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_bytes()
    kept = save_store(path, full().without("ca"), PASSWORD)
    assert kept is not None
    assert kept.read_bytes() == first
    assert len(open_store(ref(path)).trusted) == 1


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trust.p12"
    save_store(path, full(), PASSWORD)
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(CannotWrite, match="No space left"):
        save_store(path, full().without("ca"), PASSWORD)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Passwords from a stash, reference 2.5


@pytest.fixture
def stashed(tmp_path: Path) -> StoreRef:
    path, stash = tmp_path / "trust.p12", tmp_path / "trust.sth"
    shutil.copy(_written(tmp_path), path)
    write_stash(stash, Secret(PASSWORD))
    return ref(path, password=None, stash=stash)


def _written(folder: Path) -> Path:
    path = folder / "written"
    path.write_bytes(WRITTEN[FORMS[0]])
    return path


def test_c24_the_stash_alone_opens_the_store(stashed: StoreRef) -> None:
    assert len(open_store(stashed).trusted) == 2


def test_c23_before_the_stash_is_made_the_clear_password_counts(stashed: StoreRef) -> None:
    assert stashed.stash is not None
    stashed.stash.unlink()
    assert open_store(dataclasses.replace(stashed, password=Secret(PASSWORD))).notes == ()


def test_a_stash_that_fails_gives_way_to_the_clear_password_and_is_told(stashed: StoreRef) -> None:
    assert stashed.stash is not None
    stashed.stash.unlink()
    write_stash(stashed.stash, Secret("stale"))
    store = open_store(dataclasses.replace(stashed, password=Secret(PASSWORD)))
    assert "its password does not open the store" in store.notes[0]
    assert stashed.stash.exists()


def test_a_missing_stash_without_a_password_is_an_error(stashed: StoreRef) -> None:
    assert stashed.stash is not None
    stashed.stash.unlink()
    with pytest.raises(StashError, match="no such stash file"):
        open_store(stashed)


def test_c25_a_stash_that_others_can_read_is_told(stashed: StoreRef) -> None:
    assert stashed.stash is not None
    stashed.stash.chmod(0o644)
    assert "others can read this stash" in open_store(stashed).notes[0]
