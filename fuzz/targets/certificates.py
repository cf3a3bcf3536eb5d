"""Certificates and revocation lists, as servers, files and stores have them."""

import base64
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from fuzz.target import Target
from quintet.admin.certificate_files import NoCertificatesError, read_certificates
from quintet.admin.trust_anchor import alias_for, choose_anchor, useless
from quintet.tls import facts_of
from quintet.tls.certificates import (
    MalformedCertificateError,
    authority_fault,
    has_sound_extensions,
    load_certificate,
    server_fault,
)
from quintet.tls.revocation import CrlError, crls_as_pem, read_crls, stale
from support import certs

_CA: Final = certs.authority(kind="p256")
_LEAF: Final = certs.leaf(_CA, "ldap.example.com", "127.0.0.1", kind="p256")


def _check_certificate(certificate: x509.Certificate) -> None:
    facts = facts_of(certificate)
    assert facts.subject
    assert facts.issuer
    assert len(facts.fingerprint) == 95
    facts.days_left()
    authority_fault(certificate)
    server_fault(certificate)
    useless(certificate)
    has_sound_extensions(certificate)
    assert alias_for(certificate, ())
    choose_anchor((certificate, _CA.certificate), (), (_LEAF.certificate,))
    assert load_certificate(certificate.public_bytes(serialization.Encoding.DER)) == certificate


def _check_certificates(found: tuple[x509.Certificate, ...]) -> None:
    assert found
    for each in found:
        _check_certificate(each)
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in found)
    assert read_certificates(pem) == found


def _certificate_files() -> Iterator[bytes]:
    yield _LEAF.chain_pem + _CA.pem
    yield _LEAF.der
    yield base64.encodebytes(_CA.der)
    for encoding in (serialization.Encoding.DER, serialization.Encoding.PEM):
        yield pkcs7.serialize_certificates([_LEAF.certificate, _CA.certificate], encoding)
    yield _LEAF.key_pem


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="quintet-fuzz-"))


def _read_lists(data: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    path = _folder() / "crl.pem"
    path.write_bytes(data)
    return read_crls(path)


def _check_lists(lists: tuple[x509.CertificateRevocationList, ...]) -> None:
    stale(lists)
    assert crls_as_pem(lists)


def _lists() -> Iterator[bytes]:
    now = datetime.now(UTC)
    revoked = (
        x509.RevokedCertificateBuilder().serial_number(7).revocation_date(now - timedelta(days=1)).build()
    )
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_CA.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=7))
        .add_revoked_certificate(revoked)
        .sign(_CA.key, hashes.SHA256())
    )
    yield made.public_bytes(serialization.Encoding.DER)
    yield made.public_bytes(serialization.Encoding.PEM) * 2


TARGETS: Final = (
    Target(
        "certificate",
        "certificates in DER",
        load_certificate,
        (MalformedCertificateError,),
        _check_certificate,
        lambda: (_CA.der, _LEAF.der),
    ),
    Target(
        "certificate-files",
        "files of certificates: PEM, DER, PKCS#7",
        read_certificates,
        (NoCertificatesError,),
        _check_certificates,
        _certificate_files,
        8192,
    ),
    Target("crl", "files of revocation lists", _read_lists, (CrlError,), _check_lists, _lists),
)
