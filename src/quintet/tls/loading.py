"""Certificates and private keys out of the bytes of a store."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from quintet.tls.certificates import load_certificate
from quintet.tls.entries import PrivateKey
from quintet.tls.store_errors import DamagedStore, UnsupportedStore


def certificate_of(alias: str, data: bytes) -> x509.Certificate:
    """The certificate of that entry; an unusual one is judged later. Raises `DamagedStore`."""
    try:
        return load_certificate(data)
    except ValueError as error:
        raise DamagedStore(f"the certificate of {alias!r} cannot be read: {error}") from None


def private_key_of(alias: str, data: bytes) -> PrivateKey:
    """The key of that entry, from PKCS#8. Raises `DamagedStore` or `UnsupportedStore`."""
    try:
        key = serialization.load_der_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DamagedStore(f"the key {alias!r} is of no kind that we know") from None
    if not isinstance(key, PrivateKey):
        raise UnsupportedStore(f"the key {alias!r} is of no kind that TLS uses", "use an RSA or EC key")
    return key
