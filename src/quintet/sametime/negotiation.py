"""Which cipher a channel to the server gets, and its keys (P61 to P64)."""

from typing import Final, final

from quintet.sametime.errors import MalformedMessageError, NoCommonCipherError, WeakPublicKeyError
from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.diffie_hellman import KeyPair, check_public_key
from quintet.sametime.wire.encryption import (
    ChannelCipher,
    CipherId,
    EncryptionChoice,
    EncryptionOffer,
    EncryptItem,
    choose_item,
)

_UNENCRYPTED: Final = EncryptionChoice()


@final
class CipherNegotiator:
    """Agrees with one client. An exchange of keys is made once for each key that the client uses."""

    __slots__ = ("_key_pair", "_keys", "_most_keys")

    def __init__(self, key_pair: KeyPair, most_keys: int) -> None:
        self._key_pair = key_pair
        self._most_keys = most_keys
        self._keys: dict[bytes, bytes | None] = {}  # the client's public key: the RC2 key once it is needed

    def check(self, offer: EncryptionOffer) -> ReasonCode | None:
        """Why the offer has to be refused, or None. What passes here can be accepted by `choose`."""
        try:
            item = choose_item(offer)
            if item is None or item.cipher != CipherId.RC2_128 or item.info in self._keys:
                return None
            check_public_key(item.info)
        except MalformedMessageError:
            return ReasonCode.BAD_DATA
        except NoCommonCipherError:
            return ReasonCode.NO_COMMON_ENCRYPTION
        except WeakPublicKeyError:
            return ReasonCode.ENCRYPTION_DATA_INVALID
        if len(self._keys) >= self._most_keys:
            return ReasonCode.OUT_OF_RESOURCES
        self._keys[item.info] = None
        return None

    def choose(
        self, offer: EncryptionOffer, own_login_id: str, client_login_id: str
    ) -> tuple[EncryptionChoice, ChannelCipher | None]:
        """What to answer to an offer that was checked, and the cipher of the channel then."""
        item = choose_item(offer)
        if item is None:
            return _UNENCRYPTED, None
        if item.cipher == CipherId.RC2_40:
            own = EncryptItem(CipherId.RC2_40)
            return EncryptionChoice.of(own, offer.mode), ChannelCipher.rc2_40(own_login_id, client_login_id)
        key = self._keys.get(item.info)
        if key is None:
            key = self._keys[item.info] = self._key_pair.rc2_key(item.info)
        own = EncryptItem(CipherId.RC2_128, self._key_pair.public)
        return EncryptionChoice.of(own, offer.mode), ChannelCipher.rc2_128(key)
