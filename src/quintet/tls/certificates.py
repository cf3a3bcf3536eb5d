"""Certificates: loading them, what they say, and which issued which.

Certificates of real servers and stores break the rules in every way. What `load_certificate` returns has a
readable version, subject, issuer and period of validity; extensions and keys may still be malformed, and are
therefore only read through this module, which treats a malformed one as missing.
"""

import ipaddress
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quintet.tls.names import Names

ExtensionType = TypeVar("ExtensionType", bound=x509.ExtensionType)

# What cryptography raises for malformed content, several of them no ValueErrors.
_MALFORMED = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_NIST = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")
_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "server authentication",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client authentication",
    ExtendedKeyUsageOID.CODE_SIGNING: "code signing",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "e-mail protection",
    ExtendedKeyUsageOID.TIME_STAMPING: "time stamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP signing",
    ExtendedKeyUsageOID.SMARTCARD_LOGON: "smart card logon",
    ExtendedKeyUsageOID.KERBEROS_PKINIT_KDC: "Kerberos KDC",
    ExtendedKeyUsageOID.IPSEC_IKE: "IPsec",
}
_MOST_SIGNATURES = 20
_FILTERS = threading.RLock()

TrustIndex = Mapping[x509.Name, Sequence[x509.Certificate]]


class MalformedCertificateError(ValueError):
    """The bytes are not a certificate that can be read; the message says what is wrong with them."""


EXPIRES_SOON = 30
"""Days before its end from which a certificate is reported."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A certificate in words, as people and `keytool` write it."""

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

    def days_left(self, now: datetime | None = None) -> int:
        """Whole days until it expires; below zero afterwards."""
        return (self.not_after - (now or datetime.now(UTC))).days


def load_certificate(der: bytes) -> x509.Certificate:
    """The certificate in `der`, even an unusual one. Raises `MalformedCertificateError`."""
    with without_warnings():
        try:
            certificate = x509.load_der_x509_certificate(der)
            # cryptography reads these only when asked, and raises then.
            for name in (certificate.subject, certificate.issuer):
                name.rfc4514_string()
            _ = certificate.version, certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except x509.InvalidVersion as error:
            message = f"its X.509 version, {error.parsed_version + 1}, is not supported"
            raise MalformedCertificateError(message) from None
        except _MALFORMED as error:
            raise MalformedCertificateError(str(error)) from None
    return certificate


def load_pkcs7(der: bytes) -> list[x509.Certificate]:
    """All certificates of a PKCS#7 file. Raises `MalformedCertificateError`."""
    with without_warnings():
        try:
            found = pkcs7.load_der_pkcs7_certificates(der)
        except _MALFORMED as error:
            raise MalformedCertificateError(str(error)) from None
    return [load_certificate(each.public_bytes(serialization.Encoding.DER)) for each in found]


@contextmanager
def without_warnings() -> Iterator[None]:
    """No warnings of Python meanwhile, about odd certificates or old TLS versions: we judge them ourselves.

    The filters are the process's own, and stores are opened in threads. So only one thread changes them at a
    time.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def facts_of(certificate: x509.Certificate) -> Facts:
    return Facts(
        subject=subject_of(certificate),
        issuer=issuer_of(certificate),
        key=key_text(certificate),
        hash=(hash_of(certificate) or "none").upper().replace("SHA", "SHA-"),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=fingerprint(certificate),
        is_authority=is_authority(certificate),
        is_self_signed=is_self_signed(certificate),
        names=names_of(certificate),
    )


# What it says.


def subject_of(certificate: x509.Certificate) -> str:
    """Its subject (RFC 4514); when that is empty, as RFC 5280 4.1.2.6 allows, the names that it bears."""
    return certificate.subject.rfc4514_string() or f"(no subject; {names_of(certificate)})"


def issuer_of(certificate: x509.Certificate) -> str:
    """Its issuer (RFC 4514)."""
    return certificate.issuer.rfc4514_string() or "(no issuer)"


def names_of(certificate: x509.Certificate) -> Names:
    """The names in the certificate. One whose extensions are malformed has none, not even a common name."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common[-1].value) if common else None
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names(common=name)
    except _MALFORMED:
        return Names()
    addresses = found.get_values_for_type(x509.IPAddress)
    single = tuple(a for a in addresses if isinstance(a, ipaddress.IPv4Address | ipaddress.IPv6Address))
    return Names(tuple(found.get_values_for_type(x509.DNSName)), single, name)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the whole certificate, as `openssl` and `keytool` print it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def key_text(certificate: x509.Certificate) -> str:
    """Kind and size of the key: "RSA 2048", "EC P-256", "Ed25519"."""
    key = public_key(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        name = key.curve.name
        return f"EC P-{name[4:7]}" if name in _NIST else f"EC {name}"
    return type(key).__name__.removesuffix("PublicKey") if key is not None else "a key of unknown kind"


def hash_of(certificate: x509.Certificate) -> str | None:
    """The hash that its signature is made over, "sha256"; None where the algorithm has none of its own."""
    try:
        used = certificate.signature_hash_algorithm
    except _MALFORMED:
        return "unknown"
    return used.name if used is not None else None


def public_key(certificate: x509.Certificate) -> object:
    """Its public key; None when it is malformed or of an unknown kind."""
    try:
        return certificate.public_key()
    except _MALFORMED:
        return None


def public_key_info(certificate: x509.Certificate) -> bytes | None:
    """Its SubjectPublicKeyInfo, to be compared with another."""
    key = public_key(certificate)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    # Every kind of public key has the method; the library's types name no base of them all.
    return key.public_bytes(serialization.Encoding.DER, form) if key is not None else None  # type: ignore[attr-defined]


def extension(certificate: x509.Certificate, kind: type[ExtensionType]) -> ExtensionType | None:
    """The value of the extension; None when it is not there, or when the extensions are malformed."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *_MALFORMED):
        return None


def has_sound_extensions(certificate: x509.Certificate) -> bool:
    """Whether all extensions can be read, and the version is one that has them (RFC 5280 4.1.2.1)."""
    try:
        return certificate.version is x509.Version.v3 or not list(certificate.extensions)
    except _MALFORMED:
        return False


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it is a CA certificate, by its basic constraints."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def authority_fault(certificate: x509.Certificate) -> str | None:
    """Why it must not issue others (RFC 5280 4.2.1.3 and 4.2.1.9); None when it may."""
    constraints, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return "its key usage lacks keyCertSign"
    if constraints is None:
        return "it has no basic constraints"
    return None if constraints.ca else "its basic constraints are CA:FALSE"


def server_fault(certificate: x509.Certificate) -> str | None:
    """Why it must not be used by a TLS server (RFC 5280 4.2.1.3 and 4.2.1.12); None when it may.

    Its extended key usage limits the certificates that a CA issued as well.
    """
    purposes, usage = extension(certificate, x509.ExtendedKeyUsage), extension(certificate, x509.KeyUsage)
    allowed = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if purposes is not None and not any(oid in allowed for oid in purposes):
        told = ", ".join(_PURPOSES.get(oid, oid.dotted_string) for oid in purposes)
        return f"its extended key usage is {told or 'empty'}, not server authentication"
    if usage is not None and not (usage.digital_signature or usage.key_encipherment or usage.key_agreement):
        return (
            None if is_authority(certificate) else "its key usage allows neither signatures nor key exchange"
        )
    return None


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


# Which issued which.


def is_self_signed(certificate: x509.Certificate) -> bool:
    return has_issued(certificate, certificate)


def has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether `issuer` has the name of the issuer of `certificate` and signed it, even with SHA-1."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        key, how = issuer.public_key(), certificate.signature_algorithm_parameters
        digest = certificate.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and digest is not None and not isinstance(how, ec.ECDSA | None):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, how, digest)
        else:
            certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_MALFORMED):
        return False
    return True


def top_of(chain: Sequence[x509.Certificate]) -> x509.Certificate:
    """The last certificate of the path that starts at the first; others that were sent are ignored."""
    top, rest = chain[0], list(chain[1:])
    while not is_self_signed(top):
        above = next((other for other in rest if has_issued(other, top)), None)
        if above is None:
            break
        rest.remove(above)
        top = above
    return top


def by_subject(certificates: Iterable[x509.Certificate]) -> TrustIndex:
    """An index of trusted certificates, for `find_path`."""
    found: dict[x509.Name, list[x509.Certificate]] = {}
    for each in certificates:
        found.setdefault(each.subject, []).append(each)
    return found


def find_path(
    presented: Sequence[x509.Certificate], trusted: TrustIndex, now: datetime
) -> tuple[x509.Certificate, ...] | None:
    """A path from the server's certificate to a trusted one, by names, signatures and validity at `now`.

    Unlike OpenSSL it goes back when an issuer of the right name turns out to be the wrong one. It is a
    proposal, no verdict: OpenSSL must still accept it. `presented` starts with the server's certificate. None
    when there is no such path, or when the search would take more than some 20 signatures.
    """
    signatures = 0

    def climb(path: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...] | None:
        nonlocal signatures
        top = path[-1]
        if not is_valid(top, now):
            return None
        if top in trusted.get(top.subject, ()):
            return path
        for above in (*trusted.get(top.issuer, ()), *presented):
            if above.subject != top.issuer or above in path:
                continue
            signatures += 1
            if signatures > _MOST_SIGNATURES:
                return None
            found = climb((*path, above)) if has_issued(above, top) else None
            if found is not None:
                return found
        return None

    return climb(tuple(presented[:1])) if presented else None
