"""Certificates for tests: authorities, leaves, and every kind of certificate that must be refused.

Keys are made once a session and kept by what they are for, because making RSA keys is slow.
"""

import datetime as dt
import functools
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

LOCAL = ("localhost", "127.0.0.1")
_RSA_SHA256 = bytes.fromhex("06092a864886f70d01010b")
_RSA_SHA1 = bytes.fromhex("06092a864886f70d010105")
_CURVES: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}


@functools.cache
def key(kind: str = "rsa2048", use: str = "leaf") -> PrivateKey:
    """The session's key of that kind ("rsa2048", "rsa1024", "p256", "p384") for that use."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))
    return ec.generate_private_key(_CURVES[kind])


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, its key, and the certificates between it and the root (the root left out)."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and those above it, as a server shows them."""
        above = (cert.public_bytes(serialization.Encoding.PEM) for cert in self.chain)
        return self.pem + b"".join(above)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def alone(self) -> "Issued":
        """The same, shown without its intermediates: the field's most common mistake."""
        return Issued(self.certificate, self.key)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """`name`.pem with the chain, and `name`.key, mode 0600."""
        certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.chain_pem)
        private.touch(mode=0o600)
        private.write_bytes(self.key_pem)
        return certificate, private


def authority(
    name: str = "Quintet Test CA",
    *,
    issuer: Issued | None = None,
    kind: str = "rsa2048",
    use: str | None = None,
    digest: Hash | None = None,
    starts: float = -1,
    ends: float = 3650,
) -> Issued:
    """A certificate that signs others: a root, or an intermediate when there is an `issuer`."""
    return _issue(
        name,
        private=key(kind, use or name),
        issuer=issuer,
        names=(),
        signs=True,
        digest=digest,
        starts=starts,
        ends=ends,
    )


def leaf(
    issuer: Issued | None,
    *names: str,
    cn: str | None = None,
    kind: str = "rsa2048",
    use: str = "leaf",
    digest: Hash | None = None,
    starts: float = -1,
    ends: float = 365,
    client: bool = False,
) -> Issued:
    """A server's certificate (a client's, if asked). `starts` and `ends` are days from now.

    `names` are DNS names or IP addresses of the subjectAltName; none leaves the extension out, so that the
    name stands in the CN only. Without `issuer` it is self-signed.
    """
    return _issue(
        cn or (names[0] if names else "localhost"),
        private=key(kind, use),
        issuer=issuer,
        names=names,
        signs=False,
        digest=digest,
        starts=starts,
        ends=ends,
        client=client,
    )


def self_signed(*names: str, kind: str = "rsa2048") -> Issued:
    return leaf(None, *(names or LOCAL), kind=kind, use="self-signed")


def expired(issuer: Issued, *names: str) -> Issued:
    return leaf(issuer, *(names or LOCAL), starts=-30, ends=-2)


def not_yet_valid(issuer: Issued, *names: str) -> Issued:
    return leaf(issuer, *(names or LOCAL), starts=2, ends=30)


def cn_only(issuer: Issued, name: str = "localhost") -> Issued:
    return leaf(issuer, cn=name)


def sha1(issuer: Issued, *names: str) -> Issued:
    """Signed as was usual before 2015. `cryptography` no longer does that, so the signature is exchanged.

    The two algorithms' OIDs, 1.2.840.113549.1.1.11 and 1.2.840.113549.1.1.5, differ in their last byte only.
    """
    modern = leaf(issuer, *(names or LOCAL))
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    to_sign = modern.certificate.tbs_certificate_bytes.replace(_RSA_SHA256, _RSA_SHA1)
    signature = issuer.key.sign(to_sign, padding.PKCS1v15(), hashes.SHA1())
    was = modern.certificate.tbs_certificate_bytes
    der = modern.der.replace(was, to_sign).replace(_RSA_SHA256, _RSA_SHA1)
    der = der.replace(modern.certificate.signature, signature)
    return Issued(x509.load_der_x509_certificate(der), modern.key, modern.chain)


def rsa1024(issuer: Issued, *names: str) -> Issued:
    return leaf(issuer, *(names or LOCAL), kind="rsa1024")


def bundle(*issued: Issued) -> bytes:
    """Several certificates in one PEM text."""
    return b"".join(each.pem for each in issued)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _issue(
    common_name: str,
    *,
    private: PrivateKey,
    issuer: Issued | None,
    names: tuple[str, ...],
    signs: bool,
    digest: Hash | None,
    starts: float,
    ends: float,
    client: bool = False,
) -> Issued:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Quintet Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    signer = issuer.key if issuer else private
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=starts))
        .not_valid_after(now + dt.timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_usage(signs=signs), critical=True)
    )
    if not signs:
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        )
    certificate = builder.sign(signer, digest or hashes.SHA256())
    between = (issuer.certificate, *issuer.chain) if issuer and not _is_root(issuer) else ()
    return Issued(certificate, private, between)


def _is_root(issued: Issued) -> bool:
    return issued.certificate.subject == issued.certificate.issuer


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
