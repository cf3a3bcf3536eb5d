"""Conferences: conversations of several users at one home, the node where they began. Values in, effects out.

Theory of operation
-------------------
A conference has members and invited sessions. A session is at most one of both, once. It becomes a member by
opening the conference, or by joining after an invitation; what others say reaches members only, from the
moment on at which they were sent `ConferenceWelcome`. A session leaves by closing its channel or by ending;
the other members get a message. With the last member the conference ends: invitations that are open are
closed.

A conference's key is its home's incarnation and the name that its creator's client made up. No other of this
name can be opened here while it lasts, and no session takes part in two of one name: to its client they would
be the same. Members and guests may be elsewhere; only the home knows them all.
"""

from dataclasses import dataclass, field
from typing import Final, final

from quintet.sametime.community.effects import (
    AcceptConference,
    CloseConference,
    Effect,
    InviteTo,
    TellConference,
)
from quintet.sametime.community.records import Node
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.conference import (
    ConferenceInvitation,
    ConferenceJoined,
    ConferenceLeft,
    ConferenceMember,
    ConferenceMessage,
    ConferenceOpening,
    ConferenceSaid,
    ConferenceWelcome,
)
from quintet.sametime.wire.blocks import LoginInfo

_LONGEST_NAME: Final = 512
_LONGEST_TITLE: Final = 2048
_MOST_MEMBER_IDS: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class ConferenceLimits:
    """`per_session` counts conferences in which a session takes part; `members` those invited as well."""

    per_session: int = 20
    members: int = 200


@dataclass(slots=True, eq=False)
class _Conference:
    key: str
    home: Node
    name: str
    title: str
    members: dict[str, ConferenceMember] = field(default_factory=dict)
    invited: dict[str, LoginInfo] = field(default_factory=dict)
    last_id: int = 0

    def others(self, session: str) -> tuple[str, ...]:
        return tuple([each for each in self.members if each != session])


@final
class Conferences:
    """The conferences at this node. `names` has their keys."""

    __slots__ = ("_by_key", "_by_session", "_limits", "names", "node")

    def __init__(self, node: Node, limits: ConferenceLimits | None = None) -> None:
        self.node = node
        self.names: dict[str, str] = {}
        self._limits = limits or ConferenceLimits()
        self._by_key: dict[str, _Conference] = {}
        self._by_session: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def home_of(self, key: str) -> Node | None:
        """The node at which a conference takes place."""
        found = self._by_key.get(key)
        return found.home if found else None

    def members_of(self, key: str) -> tuple[str, ...]:
        """The sessions that are members."""
        found = self._by_key.get(key)
        return tuple(found.members) if found else ()

    def member(self, key: str, session: str) -> LoginInfo | None:
        """The login of a member."""
        found = self._by_key.get(key)
        member = found.members.get(session) if found else None
        return member.login if member else None

    def takes_part(self, session: str, key: str) -> bool:
        """Whether the session is a member or invited."""
        return key in self._by_session.get(session, ())

    def may_enter(self, session: str, key: str) -> bool:
        """Whether the session may take part in this one, too."""
        return len(self._by_session.get(session, ())) < self._limits.per_session and not self._has_name(
            session, _name(key)
        )

    def enter_elsewhere(self, session: str, key: str) -> None:
        """The session is invited to a conference at another node."""
        self._by_session.setdefault(session, {})[key] = None

    def leave_elsewhere(self, session: str, key: str) -> None:
        """It does not take part in it any more."""
        self._forget(session, key)

    def open(self, creator: LoginInfo, opening: ConferenceOpening) -> tuple[str, list[Effect]] | ReasonCode:
        """A client opens a conference: its key and the effects, or why it is refused."""
        if not opening.name or len(opening.name) > _LONGEST_NAME or len(opening.title) > _LONGEST_TITLE:
            return ReasonCode.INVALID_REQUEST
        key = f"{self.node.incarnation}/{opening.name}"
        if opening.name in self.names or self._has_name(creator.login_id, opening.name):
            return ReasonCode.CHANNEL_EXISTS
        if not self.may_enter(creator.login_id, key):
            return ReasonCode.OUT_OF_RESOURCES
        conference = _Conference(key, self.node, opening.name, opening.title)
        self._by_key[key] = conference
        self.names[opening.name] = key
        self._by_session.setdefault(creator.login_id, {})[key] = None
        effects: list[Effect] = [AcceptConference(creator.login_id, key)]
        return key, effects + self._enter(conference, creator)

    def invite(self, inviter: str, key: str, guest: LoginInfo, text: str) -> list[Effect]:
        """A member invites a session. Does nothing if it is invited or a member already."""
        conference = self._by_key.get(key)
        session = guest.login_id
        if conference is None or inviter not in conference.members:
            return []
        if session in conference.members or session in conference.invited:
            return []
        if len(conference.members) + len(conference.invited) >= self._limits.members:
            return []
        if not self.may_enter(session, key):
            return []
        conference.invited[session] = guest
        self._by_session.setdefault(session, {})[key] = None
        login = conference.members[inviter].login
        return [InviteTo(session, key, ConferenceInvitation(conference.name, conference.title, login, text))]

    def join(self, session: str, key: str) -> list[Effect]:
        """An invited client is there. Does nothing for one that was not invited, or is a member."""
        conference = self._by_key.get(key)
        if conference is None or (guest := conference.invited.pop(session, None)) is None:
            return []
        return self._enter(conference, guest)

    def say(self, session: str, key: str, message: ConferenceMessage) -> list[Effect]:
        """A member says something, or types: to all others."""
        conference = self._by_key.get(key)
        member = conference.members.get(session) if conference else None
        if conference is None or member is None:
            return []
        return _tell(conference, session, ConferenceSaid(member.id, message))

    def leave(self, session: str, key: str) -> list[Effect]:
        """The session's channel is gone: the member left, or the invitation was declined."""
        conference = self._by_key.get(key)
        if conference is None or not self.takes_part(session, key):
            return []
        self._forget(session, key)
        conference.invited.pop(session, None)
        member = conference.members.pop(session, None)
        effects: list[Effect] = []
        if member is not None:
            effects += _tell(conference, session, ConferenceLeft(member.id))
        if not conference.members:
            effects += self._end(conference, ReasonCode.PARTY_LEFT)
        return effects

    def end(self, name: str, reason: ReasonCode) -> list[Effect]:
        """The conference of this name, if there is one, must not go on."""
        key = self.names.get(name)
        return [] if key is None else self._end(self._by_key[key], reason)

    def gone(self, session: str) -> list[Effect]:
        """A session has ended."""
        return [
            effect for key in tuple(self._by_session.get(session, ())) for effect in self.leave(session, key)
        ]

    def _enter(self, conference: _Conference, login: LoginInfo) -> list[Effect]:
        conference.last_id = conference.last_id % _MOST_MEMBER_IDS + 1
        member = ConferenceMember(conference.last_id, login)
        conference.members[login.login_id] = member
        all_members = tuple(conference.members.values())
        welcome = ConferenceWelcome(conference.name, conference.title, all_members)
        effects: list[Effect] = [TellConference((login.login_id,), conference.key, welcome)]
        return effects + _tell(conference, login.login_id, ConferenceJoined(member))

    def _end(self, conference: _Conference, reason: ReasonCode) -> list[Effect]:
        del self._by_key[conference.key]
        del self.names[conference.name]
        effects: list[Effect] = []
        for session in (*conference.members, *conference.invited):
            self._forget(session, conference.key)
            effects.append(CloseConference(session, conference.key, reason))
        return effects

    def _has_name(self, session: str, name: str) -> bool:
        return any(_name(each) == name for each in self._by_session.get(session, ()))

    def _forget(self, session: str, key: str) -> None:
        keys = self._by_session[session]
        del keys[key]
        if not keys:
            del self._by_session[session]


def _name(key: str) -> str:
    return key.partition("/")[2]


def _tell(
    conference: _Conference, session: str, notice: ConferenceJoined | ConferenceLeft | ConferenceSaid
) -> list[Effect]:
    """Say it to all members but `session`."""
    others = conference.others(session)
    return [TellConference(others, conference.key, notice)] if others else []
