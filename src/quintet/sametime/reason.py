"""Reason and result codes: why a channel or a session ends, and how a request went (P101).

Bit 31 means failure. Some numbers mean something else in the answers of RESOLVE and DIRECTORY: these have
enumerations of their own.
"""

from enum import IntEnum, unique
from typing import Self


class _Code(IntEnum):
    """A number with its meaning in words."""

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


@unique
class ReasonCode(_Code):
    """Why a channel or a session ends. `meaning` says it in words, for logs."""

    SUCCESS = 0x00000000, "success; on a channel: closed normally"
    REQUEST_DELAYED = 0x00000001, "accepted, will be served later"
    FILE_TRANSFER_REJECTED = 0x08000606, "the receiver rejected the file"

    GENERAL_FAILURE = 0x80000000, "general failure"
    INVALID_REQUEST = 0x80000001, "the request is invalid in this state or with these parameters"
    NOT_LOGGED_IN = 0x80000002, "not logged in"
    NOT_AUTHORIZED = 0x80000003, "not authorized"
    ABORTED = 0x80000004, "aborted"
    NO_SUCH_ELEMENT = 0x80000005, "no such element"
    NO_SUCH_USER = 0x80000006, "no such user, or not online"
    BAD_DATA = 0x80000007, "malformed or corrupt data"
    NOT_IMPLEMENTED = 0x80000008, "not implemented"
    UNKNOWN_ERROR = 0x80000009, "unknown error"
    OUT_OF_RESOURCES = 0x8000000A, "out of resources"
    CHANNEL_NOT_SUPPORTED = 0x8000000B, "this kind of channel is not supported"
    CHANNEL_EXISTS = 0x8000000C, "the channel exists already"
    SERVICE_NOT_SUPPORTED = 0x8000000D, "the service is not offered"
    PROTOCOL_NOT_SUPPORTED = 0x8000000E, "the service is not offered with this protocol"
    PROTOCOL_NOT_SUPPORTED_2 = 0x8000000F, "the service is not offered with this protocol (second code)"
    VERSION_NOT_SUPPORTED = 0x80000010, "the service is not offered in this version of the protocol"
    USER_NOT_TRUSTED = 0x80000011, "the user is invalid or not trusted"
    PARTY_LEFT = 0x80000012, "the other party left"
    ALREADY_INITIALIZED = 0x80000013, "already initialized"
    NOT_OWNER = 0x80000014, "not the owner of the resource"
    TOKEN_INVALID = 0x80000015, "the token is invalid"
    TOKEN_EXPIRED = 0x80000016, "the token has expired"
    TOKEN_ADDRESS_MISMATCH = 0x80000017, "the token was issued to another address"
    PORT_IN_USE = 0x80000018, "the port is in use"
    NETWORK_ERROR = 0x80000019, "network error"
    NO_MASTER_CHANNEL = 0x8000001A, "no master channel"
    ALREADY_SUBSCRIBED = 0x8000001B, "already subscribed"
    NOT_SUBSCRIBED = 0x8000001C, "not subscribed"
    ENCRYPTION_FAILED = 0x8000001D, "encryption is not supported or failed"
    ENCRYPTION_NOT_INITIALIZED = 0x8000001E, "encrypted data on a channel without a cipher"
    ENCRYPTION_TOO_LOW = 0x8000001F, "the offered encryption is too weak"
    ENCRYPTION_DATA_INVALID = 0x80000020, "invalid encryption data"
    NO_COMMON_ENCRYPTION = 0x80000021, "no common encryption method"
    CHANNEL_MOVED = 0x80000022, "the channel was destroyed; connecting elsewhere is recommended"
    CHANNEL_REDIRECTED = 0x80000023, "the channel was redirected"
    TOO_MANY_IM_SESSIONS = 0x80000040, "too many conversations"

    VERSION_MISMATCH = 0x80000200, "protocol version mismatch"
    NO_BUFFERS = 0x80000201, "no buffers"
    NOT_IN_USE = 0x80000202, "not in use"
    NO_SOCKETS = 0x80000203, "no sockets"
    HARDWARE_ERROR = 0x80000204, "hardware error"
    NETWORK_DOWN = 0x80000205, "the network is down"
    HOST_DOWN = 0x80000206, "the host is down"
    HOST_UNREACHABLE = 0x80000207, "the host is unreachable"
    TCP_ERROR = 0x80000208, "TCP/IP error"
    MESSAGE_TOO_LARGE = 0x80000209, "the message is too large"
    PROXY_ERROR = 0x8000020A, "proxy error"
    SERVER_FULL = 0x8000020B, "the server is full"
    SERVER_NOT_RESPONDING = 0x8000020C, "the server does not respond"
    CANNOT_CONNECT = 0x8000020D, "cannot connect"
    USER_REMOVED = 0x8000020E, "the user was removed from the server"
    PROTOCOL_ERROR = 0x8000020F, "error in the Sametime protocol"
    USER_RESTRICTED = 0x80000210, "the user or client may not connect"
    INCORRECT_LOGIN = 0x80000211, "incorrect name or password"
    ENCRYPTION_MISMATCH = 0x80000212, "encryption mismatch"
    USER_NOT_REGISTERED = 0x80000213, "the user is not registered"
    VERIFICATION_DOWN = 0x80000214, "names and passwords cannot be checked"
    USER_NAME_MISMATCH = 0x80000215, "user name mismatch"
    IDLE_TOO_LONG = 0x80000216, "idle for too long"
    GUEST_NAME_IN_USE = 0x80000217, "the guest name is in use"
    ALREADY_SIGNED_ON = 0x80000218, "the user is signed on already"
    SIGNED_ON_AGAIN = 0x80000219, "the user signed on again"
    NAME_UNUSABLE = 0x8000021A, "the name cannot be used"
    REGISTRATION_NOT_SUPPORTED = 0x8000021B, "the registration mode is not supported"
    WRONG_PRIVILEGE = 0x8000021C, "wrong privilege level"
    EMAIL_REQUIRED = 0x8000021D, "an e-mail address is required"
    DNS_ERROR = 0x8000021E, "DNS error"
    FATAL_DNS_ERROR = 0x8000021F, "fatal DNS error"
    SERVER_NAME_NOT_FOUND = 0x80000220, "the server's name was not found"
    CONNECTION_BROKEN = 0x80000221, "the connection is broken"
    CONNECTION_ABORTED = 0x80000222, "the connection was aborted"
    CONNECTION_REFUSED = 0x80000223, "the connection was refused"
    CONNECTION_RESET = 0x80000224, "the connection was reset"
    CONNECTION_TIMED_OUT = 0x80000225, "the connection timed out"
    CONNECTION_CLOSED = 0x80000226, "the connection was closed"
    LOGGED_IN_TWICE = 0x80000227, "the user is logged in elsewhere"
    LOGGED_IN_TWICE_2 = 0x80000228, "the user is logged in elsewhere (second code)"
    LOGGED_IN_FROM_ANOTHER = 0x80000229, "logged in from another computer"
    LOGIN_FROM_ANOTHER_REFUSED = 0x8000022A, "already logged in from another computer; new login refused"
    HOME_SERVER_UNREACHABLE = 0x8000022B, "the home server is unreachable or misconfigured"
    SERVER_PATH_TOO_OLD = 0x8000022C, "the server path is too old"
    APPLET_LOGGED_OUT = 0x8000022D, "the applet was logged out; log in again"
    SERVER_SHUTTING_DOWN = 0x8000022F, "the server is shutting down"
    TOO_MANY_LOGINS = 0x80000234, "too many logins of the user"
    FORWARDED_LOGIN_REJECTED = 0x80000235, "forwarded logins are rejected"
    UNKNOWN_CLUSTER = 0x80000238, "unknown cluster name"
    NO_HOME_SERVER = 0x80000239, "no connection to the home server"
    TLS_CONFIGURATION_FAILURE = 0x80000244, "TLS configuration failure"
    TLS_HANDSHAKE_FAILURE = 0x80000245, "TLS handshake failure"
    TLS_PROTOCOL_ERROR = 0x80000246, "TLS protocol error"
    TLS_MANDATORY = 0x80000247, "TLS is mandatory"

    LDAP_UNREACHABLE = 0x80001001, "the LDAP server is not reachable"
    LDAP_QUEUE_FULL = 0x80001002, "too many requests are waiting for the LDAP server"
    SINGLE_SIGN_ON_ERROR = 0x80001003, "single sign-on error"
    NAME_NOT_UNIQUE = 0x80001004, "several users match the name"
    DIRECTORY_MISCONFIGURED = 0x80001005, "the directory is misconfigured"
    BAD_SEARCH_FILTER = 0x80001006, "bad search filter"

    USER_NOT_ONLINE = 0x80002000, "the user is not online"
    DO_NOT_DISTURB = 0x80002001, "the user does not want to be disturbed"
    LOGGED_IN_BY_ANOTHER_NAME = 0x80002002, "already logged in by another name"
    IM_TYPE_RESERVED = 0x80002003, "a reserved type of message cannot be registered"
    IM_TYPE_REGISTERED = 0x80002004, "the type of message is registered already"
    IM_TYPE_NOT_REGISTERED = 0x80002005, "the other side does not take this type of message"


@unique
class ResolveCode(_Code):
    """How the look-up of a name went (P82)."""

    SUCCESS = 0x00000000, "success, also without a match"
    PARTIAL = 0x00010000, "some directories did not answer"
    FAILURE = 0x80000000, "no directory answered"
    NOT_UNIQUE = 0x80020000, "several match, and only a unique match was asked for"
    UNRESOLVABLE = 0x80030000, "the name cannot be searched for"
    TOO_MANY_NAMES = 0x80040000, "too many names in one request"


@unique
class DirectoryCode(_Code):
    """How browsing went."""

    SUCCESS = 0x00000000, "success"
    NO_ENTRY_STARTS_SO = 0x00020000, "no entry starts with this text"
    DIRECTORY_FAILED = 0x80010000, "the directory failed"
    BOOK_NOT_AVAILABLE = 0x80020000, "the address book is not available"
    GROUP_NOT_FOUND = 0x80030000, "the group was not found"
    OUT_OF_RANGE = 0x80040000, "the position is outside the directory"


_REASONS = {int(each): each for each in ReasonCode}


def describe_reason(code: int) -> str:
    """The code with its name and meaning, or just its number if it has none."""
    reason = _REASONS.get(code)
    return f"{code:#010x} {reason.name} ({reason.meaning})" if reason else f"{code:#010x}"
