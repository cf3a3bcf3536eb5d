"""The services by number: which are known, which have layouts here, and by which protocols (P67)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from types import MappingProxyType
from typing import Final


@unique
class ServiceId(IntEnum):
    """Every service whose name is known; those without a `ServiceDefinition` have unknown layouts."""

    COMMUNITY_EVENTS = 0x00000001
    AWARE = 0x00000011
    RESOLVE = 0x00000015
    CONFIGURATION = 0x00000017
    STORAGE = 0x00000018
    DIRECTORY = 0x0000001A
    LOCATE = 0x00000020
    GROUP_CONTENT = 0x00000027
    SHORTCUT = 0x00000028
    PUSH_OBJECT = 0x0000002C
    SAMETIME_LINKS = 0x00000031
    STATISTICS = 0x00000034
    POLLING_CONNECTION = 0x00000035
    FILE_TRANSFER = 0x00000038
    HYBRID_POLLING_CONNECTION = 0x00000039
    USER_DETAILS = 0x0000003A
    GATEWAY_AWARENESS = 0x0000003B
    POLICY = 0x00000040
    CAPABILITIES = 0x00000042
    MANAGE_ATTRIBUTES = 0x00000044
    SELECTIVE_STATUS = 0x0000004E
    USER_INFO = 0x00000053
    OFFLINE_MESSAGES = 0x0000007C
    SAMETIME_PROXY = 0x00000090
    IM = 0x00001000
    CONFERENCE = 0x80000010
    ONLINE_DIRECTORY = 0x80000012
    WIH = 0x8000001B
    DEBUG_CHANNEL = 0x80000021
    PLACE = 0x80000022
    BUDDYLIST_FOREIGN = 0x80000024
    STORAGE_EVENT = 0x80000026
    GET_TOKEN = 0x8000002D
    REFLECTOR_FINDER = 0x80000052


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """How a service is opened. A `relayed` one connects two clients, any other a client and the server."""

    service: ServiceId
    protocols: frozenset[int]
    version: int
    relayed: bool = False

    @property
    def protocol(self) -> int:
        """The protocol that libmeanwhile uses."""
        return max(self.protocols)


SERVICES: Final[Mapping[int, ServiceDefinition]] = MappingProxyType(
    {
        int(each.service): each
        for each in (
            ServiceDefinition(ServiceId.AWARE, frozenset({0x11}), 0x00030005),
            ServiceDefinition(ServiceId.RESOLVE, frozenset({0x15}), 0),
            ServiceDefinition(ServiceId.STORAGE, frozenset({0x25, 0x19}), 1),
            ServiceDefinition(ServiceId.DIRECTORY, frozenset({0x1C, 0x1B}), 5),
            ServiceDefinition(ServiceId.FILE_TRANSFER, frozenset({0}), 1, relayed=True),
            ServiceDefinition(ServiceId.IM, frozenset({0x1000}), 3, relayed=True),
            ServiceDefinition(ServiceId.CONFERENCE, frozenset({0x10}), 2),
        )
    }
)
"""The services whose layouts are known, and which a session can offer."""


_NAMES: Final = {each.value: each.name for each in ServiceId}


def service_name(service: int) -> str:
    """The name of a service with its number, for logs and metrics."""
    name = _NAMES.get(service)
    return f"{name} ({service:#x})" if name else f"{service:#x}"
