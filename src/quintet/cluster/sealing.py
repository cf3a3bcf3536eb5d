"""What nodes share is encrypted and authenticated: who can write to Valkey must not speak as a user.

Theory of operation
-------------------
A sealed value is a version byte, a nonce of 12 random bytes, and AES-256-GCM's text and tag. The additional
data are the purpose and the place of the value (the parts of its key, field or channel), each with its
length: a value that was copied to another place, or is used for another purpose, does not open.

The key ring has the keys of `QUINTET_CLUSTER_KEY_FILE`. The first one seals, all open, the one that opened
last first. To change keys: add the new one as the last line on every node, then make it the first, then
remove the old one; `renew` is called each time. Nonces are random, so one key seals 2^32 values safely
(NIST SP 800-38D 8.3); that is 4,000 a second for 12 days. So a value is not sealed with the key of the file
but with one derived from it for its purpose and the hour at which it was sealed, which stands before the
nonce.

What does not open is `None` to the caller, who ignores it, and is counted.
"""

import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = 1
_HEAD: Final = struct.Struct(">BI12s")  # version, hour, nonce
_TAG: Final = 16
OVERHEAD: Final = _HEAD.size + _TAG
"""Bytes that a sealed value is longer than what is in it."""
LARGEST: Final = 32 * 1024 * 1024
"""Bytes of the largest value that is sealed or opened."""
_MOST_CIPHERS: Final = 256
_HOUR: Final = 3600


@final
class KeyRing:
    """The keys of the cluster. `clock` gives seconds since 1970; only the hour counts, and need not be right.

    `ignored` is called with the purpose of each value that does not open.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        ignored: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = _checked(keys)
        self._ignored = ignored
        self._clock = clock
        self._ciphers: dict[tuple[bytes, str, int], AESGCM] = {}
        self._derived: dict[tuple[bytes, str], bytes] = {}  # purposes are constants of the code
        self._latest = self._keys[0]

    def renew(self, keys: Sequence[bytes]) -> None:
        """Use these keys from now on."""
        self._keys = _checked(keys)

    def seal(self, purpose: str, place: Iterable[str], data: bytes) -> bytes:
        """Encrypt data for one place. Raises ValueError for more than LARGEST bytes."""
        if len(data) > LARGEST:
            raise ValueError(f"{len(data)} bytes are too many to seal")
        hour = int(self._clock()) // _HOUR & 0xFFFFFFFF
        nonce = secrets.token_bytes(12)
        head = _HEAD.pack(VERSION, hour, nonce)
        return head + self._cipher(self._keys[0], purpose, hour).encrypt(nonce, data, _bound(purpose, place))

    def open(self, purpose: str, place: Iterable[str], sealed: bytes) -> bytes | None:
        """What was sealed for this purpose and place; None for anything else, which is counted."""
        found = self._open(purpose, place, sealed)
        if found is None and self._ignored is not None:
            self._ignored(purpose)
        return found

    def digest(self, purpose: str, *parts: str) -> str:
        """A keyed hash for names in keys: 128 bits in hexadecimal.

        Equal texts have equal hashes, and without the key they can't be guessed. While keys are being changed
        nodes disagree for a moment: it is not for what must be found by all of them.
        """
        return self.digests(purpose, *parts)[0]

    def digests(self, purpose: str, *parts: str) -> tuple[str, ...]:
        """The hashes under all keys, the first key's first: what a node may have used before."""
        keys, data = self.derived(f"digest {purpose}"), _lengths(parts)
        return tuple(hmac.digest(each, data, hashlib.sha256).hex()[:32] for each in keys)

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """32 bytes of each key for another use; those of the first key are to be used, all to be accepted."""
        for each in self._keys:
            if (each, purpose) not in self._derived:
                self._derived[each, purpose] = _derive(each, f"derived {purpose}")
        return tuple(self._derived[each, purpose] for each in self._keys)

    def _open(self, purpose: str, place: Iterable[str], sealed: bytes) -> bytes | None:
        if not OVERHEAD <= len(sealed) <= LARGEST + OVERHEAD:
            return None
        version, hour, nonce = _HEAD.unpack_from(sealed)
        if version != VERSION:
            return None
        bound = _bound(purpose, place)
        for key in sorted(self._keys, key=lambda each: each != self._latest):
            try:
                data = self._cipher(key, purpose, hour).decrypt(
                    nonce, memoryview(sealed)[_HEAD.size :], bound
                )
            except InvalidTag:
                continue
            self._latest = key
            return data
        return None

    def _cipher(self, key: bytes, purpose: str, hour: int) -> AESGCM:
        found = self._ciphers.get((key, purpose, hour))
        if found is None:
            while len(self._ciphers) >= _MOST_CIPHERS:  # hours that garbage names
                del self._ciphers[next(iter(self._ciphers))]
            found = AESGCM(_derive(key, f"seal {purpose} {hour}"))
            self._ciphers[key, purpose, hour] = found
        return found


def _checked(keys: Sequence[bytes]) -> tuple[bytes, ...]:
    if not keys or any(len(each) != 32 for each in keys):
        raise ValueError("a key ring needs keys of 32 bytes")
    return tuple(keys)


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, f"quintet cluster {purpose}".encode()).derive(key)


def _bound(purpose: str, place: Iterable[str]) -> bytes:
    return bytes([VERSION]) + _lengths((purpose, *place))


def _lengths(parts: Iterable[str]) -> bytes:
    encoded = [each.encode("utf-8", "surrogatepass") for each in parts]
    return b"".join(struct.pack(">I", len(each)) + each for each in encoded)
