"""Who is there: nodes and sessions, by which rule a user may have several, and what bounds them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Self

from quintet.config import ServerLimits
from quintet.sametime.wire.blocks import LoginInfo, UserStatus


class Node(NamedTuple):
    """One server process: its name, and a random part that is another one after each start."""

    name: str
    incarnation: str

    @classmethod
    def start(cls, name: str) -> Self:
        return cls(name, secrets.token_hex(8))


class SignInRule(Enum):
    """What becomes of the other sessions of a user who signs in (`QUINTET_SIGN_INS`)."""

    MANY = "many"
    """They stay: the most available status counts, messages go to the most recently active session."""
    NEWEST = "newest"
    """They end."""
    OLDEST = "oldest"
    """They stay, and the new one is refused."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session, as any node may know it. Its id is `login.login_id`, unique in the community.

    `login_name` is what the user typed. Times are seconds since 1970.
    """

    node: Node
    login: LoginInfo
    login_name: str
    connected_at: float
    last_active: float
    status: UserStatus

    @property
    def id(self) -> str:
        return self.login.login_id


@dataclass(frozen=True, slots=True)
class SharedSession:
    """All that other nodes have to know of a session.

    `order` is greater the later the status was set, `attributes` have the same before their value; numbers
    of different nodes compare. `unsupported` are services that the client refused. A session is `moving`
    while its client is expected at another node: it is shown, but nothing can be sent to it.
    """

    record: SessionRecord
    order: int
    attributes: Mapping[int, tuple[int, bytes]] = field(default_factory=dict)
    unsupported: frozenset[int] = frozenset()
    moving: bool = False

    @classmethod
    def begin(cls, record: SessionRecord) -> Self:
        """A session that has just begun."""
        return cls(record, order_at(record.connected_at))


def order_at(now: float) -> int:
    """The order of what happens at this time."""
    return int(now * 1000)


@dataclass(frozen=True, slots=True)
class PresenceLimits:
    """Bounds for each session, and for each user's number of sessions. Sizes are in bytes."""

    sessions_per_user: int = 10
    watched: int = 2000
    watched_groups: int = 100
    attributes: int = 32
    attribute_size: int = 1024

    @classmethod
    def of(cls, limits: ServerLimits) -> Self:
        """Those that an administrator has set."""
        return cls(
            limits.sessions_per_user,
            limits.watched,
            limits.watched_groups,
            limits.attributes,
            limits.attribute_size,
        )
