"""What people want to know about a certificate."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from quintet.tls.levels import hash_of, key_text, verdicts
from quintet.tls.names import Names, names_of
from quintet.tls.settings import SecurityLevel


@dataclass(frozen=True, slots=True)
class Facts:
    """A certificate in words. `verdicts` tells for each level why it is forbidden, or None (D38)."""

    subject: str
    issuer: str
    key: str
    hash: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    is_authority: bool
    is_self_signed: bool
    names: Names
    verdicts: Mapping[SecurityLevel, str | None]

    def days_left(self, now: datetime | None = None) -> int:
        """Whole days until it expires; below zero afterwards."""
        return (self.not_after - (now or datetime.now(UTC))).days


def facts_of(certificate: x509.Certificate) -> Facts:
    return Facts(
        subject=name_text(certificate.subject),
        issuer=name_text(certificate.issuer),
        key=key_text(certificate),
        hash=(hash_of(certificate) or "none").upper().replace("SHA", "SHA-"),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=fingerprint(certificate),
        is_authority=is_authority(certificate),
        is_self_signed=is_self_signed(certificate),
        names=names_of(certificate),
        verdicts=verdicts(certificate),
    )


def load_certificate(der: bytes) -> x509.Certificate:
    """The certificate in `der`, be it an unusual one. Raises `ValueError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(der)


def name_text(name: x509.Name) -> str:
    """A subject or issuer as people write it (RFC 4514)."""
    return name.rfc4514_string() or "(no name)"


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the whole certificate, as `openssl` and `keytool` print it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue others, by its basic constraints."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def is_self_signed(certificate: x509.Certificate) -> bool:
    return has_issued(certificate, certificate)


def top_of(chain: Sequence[x509.Certificate]) -> x509.Certificate:
    """The last certificate that hangs together with the first; what else was sent is passed over."""
    top, rest = chain[0], list(chain[1:])
    while not is_self_signed(top):
        above = next((other for other in rest if has_issued(other, top)), None)
        if above is None:
            break
        rest.remove(above)
        top = above
    return top


def has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`, be it with SHA-1."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        key, how = issuer.public_key(), certificate.signature_algorithm_parameters
        digest = certificate.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and digest is not None and not isinstance(how, ec.ECDSA | None):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, how, digest)
        else:
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
