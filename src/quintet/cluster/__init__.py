"""Several machines, one community: what nodes share through Valkey or Redis."""

from quintet.cluster.attempts import SharedAttempts
from quintet.cluster.connection import ValkeyConnection
from quintet.cluster.events import (
    CallRefused,
    ClusterCounts,
    ClusterEvent,
    Ignored,
    ValkeyDown,
    ValkeyUp,
    ValuesIgnored,
)
from quintet.cluster.group_contents import SharedGroupContents
from quintet.cluster.link import UnsuitableValkeyError
from quintet.cluster.node import ClusterNode, NodeNameError
from quintet.cluster.node_count import NodeCount
from quintet.cluster.sealing import KeyRing
from quintet.cluster.server_checks import acl_rules, examine_valkey
from quintet.cluster.valkey import CallFailure

__all__ = [
    "CallFailure",
    "CallRefused",
    "ClusterCounts",
    "ClusterEvent",
    "ClusterNode",
    "Ignored",
    "KeyRing",
    "NodeCount",
    "NodeNameError",
    "SharedAttempts",
    "SharedGroupContents",
    "UnsuitableValkeyError",
    "ValkeyConnection",
    "ValkeyDown",
    "ValkeyUp",
    "ValuesIgnored",
    "acl_rules",
    "examine_valkey",
]
