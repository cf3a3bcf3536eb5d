"""The Diffie-Hellman exchange of the protocol (P44). 512 bits: it hides passwords, it does not protect them.

An exchange takes some 0.1 ms (P47): callers limit how many a client may cause. The prime is a safe one, so
256 bits are enough for a private exponent: to find it takes longer than to break a group of 512 bits.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from Cryptodome.Math.Numbers import Integer

from quintet.sametime.errors import WeakPublicKeyError

KEY_BYTES: Final = 64
_PRIVATE_BITS: Final = 256

GENERATOR: Final = 3

PRIME: Final = int(
    "cf84afce86ddfa527f136d10357528eefba0afef808f29174e3b6a9e97000171"
    "7c8f106c41c161a6ce91057b34da62cbb87bfdc1b35c1b910fea72249d566b9f",
    16,
)


def check_public_key(key: bytes) -> int:
    """The key as a number. Raises WeakPublicKeyError for one that gives the shared secret away."""
    if len(key) > KEY_BYTES:
        raise WeakPublicKeyError(f"a public key of {len(key)} bytes")
    value = int.from_bytes(key, "big")
    if not 1 < value < PRIME - 1:
        raise WeakPublicKeyError("a public key of 0, 1, p-1 or more")
    return value


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private exponent and its public key: 64 bytes, big-endian, leading zeros kept (P20)."""

    private: int = field(repr=False)
    public: bytes

    @classmethod
    def generate(cls) -> Self:
        return cls.from_private(secrets.randbits(_PRIVATE_BITS) + 2)

    @classmethod
    def from_private(cls, private: int) -> Self:
        return cls(private, _power(GENERATOR, private))

    def shared_secret(self, peer: bytes) -> bytes:
        """The 64 bytes that both sides know. Raises WeakPublicKeyError for a key that gives it away."""
        return _power(check_public_key(peer), self.private)

    def rc2_key(self, peer: bytes) -> bytes:
        """The RC2 key that both sides know: the last 16 bytes of the secret."""
        return self.shared_secret(peer)[-16:]


def _power(base: int, exponent: int) -> bytes:
    return int(pow(Integer(base), exponent, PRIME)).to_bytes(KEY_BYTES, "big")
