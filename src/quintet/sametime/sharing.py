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
from quintet.sametime.community.effects import Effect, EndSession, UnwatchUser, WatchUser
from quintet.sametime.community.privacy import NOBODY, PrivacyRules
from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.ids import id_digest
from quintet.sametime.neighbours import Registered, VersionedPrivacy
from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo, UserStatus
from quintet.sametime.wire.codec import WireReader, string

__all__ = [
    "NOBODY",
    "Community",
    "Effect",
    "EndSession",
    "LoginInfo",
    "MalformedMessageError",
    "Node",
    "PresenceLimits",
    "PrivacyInfo",
    "PrivacyRules",
    "ReasonCode",
    "Refusal",
    "Registered",
    "SessionRecord",
    "SharedSession",
    "SignInRule",
    "UnwatchUser",
    "UserStatus",
    "VersionedPrivacy",
    "WatchUser",
    "WireReader",
    "id_digest",
    "string",
]
