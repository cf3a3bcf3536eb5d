"""Certificates are read from every usual kind of file, and anything else is named."""

import base64
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.certificate_files import NoCertificatesError, read_certificates
from support import certs, keytool

ROOT = certs.authority("Root")
LEAF = certs.leaf(ROOT, "ldap.example.com")
BOTH = (LEAF.certificate, ROOT.certificate)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ROOT.pem, BOTH[1:]),
        (ROOT.der, BOTH[1:]),
        (LEAF.pem + b"some words\r\n" + ROOT.pem.replace(b"\n", b"\r\n"), BOTH),
        (ROOT.pem * 3, BOTH[1:]),
        (LEAF.key_pem + ROOT.pem, BOTH[1:]),
        (base64.encodebytes(ROOT.der), BOTH[1:]),
        (ROOT.pem.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), BOTH[1:]),
        (pkcs7.serialize_certificates(list(BOTH), Encoding.PEM), BOTH),
        (pkcs7.serialize_certificates(list(BOTH), Encoding.DER), BOTH),
    ],
    ids=["pem", "der", "bundle", "repeated", "with-key", "bare-base64", "trusted", "pkcs7-pem", "pkcs7-der"],
)
def test_certificates_are_read_from(data: bytes, expected: tuple[object, ...]) -> None:
    assert set(read_certificates(data)) == set(expected)


def test_the_order_of_a_bundle_is_kept() -> None:
    assert read_certificates(ROOT.pem + LEAF.pem) == BOTH[::-1]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "neither PEM, DER nor PKCS#7"),
        (b"<!DOCTYPE html><html>", "web page"),
        (LEAF.key_pem, "holds PRIVATE KEY"),
        (ROOT.pem[:-40], "truncated"),
        (ROOT.pem.replace(b"M", b"!"), "PEM block 1 .* damaged"),
        (ROOT.der[:-40], "neither PKCS#7 nor a certificate"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "a .jks store"),
        (b"x" * (16 * 1024 * 1024 + 1), "too large"),
    ],
)
def test_what_holds_no_certificate_is_named(data: bytes, what: str) -> None:
    with pytest.raises(NoCertificatesError, match=what):
        read_certificates(data)


@pytest.mark.real
def test_a_store_given_as_a_certificate_is_named(tmp_path: Path) -> None:
    store = keytool.trust_store(tmp_path / "store.p12", {"root": ROOT})
    with pytest.raises(NoCertificatesError, match=r"a \.p12 store"):
        read_certificates(store.read_bytes())


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(NoCertificatesError):
        read_certificates(data)


@given(st.integers(0, len(ROOT.pem) - 1), st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused(at: int, byte: int) -> None:
    data = bytearray(ROOT.pem)
    data[at] = byte
    with suppress(NoCertificatesError):
        assert len(read_certificates(bytes(data))) == 1
