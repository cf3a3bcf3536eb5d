"""What stores hold, whatever their format, and how it is made of the bytes of one."""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from quintet.tls.certificates import MalformedCertificateError, load_certificate
from quintet.tls.stores.errors import UnusableEntryError

PrivateKey = (
    rsa.RSAPrivateKey
    | dsa.DSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

MOST_ENTRIES = 2_000
"""A store with more entries is refused; the largest in use, with all public CAs, have some 500."""


class Unseen(Enum):
    """Why Java does not see an entry of a store that it opens."""

    NO_MARK = "it lacks Java's mark of trust"
    NOT_ENCRYPTED = "its key is not encrypted"
    NESTED = "it is in a nested bag"
    SAME_ALIAS = "a later entry has the same alias"


@dataclass(frozen=True, slots=True)
class TrustedEntry:
    """A certificate that is trusted. `unseen` tells why Java does not see it (config 2.6)."""

    alias: str
    certificate: x509.Certificate
    unseen: Unseen | None = None
    created: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """Our own key, its certificate, and the certificates above it, the nearest first.

    `key` is None when it has a password of its own; `sealed` then holds it as it is in the `.jks`.
    """

    alias: str
    key: PrivateKey | None = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    sealed: bytes | None = field(default=None, repr=False)
    unseen: Unseen | None = None
    created: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """An entry that cannot be used: `reason` tells why its certificate or its key cannot be read."""

    alias: str
    reason: str


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a store is protected, by the names of the algorithms; None where nothing is.

    `java`: Java 11 and newer read it. `legacy`: the Java of old Sametime reads it as well (D1).
    """

    certificates: str | None = None
    keys: str | None = None
    digest: str | None = None
    java: bool = True
    legacy: bool = True


PLAIN = Encoding()


@dataclass(frozen=True, slots=True)
class Contents:
    """All of a store. `others` counts entries of other kinds, such as secret keys.

    `trailing` counts bytes behind the end of the store, which are ignored.
    """

    trusted: tuple[TrustedEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    unreadable: tuple[UnreadableEntry, ...] = ()
    encoding: Encoding = PLAIN
    others: int = 0
    trailing: int = 0


class UnreadableError(Exception):
    """A certificate or a key of one entry cannot be read; the other entries can be."""


def certificate_of(data: bytes) -> x509.Certificate:
    """The certificate of an entry. Raises `UnreadableError`."""
    try:
        return load_certificate(data)
    except MalformedCertificateError as error:
        raise UnreadableError(f"its certificate is malformed ({error})") from None


def private_key_of(data: bytes) -> PrivateKey:
    """The key of an entry, from PKCS#8. Raises `UnreadableError`.

    Whether the numbers of an RSA key fit together is left to `is_sound`: that takes seconds for a large one.
    """
    try:
        key = serialization.load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnreadableError("its key is malformed or of an unknown kind") from None
    if not isinstance(key, PrivateKey):
        raise UnreadableError("its key is of a kind that TLS does not use")
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


def add_trusted(context: ssl.SSLContext, certificates: Iterable[x509.Certificate]) -> None:
    """Makes the context trust these certificates. Raises `UnusableEntryError` when OpenSSL refuses one."""
    found = {each.public_bytes(serialization.Encoding.DER) for each in certificates}
    # Python raises for any error in OpenSSL's queue, even one of another connection, or of an extension that
    # did not keep the certificate from being taken. What counts is how many were.
    with suppress(ssl.SSLError):
        context.load_verify_locations(cadata=b"".join(found))
    if context.cert_store_stats()["x509"] != len(found):
        message = f"{ssl.OPENSSL_VERSION} refuses a certificate, which is malformed"
        raise UnusableEntryError(message, "get one that follows RFC 5280")


class Aliases:
    """The aliases that are taken in one store. As in Java, case does not count."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, alias: str) -> str:
        """The alias, with a number appended when it is taken; a missing one is a number, as in Java."""
        folded = alias.lower()
        number = self._next.get(folded, 1)
        found = alias or str(number)
        while found.lower() in self._taken:
            number += 1
            found = f"{alias}-{number}" if alias else str(number)
        self._next[folded] = number
        self._taken.add(found.lower())
        return found
