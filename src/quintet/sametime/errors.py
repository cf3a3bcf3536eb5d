"""What can be wrong with the protocol: with what came, or with what was to be sent.

Texts name positions, sizes and numbers, never contents: what clients send is secret or personal.
"""


class SametimeProtocolError(Exception):
    """The root of this package's errors."""


class MalformedMessageError(SametimeProtocolError):
    """The bytes that came are not what the protocol says (docs/design/sametime-protocol.md)."""


class MessageTooLargeError(MalformedMessageError):
    """A frame announces more bytes than are accepted."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes; the limit is {limit}")
        self.size = size
        self.limit = limit


class UnknownMessageTypeError(SametimeProtocolError):
    """The type is not among those that a service takes. It is to be ignored, and counted."""

    def __init__(self, service: str, message_type: int) -> None:
        super().__init__(f"{service} has no message of type {message_type:#06x}")
        self.service = service
        self.message_type = message_type


class DecryptionError(SametimeProtocolError):
    """The ciphertext is not what a sender with the right key would send."""


class WeakPublicKeyError(SametimeProtocolError):
    """A Diffie-Hellman public key that makes the shared secret known: 0, 1, p-1, or out of range."""


class NoCommonCipherError(SametimeProtocolError):
    """The offer for a channel demands encryption, and by none of the ciphers that exist here."""


class UnencodableValueError(SametimeProtocolError, ValueError):
    """The caller passed a value that the wire cannot carry, or that would crash clients. Nothing is sent."""


class SessionStateError(SametimeProtocolError):
    """The caller asked for what the session's or the channel's state does not allow. Nothing is sent."""
