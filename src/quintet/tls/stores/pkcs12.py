"""PKCS#12 stores, `.p12` and `.pfx` (RFC 7292), as `keytool`, `openssl` and others write them.

Libraries read one key of a file only, and none tells the encoding or writes keys beside trusted certificates.
So the walk through the file is ours; ciphers and certificates are theirs. Java marks a certificate as trusted
by an attribute of its own (reference 2.6), which is read and written here.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from quintet.tls.stores import der
from quintet.tls.stores.aliases import Aliases
from quintet.tls.stores.entries import Contents, Encoding, KeyEntry, PrivateKey, TrustedEntry
from quintet.tls.stores.errors import (
    DamagedStoreError,
    StoreTooCostlyError,
    UnsupportedStoreError,
    WrongStorePasswordError,
)
from quintet.tls.stores.loading import certificate_of, private_key_of
from quintet.tls.stores.pbe import Password, digest_name_of, is_old, name_of

_DATA = der.oid("1.2.840.113549.1.7.1")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_ENCRYPTED_DATA = der.oid("1.2.840.113549.1.7.6")
_BAG = "1.2.840.113549.1.12.10.1."
_KEY_BAG, _SHROUDED_KEY_BAG, _CERTIFICATE_BAG = (der.oid(f"{_BAG}{number}") for number in (1, 2, 3))
_NESTED_BAG = der.oid(f"{_BAG}6")
_X509 = der.oid("1.2.840.113549.1.9.22.1")
_FRIENDLY_NAME = der.oid("1.2.840.113549.1.9.20")
_LOCAL_KEY_ID = der.oid("1.2.840.113549.1.9.21")
_JAVA_TRUSTED = der.oid("2.16.840.1.113894.746875.1.1")
_ANY_USE = der.oid("2.5.29.37.0")
_SMALLER = "make a store of those alone that are needed, with keytool -importkeystore -srcalias"
_DEEPEST = 8
_MOST_BAGS, _MOST_ATTRIBUTES = 10_000, 20
_MOST_KEYS, _LONGEST_CHAIN = 100, 100


@dataclass(slots=True)
class _Bag:
    """One bag of a file: its kind, its value, and those of its attributes that matter here."""

    kind: bytes
    value: der.Node
    alias: str = ""
    key_id: bytes | None = None
    trusted: bool = False


@dataclass(slots=True)
class _Found:
    """The bags of a file, sorted, and the algorithms met on the way."""

    keys: list[tuple[_Bag, PrivateKey]] = field(default_factory=list)
    certificates: list[tuple[_Bag, x509.Certificate]] = field(default_factory=list)
    others: int = 0
    bags: int = 0

    def add_key(self, bag: _Bag, data: bytes) -> None:
        if len(self.keys) == _MOST_KEYS:
            raise StoreTooCostlyError(f"it holds more than {_MOST_KEYS} keys", _SMALLER)
        self.keys.append((bag, private_key_of(bag.alias, data)))


def is_pkcs12(data: bytes) -> bool:
    """Whether the bytes are a PKCS#12 file by their outermost values."""
    try:
        version, content, *_ = der.parse(data).sequence()
        return version.integer() == 3 and content.sequence()[0].content in (_DATA, _SIGNED_DATA)
    except (der.DerError, ValueError, IndexError):
        return False


def read_pkcs12(data: bytes, password: str) -> Contents:
    """What the store holds. Raises `StoreError` of the kinds that a file can have."""
    try:
        return _contents(data, password)
    except der.DerError as error:
        raise DamagedStoreError(str(error)) from None
    except (ValueError, IndexError, TypeError, OverflowError, UnsupportedAlgorithm) as error:
        raise DamagedStoreError("its parts are not as they must be") from error


def write_pkcs12(contents: Contents, password: str, *, legacy: bool = False) -> bytes:
    """The store under `password`; `legacy` in the encoding that Java before 8u301 and old Sametime read.

    Raises `UnsupportedStoreError`, also for a password that Java refuses in this format.
    """
    if not (password.isascii() and password.isprintable()):
        raise UnsupportedStoreError(
            "its password has other characters than those of printable ASCII, with which neither Java nor"
            " Sametime opens a .p12 store",
            "choose a password of letters, digits and signs without accents, or make it a .jks store",
        )
    used = Password(password)
    keys = []
    bags = [
        _certificate_bag(entry.certificate, _name(entry.alias), _java_trust()) for entry in contents.trusted
    ]
    for own in contents.keys:
        if own.key is None:
            raise UnsupportedStoreError(
                f"the key {own.alias!r} has a password of its own, which a .p12 store cannot keep",
                "give it the store's password with keytool -keypasswd",
            )
        key_id = secrets.token_bytes(16)
        attributes = (_name(own.alias), _attribute(_LOCAL_KEY_ID, der.octets(key_id)))
        keys.append(_key_bag(own.key, used, legacy, *attributes))
        bags.append(_certificate_bag(own.certificate, *attributes))
        bags += [_certificate_bag(above) for above in own.chain]
    parts = []
    if bags:
        parts.append(_encrypted_part(der.sequence(*bags), used, legacy=legacy))
    if keys:
        parts.append(_plain_part(der.sequence(*keys)))
    content = der.sequence(*parts)
    return der.sequence(der.integer(3), _plain_part(content), used.mac(content, legacy=legacy))


def _contents(data: bytes, password: str) -> Contents:
    content, mac = _outer(data)
    opened = _unlocked(password, content, mac)
    found = _Found()
    for part in der.parse(content).sequence():
        _collect(found, _decrypted(part, opened), opened, 0)
    return _sorted(found, _encoding(content, mac))


def _outer(data: bytes) -> tuple[bytes, der.Node | None]:
    """The authenticated content and the digest over it, if there is one (RFC 7292 4)."""
    version, content, *rest = der.parse(data).sequence()
    if version.integer() != 3:
        raise UnsupportedStoreError("it is PKCS#12 of an unknown version", "make the store anew with keytool")
    kind, wrapped = content.sequence()
    if kind.content != _DATA:
        raise UnsupportedStoreError(
            "it is signed by a key instead of a password", "make the store anew with keytool"
        )
    return wrapped.children()[0].octets(), rest[0] if rest else None


def _unlocked(password: str, content: bytes, mac: der.Node | None) -> Password:
    given = Password(password)
    if mac is None:
        return given
    for candidate in given.candidates():
        if candidate.matches(mac, content):
            return candidate
    raise WrongStorePasswordError


def _decrypted(part: der.Node, password: Password) -> bytes:
    """The bags of one part of the file, in clear."""
    kind, wrapped = part.sequence()
    inner = wrapped.children()[0]
    if kind.content == _DATA:
        return inner.octets()
    if kind.content == _ENCRYPTED_DATA:
        algorithm, data = _encrypted(inner)
        return password.decrypt(algorithm, data)
    raise UnsupportedStoreError("a part of it is encrypted for a key", "make the store anew with keytool")


def _encrypted(inner: der.Node) -> tuple[der.Node, bytes]:
    """Algorithm and bytes of EncryptedData (RFC 5652 8)."""
    _, information, *_ = inner.sequence()
    _, algorithm, data = information.sequence()
    # The content is an octet string under the tag [0]; it may come in parts.
    return algorithm, data.octets(0x80)


def _encoding(content: bytes, mac: der.Node | None) -> Encoding:
    certificates: dict[str, bool] = {}
    keys: dict[str, bool] = {}
    for part in der.parse(content).sequence():
        kind, wrapped = part.sequence()
        inner = wrapped.children()[0]
        if kind.content == _ENCRYPTED_DATA:
            algorithm, _ = _encrypted(inner)
            certificates[name_of(algorithm)] = is_old(algorithm)
        elif kind.content == _DATA:
            for bag in _bags(inner.octets()):
                if bag.kind == _SHROUDED_KEY_BAG:
                    algorithm = bag.value.sequence()[0]
                    keys[name_of(algorithm)] = is_old(algorithm)
    digest = digest_name_of(mac) if mac is not None else None
    return Encoding(
        certificates=", ".join(certificates) or None,
        keys=", ".join(keys) or None,
        digest=digest,
        legacy=all(certificates.values()) and all(keys.values()) and digest in ("HMAC-SHA1", None),
    )


def _bags(data: bytes) -> Iterator[_Bag]:
    for node in der.parse(data).sequence():
        kind, wrapped, *attributes = node.sequence()
        bag = _Bag(kind.expect(der.OID).content, wrapped.children()[0])
        described = attributes[0].expect(der.SET).children() if attributes else ()
        if len(described) > _MOST_ATTRIBUTES:
            raise der.DerError(f"a bag has more than {_MOST_ATTRIBUTES} attributes")
        for attribute in described:
            oid, values = attribute.sequence()
            first = next(iter(values.expect(der.SET).children()), None)
            if oid.content == _FRIENDLY_NAME and first is not None:
                bag.alias = first.expect(der.BMP_STRING).content.decode("utf-16-be", "replace")
            elif oid.content == _LOCAL_KEY_ID and first is not None:
                bag.key_id = first.octets()
            elif oid.content == _JAVA_TRUSTED:
                bag.trusted = True
        yield bag


def _collect(found: _Found, data: bytes, password: Password, depth: int) -> None:
    if depth > _DEEPEST:
        raise der.DerError("bags are nested too deeply")
    for bag in _bags(data):
        found.bags += 1
        if found.bags > _MOST_BAGS:
            raise StoreTooCostlyError(f"it holds more than {_MOST_BAGS:,} entries", _SMALLER)
        if bag.kind == _CERTIFICATE_BAG:
            kind, wrapped = bag.value.sequence()
            if kind.content == _X509:
                certificate = certificate_of(bag.alias, wrapped.children()[0].octets())
                found.certificates.append((bag, certificate))
            else:
                found.others += 1
        elif bag.kind == _SHROUDED_KEY_BAG:
            algorithm, sealed = bag.value.sequence()
            found.add_key(bag, password.decrypt(algorithm, sealed.octets()))
        elif bag.kind == _KEY_BAG:
            found.add_key(bag, der.tlv(bag.value.tag, bag.value.content))
        elif bag.kind == _NESTED_BAG:
            _collect(found, der.tlv(bag.value.tag, bag.value.content), password, depth + 1)
        else:
            found.others += 1


def _sorted(found: _Found, encoding: Encoding) -> Contents:
    """Which certificates belong to keys, which are trusted; the aliases are made unique."""
    loose = [(bag, certificate) for bag, certificate in found.certificates if not bag.trusted]
    own_by_key = _by_key(loose)
    by_subject = {certificate.subject: certificate for _, certificate in reversed(loose)}
    aliases = Aliases()
    keys, used, others = [], set[x509.Certificate](), found.others
    for bag, key in found.keys:
        public = _public(key.public_key())
        own = own_by_key.get((public, bag.key_id)) or own_by_key.get((public, None))
        if own is None:
            others += 1
            continue
        chain = _chain(own, by_subject)
        used.update((own, *chain))
        keys.append(KeyEntry(aliases.unique(bag.alias), key, own, chain))
    trusted = [
        TrustedEntry(aliases.unique(bag.alias), certificate, marked=bag.trusted)
        for bag, certificate in found.certificates
        if bag.trusted or certificate not in used
    ]
    return Contents(tuple(trusted), tuple(keys), encoding, others)


def _by_key(
    certificates: list[tuple[_Bag, x509.Certificate]],
) -> dict[tuple[bytes, bytes | None], x509.Certificate]:
    """The first certificate of each public key and local ID, and without an ID the first of the key.

    The ID alone is not believed: whoever made the file chose it.
    """
    first: dict[tuple[bytes, bytes | None], x509.Certificate] = {}
    for bag, certificate in certificates:
        public = _public_of(certificate)
        if public is not None:
            first.setdefault((public, bag.key_id), certificate)
            first.setdefault((public, None), certificate)
    return first


def _public_of(certificate: x509.Certificate) -> bytes | None:
    try:
        return _public(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def _public(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    # Every kind of public key has it; the library's types name no base of them all.
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined,no-any-return]


def _chain(
    own: x509.Certificate, by_subject: dict[x509.Name, x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The certificates above it, up to a root, a gap or a circle."""
    chain = {own: None}
    top = own
    while top.issuer != top.subject:
        above = by_subject.get(top.issuer)
        if above is None or above in chain:
            break
        chain[above] = None
        if len(chain) > _LONGEST_CHAIN:
            raise StoreTooCostlyError(f"a chain in it has more than {_LONGEST_CHAIN} certificates", _SMALLER)
        top = above
    return tuple(chain)[1:]


def _plain_part(data: bytes) -> bytes:
    return der.sequence(der.tlv(der.OID, _DATA), der.tlv(der.CONTEXT_0, der.octets(data)))


def _encrypted_part(data: bytes, password: Password, *, legacy: bool) -> bytes:
    algorithm, sealed = password.encrypt(data, legacy=legacy)
    information = der.sequence(der.tlv(der.OID, _DATA), algorithm, der.tlv(0x80, sealed))
    inner = der.sequence(der.integer(0), information)
    return der.sequence(der.tlv(der.OID, _ENCRYPTED_DATA), der.tlv(der.CONTEXT_0, inner))


def _bag(kind: bytes, value: bytes, attributes: tuple[bytes, ...]) -> bytes:
    described = (der.tlv(der.SET, *sorted(attributes)),) if attributes else ()
    return der.sequence(der.tlv(der.OID, kind), der.tlv(der.CONTEXT_0, value), *described)


def _certificate_bag(certificate: x509.Certificate, *attributes: bytes) -> bytes:
    data = der.octets(certificate.public_bytes(serialization.Encoding.DER))
    value = der.sequence(der.tlv(der.OID, _X509), der.tlv(der.CONTEXT_0, data))
    return _bag(_CERTIFICATE_BAG, value, attributes)


def _key_bag(key: PrivateKey, password: Password, legacy: bool, *attributes: bytes) -> bytes:
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    algorithm, sealed = password.encrypt(plain, legacy=legacy)
    return _bag(_SHROUDED_KEY_BAG, der.sequence(algorithm, der.octets(sealed)), attributes)


def _attribute(oid: bytes, value: bytes) -> bytes:
    return der.sequence(der.tlv(der.OID, oid), der.tlv(der.SET, value))


def _name(alias: str) -> bytes:
    return _attribute(_FRIENDLY_NAME, der.tlv(der.BMP_STRING, alias.encode("utf-16-be", "surrogatepass")))


def _java_trust() -> bytes:
    return _attribute(_JAVA_TRUSTED, der.tlv(der.OID, _ANY_USE))
