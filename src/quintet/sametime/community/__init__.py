"""Presence, routing and conferences as values: the part of a server that several nodes can share."""

from quintet.sametime.community.community import Community, Linked, Refusal
from quintet.sametime.community.conferences import ConferenceLimits
from quintet.sametime.community.records import (
    Node,
    PresenceLimits,
    SessionRecord,
    SharedSession,
    SignInRule,
)

__all__ = [
    "Community",
    "ConferenceLimits",
    "Linked",
    "Node",
    "PresenceLimits",
    "Refusal",
    "SessionRecord",
    "SharedSession",
    "SignInRule",
]
