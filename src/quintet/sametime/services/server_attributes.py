"""Server attributes: how clients learn what the server offers (P86 to P88).

A client adds the server's id to its watch list, as an `AwareId` of type SERVER, and watches these keys.
"""

from dataclasses import dataclass
from enum import IntEnum, unique

from quintet.sametime.services.aware import flag_value, number_value, text_value


@unique
class ServerAttribute(IntEnum):
    """The keys (P87)."""

    BROWSE_ENABLED = 9004
    LARGEST_FILE = 9009
    RESOLVE_DOMAINS_ALLOWED = 9070
    RESOLVE_DOMAINS_DENIED = 9071
    USER_INFO_URL = 12000


@dataclass(frozen=True, slots=True)
class ServerAbilities:
    """What the server tells of itself. None means that an attribute is not set: "not offered"."""

    browsing: bool = False
    largest_file: int | None = None
    """In KB; 0 is unlimited."""
    domains_allowed: str | None = None
    """The mail domains whose users may be looked up, as the administrator wrote them."""
    domains_denied: str | None = None
    user_info_url: str | None = None
    """The URL of the business cards."""

    def attributes(self) -> dict[int, bytes]:
        """The attributes that are set, by key."""
        values: dict[int, bytes] = {}
        if self.browsing:
            values[ServerAttribute.BROWSE_ENABLED] = flag_value(True)
        if self.largest_file is not None:
            values[ServerAttribute.LARGEST_FILE] = number_value(self.largest_file)
        for key, text in (
            (ServerAttribute.RESOLVE_DOMAINS_ALLOWED, self.domains_allowed),
            (ServerAttribute.RESOLVE_DOMAINS_DENIED, self.domains_denied),
            (ServerAttribute.USER_INFO_URL, self.user_info_url),
        ):
            if text is not None:
                values[key] = text_value(text)
        return values
