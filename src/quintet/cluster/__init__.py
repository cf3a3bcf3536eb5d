"""Several machines, one community: what nodes share through Valkey or Redis."""

from quintet.cluster.connection import ValkeyConnection
from quintet.cluster.events import CallRefused, ClusterEvent, Ignored, ValkeyDown, ValkeyUp, ValuesIgnored
from quintet.cluster.link import UnsuitableValkeyError
from quintet.cluster.node import ClusterNode, NodeNameError
from quintet.cluster.sealing import KeyRing

__all__ = [
    "CallRefused",
    "ClusterEvent",
    "ClusterNode",
    "Ignored",
    "KeyRing",
    "NodeNameError",
    "UnsuitableValkeyError",
    "ValkeyConnection",
    "ValkeyDown",
    "ValkeyUp",
    "ValuesIgnored",
]
