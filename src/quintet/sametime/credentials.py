"""What a LOGIN proves with: the password in it, recovered from its protection (P38 to P43).

A validator for tokens has its place behind `TokenCredentials`: their layouts are unknown, so they are handed
on as they came, and refused by name.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto, unique

from quintet.sametime.errors import DecryptionError, MalformedMessageError, WeakPublicKeyError
from quintet.sametime.wire import rc2
from quintet.sametime.wire.codec import WireReader
from quintet.sametime.wire.diffie_hellman import KeyPair


@unique
class AuthType(IntEnum):
    """How a LOGIN proves who the user is (P38)."""

    PLAIN = 0
    TOKEN = 1
    RC2_40 = 2
    ANONYMOUS = 3
    RC2_128 = 4
    DH_TOKEN = 5
    NONE = 6
    DH_TOKEN_LIST = 7
    ANONYMOUS_TOKEN = 8
    ANONYMOUS_DH_TOKEN = 9


@dataclass(frozen=True, slots=True)
class PasswordCredentials:
    """A password in the client's character set, mostly UTF-8; perhaps empty. It never shows in a repr."""

    auth_type: AuthType
    password: bytes = field(repr=False)

    @property
    def is_readable_by_listeners(self) -> bool:
        """Whether a listener has the password without any effort."""
        return self.auth_type in (AuthType.PLAIN, AuthType.RC2_40)


@dataclass(frozen=True, slots=True)
class AnonymousCredentials:
    """No password: the user asks to be let in anonymously."""


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """A way to sign in whose layout is unknown. `auth_type` may be outside of `AuthType`."""

    auth_type: int
    data: bytes = field(repr=False)


class CredentialProblem(Enum):
    """Why credentials cannot be read."""

    MALFORMED = auto()
    """They do not have the layout of their type."""
    WEAK_KEY = auto()
    """The client's Diffie-Hellman key is 0, 1, p-1 or out of range."""
    UNDECIPHERABLE = auto()
    """They were not encrypted with the key of this connection."""
    WRONG_MAGIC = auto()
    """They were made for another connection: a replay."""


@dataclass(frozen=True, slots=True)
class UnreadableCredentials:
    """A password is in there, and cannot be recovered. To be refused as a wrong one is."""

    auth_type: AuthType
    problem: CredentialProblem


LoginCredentials = PasswordCredentials | AnonymousCredentials | TokenCredentials | UnreadableCredentials


def read_credentials(auth_type: int, data: bytes, key_pair: KeyPair, magic: int) -> LoginCredentials:
    """What a LOGIN of `auth_type` brings in `data`.

    `key_pair` and `magic` are those of the HANDSHAKE_ACK on this connection. Type 4 costs an exchange (P47).
    """
    match auth_type:
        case AuthType.PLAIN:
            return PasswordCredentials(AuthType.PLAIN, _plain(data))
        case AuthType.ANONYMOUS:
            return AnonymousCredentials()
        case AuthType.RC2_40 | AuthType.RC2_128:
            kind = AuthType(auth_type)
        case _:
            return TokenCredentials(auth_type, data)
    try:
        if kind is AuthType.RC2_40:
            return PasswordCredentials(kind, _rc2_40(data))
        sent_magic, password = _rc2_128(data, key_pair)
    except MalformedMessageError:
        return UnreadableCredentials(kind, CredentialProblem.MALFORMED)
    except WeakPublicKeyError:
        return UnreadableCredentials(kind, CredentialProblem.WEAK_KEY)
    except DecryptionError:
        return UnreadableCredentials(kind, CredentialProblem.UNDECIPHERABLE)
    if sent_magic != magic:
        return UnreadableCredentials(kind, CredentialProblem.WRONG_MAGIC)
    return PasswordCredentials(kind, password)


def _plain(data: bytes) -> bytes:
    if len(data) >= 2 and int.from_bytes(data[:2], "big") == len(data) - 2:
        return data[2:]
    return data


def _rc2_40(data: bytes) -> bytes:
    reader = WireReader(data)
    return rc2.decrypt(reader.opaque(), reader.opaque())


def _rc2_128(data: bytes, key_pair: KeyPair) -> tuple[int, bytes]:
    reader = WireReader(data)
    reader.skip(2)
    key = key_pair.rc2_key(reader.opaque())
    plain = WireReader(rc2.decrypt(key, reader.opaque()))
    return plain.u32(), plain.string_bytes()
