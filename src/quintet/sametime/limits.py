"""How much a client may make a session hold or do."""

from dataclasses import dataclass
from typing import Self

from quintet.config import ServerLimits


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds that a session keeps by itself. Sizes are in bytes. Times and rates are the port's affair."""

    bytes_before_sign_in: int = 64 * 1024
    """All that a client may send until it is signed in, keep-alives included: more ends the session."""

    message_before_sign_in: int = 64 * 1024
    """The largest message until then."""

    message_size: int = 1024 * 1024
    """The largest message afterwards. Decrypting one of this size takes some 10 ms."""

    client_channels: int = 256
    """Channels that the client opened and that exist; one more is refused with OUT_OF_RESOURCES."""

    server_channels: int = 256
    """Channels that the server opened to the client and that exist: see `Channels.can_open`."""

    key_exchanges: int = 32
    """Different Diffie-Hellman keys that the client may use for channels to the server, 0.1 ms each: the
    channel with one more is refused with OUT_OF_RESOURCES."""

    status_text: int = 2048
    """The longest status text; a longer one is cut. It goes to every watcher at every change."""

    privacy_users: int = 5000
    """Users on a privacy list; a longer list is ignored and reported."""

    announcement_recipients: int = 1000
    """Recipients of one announcement; one with more is ignored and reported."""

    @classmethod
    def of(cls, limits: ServerLimits) -> Self:
        """Those that an administrator has set."""
        return cls(
            bytes_before_sign_in=limits.bytes_before_sign_in,
            message_before_sign_in=limits.bytes_before_sign_in,
            message_size=limits.message_size,
            client_channels=limits.channels,
            server_channels=limits.channels,
        )
