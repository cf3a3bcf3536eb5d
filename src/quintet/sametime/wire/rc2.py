"""RC2 as the protocol uses it: 1024 effective bits, CBC from a fixed IV, padding (P45, P46)."""

from typing import Final, final

from Cryptodome.Cipher import ARC2

from quintet.sametime.errors import DecryptionError

BLOCK: Final = 8
FIRST_IV: Final = bytes.fromhex("0123456789abcdef")
_KEY_BYTES: Final = range(5, 129)


@final
class Rc2Stream:
    """One direction of a channel: CBC that runs on from message to message (P65).

    For encryption or for decryption, not both. A key has 5 to 128 bytes; DecryptionError is raised for
    others, since keys come from clients.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) not in _KEY_BYTES:
            raise DecryptionError(f"an RC2 key of {len(key)} bytes")
        self._cipher = ARC2.new(  # noqa: S304  the protocol's own cipher
            key,
            ARC2.MODE_CBC,
            FIRST_IV,
            effective_keylen=1024,  # type: ignore[call-arg]  # missing in the library's stubs only
        )

    def encrypt(self, plain: bytes) -> bytes:
        padding = BLOCK - len(plain) % BLOCK
        return self._cipher.encrypt(plain + bytes((padding,)) * padding)

    def decrypt(self, secret: bytes) -> bytes:
        """Raises DecryptionError; the stream is useless from then on."""
        if not secret or len(secret) % BLOCK:
            raise DecryptionError(f"{len(secret)} bytes of ciphertext")
        plain = self._cipher.decrypt(secret)
        if not 1 <= plain[-1] <= BLOCK:
            raise DecryptionError("the padding is wrong")
        return plain[: -plain[-1]]


def encrypt(key: bytes, plain: bytes) -> bytes:
    """One message by itself, as in LOGIN."""
    return Rc2Stream(key).encrypt(plain)


def decrypt(key: bytes, secret: bytes) -> bytes:
    """One message by itself. Raises DecryptionError."""
    return Rc2Stream(key).decrypt(secret)
