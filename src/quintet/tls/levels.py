"""What the security levels demand of certificates (config 2.7). Versions and suites: `settings`, `suites`.

One demand of level 2 is not enforced: key exchange on P-256, P-384 or P-521 only. X25519 and X448, which are
as strong, pass as well. Python's `ssl` can leave the choice of curves to OpenSSL or allow a single one, and
then servers with the other two would be refused. Levels 3 and 4 have a mode of OpenSSL that restricts the
curves.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from quintet.tls.certificates import hash_of, key_text, public_key
from quintet.tls.settings import SecurityLevel

_BROKEN_HASHES = ("md2", "md4", "md5")
_WEAK_HASHES = (*_BROKEN_HASHES, "sha1")
_NIST = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")
_SUITE_B = {
    SecurityLevel.SUITE_B_128: ({"secp256r1", "secp384r1"}, {"sha256", "sha384"}, "P-256 or P-384"),
    SecurityLevel.SUITE_B_192: ({"secp384r1"}, {"sha384"}, "P-384"),
}


def check_strength(
    certificate: x509.Certificate, level: SecurityLevel, *, anchor: bool | None = None
) -> str | None:
    """Why the level forbids the certificate (D38); None when it allows it.

    The signature of an `anchor`, a certificate that is trusted itself, does not count; by default that is one
    which names itself as its issuer. RSA below 1024 bits and MD5 are refused at every level: a deliberate
    difference from Sametime, whose level 0 demands nothing.
    """
    if anchor is None:
        anchor = certificate.subject == certificate.issuer
    return _weak_key(certificate, level) or (None if anchor else _weak_signature(certificate, level))


def _weak_key(certificate: x509.Certificate, level: SecurityLevel) -> str | None:
    key, text = public_key(certificate), key_text(certificate)
    if level in _SUITE_B:
        curves, _, wanted = _SUITE_B[level]
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in curves:
            return None
        return f"its key is {text}, but level {level:d} allows EC {wanted} only"
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        least = 2048 if level >= SecurityLevel.SP800_131A_STRICT else 1024
        return None if key.key_size >= least else f"its key is {text}, but level {level:d} needs {least} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if level < SecurityLevel.SP800_131A_STRICT or key.curve.name in _NIST:
            return None
    elif key is not None and level < SecurityLevel.SP800_131A_STRICT:
        return None
    return f"its key is {text}, but level {level:d} needs RSA of 2048 bits or EC on a NIST curve"


def _weak_signature(certificate: x509.Certificate, level: SecurityLevel) -> str | None:
    used = hash_of(certificate)
    if level in _SUITE_B:
        _, hashes, _ = _SUITE_B[level]
        if used in hashes and _is_ecdsa(certificate):
            return None
        wanted = " or ".join(sorted(name.upper().replace("SHA", "SHA-") for name in hashes))
        return f"it is not signed by ECDSA with {wanted}, as level {level:d} demands"
    forbidden = _WEAK_HASHES if level >= SecurityLevel.SP800_131A_STRICT else _BROKEN_HASHES
    if used is not None and used in forbidden:
        return f"it is signed with {used.upper().replace('SHA1', 'SHA-1')}, which level {level:d} forbids"
    return None


def _is_ecdsa(certificate: x509.Certificate) -> bool:
    try:
        return isinstance(certificate.signature_algorithm_parameters, ec.ECDSA)
    except (UnsupportedAlgorithm, ValueError):
        return False
