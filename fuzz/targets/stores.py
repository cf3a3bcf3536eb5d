"""Trust and key stores, and the stash files of their passwords."""

import hashlib
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final
from unittest import mock

from fuzz.target import Target
from quintet.secret import Secret
from quintet.tls import facts_of
from quintet.tls.settings import StoreKind
from quintet.tls.stores import (
    Store,
    StoreError,
    UnsupportedStoreError,
    der,
    is_sound,
    java_objection,
    pbe,
    pkcs12,
    read_stash,
    read_store,
    seen_by_java,
    seen_by_sametime,
    write_stash,
    write_store,
)
from support.keytool import PASSWORD
from support.stores import CA, LEAF, WRITTEN, full

_ROUNDS: Final = 5000
"""In the place of `pbe.MOST_ROUNDS`, so that an input takes milliseconds. A store with more is refused."""

_DATA: Final = der.tlv(der.OID, der.oid("1.2.840.113549.1.7.1"))
_CERTIFICATE_BAG: Final = der.tlv(der.OID, der.oid("1.2.840.113549.1.12.10.1.3"))
_X509: Final = der.tlv(der.OID, der.oid("1.2.840.113549.1.9.22.1"))


def _check_store(store: Store) -> None:
    java_objection(store)
    assert seen_by_java(store) | seen_by_sametime(store) <= {each.alias for each in store.entries}
    for certificate in store.certificates:
        facts_of(certificate)
    for key in store.keys:
        assert key.key is None or isinstance(is_sound(key.key), bool)


# .jks


def _read_jks(data: bytes) -> Store:
    """As it is, or from its content, with the right digest behind it."""
    if data[:1] != b"\xfe":
        content = b"\xfe\xed\xfe\xed" + data
        secret = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite"
        data = content + hashlib.sha1(secret + content, usedforsecurity=False).digest()
    return read_store(data, PASSWORD)


def _check_jks(store: Store) -> None:
    _check_store(store)
    try:
        written = write_store(store, PASSWORD, kind=StoreKind.JKS)
    except UnsupportedStoreError:
        return
    again = read_store(written, PASSWORD, StoreKind.JKS)
    assert [each.certificate for each in again.trusted] == [each.certificate for each in store.trusted]
    for one, other in zip(again.keys, store.keys, strict=True):
        assert (one.certificate, one.chain, one.sealed) == (other.certificate, other.chain, other.sealed)


def _jks() -> Iterator[bytes]:
    whole = WRITTEN[StoreKind.JKS, False]
    yield whole
    yield whole[4:-20]
    yield bytes.fromhex("00000001 00000000")


# .p12


def _read_p12(data: bytes) -> Store:
    """A byte for what the rest is: a file, or some of what stands inside of one without a MAC."""
    kind, data = (data[0] % 4, data[1:]) if data else (0, b"")
    if kind == 3:
        certificate = der.sequence(_X509, der.tlv(der.CONTEXT_0, der.octet_string(data)))
        data = der.sequence(der.sequence(_CERTIFICATE_BAG, der.tlv(der.CONTEXT_0, certificate)))
    if kind >= 2:
        data = der.sequence(der.sequence(_DATA, der.tlv(der.CONTEXT_0, der.octet_string(data))))
    if kind >= 1:
        data = der.sequence(
            der.integer(3), der.sequence(_DATA, der.tlv(der.CONTEXT_0, der.octet_string(data)))
        )
    with mock.patch.object(pbe, "MOST_ROUNDS", _ROUNDS):
        return read_store(data, PASSWORD)


def _p12() -> Iterator[bytes]:
    for legacy in (False, True):
        with (
            mock.patch.object(pbe, "_MAC_ROUNDS", 100),
            mock.patch.multiple(pkcs12, _MOST_ROUNDS=100, _LEAST_ROUNDS=100),
        ):
            file = write_store(full(), PASSWORD, legacy=legacy)
        yield b"\0" + file
        yield b"\1" + der.parse(file).sequence()[1].sequence()[1].children()[0].octet_string()
    name = der.sequence(
        der.tlv(der.OID, der.oid("1.2.840.113549.1.9.20")),
        der.tlv(der.SET, der.tlv(der.BMP_STRING, "ä".encode("utf-16-be"))),
    )
    trusted = der.sequence(
        der.tlv(der.OID, der.oid("2.16.840.1.113894.746875.1.1")), der.tlv(der.SET, der.octet_string(b""))
    )
    certificate = der.sequence(_X509, der.tlv(der.CONTEXT_0, der.octet_string(CA.der)))
    yield b"\2" + der.sequence(
        der.sequence(_CERTIFICATE_BAG, der.tlv(der.CONTEXT_0, certificate), der.tlv(der.SET, name, trusted))
    )
    yield b"\3" + LEAF.der


# Stash files


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="quintet-fuzz-"))


def _read_stash(data: bytes) -> Secret:
    path = _folder() / "stash"
    path.write_bytes(data)
    return read_stash(path)


def _check_stash(password: Secret) -> None:
    path = _folder() / "written"
    path.unlink(missing_ok=True)
    write_stash(path, password)
    assert read_stash(path) == password


def _stashes() -> Iterator[bytes]:
    yield b"QUINTET-STASH-1\n" + b"KT8=\n"
    for size in (128, 129, 193):
        yield bytes(each ^ 0xF5 for each in b"secret".ljust(size, b"\0"))


TARGETS: Final = (
    Target("jks", ".jks stores", _read_jks, (StoreError,), _check_jks, _jks, 8192),
    Target("p12", ".p12 stores", _read_p12, (StoreError,), _check_store, _p12, 8192),
    Target("stash", "stash files", _read_stash, (StoreError,), _check_stash, _stashes, 512),
)
