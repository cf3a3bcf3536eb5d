"""How two sides agree on the cipher of a channel, and the cipher then (P57 to P66).

The blocks keep their bytes as they came, because the server relays them unchanged (P54). What they say is
read on demand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self, final

from quintet.sametime.errors import MalformedMessageError, NoCommonCipherError
from quintet.sametime.wire.blocks import SHORTEST_LOGIN_ID
from quintet.sametime.wire.codec import WireReader, boolean, opaque, u16, u32
from quintet.sametime.wire.diffie_hellman import KEY_BYTES
from quintet.sametime.wire.rc2 import Rc2Stream

_MOST_ITEMS: Final = 16
_SMALLEST_ITEM: Final = 6
_SMALLEST_OFFER: Final = 7
_SMALLEST_CHOICE: Final = 6
_CLOSING: Final = u32(0) + u32(0) + u16(7)


class EncryptionMode(IntEnum):
    """Which encryption is wanted or chosen (P60)."""

    NONE = 0x0000
    WHATEVER = 0x0001
    ALL = 0x0002
    RC2_40 = 0x1000
    RC2_128 = 0x2000


class CipherId(IntEnum):
    """P18."""

    RC2_40 = 0
    RC2_128 = 1


_ONLY: Final[dict[int, CipherId]] = {
    EncryptionMode.RC2_40: CipherId.RC2_40,
    EncryptionMode.RC2_128: CipherId.RC2_128,
}
"""The modes that name a cipher."""


@dataclass(frozen=True, slots=True)
class EncryptItem:
    """A cipher, and for RC2/128 the public key of who speaks (P18)."""

    cipher: int
    info: bytes = b""

    def encode(self) -> bytes:
        return u16(self.cipher) + opaque(self.info)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        item = cls(reader.u16(), reader.opaque())
        if item.cipher == CipherId.RC2_128 and len(item.info) > KEY_BYTES:
            raise MalformedMessageError(f"a public key of {len(item.info)} bytes")  # P66
        return item


@dataclass(frozen=True, slots=True)
class EncryptionOffer:
    """What the creator of a channel offers (P57)."""

    mode: int = EncryptionMode.NONE
    block: bytes = b""

    @classmethod
    def of(cls, mode: int, items: Iterable[EncryptItem]) -> Self:
        """The offer of these ciphers."""
        parts = [each.encode() for each in items]
        return cls(mode, u32(len(parts)) + b"".join(parts) + u16(mode) + boolean(False))

    def items(self) -> tuple[EncryptItem, ...]:
        """Raises MalformedMessageError for a block that says something impossible."""
        if len(self.block) < _SMALLEST_OFFER:
            return ()
        reader = WireReader(self.block)
        count = reader.count(_SMALLEST_ITEM, _MOST_ITEMS)
        return tuple([EncryptItem.read(reader) for _ in range(count)])

    def encode(self) -> bytes:
        """With the 10 bytes that close a CHANNEL_CREATE."""
        return _encode(self.mode, self.block)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16(), reader.opaque())


@dataclass(frozen=True, slots=True)
class EncryptionChoice:
    """What the acceptor of a channel chose (P58)."""

    mode: int = EncryptionMode.NONE
    block: bytes = b""

    @classmethod
    def of(cls, item: EncryptItem, offered_mode: int) -> Self:
        """The choice of this cipher, which is RC2/40 or RC2/128."""
        mode = EncryptionMode.RC2_40 if item.cipher == CipherId.RC2_40 else EncryptionMode.RC2_128
        return cls(mode, item.encode() + u16(offered_mode) + boolean(False))

    def item(self) -> EncryptItem | None:
        """Raises MalformedMessageError for a block that says something impossible."""
        if self.mode == EncryptionMode.NONE or len(self.block) < _SMALLEST_CHOICE:
            return None
        return EncryptItem.read(WireReader(self.block))

    def encode(self) -> bytes:
        """With the 10 bytes that close a CHANNEL_ACCEPT."""
        return _encode(self.mode, self.block)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16(), reader.opaque())


def _encode(mode: int, block: bytes) -> bytes:
    # The length of an empty block and the closing bytes overlap (P59).
    return u16(mode) + (opaque(block) if block else b"") + _CLOSING


def choose_item(offer: EncryptionOffer) -> EncryptItem | None:
    """The item of the offer that an acceptor with both ciphers takes; None for no encryption (P61).

    Raises NoCommonCipherError, or MalformedMessageError.
    """
    offered = {each.cipher: each for each in offer.items()}
    if offer.mode == EncryptionMode.NONE:
        return None
    if offer.mode in _ONLY:
        chosen = offered.get(_ONLY[offer.mode])
    else:
        chosen = offered.get(CipherId.RC2_128) or offered.get(CipherId.RC2_40)
    if chosen is None and offer.mode != EncryptionMode.WHATEVER:
        raise NoCommonCipherError(f"mode {offer.mode:#06x} with ciphers {sorted(offered)}")
    return chosen


@final
class ChannelCipher:
    """Both directions of one encrypted channel, seen from one side."""

    __slots__ = ("_receiving", "_sending")

    def __init__(self, sending_key: bytes, receiving_key: bytes) -> None:
        self._sending = Rc2Stream(sending_key)
        self._receiving = Rc2Stream(receiving_key)

    @classmethod
    def rc2_40(cls, own_login_id: str, peer_login_id: str) -> Self:
        """Each sender's key is the beginning of its login id (P63)."""
        own, peer = (each.encode("utf-8", "surrogateescape") for each in (own_login_id, peer_login_id))
        return cls(own[:SHORTEST_LOGIN_ID], peer[:SHORTEST_LOGIN_ID])

    @classmethod
    def rc2_128(cls, key: bytes) -> Self:
        """One key for both directions (P64)."""
        return cls(key, key)

    def encrypt(self, data: bytes) -> bytes:
        return self._sending.encrypt(data)

    def decrypt(self, data: bytes) -> bytes:
        """Raises DecryptionError; the channel cannot go on then."""
        return self._receiving.decrypt(data)
