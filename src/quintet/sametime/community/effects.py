"""What the community wants done: each value is for one session or several, or for the directory's side.

Sessions are named by their ids. An effect for a session that is gone is to be dropped.
"""

from dataclasses import dataclass, field

from quintet.sametime.community.records import SessionRecord
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.aware import PresenceEntry
from quintet.sametime.services.conference import ConferenceInvitation, ConferenceNotice
from quintet.sametime.wire.blocks import AwareId, LoginInfo, PrivacyInfo, UserStatus
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate

# Sessions


@dataclass(frozen=True, slots=True)
class EndSession:
    """End this session, which the community has forgotten already."""

    record: SessionRecord
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class ShowOwnStatus:
    """Another session of the same user changed the status that others see."""

    session: str
    status: UserStatus


@dataclass(frozen=True, slots=True)
class ShowOwnPrivacy:
    """The privacy list that is in force."""

    session: str
    privacy: PrivacyInfo


# Presence


@dataclass(frozen=True, slots=True)
class ShowSnapshot:
    """The presence of what a session added to its watch list, or of a group's members."""

    session: str
    entries: tuple[PresenceEntry, ...]


@dataclass(frozen=True, slots=True)
class ShowUpdate:
    """The presence of one id has changed for these sessions."""

    entry: PresenceEntry
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShowAttribute:
    """An attribute of a watched user was set, or with None unset, for these sessions."""

    id: AwareId
    key: int
    value: bytes | None
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShowGroup:
    """A session watches a group now; the members come in a snapshot."""

    session: str
    id: AwareId


@dataclass(frozen=True, slots=True)
class WatchUser:
    """The first session watches this user: other nodes are to tell of it."""

    user_id: str


@dataclass(frozen=True, slots=True)
class UnwatchUser:
    """No session watches this user any more."""

    user_id: str


@dataclass(frozen=True, slots=True)
class WatchGroup:
    """The first session watches this group: its content is wanted, and again every now and then."""

    group_id: str


@dataclass(frozen=True, slots=True)
class UnwatchGroup:
    """No session watches this group any more."""

    group_id: str


# Relayed channels: `link` names the channel at that session, see `routing`


@dataclass(frozen=True, slots=True)
class OpenAt:
    session: str
    link: str
    create: ChannelCreate
    creator: LoginInfo


@dataclass(frozen=True, slots=True)
class AcceptAt:
    session: str
    link: str
    accept: ChannelAccept
    acceptor: LoginInfo


@dataclass(frozen=True, slots=True)
class SendAt:
    session: str
    link: str
    type: int
    data: bytes = field(repr=False)
    encrypted: bool


@dataclass(frozen=True, slots=True)
class CloseAt:
    session: str
    link: str
    reason: int
    data: bytes = field(default=b"", repr=False)


# Conferences: `conference` names the conference, whose channel each session has


@dataclass(frozen=True, slots=True)
class AcceptConference:
    """Accept the channel by which the session opened the conference."""

    session: str
    conference: str


@dataclass(frozen=True, slots=True)
class InviteTo:
    """Open a channel to the session, with the invitation."""

    session: str
    conference: str
    invitation: ConferenceInvitation


@dataclass(frozen=True, slots=True)
class TellConference:
    """Say this to these sessions on their channels of the conference."""

    sessions: tuple[str, ...]
    conference: str
    notice: ConferenceNotice


@dataclass(frozen=True, slots=True)
class CloseConference:
    """Close the session's channel of the conference."""

    session: str
    conference: str
    reason: int


Effect = (
    EndSession
    | ShowOwnStatus
    | ShowOwnPrivacy
    | ShowSnapshot
    | ShowUpdate
    | ShowAttribute
    | ShowGroup
    | WatchUser
    | UnwatchUser
    | WatchGroup
    | UnwatchGroup
    | OpenAt
    | AcceptAt
    | SendAt
    | CloseAt
    | AcceptConference
    | InviteTo
    | TellConference
    | CloseConference
)
