"""Any value of the Sametime protocol, for hypothesis: blocks, messages, and what is said on channels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from quintet.sametime.services import aware, conference, directory, file_transfer, im, resolve, storage
from quintet.sametime.wire.blocks import AwareId, IdBlock, LoginInfo, PrivacyInfo, UserItem, UserStatus
from quintet.sametime.wire.encryption import EncryptionChoice, EncryptionOffer
from quintet.sametime.wire.messages import (
    MAJOR,
    MINOR,
    Admin,
    Announce,
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    Handshake,
    HandshakeAck,
    Login,
    LoginAck,
    LoginContinue,
    LoginRedirect,
    OneTime,
    SametimeMessage,
    SenseService,
    SetPrivacyDenied,
    SetPrivacyList,
    SetUserStatus,
)


def _as_text(data: bytes) -> str:
    return data.replace(b"\0", b" ").decode("utf-8", "surrogateescape")


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.binary(
    max_size=20
).map(_as_text)
"""What a string can carry: Unicode, and bytes that are none."""

some_text = texts.filter(bool)
u16s = st.integers(0, 0xFFFF)
u32s = st.integers(0, 0xFFFFFFFF)
datas = st.binary(max_size=60)


def tuples_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=5).map(tuple)


id_blocks = st.builds(IdBlock, texts, texts)
full_logins = st.builds(LoginInfo, texts, u16s, texts, texts, texts, st.just(True), texts, u32s, texts)
brief_logins = st.builds(LoginInfo, texts, u16s, texts, texts, texts, st.just(False))
logins = full_logins | brief_logins
maybe_logins = st.none() | logins
user_items = st.builds(UserItem, texts, texts, st.none() | texts)
privacy_infos = st.builds(PrivacyInfo, st.booleans(), tuples_of(user_items))
statuses = st.builds(UserStatus, u16s, u32s, texts)
aware_ids = st.builds(AwareId, u16s, some_text, texts)
offers = st.builds(EncryptionOffer, u16s, datas)
choices = st.builds(EncryptionChoice, u16s, datas)

_new_minors = st.integers(MINOR, 0xFFFF)
_old_minors = st.integers(0, MINOR - 1)
_key_minors = st.integers(0x19, 0xFFFF)

MESSAGES: dict[str, st.SearchStrategy[SametimeMessage]] = {
    "Handshake": st.builds(Handshake, u16s, st.just(MAJOR), _new_minors, u32s, texts),
    "Handshake of an old client": st.builds(Handshake, u16s, st.just(MAJOR), _old_minors, u32s),
    "HandshakeAck": st.builds(HandshakeAck, u32s, u32s, datas, st.just(MAJOR), _key_minors),
    "HandshakeAck of an old server": st.builds(
        HandshakeAck, u32s, major=st.just(MAJOR), minor=st.integers(0, 0x18)
    ),
    "Login": st.builds(Login, u16s, texts, datas, u16s),
    "LoginAck": st.builds(LoginAck, logins, privacy_infos, statuses),
    "LoginRedirect": st.builds(LoginRedirect, texts, texts),
    "LoginContinue": st.just(LoginContinue()),
    "ChannelCreate": st.builds(
        ChannelCreate, u32s, u32s, u32s, u32s, id_blocks, u32s, datas, maybe_logins, offers
    ),
    "ChannelAccept": st.builds(ChannelAccept, u32s, u32s, u32s, u32s, datas, maybe_logins, choices),
    "ChannelSend": st.builds(ChannelSend, u32s, u16s, datas, st.booleans()),
    "ChannelDestroy": st.builds(ChannelDestroy, u32s, u32s, datas),
    "SetUserStatus": st.builds(SetUserStatus, statuses),
    "SetPrivacyList": st.builds(SetPrivacyList, privacy_infos),
    "SetPrivacyDenied": st.builds(SetPrivacyDenied, u32s),
    "SenseService": st.builds(SenseService, u32s),
    "Admin": st.builds(Admin, texts),
    "Announce": st.builds(Announce, texts, tuples_of(texts), st.booleans(), maybe_logins),
    "OneTime": st.builds(OneTime, u32s, id_blocks, u32s, u32s, u32s, u16s, datas, maybe_logins),
}
"""A strategy for each message."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Values of one kind on a channel, and what reads them again by type and data."""

    values: st.SearchStrategy[Any]
    decode: Callable[[int, bytes], Any]


_online = st.builds(aware.PresenceEntry, aware_ids, statuses, texts, texts, texts)
_offline = st.builds(aware.PresenceEntry, aware_ids, group=texts)
presence_entries = _online | _offline
_matches = st.builds(resolve.ResolveMatch, texts, texts, texts, u32s)
_results = st.builds(resolve.ResolveResult, texts, tuples_of(_matches), u32s)
_members = st.builds(directory.DirectoryMember, st.just(0), texts, texts, texts) | st.builds(
    directory.DirectoryMember, st.integers(1, 0xFFFF), texts, texts
)
_stored = st.builds(storage.StoredValue, u32s, datas)
_conference_members = st.builds(conference.ConferenceMember, u16s, logins)
_conference_messages = st.builds(conference.ConferenceText, texts) | st.builds(
    conference.ConferenceTyping, st.booleans()
)

PAYLOADS: dict[str, Payload] = {
    "AddToWatchList": Payload(st.builds(aware.AddToWatchList, tuples_of(aware_ids)), aware.decode_request),
    "RemoveFromWatchList": Payload(
        st.builds(aware.RemoveFromWatchList, tuples_of(aware_ids)), aware.decode_request
    ),
    "SetOwnAttribute": Payload(st.builds(aware.SetOwnAttribute, u32s, datas), aware.decode_request),
    "UnsetOwnAttribute": Payload(st.builds(aware.UnsetOwnAttribute, u32s), aware.decode_request),
    "WatchAttributes": Payload(st.builds(aware.WatchAttributes, tuples_of(u32s)), aware.decode_request),
    "PresenceSnapshot": Payload(
        st.builds(aware.PresenceSnapshot, tuples_of(presence_entries)), aware.decode_notice
    ),
    "PresenceUpdate": Payload(st.builds(aware.PresenceUpdate, presence_entries), aware.decode_notice),
    "GroupAdded": Payload(st.builds(aware.GroupAdded, aware_ids), aware.decode_notice),
    "AttributeSet": Payload(st.builds(aware.AttributeSet, aware_ids, u32s, datas), aware.decode_notice),
    "AttributeUnset": Payload(st.builds(aware.AttributeUnset, aware_ids, u32s), aware.decode_notice),
    "ResolveRequest": Payload(
        st.builds(resolve.ResolveRequest, u32s, tuples_of(texts), u32s.map(resolve.ResolveFlag)),
        resolve.decode_request,
    ),
    "ResolveResponse": Payload(
        st.builds(resolve.ResolveResponse, u32s, tuples_of(_results), u32s), resolve.decode_response
    ),
    "ListBooks": Payload(st.builds(directory.ListBooks, u32s), directory.decode_request),
    "OpenBook": Payload(st.builds(directory.OpenBook, u32s, u32s, texts), directory.decode_request),
    "CloseBook": Payload(st.builds(directory.CloseBook, u32s, u32s), directory.decode_request),
    "ReadPage": Payload(
        st.builds(directory.ReadPage, u32s, u32s, u16s, st.integers(0, 7)), directory.decode_request
    ),
    "ReadPage from a text": Payload(
        st.builds(directory.ReadPage, u32s, u32s, u16s, st.just(8), texts), directory.decode_request
    ),
    "BookList": Payload(
        st.builds(directory.BookList, u32s, tuples_of(st.builds(directory.AddressBook, u32s, texts)), u32s),
        directory.decode_response,
    ),
    "BookOpened": Payload(st.builds(directory.BookOpened, u32s, u32s, u32s, u32s), directory.decode_response),
    "DirectoryPage": Payload(
        st.builds(
            directory.DirectoryPage, u32s, tuples_of(_members), u32s, st.booleans(), st.booleans(), u32s
        ),
        directory.decode_response,
    ),
    "ImText": Payload(st.builds(im.ImText, texts), im.decode_message),
    "ImData": Payload(st.builds(im.ImData, u32s, u32s, datas), im.decode_message),
    "ConferenceInvite": Payload(
        st.builds(conference.ConferenceInvite, id_blocks, texts), conference.decode_request
    ),
    "ConferenceJoin": Payload(st.just(conference.ConferenceJoin()), conference.decode_request),
    "ConferenceMessage": Payload(_conference_messages, conference.decode_request),
    "ConferenceWelcome": Payload(
        st.builds(conference.ConferenceWelcome, texts, texts, tuples_of(_conference_members)),
        conference.decode_notice,
    ),
    "ConferenceJoined": Payload(
        st.builds(conference.ConferenceJoined, _conference_members), conference.decode_notice
    ),
    "ConferenceLeft": Payload(st.builds(conference.ConferenceLeft, u16s), conference.decode_notice),
    "ConferenceSaid": Payload(
        st.builds(conference.ConferenceSaid, u16s, _conference_messages), conference.decode_notice
    ),
    "LoadValues": Payload(st.builds(storage.LoadValues, u32s, tuples_of(u32s)), storage.decode_request),
    "SaveValues": Payload(st.builds(storage.SaveValues, u32s, tuples_of(_stored)), storage.decode_request),
    "ValuesLoaded": Payload(
        st.builds(storage.ValuesLoaded, u32s, tuples_of(_stored), u32s), storage.decode_response
    ),
    "ValuesSaved": Payload(st.builds(storage.ValuesSaved, u32s, u32s), storage.decode_response),
    "FileChunk": Payload(st.builds(file_transfer.FileChunk, datas), file_transfer.decode_message),
    "FileChunkTaken": Payload(st.just(file_transfer.FileChunkTaken()), file_transfer.decode_message),
}
"""Each kind of data on channels."""

OPENINGS: dict[str, st.SearchStrategy[Any]] = {
    "ImOpening": st.builds(im.ImOpening, u32s),
    "ImAcceptance": st.builds(im.ImAcceptance, u32s, statuses),
    "ConferenceOpening": st.builds(conference.ConferenceOpening, texts, texts),
    "ConferenceInvitation": st.builds(conference.ConferenceInvitation, texts, texts, logins, texts),
    "FileOffer": st.builds(file_transfer.FileOffer, texts, texts, u32s),
}
"""Each kind of additional data in creates and accepts."""
