"""Whether other programs can use the entries of a store: Java, and Sametime with its older Java (D1, C19).

Java refuses a whole store when it cannot parse one of its certificates. What Java parses was tried with
keytool of OpenJDK 17; the answer is yes only for what is known to work, and tests ask keytool for each case.
"""

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from quintet.tls.certificates import extension, has_sound_extensions, public_key
from quintet.tls.stores import der
from quintet.tls.stores.entries import KeyEntry, TrustedEntry
from quintet.tls.stores.store import Store

_CURVES = ("secp256r1", "secp384r1", "secp521r1")


def java_objection(store: Store) -> str | None:
    """Why Java cannot open the store at all; None when it can."""
    if not store.encoding.java:
        used = (store.encoding.certificates, store.encoding.keys, store.encoding.digest)
        return (
            f"it is protected by {', '.join(dict.fromkeys(filter(None, used)))}, or by a non-ASCII password"
        )
    for each in store.unreadable:
        return f"the entry {each.alias!r} is not readable: {each.reason}"
    for entry in store.entries:
        for certificate in _certificates(entry):
            objection = _java_parse_objection(certificate)
            if objection is not None:
                return f"the certificate of {entry.alias!r} {objection}"
    return None


def seen_by_java(store: Store) -> frozenset[str]:
    """The aliases of the entries that Java 11 or newer sees in the store."""
    if java_objection(store) is not None:
        return frozenset()
    return frozenset(each.alias for each in store.entries if each.unseen is None)


def seen_by_sametime(store: Store) -> frozenset[str]:
    """The aliases of those that Sametime, with an older Java, sees and can use."""
    if not store.encoding.legacy:
        return frozenset()
    return seen_by_java(store) & {each.alias for each in store.entries if _has_old_keys(each)}


def _has_old_keys(entry: TrustedEntry | KeyEntry) -> bool:
    old = rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey
    return all(isinstance(public_key(each), old) for each in _certificates(entry))


def _certificates(entry: TrustedEntry | KeyEntry) -> tuple[x509.Certificate, ...]:
    chain = entry.chain if isinstance(entry, KeyEntry) else ()
    return (entry.certificate, *chain)


def _java_parse_objection(certificate: x509.Certificate) -> str | None:
    """Why Java's parser refuses a certificate that cryptography reads."""
    key = public_key(certificate)
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES or not _names_its_curve(certificate):
            return f"has a key on the curve {key.curve.name}, or with explicit parameters"
    elif not isinstance(
        key, rsa.RSAPublicKey | dsa.DSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    ):
        return "has a key of a kind that Java may not know"
    if not has_sound_extensions(certificate):
        return "has malformed extensions, or extensions in an old version"
    if not _names_one_algorithm(certificate):
        return "names two algorithms of its signature"
    if not certificate.issuer.rfc4514_string():
        return "names no issuer"
    if not certificate.subject.rfc4514_string() and not _has_critical_names(certificate):
        return "has no subject, and no critical subjectAltName"
    return None


def _names_its_curve(certificate: x509.Certificate) -> bool:
    """Whether the parameters of an EC key are the curve's name (RFC 5480 2.1.1), not the curve itself."""
    algorithm = _fields(certificate)[5].sequence()[0]
    return algorithm.sequence()[1].tag == der.OID


def _names_one_algorithm(certificate: x509.Certificate) -> bool:
    """Whether the algorithm of the signature is the same inside and outside (RFC 5280 4.1.1.2)."""
    outer = der.parse(certificate.public_bytes(serialization.Encoding.DER)).sequence()[1]
    return _fields(certificate)[1].content == outer.content


def _fields(certificate: x509.Certificate) -> list[der.DerValue]:
    """The fields of the TBSCertificate from the serial number on (RFC 5280 4.1)."""
    return [
        each for each in der.parse(certificate.tbs_certificate_bytes).sequence() if each.tag < der.CONTEXT_0
    ]


def _has_critical_names(certificate: x509.Certificate) -> bool:
    if extension(certificate, x509.SubjectAlternativeName) is None:
        return False
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
