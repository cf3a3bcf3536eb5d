"""What stores hold, whatever their format."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

PrivateKey = (
    rsa.RSAPrivateKey
    | dsa.DSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


@dataclass(frozen=True, slots=True)
class TrustedEntry:
    """A certificate that we trust. `marked`: Java takes it as trusted, too (reference 2.6)."""

    alias: str
    certificate: x509.Certificate
    marked: bool = True
    created: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """Our own key, its certificate, and those above it, the nearest first.

    `key` is None when a password of its own protects it; `sealed` then holds it as it stands in the `.jks`.
    """

    alias: str
    key: PrivateKey | None = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    sealed: bytes | None = field(default=None, repr=False)
    created: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a store is protected, by name. `legacy`: the Java of old Sametime reads it (D1)."""

    certificates: str | None = None
    keys: str | None = None
    digest: str | None = None
    legacy: bool = True


PLAIN = Encoding()


@dataclass(frozen=True, slots=True)
class Contents:
    """All of a store. `others` counts entries of kinds that we do not read, such as secret keys."""

    trusted: tuple[TrustedEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    encoding: Encoding = PLAIN
    others: int = 0
