"""Certificates and private keys out of the bytes of a store."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from quintet.tls.certificates import load_certificate
from quintet.tls.stores.entries import PrivateKey
from quintet.tls.stores.errors import DamagedStoreError, UnsupportedStoreError


def certificate_of(alias: str, data: bytes) -> x509.Certificate:
    """The certificate of that entry; an unusual one is judged later. Raises `DamagedStoreError`."""
    try:
        return load_certificate(data)
    except ValueError as error:
        raise DamagedStoreError(f"the certificate of {alias!r} cannot be read: {error}") from None


def private_key_of(alias: str, data: bytes) -> PrivateKey:
    """The key of that entry, from PKCS#8. Raises `DamagedStoreError` or `UnsupportedStoreError`.

    Whether the numbers of an RSA key fit together is left to `is_sound`: it takes seconds for a large one.
    """
    try:
        key = serialization.load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DamagedStoreError(f"the key {alias!r} is of no kind that we know") from None
    if not isinstance(key, PrivateKey):
        raise UnsupportedStoreError(f"the key {alias!r} is of no kind that TLS uses", "use an RSA or EC key")
    return key


def is_sound(key: PrivateKey) -> bool:
    """Whether the key can be used without giving itself away. To be asked of one key, not of a store."""
    form = serialization.PrivateFormat.PKCS8
    data = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    try:
        serialization.load_der_private_key(data, None)
    except ValueError:
        return False
    return True
