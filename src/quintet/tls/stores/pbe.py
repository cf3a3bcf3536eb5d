"""Encryption and digests under a password, as PKCS#12 files use them.

PBES2 (RFC 8018 6.2) and PBMAC1 (RFC 9579) are new; the schemes and the digest of RFC 7292 (appendices B, C)
are old, and what old Java reads. Each use pays for its rounds, so that a hostile file cannot ask for hours.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from Cryptodome.Cipher import ARC2
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from quintet.tls.stores import der
from quintet.tls.stores.errors import StoreTooCostlyError, UnsupportedStoreError, WrongStorePasswordError

ROUNDS, LEGACY_ROUNDS, LEGACY_DIGEST_ROUNDS = 10_000, 50_000, 100_000
_MOST_ROUNDS = 10_000_000
_KEY_ID, _IV_ID, _MAC_ID = 1, 2, 3

_PBES2 = der.oid("1.2.840.113549.1.5.13")
_PBKDF2 = der.oid("1.2.840.113549.1.5.12")
_PBMAC1 = der.oid("1.2.840.113549.1.5.14")
_3DES_SHA1 = der.oid("1.2.840.113549.1.12.1.3")
_HMAC_SHA256 = der.oid("1.2.840.113549.2.9")
_AES_256 = der.oid("2.16.840.1.101.3.4.1.42")
_SHA1 = der.oid("1.3.14.3.2.26")
_SHA256 = der.oid("2.16.840.1.101.3.4.2.1")

_PRFS = {
    der.oid("1.2.840.113549.2.7"): "sha1",
    der.oid("1.2.840.113549.2.8"): "sha224",
    _HMAC_SHA256: "sha256",
    der.oid("1.2.840.113549.2.10"): "sha384",
    der.oid("1.2.840.113549.2.11"): "sha512",
}
_DIGESTS = {
    _SHA1: "sha1",
    der.oid("2.16.840.1.101.3.4.2.4"): "sha224",
    _SHA256: "sha256",
    der.oid("2.16.840.1.101.3.4.2.2"): "sha384",
    der.oid("2.16.840.1.101.3.4.2.3"): "sha512",
}

Decrypt = Callable[[bytes, bytes, bytes], bytes]


def _aes(key: bytes, iv: bytes, data: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _triple_des(key: bytes, iv: bytes, data: bytes) -> bytes:
    decryptor = Cipher(TripleDES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _rc2(key: bytes, iv: bytes, data: bytes) -> bytes:
    cipher = ARC2.new(  # noqa: S304  old stores are encrypted so
        key,
        ARC2.MODE_CBC,
        iv,
        effective_keylen=8 * len(key),  # type: ignore[call-arg]  # missing in the library's stubs only
    )
    return cipher.decrypt(data)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """A cipher in CBC mode under its name: how long key and block are, and how to undo it."""

    name: str
    key: int
    block: int
    decrypt: Decrypt


_OLD = {
    _3DES_SHA1: _Scheme("pbeWithSHA1And3-KeyTripleDES-CBC", 24, 8, _triple_des),
    der.oid("1.2.840.113549.1.12.1.4"): _Scheme("pbeWithSHA1And2-KeyTripleDES-CBC", 16, 8, _triple_des),
    der.oid("1.2.840.113549.1.12.1.5"): _Scheme("pbeWithSHA1And128BitRC2-CBC", 16, 8, _rc2),
    der.oid("1.2.840.113549.1.12.1.6"): _Scheme("pbeWithSHA1And40BitRC2-CBC", 5, 8, _rc2),
}
_NEW = {
    der.oid("2.16.840.1.101.3.4.1.2"): _Scheme("AES-128-CBC", 16, 16, _aes),
    der.oid("2.16.840.1.101.3.4.1.22"): _Scheme("AES-192-CBC", 24, 16, _aes),
    _AES_256: _Scheme("AES-256-CBC", 32, 16, _aes),
    der.oid("1.2.840.113549.3.7"): _Scheme("DES-EDE3-CBC", 24, 8, _triple_des),
}


def is_old(algorithm: der.Node) -> bool:
    """Whether this is a scheme of RFC 7292, which old Java reads."""
    return algorithm.sequence()[0].content in _OLD


def name_of(algorithm: der.Node) -> str:
    """The algorithm as people know it: "PBES2 (SHA-256, AES-256-CBC)". Raises `DerError`."""
    oid, parameters = _identified(algorithm)
    if oid in _OLD:
        return _OLD[oid].name
    if oid == _PBES2 and parameters is not None:
        try:
            derivation, encryption = parameters.sequence()
            digest = _pbkdf2_parameters(derivation)[3]
            cipher = _NEW[encryption.sequence()[0].content].name
        except (UnsupportedStoreError, KeyError, IndexError, ValueError):
            return "PBES2 of a kind unknown here"
        return f"PBES2 ({_digest_name(digest)}, {cipher})"
    return "an algorithm unknown here"


def digest_name_of(mac: der.Node) -> str:
    """The digest that guards a file, by its `MacData`: "HMAC-SHA256". Raises `DerError`."""
    oid, _ = _identified(mac.sequence()[0].sequence()[0])
    if oid == _PBMAC1:
        return "PBMAC1"
    return f"HMAC-{_digest_name(_DIGESTS[oid]).replace('-', '')}" if oid in _DIGESTS else "an unknown digest"


class _Rounds:
    """How many rounds of hashing a file may still ask for, whichever passwords are tried on it."""

    def __init__(self) -> None:
        self._left = _MOST_ROUNDS

    def spend(self, rounds: int, size: int, digest: str) -> None:
        """Pays for a key of `size` bytes: all its rounds again for each digest that it is made of."""
        if rounds < 1:
            raise der.DerError("a count of rounds is not positive")
        self._left -= rounds * -(-size // hashlib.new(digest, usedforsecurity=False).digest_size)
        if self._left < 0:
            raise StoreTooCostlyError(
                f"opening it would take more than {_MOST_ROUNDS:,} rounds of hashing",
                "make the store anew with keytool",
            )


class Password:
    """A password for one file."""

    def __init__(self, text: str) -> None:
        self._utf8 = text.encode("utf-8", "surrogatepass")
        self._bmp = text.encode("utf-16-be", "surrogatepass") + b"\0\0"
        self._rounds = _Rounds()

    def candidates(self) -> Iterator["Password"]:
        """The password; after an empty one also none at all, which some writers keep apart from it."""
        yield self
        if not self._utf8:
            absent = Password("")
            absent._bmp, absent._rounds = b"", self._rounds
            yield absent

    def decrypt(self, algorithm: der.Node, data: bytes) -> bytes:
        """What `data` was. Raises a `StoreError`, or `ValueError` for what does not hang together."""
        oid, parameters = _identified(algorithm)
        if parameters is None:
            raise _unsupported(algorithm)
        if oid in _OLD:
            scheme = _OLD[oid]
            salt, rounds = parameters.sequence()
            used = (salt.octets(), rounds.integer())
            key = self._derive(_KEY_ID, scheme.key, "sha1", *used)
            iv = self._derive(_IV_ID, scheme.block, "sha1", *used)
        elif oid == _PBES2:
            derivation, encryption = parameters.sequence()
            cipher, vector = encryption.sequence()
            if cipher.content not in _NEW:
                raise _unsupported(algorithm)
            scheme, iv = _NEW[cipher.content], vector.octets()
            key = self._pbkdf2(derivation, scheme.key)
        else:
            raise _unsupported(algorithm)
        if not data or len(data) % scheme.block or len(iv) != scheme.block:
            raise der.DerError("encrypted content is cut off")
        return _unpadded(scheme.decrypt(key, iv, data), scheme.block)

    def encrypt(self, data: bytes, *, legacy: bool) -> tuple[bytes, bytes]:
        """The algorithm, encoded, and `data` under it."""
        salt = os.urandom(16)
        if legacy:
            key = self._derive(_KEY_ID, 24, "sha1", salt, LEGACY_ROUNDS)
            iv = self._derive(_IV_ID, 8, "sha1", salt, LEGACY_ROUNDS)
            parameters = der.sequence(der.octets(salt), der.integer(LEGACY_ROUNDS))
            encryptor = Cipher(TripleDES(key), modes.CBC(iv)).encryptor()
            algorithm = der.sequence(der.tlv(der.OID, _3DES_SHA1), parameters)
            return algorithm, encryptor.update(_padded(data, 8)) + encryptor.finalize()
        iv = os.urandom(16)
        key = hashlib.pbkdf2_hmac("sha256", self._utf8, salt, ROUNDS, 32)
        prf = der.sequence(der.tlv(der.OID, _HMAC_SHA256), der.tlv(der.NULL))
        derivation = der.sequence(
            der.tlv(der.OID, _PBKDF2),
            der.sequence(der.octets(salt), der.integer(ROUNDS), der.integer(32), prf),
        )
        encryption = der.sequence(der.tlv(der.OID, _AES_256), der.octets(iv))
        algorithm = der.sequence(der.tlv(der.OID, _PBES2), der.sequence(derivation, encryption))
        aes = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        return algorithm, aes.update(_padded(data, 16)) + aes.finalize()

    def matches(self, mac: der.Node, content: bytes) -> bool:
        """Whether the `MacData` is the digest of `content` under this password (RFC 7292 4)."""
        info, salt, *rest = mac.sequence()
        algorithm, value = info.sequence()
        oid, parameters = _identified(algorithm)
        if oid == _PBMAC1 and parameters is not None:
            derivation, scheme = parameters.sequence()
            digest = _PRFS.get(_identified(scheme)[0])
            size = _pbkdf2_parameters(derivation)[2] or 0
            if digest is None or not 0 < size <= 1024:
                raise _unsupported(algorithm)
            key = self._pbkdf2(derivation, size)
        elif oid in _DIGESTS:
            digest = _DIGESTS[oid]
            rounds = rest[0].integer() if rest else 1
            size = hashlib.new(digest, usedforsecurity=False).digest_size
            key = self._derive(_MAC_ID, size, digest, salt.octets(), rounds)
        else:
            raise UnsupportedStoreError(
                "its digest is of a kind unknown here", "make the store anew with keytool"
            )
        return hmac.compare_digest(hmac.digest(key, content, digest), value.octets())

    def mac(self, content: bytes, *, legacy: bool) -> bytes:
        """The `MacData` for `content`, encoded."""
        oid, digest, size = (_SHA1, "sha1", 20) if legacy else (_SHA256, "sha256", 32)
        rounds = LEGACY_DIGEST_ROUNDS if legacy else ROUNDS
        salt = os.urandom(20)
        key = self._derive(_MAC_ID, size, digest, salt, rounds)
        algorithm = der.sequence(der.tlv(der.OID, oid), der.tlv(der.NULL))
        info = der.sequence(algorithm, der.octets(hmac.digest(key, content, digest)))
        return der.sequence(info, der.octets(salt), der.integer(rounds))

    def _pbkdf2(self, derivation: der.Node, size: int) -> bytes:
        salt, rounds, asked, digest = _pbkdf2_parameters(derivation)
        if asked not in (None, size):
            raise der.DerError("the length of a key is not that of its cipher")
        self._rounds.spend(rounds, size, digest)
        return hashlib.pbkdf2_hmac(digest, self._utf8, salt, rounds, size)

    def _derive(self, use: int, size: int, digest: str, salt: bytes, rounds: int) -> bytes:
        """The key derivation of RFC 7292 appendix B.2."""
        self._rounds.spend(rounds, size, digest)
        hashed = getattr(hashlib, digest)
        block = hashed(usedforsecurity=False).block_size
        if len(salt) > 1024:
            raise der.DerError("a salt is longer than any in use")
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


def _identified(algorithm: der.Node) -> tuple[bytes, der.Node | None]:
    """The parts of an AlgorithmIdentifier: object identifier and parameters."""
    oid, *parameters = algorithm.sequence()
    return oid.expect(der.OID).content, parameters[0] if parameters else None


def _pbkdf2_parameters(derivation: der.Node) -> tuple[bytes, int, int | None, str]:
    """Salt, rounds, key length if told, digest (RFC 8018 A.2)."""
    oid, parameters = _identified(derivation)
    if oid != _PBKDF2 or parameters is None:
        raise UnsupportedStoreError(
            "its keys are derived in a way unknown here", "make the store anew with keytool"
        )
    salt, rounds, *rest = parameters.sequence()
    size, digest = None, "sha1"
    for node in rest:
        if node.tag == der.INTEGER:
            size = node.integer()
        else:
            found = _PRFS.get(_identified(node)[0])
            if found is None:
                raise UnsupportedStoreError(
                    "its digest is of a kind unknown here", "make the store anew with keytool"
                )
            digest = found
    return salt.octets(), rounds.integer(), size, digest


def _unsupported(algorithm: der.Node) -> UnsupportedStoreError:
    return UnsupportedStoreError(
        f"it is encrypted by {name_of(algorithm)}", "make the store anew with keytool"
    )


def _digest_name(digest: str) -> str:
    return digest.upper().replace("SHA", "SHA-")


def _repeated(data: bytes, block: int) -> bytes:
    """`data` over and over, to the next whole block; nothing stays nothing."""
    size = block * -(-len(data) // block)
    return (data * (size // len(data) + 1))[:size] if data else b""


def _padded(data: bytes, block: int) -> bytes:
    missing = block - len(data) % block
    return data + bytes((missing,)) * missing


def _unpadded(data: bytes, block: int) -> bytes:
    missing = data[-1]
    if not 1 <= missing <= block or data[-missing:] != bytes((missing,)) * missing:
        raise WrongStorePasswordError
    return data[:-missing]
