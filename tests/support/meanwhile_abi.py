"""libmeanwhile 1.1.1 and GLib as ctypes sees them: structures, callbacks, prototypes.

The library is Debian's `libmeanwhile1`, used as an installed tool. It makes no connections of its own: see
`meanwhile` for a client that does something with it.
"""

import ctypes
from collections.abc import Iterable, Iterator
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_size_t,
    c_uint,
    c_uint16,
    c_uint32,
    c_void_p,
)
from functools import cache
from typing import Any

P = c_void_p
S = c_char_p
Pointer = int | None


class LoginInfo(Structure):
    _fields_ = [
        ("login_id", S),
        ("type", c_uint16),
        ("user_id", S),
        ("user_name", S),
        ("community", S),
        ("full", c_int),
        ("desc", S),
        ("ip_addr", c_uint32),
        ("server_id", S),
    ]


class UserItem(Structure):
    _fields_ = [("full", c_int), ("id", S), ("community", S), ("name", S)]


class PrivacyInfo(Structure):
    _fields_ = [("deny", c_int), ("count", c_uint32), ("users", POINTER(UserItem))]


class UserStatus(Structure):
    _fields_ = [("status", c_uint16), ("time", c_uint32), ("desc", S)]


class IdBlock(Structure):
    _fields_ = [("user", S), ("community", S)]


class AwareIdBlock(Structure):
    _fields_ = [("type", c_uint16), ("user", S), ("community", S)]


class AwareSnapshot(Structure):
    _fields_ = [
        ("id", AwareIdBlock),
        ("group", S),
        ("online", c_int),
        ("alt_id", S),
        ("status", UserStatus),
        ("name", S),
    ]


class Opaque(Structure):
    _fields_ = [("len", c_size_t), ("data", P)]

    @classmethod
    def of(cls, data: bytes) -> "Opaque":
        """Keeps the bytes alive as long as itself."""
        buffer = ctypes.create_string_buffer(data, len(data))
        opaque = cls(len(data), ctypes.cast(buffer, P))
        opaque.buffer = buffer
        return opaque

    def content(self) -> bytes:
        return ctypes.string_at(self.data, self.len) if self.len else b""


class ResolveMatch(Structure):
    _fields_ = [("id", S), ("name", S), ("desc", S), ("type", c_uint32)]


class ResolveResult(Structure):
    _fields_ = [("code", c_uint32), ("name", S), ("matches", P)]


class _GList(Structure):
    _fields_ = [("data", P), ("next", P), ("prev", P)]


Write = CFUNCTYPE(c_int, P, P, c_size_t)
OnSession = CFUNCTYPE(None, P)
OnState = CFUNCTYPE(None, P, c_int, P)
OnAdmin = CFUNCTYPE(None, P, S)
OnAnnounce = CFUNCTYPE(None, P, POINTER(LoginInfo), c_int, S)


class SessionHandler(Structure):
    _fields_ = [
        ("io_write", Write),
        ("io_close", OnSession),
        ("clear", OnSession),
        ("on_state", OnState),
        ("on_privacy", OnSession),
        ("on_status", OnSession),
        ("on_admin", OnAdmin),
        ("on_announce", OnAnnounce),
    ]


class AwareHandler(Structure):
    _fields_ = [("on_attrib", P), ("clear", P)]


OnAware = CFUNCTYPE(None, P, POINTER(AwareSnapshot))
OnAttribute = CFUNCTYPE(None, P, POINTER(AwareIdBlock), P)


class AwareListHandler(Structure):
    _fields_ = [("on_aware", OnAware), ("on_attrib", OnAttribute), ("clear", P)]


OnObject = CFUNCTYPE(None, P)
OnClosed = CFUNCTYPE(None, P, c_uint32)
OnMessage = CFUNCTYPE(None, P, c_int, P)


class ImHandler(Structure):
    _fields_ = [
        ("opened", OnObject),
        ("closed", OnClosed),
        ("recv", OnMessage),
        ("place_invite", P),
        ("clear", P),
    ]


OnList = CFUNCTYPE(None, P, P)


class DirectoryHandler(Structure):
    _fields_ = [("on_book_list", OnList), ("dir_opened", OnObject), ("dir_closed", OnClosed), ("clear", P)]


OnInvited = CFUNCTYPE(None, P, POINTER(LoginInfo), S)
OnPeer = CFUNCTYPE(None, P, POINTER(LoginInfo))
OnText = CFUNCTYPE(None, P, POINTER(LoginInfo), S)
OnTyping = CFUNCTYPE(None, P, POINTER(LoginInfo), c_int)


class ConferenceHandler(Structure):
    _fields_ = [
        ("invited", OnInvited),
        ("opened", OnList),
        ("closed", OnClosed),
        ("peer_joined", OnPeer),
        ("peer_parted", OnPeer),
        ("text", OnText),
        ("typing", OnTyping),
        ("clear", P),
    ]


OnPage = CFUNCTYPE(None, P, c_uint32, c_uint32, P)
OnFileData = CFUNCTYPE(None, P, POINTER(Opaque))


class FileTransferHandler(Structure):
    _fields_ = [
        ("offered", OnObject),
        ("opened", OnObject),
        ("closed", OnClosed),
        ("recv", OnFileData),
        ("ack", OnObject),
        ("clear", P),
    ]


OnResolved = CFUNCTYPE(None, P, c_uint32, c_uint32, P, P)
OnStored = CFUNCTYPE(None, P, c_uint32, P, P)
OnLog = CFUNCTYPE(None, S, c_int, S, P)

_MEANWHILE: dict[str, tuple[Any, ...]] = {  # name: result, arguments
    "mwSession_new": (P, P),
    "mwSession_free": (None, P),
    "mwSession_setProperty": (None, P, S, P, P),
    "mwSession_start": (None, P),
    "mwSession_stop": (None, P, c_uint32),
    "mwSession_recv": (None, P, S, c_size_t),
    "mwSession_forceLogin": (c_int, P),
    "mwSession_sendKeepalive": (c_int, P),
    "mwSession_sendAnnounce": (c_int, P, c_int, S, P),
    "mwSession_setPrivacyInfo": (c_int, P, P),
    "mwSession_getPrivacyInfo": (POINTER(PrivacyInfo), P),
    "mwSession_setUserStatus": (c_int, P, P),
    "mwSession_getUserStatus": (POINTER(UserStatus), P),
    "mwSession_getLoginInfo": (POINTER(LoginInfo), P),
    "mwSession_getState": (c_int, P),
    "mwSession_addService": (c_int, P, P),
    "mwSession_addCipher": (c_int, P, P),
    "mwSession_senseService": (None, P, c_uint32),
    "mwCipher_new_RC2_40": (P, P),
    "mwCipher_new_RC2_128": (P, P),
    "mwCipher_free": (None, P),
    "mwService_getState": (c_int, P),
    "mwService_start": (None, P),
    "mwService_free": (None, P),
    "mwServiceAware_new": (P, P, P),
    "mwServiceAware_setAttributeBoolean": (c_int, P, c_uint32, c_int),
    "mwServiceAware_setAttributeString": (c_int, P, c_uint32, S),
    "mwServiceAware_unsetAttribute": (c_int, P, c_uint32),
    "mwAwareList_new": (P, P, P),
    "mwAwareList_free": (None, P),
    "mwAwareList_addAware": (c_int, P, P),
    "mwAwareList_removeAware": (c_int, P, P),
    "mwAwareList_watchAttributes": (c_int, P),  # and keys up to 0; its sister for arrays never returns
    "mwAwareAttribute_getKey": (c_uint32, P),
    "mwAwareAttribute_asOpaque": (POINTER(Opaque), P),
    "mwServiceResolve_new": (P, P),
    "mwServiceResolve_resolve": (c_uint32, P, P, c_int, OnResolved, P, P),
    "mwServiceStorage_new": (P, P),
    "mwServiceStorage_load": (None, P, P, OnStored, P, P),
    "mwServiceStorage_save": (None, P, P, OnStored, P, P),
    "mwStorageUnit_new": (P, c_uint32),
    "mwStorageUnit_newString": (P, c_uint32, S),
    "mwStorageUnit_getKey": (c_uint32, P),
    "mwStorageUnit_asOpaque": (POINTER(Opaque), P),
    "mwServiceIm_new": (P, P, P),
    "mwServiceIm_setClientType": (None, P, c_uint32),
    "mwServiceIm_getConversation": (P, P, P),
    "mwConversation_open": (None, P),
    "mwConversation_close": (None, P, c_uint32),
    "mwConversation_send": (c_int, P, c_int, P),
    "mwConversation_getTarget": (POINTER(IdBlock), P),
    "mwServiceDirectory_new": (P, P, P),
    "mwServiceDirectory_refreshAddressBooks": (c_int, P),
    "mwServiceDirectory_getAddressBooks": (P, P),
    "mwAddressBook_getName": (S, P),
    "mwDirectory_new": (P, P),
    "mwDirectory_open": (c_int, P, OnPage),
    "mwServiceConference_new": (P, P, P),
    "mwConference_new": (P, P, S),
    "mwConference_open": (c_int, P),
    "mwConference_accept": (c_int, P),
    "mwConference_invite": (c_int, P, P, S),
    "mwConference_destroy": (c_int, P, c_uint32, S),
    "mwConference_sendText": (c_int, P, S),
    "mwConference_sendTyping": (c_int, P, c_int),
    "mwConference_getName": (S, P),
    "mwConference_getTitle": (S, P),
    "mwServiceFileTransfer_new": (P, P, P),
    "mwFileTransfer_new": (P, P, P, S, S, c_uint32),
    "mwFileTransfer_offer": (c_int, P),
    "mwFileTransfer_accept": (c_int, P),
    "mwFileTransfer_close": (c_int, P, c_uint32),
    "mwFileTransfer_send": (c_int, P, P),
    "mwFileTransfer_ack": (c_int, P),
    "mwFileTransfer_getUser": (POINTER(IdBlock), P),
    "mwFileTransfer_getMessage": (S, P),
    "mwFileTransfer_getFileName": (S, P),
    "mwFileTransfer_getFileSize": (c_uint32, P),
    "mwGetBuffer_new": (P, P),
    "mwGetBuffer_free": (None, P),
    "mwGetBuffer_error": (c_int, P),
    "mwGetBuffer_remaining": (c_size_t, P),
    "mwPutBuffer_new": (P,),
    "mwPutBuffer_finalize": (None, P, P),
    "mwMessage_get": (P, P),
    "mwMessage_put": (None, P, P),
    "mwMessage_free": (None, P),
    "mwEncrypt": (None, S, c_size_t, P, P, P),
    "mwDecrypt": (None, S, c_size_t, P, P, P),
    "mwMpi_new": (P,),
    "mwMpi_free": (None, P),
    "mwMpi_import": (None, P, P),
    "mwMpi_export": (None, P, P),
    "mwMpi_calculateDHShared": (None, P, P, P),
    "mwSametimeList_load": (P, S),
    "mwSametimeList_store": (P, P),
    "mwSametimeList_free": (None, P),
    "mwSametimeList_getGroups": (P, P),
    "mwSametimeGroup_getName": (S, P),
    "mwSametimeGroup_getAlias": (S, P),
    "mwSametimeGroup_getType": (c_int, P),
    "mwSametimeGroup_isOpen": (c_int, P),
    "mwSametimeGroup_getUsers": (P, P),
    "mwSametimeUser_getUser": (S, P),
    "mwSametimeUser_getShortName": (S, P),
    "mwSametimeUser_getAlias": (S, P),
    "mwSametimeUser_getType": (c_int, P),
}
_GLIB: dict[str, tuple[Any, ...]] = {
    "g_list_append": (P, P, P),
    "g_list_free": (None, P),
    "g_free": (None, P),
    "g_log_set_default_handler": (P, OnLog, P),
    "g_log_set_always_fatal": (c_uint, c_uint),
}


@cache
def glib() -> CDLL:
    return _load("libglib-2.0.so.0", _GLIB)


@cache
def meanwhile() -> CDLL:
    return _load("libmeanwhile.so.1", _MEANWHILE)


@cache
def is_installed() -> bool:
    try:
        meanwhile()
    except OSError:
        return False
    return True


def _load(name: str, prototypes: dict[str, tuple[Any, ...]]) -> CDLL:
    library = CDLL(name)
    for function, (result, *arguments) in prototypes.items():
        each = getattr(library, function)
        each.restype = result
        each.argtypes = arguments
    return library


def text(value: bytes | None) -> str:
    """A C string; NULL is the same as an empty one to the library."""
    return (value or b"").decode("utf-8", "surrogateescape")


def c_text(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def g_list(pointers: Iterable[Pointer]) -> Pointer:
    """A GList of these; to be freed by `g_list_free`."""
    head: Pointer = None
    for each in pointers:
        head = glib().g_list_append(head, each)
    return head


def g_list_items(head: Pointer) -> Iterator[int]:
    """The pointers in a GList."""
    while head:
        node = _GList.from_address(head)
        yield node.data
        head = node.next


_WARNING_OR_WORSE = 0b11100  # G_LOG_LEVEL_ERROR, _CRITICAL, _WARNING
_complaints: list[str] = []


def _take_log(domain: bytes | None, level: int, message: bytes | None, _data: Pointer) -> None:
    if level & _WARNING_OR_WORSE:
        _complaints.append(f"{text(domain)}: {text(message)}")


_on_log = OnLog(_take_log)


def watch_log() -> list[str]:
    """From now on what the library finds wrong with what it gets is in this list, not on standard error."""
    glib().g_log_set_default_handler(_on_log, None)
    _complaints.clear()
    return _complaints
