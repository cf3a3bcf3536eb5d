"""Stores: what `keytool` and `openssl` wrote is read, and what is written they read."""

import dataclasses
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12 as library
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quintet.secret import Secret
from quintet.tls.settings import StoreKind, StoreLocation
from quintet.tls.stores import (
    EntryExistsError,
    KeyEntry,
    NoSuchEntryError,
    StashNotFoundError,
    Store,
    StoreError,
    StoreWriteError,
    TrustedEntry,
    UnsupportedStoreError,
    WrongStorePasswordError,
    new_store,
    open_store,
    read_store,
    save_store,
    write_store,
)
from quintet.tls.stores.stash import write_stash
from support import keytool
from support.keytool import PASSWORD
from support.stores import CA, FORMS, IDS, LEAF, MIDDLE, OWN, WRITTEN, full, pem, ref


def essence(store: Store, kind: StoreKind) -> object:
    """All that must survive writing and reading; of an alias in a `.jks`, its letters but not their case."""

    def name(alias: str) -> str:
        return alias.lower() if kind is StoreKind.JKS else alias

    keys = {name(e.alias): (pem(e.key), e.certificate, e.chain) for e in store.keys}
    return {name(entry.alias): entry.certificate for entry in store.trusted}, keys


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
    assert (store.kind, store.keys, store.notes) == (kind, (), ())
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
    assert keytool.entries(path) == {}
    assert [note.code for note in store.notes] == ["T121"]


@pytest.mark.real
def test_d1_the_encoding_is_told(tmp_path: Path) -> None:
    new = open_store(ref(keytool.trust_store(tmp_path / "new.p12", {"ca": CA}))).encoding
    old = open_store(ref(keytool.trust_store(tmp_path / "old.p12", {"ca": CA}, legacy=True))).encoding
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
    assert [note.code for note in store.notes] == ["T123"]
    again = read_store(write_store(store, PASSWORD), PASSWORD)
    assert again.keys[0].sealed == store.keys[0].sealed
    with pytest.raises(UnsupportedStoreError, match="-keypasswd"):
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
    with pytest.raises(UnsupportedStoreError, match="would be lost"):
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
def test_a_jks_with_capital_letters_in_its_aliases_is_listed_and_used_by_keytool(tmp_path: Path) -> None:
    store = new_store(StoreKind.JKS).with_trusted("My Root CA", CA.certificate)
    store = dataclasses.replace(store, keys=(KeyEntry("Our Key", OWN.key, OWN.certificate),))
    path, moved = tmp_path / "ours.jks", tmp_path / "moved.p12"
    save_store(path, store, PASSWORD)
    assert keytool.entries(path) == {"my root ca": "trustedCertEntry", "our key": "PrivateKeyEntry"}
    keytool.keytool(
        *("-importkeystore", "-noprompt", "-srckeystore", path, "-srcstorepass", PASSWORD),
        *("-destkeystore", moved, "-deststorepass", PASSWORD),
    )
    (entry,) = open_store(ref(moved)).keys
    assert pem(entry.key) == OWN.key_pem


@pytest.mark.real
def test_a_p12_with_capital_letters_in_its_aliases_becomes_a_jks_that_keytool_lists(tmp_path: Path) -> None:
    made, path = tmp_path / "made.p12", tmp_path / "ours.jks"
    keytool.openssl_key_store(made, OWN, alias="Our Key")
    save_store(path, open_store(ref(made)), PASSWORD, kind=StoreKind.JKS)
    assert keytool.entries(path) == {"our key": "PrivateKeyEntry"}


@pytest.mark.real
def test_aliases_that_differ_in_case_alone_stay_two_entries_of_a_jks(tmp_path: Path) -> None:
    entries = (TrustedEntry("CA", CA.certificate), TrustedEntry("ca", OWN.certificate))
    path = tmp_path / "ours.jks"
    save_store(path, dataclasses.replace(new_store(StoreKind.JKS), trusted=entries), PASSWORD)
    assert keytool.entries(path) == {"ca": "trustedCertEntry", "ca-2": "trustedCertEntry"}
    assert open_store(ref(path)).certificates == (CA.certificate, OWN.certificate)


def test_a_jks_with_two_aliases_that_differ_in_case_alone_loses_only_the_one_that_is_removed() -> None:
    short, long = (TrustedEntry(alias, CA.certificate) for alias in ("ca", "co"))
    data = write_store(dataclasses.replace(new_store(StoreKind.JKS), trusted=(short, long)), PASSWORD)
    body = data[:-20].replace(b"\0\2co", b"\0\2CA")  # as old releases of ours wrote it
    digest = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
    store = read_store(body + digest, PASSWORD)
    assert [entry.alias for entry in store.trusted] == ["ca", "CA-2"]
    assert [entry.alias for entry in store.without("ca").trusted] == ["CA-2"]


@pytest.mark.real
@pytest.mark.parametrize("legacy", [False, True])
def test_any_printable_ascii_opens_a_p12_of_ours_in_java(tmp_path: Path, legacy: bool) -> None:
    password = bytes(range(0x20, 0x7F)).decode("ascii")
    save_store(tmp_path / "ours.p12", full(), password, legacy=legacy)
    assert len(keytool.entries(tmp_path / "ours.p12", password)) == 4


@pytest.mark.real
def test_a_jks_under_a_password_with_an_accent_is_opened_by_java(tmp_path: Path) -> None:
    save_store(tmp_path / "ours.jks", full(), "pässword", kind=StoreKind.JKS)
    assert len(keytool.entries(tmp_path / "ours.jks", "pässword")) == 4


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("password", ["pässword", "pass\tword", "pass\x7fword", ""])
def test_a_p12_that_java_could_not_open_for_its_password_is_not_written(password: str, legacy: bool) -> None:
    with pytest.raises(UnsupportedStoreError) as raised:
        write_store(full(), password, legacy=legacy)
    assert not password or password not in str(raised.value)


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
    assert (entry.alias, entry.certificate, entry.unseen) == ("root", CA.certificate, None)


def test_what_is_legacy_says_so() -> None:
    old = read_store(write_store(full(), PASSWORD, legacy=True), PASSWORD).encoding
    assert old.legacy
    assert old.certificates == old.keys == "pbeWithSHA1And3-KeyTripleDES-CBC"
    assert read_store(write_store(full(), PASSWORD), PASSWORD).encoding == old
    assert not read_store(write_store(full(), PASSWORD, legacy=False), PASSWORD).encoding.legacy


ALIASES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
PASSWORDS = {
    StoreKind.PKCS12: st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20),
    StoreKind.JKS: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
}


@given(
    aliases=st.lists(ALIASES, unique_by=str.lower, max_size=4),
    key=st.none() | ALIASES,
    form=st.sampled_from(StoreKind).flatmap(lambda kind: st.tuples(st.just(kind), PASSWORDS[kind])),
)
@example(aliases=["a\0b", "😀"], key="ä", form=(StoreKind.JKS, ""))
@settings(max_examples=40, deadline=None)
def test_a_store_survives_writing_and_reading(
    aliases: list[str], key: str | None, form: tuple[StoreKind, str]
) -> None:
    kind, password = form
    store = new_store(kind)
    for alias in aliases:
        if alias.strip():
            store = store.with_trusted(alias, CA.certificate)
    if key is not None and key.lower() not in [alias.lower() for alias in aliases]:
        store = dataclasses.replace(store, keys=(KeyEntry(key, OWN.key, OWN.certificate),))
    again = read_store(write_store(store, password), password, kind)
    assert essence(again, kind) == essence(store, kind)


@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_another_password_is_refused(kind: StoreKind, legacy: bool) -> None:
    data = write_store(full(), PASSWORD, kind=kind, legacy=legacy)
    with pytest.raises(WrongStorePasswordError):
        read_store(data, PASSWORD + "x")


@pytest.mark.parametrize(("kind", "legacy"), FORMS, ids=IDS)
def test_a_changed_byte_of_a_certificate_is_noticed(kind: StoreKind, legacy: bool) -> None:
    data = bytearray(write_store(full(), PASSWORD, kind=kind, legacy=legacy))
    data[len(data) // 2] ^= 1
    with pytest.raises(StoreError):
        read_store(bytes(data), PASSWORD)


# Changing and saving


def test_an_alias_is_taken_whatever_its_case() -> None:
    with pytest.raises(EntryExistsError, match="'CA'"):
        full().with_trusted("CA", CA.certificate)


def test_removing_takes_the_entry_and_no_other() -> None:
    store = full().without("CA")
    assert [entry.alias for entry in store.entries] == ["own", "mux", "other"]


def test_removing_what_is_not_there_names_what_is() -> None:
    with pytest.raises(NoSuchEntryError, match="ca, own, mux, other"):
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
    with pytest.raises(StoreWriteError, match="No space left"):
        save_store(path, full().without("ca"), PASSWORD)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Passwords from a stash, config 2.5


@pytest.fixture
def stashed(tmp_path: Path) -> StoreLocation:
    path, stash = tmp_path / "trust.p12", tmp_path / "trust.sth"
    shutil.copy(_written(tmp_path), path)
    write_stash(stash, Secret(PASSWORD))
    return ref(path, password=None, stash=stash)


def _written(folder: Path) -> Path:
    path = folder / "written"
    path.write_bytes(WRITTEN[FORMS[0]])
    return path


def test_c24_the_stash_alone_opens_the_store(stashed: StoreLocation) -> None:
    assert len(open_store(stashed).trusted) == 2


def test_c23_before_the_stash_is_made_the_clear_password_counts(stashed: StoreLocation) -> None:
    assert stashed.stash is not None
    stashed.stash.unlink()
    assert open_store(dataclasses.replace(stashed, password=Secret(PASSWORD))).notes == ()


def test_a_stash_that_fails_gives_way_to_the_clear_password_and_is_told(stashed: StoreLocation) -> None:
    assert stashed.stash is not None
    stashed.stash.unlink()
    write_stash(stashed.stash, Secret("stale"))
    store = open_store(dataclasses.replace(stashed, password=Secret(PASSWORD)))
    assert [(note.code, note.path) for note in store.notes] == [("T125", stashed.stash)]
    assert stashed.stash.exists()


@pytest.mark.parametrize(
    "content", [b"QUINTET-STASH-1\ncut of", b"", None], ids=["damaged", "empty", "folder"]
)
def test_a_stash_that_cannot_be_read_beside_a_good_password_is_told_and_left(
    stashed: StoreLocation, content: bytes | None
) -> None:
    """Config 2.5, rows C23 to C25."""
    assert stashed.stash is not None
    stashed.stash.unlink()
    if content is None:
        stashed.stash.mkdir(mode=0o755)
    else:
        stashed.stash.write_bytes(content)
        stashed.stash.chmod(0o644)
    store = open_store(dataclasses.replace(stashed, password=Secret(PASSWORD)))
    assert len(store.trusted) == 2
    told = [(note.code, note.path) for note in store.notes]
    assert told == [("T125", stashed.stash), ("T124", stashed.stash)]
    assert stashed.stash.is_dir() if content is None else stashed.stash.read_bytes() == content


def test_a_missing_stash_without_a_password_is_an_error(stashed: StoreLocation) -> None:
    assert stashed.stash is not None
    stashed.stash.unlink()
    with pytest.raises(StashNotFoundError):
        open_store(stashed)


def test_c25_a_stash_that_others_can_read_is_told(stashed: StoreLocation) -> None:
    assert stashed.stash is not None
    stashed.stash.chmod(0o644)
    assert [note.code for note in open_store(stashed).notes] == ["T124"]
