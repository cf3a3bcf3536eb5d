"""Which program a client says it is (P37): for logs and habits, not for trust."""

from enum import IntEnum, IntFlag, unique
from typing import Final


@unique
class ClientType(IntEnum):
    """The known client types; others are accepted as well."""

    CPP_LIBRARY = 0x1000
    JAVA_APPLET = 0x1001
    CONNECT = 0x1002
    JAVA_APPLICATION = 0x1003
    LINKS_TOOLKIT = 0x100A
    NOTES_6_5 = 0x1200
    NOTES_6_5_3 = 0x1203
    NOTES_7_0_BETA = 0x1210
    NOTES_7_0 = 0x1214
    ICT = 0x1300
    ICT_1_7_8_2 = 0x1302
    ICT_SIP = 0x1303
    NOTESBUDDY_4_14 = 0x1400
    NOTESBUDDY_4_15 = 0x1405
    NOTESBUDDY_4_16 = 0x1406
    SANITY = 0x1600
    ST_PERL = 0x1625
    PMR_ALERT = 0x1650
    TRILLIAN_PLUGIN = 0x16AA
    TRILLIAN = 0x16BB
    LIBMEANWHILE = 0x1700
    TELEPHONY = 0x17AA


class ClientFlag(IntFlag):
    """Bits in a client type."""

    ANONYMOUS = 0x0800
    SERVER_APPLICATION = 0x2000
    MUX = 0x4000


def is_server(client_type: int) -> bool:
    """Whether it is a server application or a mux: these do not belong on the port for clients."""
    return bool(client_type & (ClientFlag.SERVER_APPLICATION | ClientFlag.MUX))


_NAMES: Final = {each.value: each.name for each in ClientType}


def client_type_name(client_type: int) -> str:
    """The name of a client type with its number, for logs and metrics."""
    name = _NAMES.get(client_type)
    return f"{name} ({client_type:#06x})" if name else f"{client_type:#06x}"
