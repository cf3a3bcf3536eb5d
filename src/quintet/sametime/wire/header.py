"""What every message begins with (P8), and the types that there are (P9, P10)."""

from enum import IntEnum, unique
from struct import Struct
from typing import Final, NamedTuple

from quintet.sametime.errors import MalformedMessageError

HAS_ATTRIBUTES: Final = 0x8000
IS_ENCRYPTED: Final = 0x4000

_HEADER = Struct(">HHI")
HEADER_SIZE: Final = _HEADER.size


@unique
class MessageType(IntEnum):
    """Every type whose name is known; the bodies of those without a class in `messages` are unknown."""

    HANDSHAKE = 0x0000
    LOGIN = 0x0001
    CHANNEL_CREATE = 0x0002
    CHANNEL_DESTROY = 0x0003
    CHANNEL_SEND = 0x0004
    MULTI_SEND_ON_CHANNELS = 0x0005
    CHANNEL_ACCEPT = 0x0006
    ONE_TIME = 0x0007
    SEND_TO_DENIED = 0x0008
    SET_USER_STATUS = 0x0009
    SET_PRIVACY_MODE = 0x000A
    SET_PRIVACY_LIST = 0x000B
    SET_PRIVACY_DENIED = 0x000C
    SENSE_SERVICE = 0x0011
    SERVICE_UP = 0x0012
    SERVICE_DOWN = 0x0013
    REDIRECT_CHANNEL = 0x0014
    LOGIN_CONTINUE = 0x0016
    LOGIN_REDIRECT = 0x0018
    ADMIN = 0x0019
    QUERY_COMMUNITIES = 0x001A
    SET_USER_NAME = 0x001E
    SET_USER_NAME_DENIED = 0x001F
    ANNOUNCE = 0x0022
    DH_RC2_128_KEY_EXCHANGE = 0x0025
    SET_NEW_PRIVACY_LIST = 0x0026
    HANDSHAKE_NG = 0x0027
    LOGIN_NG = 0x0028
    CREATE_CHANNEL_NG = 0x0029
    ACCEPT_CHANNEL_NG = 0x002A
    SEND_TO_NG = 0x002B
    SEND_TO_DENIED_NG = 0x002C
    SERVICE_UP_NG = 0x002D
    SERVICE_DOWN_NG = 0x002E
    MULTICAST_NG = 0x0031
    HANDSHAKE_ACK = 0x8000
    LOGIN_ACK = 0x8001
    HANDSHAKE_ACK_NG = 0x8027
    LOGIN_ACK_NG = 0x8028


class Header(NamedTuple):
    """What every message begins with (P8)."""

    type: int
    options: int
    channel: int


def read_header(frame: bytes) -> Header:
    """The header of a frame without its length. Raises MalformedMessageError."""
    if len(frame) < _HEADER.size:
        raise MalformedMessageError(f"a message of {len(frame)} bytes")
    return Header(*_HEADER.unpack_from(frame))


_NAMES: Final = {each.value: each.name for each in MessageType}


def message_name(message_type: int) -> str:
    """The name of a message type with its number, for logs."""
    name = _NAMES.get(message_type)
    return f"{name} ({message_type:#06x})" if name else f"{message_type:#06x}"


def is_ng(message_type: int) -> bool:
    """Whether it is of the newer family, which Quintet does not speak (P10)."""
    return MessageType.HANDSHAKE_NG <= message_type & 0x7FFF <= MessageType.MULTICAST_NG
