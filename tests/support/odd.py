"""Certificates that break a rule of X.509, as appliances, scripts and old CAs make them.

cryptography does not make such certificates. So a good one is taken apart, changed, and signed anew.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quintet.tls.stores import der
from support import certs

Fields = list[bytes]
Edit = Callable[[Fields], None]

# Where the fields of a TBSCertificate (RFC 5280 4.1) stand, its version included.
VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS = range(8)

NO_NAME = der.sequence()
SAN, CONSTRAINTS, USAGE, PURPOSES, ISSUERS_KEY = (der.oid(f"2.5.29.{arc}") for arc in (17, 19, 15, 37, 35))
_UTF8, _TELETEX, _GENERAL_TIME, _UTC = 0x0C, 0x14, 0x18, 0x17


def edited(good: certs.Issued, issuer: certs.Issued, *edits: Edit) -> bytes:
    """The certificate with its fields changed, in DER, signed by `issuer`, whose key must be RSA."""
    body, algorithm, _ = der.parse(good.der).sequence()
    fields = [_raw(each) for each in body.sequence()]
    for edit in edits:
        edit(fields)
    changed = der.sequence(*fields)
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    signature = issuer.key.sign(changed, padding.PKCS1v15(), hashes.SHA256())
    return der.sequence(changed, _raw(algorithm), der.tlv(0x03, b"\0", signature))


def version(number: int) -> Edit:
    """The version of that number, as people count them: 3 is right."""
    return put(VERSION, der.tlv(der.CONTEXT_0, der.integer(number - 1)))


def put(index: int, value: bytes) -> Edit:
    def edit(fields: Fields) -> None:
        fields[index] = value

    return edit


def without_extensions(fields: Fields) -> None:
    del fields[EXTENSIONS]


def without_version(fields: Fields) -> None:
    """Version 1 is the default; the extensions stay, which is the mistake."""
    del fields[VERSION]


def extension(oid: bytes, value: bytes, *, critical: bool = False, also: bool = False) -> Edit:
    """That extension instead of the one of its kind; with `also`, beside it."""
    flag = (der.tlv(0x01, b"\xff"),) if critical else ()
    made = der.sequence(der.tlv(der.OID, oid), *flag, der.octet_string(value))

    def edit(fields: Fields) -> None:
        (found,) = der.parse(fields[EXTENSIONS]).children()
        kept = [each for each in found.sequence() if also or each.sequence()[0].content != oid]
        fields[EXTENSIONS] = der.tlv(0xA3, der.sequence(*map(_raw, kept), made))

    return edit


def without(oid: bytes) -> Edit:
    def edit(fields: Fields) -> None:
        (found,) = der.parse(fields[EXTENSIONS]).children()
        kept = [each for each in found.sequence() if each.sequence()[0].content != oid]
        fields[EXTENSIONS] = der.tlv(0xA3, der.sequence(*map(_raw, kept)))

    return edit


def name(value: bytes, tag: int = _UTF8) -> bytes:
    """A name of one CN, of that string type."""
    attribute = der.sequence(der.tlv(der.OID, der.oid("2.5.4.3")), der.tlv(tag, value))
    return der.sequence(der.tlv(der.SET, attribute))


def dates(begins: bytes, ends: bytes, tag: int = _UTC) -> bytes:
    return der.sequence(der.tlv(tag, begins), der.tlv(tag, ends))


def explicit_p256() -> bytes:
    """A key on P-256 whose curve is written out instead of named (RFC 5480 2.1.1 forbids that)."""
    field, a, b = (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        -3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    )
    point = certs.key("p256").public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    generator = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    curve = der.sequence(der.octet_string((a % field).to_bytes(32)), der.octet_string(b.to_bytes(32)))
    prime = der.sequence(der.tlv(der.OID, der.oid("1.2.840.10045.1.1")), der.integer(field))
    parameters = der.sequence(
        der.integer(1), prime, curve, der.octet_string(generator), der.integer(order), der.integer(1)
    )
    algorithm = der.sequence(der.tlv(der.OID, der.oid("1.2.840.10045.2.1")), parameters)
    return der.sequence(algorithm, der.tlv(0x03, b"\0", point))


def public(key: object) -> bytes:
    """The SubjectPublicKeyInfo of a key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]


UNKNOWN_KEY = der.sequence(der.sequence(der.tlv(der.OID, der.oid("1.2.3.4"))), der.tlv(0x03, b"\0\1\2\3"))

EDITS: dict[str, tuple[Edit, ...]] = {
    "version 1": (without_extensions, without_version),
    "version 1 with extensions": (without_version,),
    "version 2": (version(2),),
    "version 4": (version(4),),
    "version 200": (version(200),),
    "serial 0": (put(SERIAL, der.integer(0)),),
    "negative serial": (put(SERIAL, der.integer(-7)),),
    "serial of 100 bytes": (put(SERIAL, der.tlv(der.INTEGER, b"\x7f" * 100)),),
    "no subject": (put(SUBJECT, NO_NAME),),
    "no issuer": (put(ISSUER, NO_NAME),),
    "no names at all": (put(SUBJECT, NO_NAME), without(SAN)),
    "subject in BMPString": (put(SUBJECT, name("Größe".encode("utf-16-be"), der.BMP_STRING)),),
    "subject in TeletexString": (put(SUBJECT, name(b"Gr\xf6\xdfe", _TELETEX)),),
    "subject that is not UTF-8": (put(SUBJECT, name(b"\xff\xfe")),),
    "subject with control characters": (put(SUBJECT, name(b"a\x1b[31m\nb\0")),),
    "subject of one blank": (put(SUBJECT, name(b" ")),),
    "subject of 100,000 characters": (put(SUBJECT, name(b"x" * 100_000)),),
    "subject that is no name": (put(SUBJECT, der.sequence(der.octet_string(b"x"))),),
    "year 9999": (put(VALIDITY, dates(b"20200101000000Z", b"99991231235959Z", _GENERAL_TIME)),),
    "no such date": (put(VALIDITY, dates(b"200230000000Z", b"301399000000Z")),),
    "date without seconds": (put(VALIDITY, dates(b"2001010000Z", b"3001010000Z")),),
    "date with a time zone": (put(VALIDITY, dates(b"200101000000+0200", b"400101000000+0200")),),
    "ends before it begins": (put(VALIDITY, dates(b"400101000000Z", b"300101000000Z")),),
    "Ed25519": (put(KEY, public(ed25519.Ed25519PrivateKey.generate())),),
    "Ed448": (put(KEY, public(ed448.Ed448PrivateKey.generate())),),
    "X25519": (put(KEY, public(x25519.X25519PrivateKey.generate())),),
    "DSA": (put(KEY, public(dsa.generate_private_key(1024))),),
    "secp256k1": (put(KEY, public(ec.generate_private_key(ec.SECP256K1()))),),
    "brainpool": (put(KEY, public(ec.generate_private_key(ec.BrainpoolP256R1()))),),
    "P-224": (put(KEY, public(ec.generate_private_key(ec.SECP224R1()))),),
    "explicit curve": (put(KEY, explicit_p256()),),
    "unknown key": (put(KEY, UNKNOWN_KEY),),
    "key that is none": (put(KEY, der.sequence(der.octet_string(b"x"))),),
    "otherName": (extension(SAN, der.sequence(der.tlv(0xA0, der.tlv(der.OID, b"\x2a\x03"), b"\xa0\0"))),),
    "x400Address": (extension(SAN, der.sequence(der.tlv(0xA3, b""))),),
    "ediPartyName": (extension(SAN, der.sequence(der.tlv(0xA5, der.tlv(0xA1, der.tlv(_UTF8, b"x"))))),),
    "dNSName that is no ASCII": (extension(SAN, der.sequence(der.tlv(0x82, "größe.example".encode()))),),
    "empty dNSName": (extension(SAN, der.sequence(der.tlv(0x82, b""))),),
    "address of 5 bytes": (extension(SAN, der.sequence(der.tlv(0x87, b"12345"))),),
    "empty subjectAltName": (extension(SAN, der.sequence()),),
    "subjectAltName of noise": (extension(SAN, b"\x04\x80\xff"),),
    "two subjectAltNames": (extension(SAN, der.sequence(der.tlv(0x82, b"localhost")), also=True),),
    "basic constraints of noise": (extension(CONSTRAINTS, b"noise"),),
    "CA with a negative path length": (
        extension(CONSTRAINTS, der.sequence(der.tlv(0x01, b"\xff"), der.integer(-1))),
    ),
    "key usage of no bits": (extension(USAGE, der.tlv(0x03, b"\0")),),
    "purpose of no kind": (extension(PURPOSES, der.sequence()),),
    "unknown critical extension": (extension(der.oid("1.2.3.4.5"), der.octet_string(b"x"), critical=True),),
    "no extensions": (without_extensions,),
    "issuer's algorithm differs": (put(ALGORITHM, der.sequence(der.tlv(der.OID, der.oid("1.2.3.4")))),),
}
"""What is odd about each, and how it comes about."""


def _raw(node: der.DerValue) -> bytes:
    return der.tlv(node.tag, node.content)
