"""The interface for what speaks for other nodes: the community's values, and what a server asks and hears."""

from quintet.sametime.community import (
    Community,
    Node,
    PresenceLimits,
    Refusal,
    SessionRecord,
    SharedSession,
    SignInRule,
)
from quintet.sametime.community.effects import (
    AcceptAt,
    CloseAt,
    CloseConference,
    Effect,
    EndSession,
    InviteTo,
    OpenAt,
    SendAt,
    TellConference,
    UnwatchUser,
    WatchUser,
)
from quintet.sametime.community.privacy import NOBODY, PrivacyRules
from quintet.sametime.community.records import order_at
from quintet.sametime.community.routing import OFFLINE, other_end, place_of
from quintet.sametime.errors import MalformedMessageError, UnencodableValueError, UnknownMessageTypeError
from quintet.sametime.ids import id_digest
from quintet.sametime.neighbours import (
    AnnounceTo,
    EndNamed,
    LocalNode,
    Order,
    Registered,
    ShowText,
    StoredChange,
    VersionedPrivacy,
)
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.conference import (
    ConferenceInvitation,
    ConferenceInvite,
    ConferenceJoin,
    ConferenceRequest,
    ConferenceText,
    ConferenceTyping,
    decode_notice,
    decode_request,
)
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo, UserStatus
from quintet.sametime.wire.codec import WireReader, boolean, opaque, string, u16, u32
from quintet.sametime.wire.header import Header
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate

__all__ = [
    "NOBODY",
    "OFFLINE",
    "AcceptAt",
    "AnnounceTo",
    "ChannelAccept",
    "ChannelCreate",
    "CloseAt",
    "CloseConference",
    "Community",
    "ConferenceInvitation",
    "ConferenceInvite",
    "ConferenceJoin",
    "ConferenceRequest",
    "ConferenceText",
    "ConferenceTyping",
    "Effect",
    "EndNamed",
    "EndSession",
    "Header",
    "InviteTo",
    "LocalNode",
    "LoginInfo",
    "MalformedMessageError",
    "Node",
    "OpenAt",
    "Order",
    "PresenceLimits",
    "PrivacyInfo",
    "PrivacyRules",
    "ReasonCode",
    "Refusal",
    "Registered",
    "SendAt",
    "SessionRecord",
    "SharedSession",
    "ShowText",
    "SignInRule",
    "StoredChange",
    "TellConference",
    "UnencodableValueError",
    "UnknownMessageTypeError",
    "UnwatchUser",
    "UserStatus",
    "VersionedPrivacy",
    "WatchUser",
    "WireReader",
    "boolean",
    "decode_notice",
    "decode_request",
    "id_digest",
    "opaque",
    "order_at",
    "other_end",
    "place_of",
    "string",
    "u16",
    "u32",
]
