"""A Sametime client without a socket, with the habits of libmeanwhile: for tests, and to generate load.

Bytes in by `receive`, messages out of it; bytes to send by `data_to_send`. It logs in by itself when the
handshake is answered, and encrypts and decrypts channels on which a cipher was agreed.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from quintet.sametime.client_types import ClientType
from quintet.sametime.credentials import AuthType
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import SERVICES, ServiceId
from quintet.sametime.wire import rc2
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, IdBlock, LoginInfo, StatusCode, UserStatus
from quintet.sametime.wire.codec import opaque, u16, u32
from quintet.sametime.wire.diffie_hellman import KEY_BYTES, KeyPair
from quintet.sametime.wire.encryption import (
    ChannelCipher,
    CipherId,
    EncryptionChoice,
    EncryptionMode,
    EncryptionOffer,
    EncryptItem,
    choose_item,
)
from quintet.sametime.wire.framing import FrameDecoder
from quintet.sametime.wire.messages import (
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    Handshake,
    HandshakeAck,
    Login,
    LoginAck,
    LoginContinue,
    LoginRedirect,
    SametimeMessage,
    SetPrivacyList,
    SetUserStatus,
    UnknownMessage,
    decode,
    encode,
)

BOTH_CIPHERS = (CipherId.RC2_40, CipherId.RC2_128)
_LARGEST_FRAME = 16 * 1024 * 1024
_KEYS = KeyPair.from_private(0x5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED5EED)
"""Of all clients that bring none: to make one takes half of what a sign-in does."""


def protect(auth_type: AuthType, password: bytes, ack: HandshakeAck, keys: KeyPair) -> bytes:
    """The authentication data of a LOGIN of type 0, 2 or 4, or empty for other types."""
    if auth_type is AuthType.PLAIN:
        return u16(len(password)) + password
    if auth_type is AuthType.RC2_40:
        key = bytes((1, 2, 3, 4, 5))
        return opaque(key) + opaque(rc2.encrypt(key, password))
    if auth_type is AuthType.RC2_128:
        plain = u32(ack.magic) + u16(len(password)) + password
        secret = rc2.encrypt(_shared_key(keys, ack.public_key), plain)
        return u16(1) + opaque(keys.public) + opaque(secret)
    return b""


@functools.lru_cache(64)
def _shared_key(keys: KeyPair, peer: bytes) -> bytes:
    """Worked out once for all clients with the same keys, so that many clients cost little."""
    return keys.rc2_key(peer)


@dataclass(slots=True)
class _ClientChannel:
    service: int
    cipher: ChannelCipher | None = None


class SametimeClient:
    """The client's side of one connection.

    `login` is set once it is signed in, `ended` once the server has destroyed the master channel.
    `stay` is whether it stays when it is redirected.
    """

    def __init__(
        self,
        name: str,
        password: bytes = b"secret",
        *,
        auth_type: AuthType | None = None,
        client_type: int = ClientType.LIBMEANWHILE,
        keys: KeyPair = _KEYS,
        stay: bool = True,
    ) -> None:
        self.name = name
        self.login: LoginInfo | None = None
        self.ended: ReasonCode | None = None
        self.channels: dict[int, _ClientChannel] = {}
        self._password = password
        self._auth_type = auth_type
        self._client_type = client_type
        self._keys = keys
        self._stay = stay
        self._frames = FrameDecoder(_LARGEST_FRAME)
        self._out: list[bytes] = []
        self._last_channel = 0
        self._sent_login = False

    def start(self) -> None:
        self.say(Handshake(self._client_type))

    def say(self, message: SametimeMessage) -> None:
        """Queue any message."""
        self._out.append(encode(message))

    def data_to_send(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> list[SametimeMessage | UnknownMessage]:
        """The messages in the bytes that came, decrypted."""
        self._frames.feed(data)
        messages = []
        while (frame := self._frames.next_frame()) is not None:
            messages.append(self._take(decode(frame)))
        return messages

    def greet(self) -> dict[ServiceId, int]:
        """What libmeanwhile does when it is signed in: three channels, its status, its privacy list."""
        services = (ServiceId.RESOLVE, ServiceId.AWARE, ServiceId.STORAGE)
        channels = {each: self.create(each) for each in services}
        self.say(SetUserStatus(UserStatus(StatusCode.ACTIVE)))
        self.say(SetPrivacyList(VISIBLE_TO_ALL))
        return channels

    def create(
        self,
        service: int,
        target: str = "",
        additional: bytes = b"",
        ciphers: Iterable[CipherId] = (),
        mode: int = EncryptionMode.WHATEVER,
    ) -> int:
        """Open a channel; its id. Without ciphers nothing is offered."""
        self._last_channel += 1
        definition = SERVICES[service]
        infos = {CipherId.RC2_40: b"", CipherId.RC2_128: self._keys.public}
        items = [EncryptItem(each, infos[each]) for each in ciphers]
        create = ChannelCreate(
            self._last_channel,
            service,
            definition.protocol,
            definition.version,
            IdBlock(target),
            additional=additional,
            encryption=EncryptionOffer.of(mode, items) if items else EncryptionOffer(),
        )
        self.channels[self._last_channel] = _ClientChannel(service)
        self.say(create)
        return self._last_channel

    def accept(self, create: ChannelCreate, additional: bytes = b"") -> None:
        """Accept what another client or the server opened, by the best cipher that it offers."""
        assert self.login is not None
        channel = _ClientChannel(create.service)
        item = choose_item(create.encryption)
        choice = EncryptionChoice()
        if item is not None and item.cipher == CipherId.RC2_40:
            assert create.creator is not None
            channel.cipher = ChannelCipher.rc2_40(self.login.login_id, create.creator.login_id)
            choice = EncryptionChoice.of(EncryptItem(CipherId.RC2_40), create.encryption.mode)
        elif item is not None:
            channel.cipher = ChannelCipher.rc2_128(self._keys.rc2_key(item.info))
            own = EncryptItem(CipherId.RC2_128, self._keys.public)
            choice = EncryptionChoice.of(own, create.encryption.mode)
        self.channels[create.new_channel] = channel
        self.say(
            ChannelAccept(
                create.new_channel,
                create.service,
                create.protocol,
                create.version,
                additional,
                encryption=choice,
            )
        )

    def send(self, channel_id: int, message_type: int, data: bytes) -> None:
        """Send data on an open channel, encrypted if a cipher was agreed on."""
        cipher = self.channels[channel_id].cipher
        if cipher is not None:
            data = cipher.encrypt(data)
        self.say(ChannelSend(channel_id, message_type, data, encrypted=cipher is not None))

    def destroy(self, channel_id: int, reason: int = ReasonCode.SUCCESS) -> None:
        self.channels.pop(channel_id, None)
        self.say(ChannelDestroy(channel_id, reason))

    def _take(self, message: SametimeMessage | UnknownMessage) -> SametimeMessage | UnknownMessage:
        match message:
            case HandshakeAck() if not self._sent_login:  # the second one only lets the LOGIN_ACK in
                self._on_ack(message)
            case LoginRedirect() if self._stay:
                self.say(LoginContinue())
            case LoginAck(login):
                self.login = login
            case ChannelAccept():
                self._on_accept(message)
            case ChannelDestroy(0, reason):
                self.ended = ReasonCode(reason)
            case ChannelDestroy(channel_id):
                self.channels.pop(channel_id, None)
            case ChannelSend(channel_id, _, data, True):
                cipher = self.channels[channel_id].cipher
                assert cipher is not None
                return replace(message, data=cipher.decrypt(data), encrypted=False)
        return message

    def _on_ack(self, ack: HandshakeAck) -> None:
        self._sent_login = True
        strong = len(ack.public_key) >= KEY_BYTES
        auth_type = self._auth_type if self._auth_type is not None else _LIBMEANWHILES[strong]
        data = protect(auth_type, self._password, ack, self._keys)
        self.say(Login(self._client_type, self.name, data, auth_type))

    def _on_accept(self, accept: ChannelAccept) -> None:
        item = accept.encryption.item()
        if item is None:
            return
        channel = self.channels[accept.channel]
        if item.cipher == CipherId.RC2_128:
            channel.cipher = ChannelCipher.rc2_128(self._keys.rc2_key(item.info))
        else:
            assert self.login is not None
            assert accept.acceptor is not None
            channel.cipher = ChannelCipher.rc2_40(self.login.login_id, accept.acceptor.login_id)


_LIBMEANWHILES = {True: AuthType.RC2_128, False: AuthType.RC2_40}
