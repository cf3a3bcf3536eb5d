"""The compound fields that several messages share (P11 to P17)."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, Final, Self

from quintet.sametime.errors import UnencodableValueError
from quintet.sametime.wire.codec import WireReader, boolean, string, u16, u32

SHORTEST_LOGIN_ID: Final = 5
"""Bytes: clients take as many as an RC2 key, unchecked (P13)."""


@dataclass(frozen=True, slots=True)
class IdBlock:
    """Names a user or a login; empty means the server (P11)."""

    user: str = ""
    community: str = ""

    def encode(self) -> bytes:
        return string(self.user) + string(self.community)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.string(), reader.string())


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """One login of a user (P12). `address` is an IPv4 address as a number."""

    login_id: str
    client_type: int
    user_id: str
    user_name: str
    community: str = ""
    full: bool = True
    description: str = ""
    address: int = 0
    server_id: str = ""

    def encode(self) -> bytes:
        brief = (
            string(self.login_id)
            + u16(self.client_type)
            + string(self.user_id)
            + string(self.user_name)
            + string(self.community)
            + boolean(self.full)
        )
        if not self.full:
            return brief
        return brief + string(self.description) + u32(self.address) + string(self.server_id)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        brief = (reader.string(), reader.u16(), reader.string(), reader.string(), reader.string())
        if not reader.boolean():
            return cls(*brief, full=False)
        return cls(*brief, True, reader.string(), reader.u32(), reader.string())

    def check_fit_to_send(self) -> None:
        """Raise UnencodableValueError for what crashes clients (P13)."""
        if len(self.login_id.encode("utf-8", "surrogateescape")) < SHORTEST_LOGIN_ID:
            raise UnencodableValueError(f"a login id has at least {SHORTEST_LOGIN_ID} bytes")
        if not self.user_id:
            raise UnencodableValueError("a login without a user id")


@dataclass(frozen=True, slots=True)
class UserItem:
    """A user on a privacy list (P14). `name` is None where the client did not give one."""

    user: str
    community: str = ""
    name: str | None = None

    SMALLEST: ClassVar = 5

    def encode(self) -> bytes:
        brief = boolean(self.name is not None) + string(self.user) + string(self.community)
        return brief if self.name is None else brief + string(self.name)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        full = reader.boolean()
        return cls(reader.string(), reader.string(), reader.string() if full else None)


@dataclass(frozen=True, slots=True)
class PrivacyInfo:
    """Who may see a user: all but `users` if `deny`, else only them (P15)."""

    deny: bool = True
    users: tuple[UserItem, ...] = ()

    def encode(self) -> bytes:
        users = b"".join([each.encode() for each in self.users])
        return boolean(self.deny) + u32(len(self.users)) + users

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        deny = reader.boolean()
        count = reader.count(UserItem.SMALLEST)
        return cls(deny, tuple([UserItem.read(reader) for _ in range(count)]))


VISIBLE_TO_ALL: Final = PrivacyInfo(deny=True)
INVISIBLE: Final = PrivacyInfo(deny=False)


class StatusCode(IntEnum):
    """What a user's status may be; others are relayed unchanged (P16)."""

    OFFLINE = 0x0000
    IN_MEETING = 0x0008
    ACTIVE = 0x0020
    IDLE = 0x0040
    AWAY = 0x0060
    DO_NOT_DISTURB = 0x0080


class StatusFlag(IntFlag):
    """Bits in a status beside its code (P16)."""

    MOBILE = 0x0200


@dataclass(frozen=True, slots=True)
class UserStatus:
    """`time` is "idle since" in a unit that depends on the client, relayed unchanged (P16)."""

    status: int = StatusCode.OFFLINE
    time: int = 0
    text: str = ""

    def encode(self) -> bytes:
        return u16(self.status) + u32(self.time) + string(self.text)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16(), reader.u32(), reader.string())


class AwareType(IntEnum):
    """What an `AwareId` names (P17)."""

    USER = 2
    GROUP = 3
    SERVER = 8


@dataclass(frozen=True, slots=True)
class AwareId:
    """A user, group or server whose presence is watched (P17). `type` is mostly an `AwareType`."""

    type: int
    user: str
    community: str = ""

    SMALLEST: ClassVar = 6

    def encode(self) -> bytes:
        """Raises UnencodableValueError if the id is empty: that crashes clients (P79)."""
        if not self.user:
            raise UnencodableValueError("presence of an empty id")
        return u16(self.type) + string(self.user) + string(self.community)

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        return cls(reader.u16(), reader.string(), reader.string())
