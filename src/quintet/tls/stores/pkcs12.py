"""PKCS#12 stores, `.p12` and `.pfx` (RFC 7292), as `keytool`, `openssl`, Windows and others write them.

cryptography writes them. It reads one key of a file only, tells neither the algorithms nor Java's mark of
trust (an attribute of Java's own, config 2.6), and gives up at the first certificate that it cannot read.
So the way through the file is ours, and so is putting several keys and trusted certificates into one file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from quintet.tls.certificates import public_key_info
from quintet.tls.stores import der
from quintet.tls.stores.entries import (
    MOST_ENTRIES,
    Aliases,
    Contents,
    Encoding,
    KeyEntry,
    PrivateKey,
    TrustedEntry,
    UnreadableEntry,
    UnreadableError,
    Unseen,
    certificate_of,
    private_key_of,
)
from quintet.tls.stores.errors import (
    DamagedStoreError,
    StoreTooCostlyError,
    UnsupportedStoreError,
    WrongStorePasswordError,
)
from quintet.tls.stores.pbe import Algorithm, Password, cipher_of, mac_of

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
_TEXTS = {der.BMP_STRING: "utf-16-be", der.UTF8_STRING: "utf-8"}
_SMALLER = "make a store of those alone that are needed, with keytool -importkeystore -srcalias"
_REMAKE = "recreate the store with keytool"
_DEEPEST = 8
_MOST_ATTRIBUTES = 20
_MOST_KEYS, _LONGEST_CHAIN = 100, 100
_MOST_ROUNDS, _LEAST_ROUNDS = 10_000, 2_048  # as keytool and as OpenSSL


@dataclass(slots=True)
class _Bag:
    """One bag of a file: its kind, its value, and those of its attributes that matter here."""

    kind: bytes
    value: der.DerValue
    nested: bool = False
    alias: str = ""
    key_id: bytes | None = None
    trusted: bool = False


@dataclass(slots=True)
class _Found:
    """The entries of a file, sorted by kind, and the algorithms met on the way."""

    authenticated: bool
    keys: list[tuple[_Bag, PrivateKey]] = field(default_factory=list)
    certificates: list[tuple[_Bag, x509.Certificate]] = field(default_factory=list)
    unreadable: list[UnreadableEntry] = field(default_factory=list)
    ciphers: dict[Algorithm, None] = field(default_factory=dict)
    key_ciphers: dict[Algorithm, None] = field(default_factory=dict)
    others: int = 0
    bags: int = 0

    def add_certificate(self, bag: _Bag, data: bytes) -> None:
        try:
            self.certificates.append((bag, certificate_of(data)))
        except UnreadableError as error:
            self.unreadable.append(UnreadableEntry(bag.alias, str(error)))

    def add_key(self, bag: _Bag, data: bytes) -> None:
        if len(self.keys) == _MOST_KEYS:
            raise StoreTooCostlyError(f"it holds more than {_MOST_KEYS} keys", _SMALLER)
        try:
            self.keys.append((bag, private_key_of(data)))
        except UnreadableError as error:
            self.unreadable.append(UnreadableEntry(bag.alias, str(error)))

    def add_sealed_key(self, bag: _Bag, password: Password) -> None:
        algorithm, sealed = bag.value.sequence()
        cipher = cipher_of(algorithm)
        self.key_ciphers[cipher] = None
        try:
            data = password.decrypt(algorithm, sealed.octet_string())
        except WrongStorePasswordError:
            if not self.authenticated:
                raise
            self.unreadable.append(UnreadableEntry(bag.alias, "its key has a password of its own"))
        except UnsupportedStoreError:
            self.unreadable.append(UnreadableEntry(bag.alias, f"its key is encrypted with {cipher.name}"))
        else:
            self.add_key(bag, data)


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
        raise DamagedStoreError("its structure is not that of PKCS#12") from error


def write_pkcs12(contents: Contents, password: str, *, legacy: bool = False) -> bytes:
    """The store under `password`; `legacy` in the encoding that Java before 8u301 and old Sametime read.

    Raises `UnsupportedStoreError`, also for a password that Java refuses in this format.
    """
    if not (password.isascii() and password.isprintable() and password):
        raise UnsupportedStoreError(
            "its password is empty or has characters other than printable ASCII, and then neither Java nor"
            " Sametime opens a .p12 store",
            "choose a password of letters, digits and signs without accents, or make it a .jks store",
        )
    # A store with many keys must stay cheap enough to be opened again (`pbe.MOST_ROUNDS`).
    rounds = max(_LEAST_ROUNDS, _MOST_ROUNDS * 10 // max(10, len(contents.keys)))
    protection = _protection(password, rounds, legacy=legacy)
    files = []
    if contents.trusted:
        trusted = [pkcs12.PKCS12Certificate(e.certificate, _name(e.alias)) for e in contents.trusted]
        files.append(pkcs12.serialize_java_truststore(trusted, protection))
    for own in contents.keys:
        if own.key is None:
            raise UnsupportedStoreError(
                f"the key {own.alias!r} has a password of its own, which a .p12 store cannot keep",
                "give it the store's password with keytool -keypasswd",
            )
        above = [pkcs12.PKCS12Certificate(each, None) for each in own.chain]
        files.append(
            pkcs12.serialize_key_and_certificates(
                _name(own.alias), own.key, own.certificate, above, protection
            )
        )
    return files[0] if len(files) == 1 else _joined(files, password, legacy=legacy)


def _protection(password: str, rounds: int, *, legacy: bool) -> serialization.KeySerializationEncryption:
    builder = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds)
    if legacy:
        builder = builder.hmac_hash(hashes.SHA1())  # noqa: S303  as old Java
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    else:
        builder = builder.hmac_hash(hashes.SHA256())
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
    return builder.build(password.encode())


def _name(alias: str) -> bytes:
    return alias.encode("utf-8", "replace")


def _joined(files: list[bytes], password: str, *, legacy: bool) -> bytes:
    """One store with the parts of all `files`, which have the same password, and a MAC over all of it."""
    content = der.tlv(der.SEQUENCE, *(der.parse(_outer(der.parse(each))[0]).content for each in files))
    wrapped = der.sequence(der.tlv(der.OID, _DATA), der.tlv(der.CONTEXT_0, der.octet_string(content)))
    return der.sequence(der.integer(3), wrapped, Password(password).mac(content, legacy=legacy))


def _contents(data: bytes, password: str) -> Contents:
    file = der.parse(data)
    content, mac = _outer(file)
    opened = _unlocked(password, content, mac)
    found = _Found(authenticated=mac is not None)
    for part in der.parse(content).sequence():
        _collect(found, _decrypted(part, opened, found), opened, 0)
    return _sorted(found, _encoding(found, mac, password), len(data) - file.size)


def _outer(file: der.DerValue) -> tuple[bytes, der.DerValue | None]:
    """The authenticated content and the MAC over it, if there is one (RFC 7292 4)."""
    version, content, *rest = file.sequence()
    if version.integer() != 3:
        raise UnsupportedStoreError("it is PKCS#12 of an unknown version", _REMAKE)
    kind, wrapped = content.sequence()
    if kind.content != _DATA:
        raise UnsupportedStoreError("it is signed with a key instead of a password", _REMAKE)
    return wrapped.children()[0].octet_string(), rest[0] if rest else None


def _unlocked(password: str, content: bytes, mac: der.DerValue | None) -> Password:
    given = Password(password)
    if mac is None:
        return given
    for candidate in given.candidates():
        if candidate.matches(mac, content):
            return candidate
    raise WrongStorePasswordError


def _decrypted(part: der.DerValue, password: Password, found: _Found) -> bytes:
    """The bags of one part of the file, decrypted."""
    kind, wrapped = part.sequence()
    inner = wrapped.children()[0]
    if kind.content == _DATA:
        return inner.octet_string()
    if kind.content != _ENCRYPTED_DATA:
        raise UnsupportedStoreError("a part of it is encrypted for a key", _REMAKE)
    # EncryptedData (RFC 5652 8). The content is an octet string under the tag [0]; it may come in parts.
    _, information, *_ = inner.sequence()
    _, algorithm, data = information.sequence()
    found.ciphers[cipher_of(algorithm)] = None
    return password.decrypt(algorithm, data.octet_string(0x80))


def _encoding(found: _Found, mac: der.DerValue | None, password: str) -> Encoding:
    digest = mac_of(mac) if mac is not None else None
    used = [*found.ciphers, *found.key_ciphers, *((digest,) if digest else ())]
    # Java derives keys from passwords of printable ASCII only.
    java = not used or (password.isascii() and (password.isprintable() or not password))
    return Encoding(
        certificates=", ".join(each.name for each in found.ciphers) or None,
        keys=", ".join(each.name for each in found.key_ciphers) or None,
        digest=digest.name if digest else None,
        java=java and all(each.java for each in used),
        legacy=java and all(each.legacy for each in used),
    )


def _bags(data: bytes, *, nested: bool) -> Iterator[_Bag]:
    for node in der.parse(data).sequence():
        kind, wrapped, *attributes = node.sequence()
        bag = _Bag(kind.expect(der.OID).content, wrapped.children()[0], nested)
        described = attributes[0].expect(der.SET).children() if attributes else ()
        if len(described) > _MOST_ATTRIBUTES:
            raise der.DerError(f"a bag has more than {_MOST_ATTRIBUTES} attributes")
        for attribute in described:
            oid, values = attribute.sequence()
            first = next(iter(values.expect(der.SET).children()), None)
            if oid.content == _FRIENDLY_NAME and first is not None:
                bag.alias = first.content.decode(_TEXTS.get(first.tag, "latin-1"), "replace")
            elif oid.content == _LOCAL_KEY_ID and first is not None:
                bag.key_id = first.octet_string()
            elif oid.content == _JAVA_TRUSTED:
                bag.trusted = True
        yield bag


def _collect(found: _Found, data: bytes, password: Password, depth: int) -> None:
    if depth > _DEEPEST:
        raise der.DerError("bags are nested too deeply")
    for bag in _bags(data, nested=depth > 0):
        found.bags += 1
        if found.bags > MOST_ENTRIES:
            raise StoreTooCostlyError(f"it holds more than {MOST_ENTRIES:,} entries", _SMALLER)
        if bag.kind == _CERTIFICATE_BAG:
            kind, wrapped = bag.value.sequence()
            if kind.content == _X509:
                found.add_certificate(bag, wrapped.children()[0].octet_string())
            else:
                found.others += 1
        elif bag.kind == _SHROUDED_KEY_BAG:
            found.add_sealed_key(bag, password)
        elif bag.kind == _KEY_BAG:
            found.add_key(bag, der.tlv(bag.value.tag, bag.value.content))
        elif bag.kind == _NESTED_BAG:
            _collect(found, der.tlv(bag.value.tag, bag.value.content), password, depth + 1)
        else:
            found.others += 1


def _sorted(found: _Found, encoding: Encoding, trailing: int) -> Contents:
    """Which certificates belong to keys, which are trusted; the aliases are made unique."""
    loose = [(bag, certificate) for bag, certificate in found.certificates if not bag.trusted]
    own_by_key = _by_key(loose)
    by_subject = {certificate.subject: certificate for _, certificate in reversed(loose)}
    aliases = Aliases()
    keys, used, others = [], set[x509.Certificate](), found.others
    last = {bag.alias.lower(): bag for bag, _ in (*found.certificates, *found.keys)}
    for bag, key in found.keys:
        public = _public(key)
        own = own_by_key.get((public, bag.key_id)) or own_by_key.get((public, None))
        if own is None:
            others += 1
            continue
        chain = _chain(own, by_subject)
        used.update((own, *chain))
        visible = bag.kind == _SHROUDED_KEY_BAG
        unseen = _unseen(bag, last) if visible else Unseen.NOT_ENCRYPTED
        keys.append(KeyEntry(aliases.unique(bag.alias), key, own, chain, unseen=unseen))
    trusted = [
        TrustedEntry(
            aliases.unique(bag.alias), certificate, _unseen(bag, last) if bag.trusted else Unseen.NO_MARK
        )
        for bag, certificate in found.certificates
        if bag.trusted or certificate not in used
    ]
    unreadable = tuple(UnreadableEntry(aliases.unique(each.alias), each.reason) for each in found.unreadable)
    return Contents(tuple(trusted), tuple(keys), unreadable, encoding, others, trailing)


def _unseen(bag: _Bag, last: dict[str, _Bag]) -> Unseen | None:
    if bag.nested:
        return Unseen.NESTED
    return Unseen.SAME_ALIAS if bag.alias and last[bag.alias.lower()] is not bag else None


def _by_key(
    certificates: list[tuple[_Bag, x509.Certificate]],
) -> dict[tuple[bytes, bytes | None], x509.Certificate]:
    """The first certificate of each public key and local ID, and without an ID the first of the key.

    The ID alone is not believed, because the writer of the file chose it.
    """
    first: dict[tuple[bytes, bytes | None], x509.Certificate] = {}
    for bag, certificate in certificates:
        public = public_key_info(certificate)
        if public is not None:
            first.setdefault((public, bag.key_id), certificate)
            first.setdefault((public, None), certificate)
    return first


def _public(key: PrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


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
