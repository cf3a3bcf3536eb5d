"""What the security levels ask of certificates (reference 2.7). Versions and suites: `resolve`, `suites`.

One demand of level 2 is not enforced: that keys are exchanged on P-256, P-384 or P-521 only. X25519 and X448,
which are as strong, pass as well. Python's `ssl` can leave all curves to OpenSSL or name one, and with one,
servers on the other two would be refused. Levels 3 and 4 have a mode of OpenSSL, which keeps to its curves.
"""

from collections.abc import Mapping
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from quintet.tls.settings import SecurityLevel

_BROKEN_HASHES = ("md2", "md4", "md5")
_WEAK_HASHES = (*_BROKEN_HASHES, "sha1")
_NIST = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")
_SUITE_B = {
    SecurityLevel.SUITE_B_128: ({"secp256r1", "secp384r1"}, {"sha256", "sha384"}, "P-256 or P-384"),
    SecurityLevel.SUITE_B_192: ({"secp384r1"}, {"sha384"}, "P-384"),
}


def weakness(certificate: x509.Certificate, level: SecurityLevel, *, anchor: bool = False) -> str | None:
    """Why the level forbids the certificate; None when it allows it.

    The signature of an `anchor`, which is trusted by itself, does not count. RSA below 1024 bits and MD5 are
    refused at every level: a difference from the product, which has no floor.
    """
    return _weak_key(certificate, level) or (None if anchor else _weak_signature(certificate, level))


def verdicts(certificate: x509.Certificate) -> Mapping[SecurityLevel, str | None]:
    """For each level why it forbids the certificate, or None (D38). Who is its own issuer is an anchor."""
    anchor = certificate.subject == certificate.issuer
    return MappingProxyType({level: weakness(certificate, level, anchor=anchor) for level in SecurityLevel})


def key_text(certificate: x509.Certificate) -> str:
    """Kind and size of the key: "RSA 2048", "EC P-256", "Ed25519"."""
    key = _key(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_curve_text(key.curve.name)}"
    return type(key).__name__.removesuffix("PublicKey") if key is not None else "a key of unknown kind"


def hash_of(certificate: x509.Certificate) -> str | None:
    """The hash that its signature is made over, "sha256"; None where the algorithm has none of its own."""
    try:
        used = certificate.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        return "unknown"
    return used.name if used is not None else None


def _weak_key(certificate: x509.Certificate, level: SecurityLevel) -> str | None:
    key, text = _key(certificate), key_text(certificate)
    if level in _SUITE_B:
        curves, _, wanted = _SUITE_B[level]
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in curves:
            return None
        return f"its key is {text}, but level {level:d} takes EC {wanted} only"
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        least = 2048 if level >= SecurityLevel.SP800_131A_STRICT else 1024
        return None if key.key_size >= least else f"its key is {text}, but level {level:d} wants {least} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if level < SecurityLevel.SP800_131A_STRICT or key.curve.name in _NIST:
            return None
    elif key is not None and level < SecurityLevel.SP800_131A_STRICT:
        return None
    return f"its key is {text}, but level {level:d} wants RSA of 2048 bits or EC on a NIST curve"


def _weak_signature(certificate: x509.Certificate, level: SecurityLevel) -> str | None:
    used = hash_of(certificate)
    if level in _SUITE_B:
        _, hashes, _ = _SUITE_B[level]
        if used in hashes and isinstance(_parameters(certificate), ec.ECDSA):
            return None
        wanted = " or ".join(sorted(name.upper().replace("SHA", "SHA-") for name in hashes))
        return f"it is not signed by ECDSA with {wanted}, as level {level:d} wants"
    forbidden = _WEAK_HASHES if level >= SecurityLevel.SP800_131A_STRICT else _BROKEN_HASHES
    if used is not None and used in forbidden:
        return f"it is signed with {used.upper().replace('SHA1', 'SHA-1')}, which level {level:d} forbids"
    return None


def _parameters(certificate: x509.Certificate) -> object:
    try:
        return certificate.signature_algorithm_parameters
    except (UnsupportedAlgorithm, ValueError):
        return None


def _key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return None


def _curve_text(name: str) -> str:
    return f"P-{name[4:7]}" if name in _NIST else name
