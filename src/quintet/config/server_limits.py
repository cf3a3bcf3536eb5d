"""Every bound of the Sametime port, with its setting, default, unit and meaning: one fact in one place.

The schema, the reference page and the server take them from here. Limits are whole numbers in settings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any


class Unit(Enum):
    """What a limit counts."""

    NUMBER = ""
    BYTES = "bytes"
    BYTES_PER_SECOND = "bytes/s"
    SECONDS = "s"


@dataclass(frozen=True, slots=True)
class LimitInfo:
    """What the reference page says of one limit. `least` and `most` bound what may be set."""

    name: str
    setting: str
    default: float
    unit: Unit
    meaning: str
    least: float
    most: float


def _limit(default: Any, setting: str, unit: Unit, meaning: str, least: float, most: float) -> Any:
    info = {"setting": setting, "unit": unit, "meaning": meaning, "least": least, "most": most}
    return field(default=default, metadata=info)


_N, _B, _S, _R = Unit.NUMBER, Unit.BYTES, Unit.SECONDS, Unit.BYTES_PER_SECOND
_KB, _MB = 1024, 1024 * 1024
_CLOSED_PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The bounds of one server. Values outside of the range of a limit raise ValueError."""

    # Before sign-in
    sign_in_seconds: float = _limit(
        30.0, "QUINTET_SIGN_IN_SECONDS", _S, "From accepting a connection to its LOGIN, TLS included", 1, 600
    )
    bytes_before_sign_in: int = _limit(
        64 * _KB, "QUINTET_BYTES_BEFORE_SIGN_IN", _B, "All that a client may send until then", 4096, _MB
    )
    places: int = _limit(
        2000,
        "QUINTET_PENDING_CONNECTIONS",
        _N,
        "Connections without a LOGIN yet; one more closes the one that has waited longest",
        1,
        100_000,
    )
    places_per_address: int = _limit(
        200, "QUINTET_PENDING_PER_ADDRESS", _N, "The same for one address", 1, 100_000
    )
    sign_ins_at_once: int = _limit(
        64, "QUINTET_SIGN_INS_AT_ONCE", _N, "Sign-ins that the directory works on at the same time", 1, 10_000
    )
    sign_ins_waiting: int = _limit(
        5000,
        "QUINTET_SIGN_INS_WAITING",
        _N,
        "Sign-ins that wait for that; one more is refused with 0x80001002",
        0,
        100_000,
    )
    # Sessions
    sessions: int = _limit(
        20_000,
        "QUINTET_MAX_SESSIONS",
        _N,
        "Signed-in sessions; one more is refused with 0x8000020b",
        1,
        1_000_000,
    )
    sessions_per_user: int = _limit(
        10,
        "QUINTET_MAX_SESSIONS_PER_USER",
        _N,
        "Sessions of one user; one more ends the one that was active least recently",
        1,
        1000,
    )
    bytes_per_second: int = _limit(
        512 * _KB,
        "QUINTET_BYTES_PER_SECOND",
        _R,
        "What a session may send in the long run; beyond, the server reads more slowly",
        1024,
        1024 * _MB,
    )
    burst: int = _limit(
        2 * _MB,
        "QUINTET_BURST",
        _B,
        "What a session may send at once before that counts",
        64 * _KB,
        1024 * _MB,
    )
    message_size: int = _limit(
        _MB, "QUINTET_MESSAGE_SIZE", _B, "The largest message of a signed-in client", 64 * _KB, 16 * _MB
    )
    channels: int = _limit(
        256, "QUINTET_MAX_CHANNELS", _N, "Channels of a session from either side", 8, 10_000
    )
    requests_in_flight: int = _limit(
        100,
        "QUINTET_MAX_REQUESTS",
        _N,
        "Requests of a session that wait for the directory or the database; beyond, it is not read from",
        1,
        10_000,
    )
    unsent: int = _limit(
        2 * _MB,
        "QUINTET_UNSENT_BYTES",
        _B,
        "What waits to be sent to a client that reads slowly; beyond, its session ends",
        64 * _KB,
        64 * _MB,
    )
    stalled_seconds: float = _limit(
        60.0, "QUINTET_STALLED_SECONDS", _S, "How long a client may leave data unread", 1, 3600
    )
    keep_alive_seconds: float = _limit(
        60.0,
        "QUINTET_KEEP_ALIVE_SECONDS",
        _S,
        "Between two bytes that show whether a client is there",
        5,
        3600,
    )
    # Presence
    watched: int = _limit(
        2000, "QUINTET_MAX_WATCHED", _N, "Users and groups that a session may watch", 1, 100_000
    )
    watched_groups: int = _limit(100, "QUINTET_MAX_WATCHED_GROUPS", _N, "Public groups among them", 0, 10_000)
    attributes: int = _limit(32, "QUINTET_MAX_ATTRIBUTES", _N, "Attributes that a session may set", 0, 1000)
    attribute_size: int = _limit(
        1024, "QUINTET_ATTRIBUTE_SIZE", _B, "The largest value of such an attribute", 4, 64 * _KB
    )
    # Services
    names_per_request: int = _limit(200, "QUINTET_MAX_NAMES", _N, "Names in one RESOLVE request", 1, 10_000)
    matches: int = _limit(50, "QUINTET_MAX_MATCHES", _N, "Matches that are sent for one name", 1, 1000)
    cached_names: int = _limit(
        20_000, "QUINTET_CACHED_NAMES", _N, "Users and groups that are kept by ID", 0, 1_000_000
    )
    conferences: int = _limit(
        20, "QUINTET_MAX_CONFERENCES", _N, "Conferences that a session may have open", 0, 1000
    )
    conference_members: int = _limit(
        200, "QUINTET_MAX_CONFERENCE_MEMBERS", _N, "Members and invited users of a conference", 2, 10_000
    )
    # Storage
    value_size: int = _limit(
        64 * _KB + 2,
        "QUINTET_STORED_VALUE_SIZE",
        _B,
        "The largest value that a client may save",
        1024,
        16 * _MB,
    )
    values: int = _limit(200, "QUINTET_STORED_VALUES", _N, "Values that a user may have", 1, 10_000)
    # Times of the server
    key_pair_seconds: float = _limit(
        10.0,
        "QUINTET_KEY_PAIR_SECONDS",
        _S,
        "How long one Diffie-Hellman key pair serves handshakes",
        1,
        3600,
    )
    reconnect_seconds: float = _limit(
        30.0,
        "QUINTET_RECONNECT_SECONDS",
        _S,
        "Over how long sessions are closed that have to load their lists again",
        0,
        3600,
    )
    shutdown_seconds: float = _limit(
        30.0, "QUINTET_SHUTDOWN_SECONDS", _S, "Over how long connections are closed at shutdown", 0, 600
    )

    def __post_init__(self) -> None:
        for info in limits_table():
            value = getattr(self, info.name)
            if not info.least <= value <= info.most:
                raise ValueError(f"{info.setting}: {value} is not between {info.least} and {info.most}")

    def closing_seconds(self, connections: int) -> float:
        """Over how many seconds so many connections are closed: a few are not spread over all the time."""
        return min(self.shutdown_seconds, connections / _CLOSED_PER_SECOND)


def limits_table() -> Iterator[LimitInfo]:
    """All limits in the order of their declaration."""
    for each in fields(ServerLimits):
        assert isinstance(each.default, int | float)
        yield LimitInfo(each.name, default=each.default, **each.metadata)
