"""The channel binding `tls-server-end-point` (RFC 5929 section 4): a hash of the server's certificate."""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

TLS_SERVER_END_POINT: Final = "tls-server-end-point"


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What binds an authentication to its TLS: the kind by name, and its data."""

    name: str
    data: bytes


def of_certificate(certificate: bytes) -> ChannelBinding | None:
    """The binding by RFC 5929 for a server's certificate in DER, where it defines one."""
    digest = tls_server_end_point(certificate)
    return ChannelBinding(TLS_SERVER_END_POINT, digest) if digest is not None else None


def as_openldap(binding: ChannelBinding) -> ChannelBinding:
    """The same in OpenLDAP's own terms: it names every binding "ldap", and puts the kind before the data."""
    return ChannelBinding("ldap", f"{binding.name}:".encode() + binding.data)


def tls_server_end_point(certificate: bytes) -> bytes | None:
    """The binding for a certificate in DER; None where RFC 5929 defines none (Ed25519, for one).

    The hash is that of the certificate's signature, but SHA-256 in the place of MD5 and SHA-1.
    """
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return digest.finalize()
