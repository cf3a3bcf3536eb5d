"""Decryption and message authentication codes under a password, as PKCS#12 files use them.

PBES2 (RFC 8018 6.2) and PBMAC1 (RFC 9579) are the newer ones; the ciphers and the MAC of RFC 7292 (appendices
B, C) are the older ones, which old Java reads. cryptography decrypts private keys, but not the certificates
of a `.p12` without losing Java's marks of trust. So this is done here; the ciphers and hashes are the
libraries'.

Every key that is derived pays for its rounds from one budget for each file, before it is derived.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from quintet.tls.stores import der
from quintet.tls.stores.errors import StoreTooCostlyError, UnsupportedStoreError, WrongStorePasswordError

MOST_ROUNDS = 2_000_000
"""Rounds of hashing for a whole file: one or two seconds. A legacy store of Java with 12 keys needs them."""

_KEY_ID, _IV_ID, _MAC_ID = 1, 2, 3
_MAC_ROUNDS = 10_000
_SHORTEST_MAC_KEY, _LONGEST_MAC_KEY = 20, 1024  # RFC 9579 section 9 gives the lower bound

_PBES2 = der.oid("1.2.840.113549.1.5.13")
_PBKDF2 = der.oid("1.2.840.113549.1.5.12")
_PBMAC1 = der.oid("1.2.840.113549.1.5.14")
_SHA1, _SHA256 = der.oid("1.3.14.3.2.26"), der.oid("2.16.840.1.101.3.4.2.1")

_HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256")
_PRFS = {der.oid(f"1.2.840.113549.2.{7 + number}"): name for number, name in enumerate(_HASHES)}
_PBMAC1_HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")
_DIGESTS = {
    _SHA1: "sha1",
    _SHA256: "sha256",
    der.oid("2.16.840.1.101.3.4.2.2"): "sha384",
    der.oid("2.16.840.1.101.3.4.2.3"): "sha512",
    der.oid("2.16.840.1.101.3.4.2.4"): "sha224",
    der.oid("2.16.840.1.101.3.4.2.5"): "sha512_224",
    der.oid("2.16.840.1.101.3.4.2.6"): "sha512_256",
}
_REMAKE = "recreate the store with keytool"

Decrypt = Callable[[bytes, bytes, bytes], bytes]


def _aes(key: bytes, iv: bytes, data: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _triple_des(key: bytes, iv: bytes, data: bytes) -> bytes:
    decryptor = Cipher(TripleDES((key + key[:8])[:24]), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _rc2(key: bytes, iv: bytes, data: bytes) -> bytes:
    from Cryptodome.Cipher import ARC2  # noqa: PLC0415  only old stores need it

    cipher = ARC2.new(  # noqa: S304  old stores are encrypted so
        key,
        ARC2.MODE_CBC,
        iv,
        effective_keylen=8 * len(key),  # type: ignore[call-arg]  # missing in the library's stubs only
    )
    return cipher.decrypt(data)


def _rc4(key: bytes, _: bytes, data: bytes) -> bytes:
    return Cipher(ARC4(key), mode=None).decryptor().update(data)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """A cipher: its name, the length of key and block (0 for a stream cipher), and how to undo it.

    `java`: Java's PKCS#12 stores have it.
    """

    name: str
    key: int
    block: int
    decrypt: Decrypt
    java: bool = True


_OLD = {
    der.oid("1.2.840.113549.1.12.1.1"): _Scheme("pbeWithSHA1And128BitRC4", 16, 0, _rc4),
    der.oid("1.2.840.113549.1.12.1.2"): _Scheme("pbeWithSHA1And40BitRC4", 5, 0, _rc4),
    der.oid("1.2.840.113549.1.12.1.3"): _Scheme("pbeWithSHA1And3-KeyTripleDES-CBC", 24, 8, _triple_des),
    der.oid("1.2.840.113549.1.12.1.4"): _Scheme(
        "pbeWithSHA1And2-KeyTripleDES-CBC", 16, 8, _triple_des, False
    ),
    der.oid("1.2.840.113549.1.12.1.5"): _Scheme("pbeWithSHA1And128BitRC2-CBC", 16, 8, _rc2),
    der.oid("1.2.840.113549.1.12.1.6"): _Scheme("pbeWithSHA1And40BitRC2-CBC", 5, 8, _rc2),
}
_NEW = {
    der.oid("2.16.840.1.101.3.4.1.2"): _Scheme("AES-128-CBC", 16, 16, _aes),
    der.oid("2.16.840.1.101.3.4.1.22"): _Scheme("AES-192-CBC", 24, 16, _aes, False),
    der.oid("2.16.840.1.101.3.4.1.42"): _Scheme("AES-256-CBC", 32, 16, _aes),
    der.oid("1.2.840.113549.3.7"): _Scheme("DES-EDE3-CBC", 24, 8, _triple_des, False),
}


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How something is protected: the name, and whether Java and the Java of old Sametime know it."""

    name: str
    java: bool = False
    legacy: bool = False


def cipher_of(algorithm: der.DerValue) -> Algorithm:
    """The encryption that an AlgorithmIdentifier names: "PBES2 (SHA-256, AES-256-CBC)". Raises `DerError`."""
    oid, parameters = _identified(algorithm)
    if oid in _OLD:
        scheme = _OLD[oid]
        return Algorithm(scheme.name, scheme.java, scheme.java)
    if oid == _PBES2 and parameters is not None:
        try:
            derivation, encryption = parameters.sequence()
            scheme, digest = _NEW[encryption.sequence()[0].content], _pbkdf2_parameters(derivation)[3]
        except (UnsupportedStoreError, KeyError, IndexError, ValueError):
            return Algorithm("PBES2 of an unknown kind")
        return Algorithm(f"PBES2 ({_hash_name(digest)}, {scheme.name})", scheme.java and "_" not in digest)
    return Algorithm("an unknown algorithm")


def mac_of(mac: der.DerValue) -> Algorithm:
    """The MAC of a file, by its `MacData`: "HMAC-SHA256". Raises `DerError`."""
    oid, _ = _identified(mac.sequence()[0].sequence()[0])
    if oid == _PBMAC1:
        return Algorithm("PBMAC1")
    if oid not in _DIGESTS:
        return Algorithm("an unknown MAC")
    return Algorithm(f"HMAC-{_hash_name(_DIGESTS[oid]).replace('-', '')}", java=True, legacy=oid == _SHA1)


class _Rounds:
    """How many rounds of hashing a file may still ask for, whichever passwords are tried on it."""

    def __init__(self) -> None:
        self._left = MOST_ROUNDS

    def spend(self, rounds: int, size: int, digest: str) -> None:
        """Pays for a key of `size` bytes: all its rounds again for each digest that it is made of."""
        if rounds < 1:
            raise der.DerError("a number of rounds is not positive")
        self._left -= rounds * -(-size // _size(digest))
        if self._left < 0:
            raise StoreTooCostlyError(
                f"opening it would take more than {MOST_ROUNDS:,} rounds of hashing", _REMAKE
            )


class Password:
    """A password for one file."""

    def __init__(self, text: str) -> None:
        self._utf8 = text.encode("utf-8", "surrogatepass")
        self._bmp = text.encode("utf-16-be", "surrogatepass") + b"\0\0"
        self._rounds = _Rounds()

    def candidates(self) -> Iterator["Password"]:
        """The password; after an empty one also none at all, which some writers distinguish from it."""
        yield self
        if not self._utf8:
            absent = Password("")
            absent._bmp, absent._rounds = b"", self._rounds
            yield absent

    def decrypt(self, algorithm: der.DerValue, data: bytes) -> bytes:
        """The plain text of `data`. Raises a `StoreError`, or `ValueError` for malformed content."""
        oid, parameters = _identified(algorithm)
        if oid in _OLD and parameters is not None:
            scheme = _OLD[oid]
            salt, rounds = parameters.sequence()
            key = self._derive(_KEY_ID, scheme.key, "sha1", salt.octet_string(), rounds.integer())
            iv = self._derive(_IV_ID, scheme.block, "sha1", salt.octet_string(), rounds.integer())
        elif oid == _PBES2 and parameters is not None:
            derivation, encryption = parameters.sequence()
            cipher, vector = encryption.sequence()
            if cipher.content not in _NEW:
                raise _unsupported(algorithm)
            scheme, iv = _NEW[cipher.content], vector.octet_string()
            key = self._pbkdf2(derivation, scheme.key)
        else:
            raise _unsupported(algorithm)
        if not scheme.block:
            return scheme.decrypt(key, iv, data)
        if not data or len(data) % scheme.block or len(iv) != scheme.block:
            raise der.DerError("encrypted content is truncated")
        return _unpadded(scheme.decrypt(key, iv, data), scheme.block)

    def matches(self, mac: der.DerValue, content: bytes) -> bool:
        """Whether the `MacData` is the MAC of `content` under this password (RFC 7292 4)."""
        info, salt, *rest = mac.sequence()
        algorithm, value = info.sequence()
        oid, parameters = _identified(algorithm)
        if oid == _PBMAC1 and parameters is not None:
            derivation, scheme = parameters.sequence()
            digest = _PRFS.get(_identified(scheme)[0], "")
            size = _pbkdf2_parameters(derivation)[2] or 0
            if digest not in _PBMAC1_HASHES:
                raise UnsupportedStoreError("its PBMAC1 uses a hash that RFC 9579 does not name", _REMAKE)
            if not _SHORTEST_MAC_KEY <= size <= _LONGEST_MAC_KEY:
                raise UnsupportedStoreError(
                    f"its PBMAC1 names no key length of {_SHORTEST_MAC_KEY} to {_LONGEST_MAC_KEY} bytes"
                    " (RFC 9579)",
                    _REMAKE,
                )
            key = self._pbkdf2(derivation, size)
        elif oid in _DIGESTS:
            digest = _DIGESTS[oid]
            rounds = rest[0].integer() if rest else 1
            key = self._derive(_MAC_ID, _size(digest), digest, salt.octet_string(), rounds)
        else:
            raise UnsupportedStoreError("its MAC is of an unknown kind", _REMAKE)
        return hmac.compare_digest(hmac.digest(key, content, digest), value.octet_string())

    def mac(self, content: bytes, *, legacy: bool) -> bytes:
        """The `MacData` for `content`, encoded."""
        oid, digest = (_SHA1, "sha1") if legacy else (_SHA256, "sha256")
        salt = os.urandom(20)
        key = self._derive(_MAC_ID, _size(digest), digest, salt, _MAC_ROUNDS)
        algorithm = der.sequence(der.tlv(der.OID, oid), der.tlv(der.NULL))
        info = der.sequence(algorithm, der.octet_string(hmac.digest(key, content, digest)))
        return der.sequence(info, der.octet_string(salt), der.integer(_MAC_ROUNDS))

    def _pbkdf2(self, derivation: der.DerValue, size: int) -> bytes:
        salt, rounds, asked, digest = _pbkdf2_parameters(derivation)
        if asked not in (None, size):
            raise der.DerError("the length of a key is not that of its cipher")
        self._rounds.spend(rounds, size, digest)
        return hashlib.pbkdf2_hmac(digest, self._utf8, salt, rounds, size)

    def _derive(self, use: int, size: int, digest: str, salt: bytes, rounds: int) -> bytes:
        """The key derivation of RFC 7292 appendix B.2."""
        self._rounds.spend(rounds, size, digest)
        hashed = getattr(hashlib, digest, None) or partial(hashlib.new, digest)
        block = hashed(usedforsecurity=False).block_size
        if len(salt) > 1024:
            raise der.DerError("a salt is longer than 1,024 bytes")
        diversifier = bytes((use,)) * block
        material = bytearray(_repeated(salt, block) + _repeated(self._bmp, block))
        derived = b""
        while len(derived) < size:
            link = diversifier + bytes(material)
            for _ in range(rounds):
                link = hashed(link, usedforsecurity=False).digest()
            derived += link
            plus = int.from_bytes(_repeated(link, block)[:block]) + 1
            for at in range(0, len(material), block):
                total = int.from_bytes(material[at : at + block]) + plus
                material[at : at + block] = (total % (1 << (8 * block))).to_bytes(block)
        return derived[:size]


def _size(digest: str) -> int:
    return hashlib.new(digest, usedforsecurity=False).digest_size


def _identified(algorithm: der.DerValue) -> tuple[bytes, der.DerValue | None]:
    """The parts of an AlgorithmIdentifier: object identifier and parameters."""
    oid, *parameters = algorithm.sequence()
    return oid.expect(der.OID).content, parameters[0] if parameters else None


def _pbkdf2_parameters(derivation: der.DerValue) -> tuple[bytes, int, int | None, str]:
    """Salt, rounds, key length if given, hash (RFC 8018 A.2)."""
    oid, parameters = _identified(derivation)
    if oid != _PBKDF2 or parameters is None:
        raise UnsupportedStoreError("its keys are derived by an unknown function", _REMAKE)
    salt, rounds, *rest = parameters.sequence()
    size, digest = None, "sha1"
    for node in rest:
        if node.tag == der.INTEGER:
            size = node.integer()
        else:
            digest = _PRFS.get(_identified(node)[0], "")
            if not digest:
                raise UnsupportedStoreError("its keys are derived with an unknown hash", _REMAKE)
    return salt.octet_string(), rounds.integer(), size, digest


def _unsupported(algorithm: der.DerValue) -> UnsupportedStoreError:
    return UnsupportedStoreError(f"it is encrypted with {cipher_of(algorithm).name}", _REMAKE)


def _hash_name(digest: str) -> str:
    return digest.upper().replace("SHA", "SHA-").replace("_", "/")


def _repeated(data: bytes, block: int) -> bytes:
    """`data` over and over, to the next whole block; nothing stays nothing."""
    size = block * -(-len(data) // block)
    return (data * (size // len(data) + 1))[:size] if data else b""


def _unpadded(data: bytes, block: int) -> bytes:
    missing = data[-1]
    if not 1 <= missing <= block or data[-missing:] != bytes((missing,)) * missing:
        raise WrongStorePasswordError
    return data[:-missing]
