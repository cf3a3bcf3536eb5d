"""The community as one interface: sessions with their presence, relayed channels and conferences.

`Community` is what a server talks to; it keeps everything in memory. Values go in, effects come out, and the
caller carries them out in their order. Time is a parameter, in seconds since 1970.

Whatever ends a session (the client, a rule, a limit) ends all that hangs on it, here and in one step: its
presence, its links and its part in conferences.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, final

from quintet.sametime.community.conferences import ConferenceLimits, Conferences
from quintet.sametime.community.effects import Effect, EndSession, ShowOwnPrivacy
from quintet.sametime.community.presence import Presence
from quintet.sametime.community.privacy import PrivacyRules
from quintet.sametime.community.records import Node, PresenceLimits, SessionRecord, SignInRule
from quintet.sametime.community.routing import OFFLINE, Router
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import ConferenceInvite
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo
from quintet.sametime.wire.messages import ChannelCreate

_ANSWER_TO_SECOND: Final = ReasonCode.LOGGED_IN_TWICE


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was asked for is not done."""

    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class Linked:
    """A relayed channel is being opened; `link` is the name of the creator's end."""

    link: str
    effects: list[Effect]


@final
class Community:
    """Who is there, who sees whom, and who talks with whom.

    `presence`, `router` and `conferences` are its parts, for what concerns only one of them.
    """

    __slots__ = ("conferences", "limits", "node", "presence", "router", "rule")

    def __init__(
        self,
        node: Node,
        rule: SignInRule = SignInRule.MANY,
        presence: PresenceLimits | None = None,
        conferences: ConferenceLimits | None = None,
    ) -> None:
        self.node = node
        self.rule = rule
        self.limits = presence or PresenceLimits()
        self.presence = Presence(rule, self.limits)
        self.router = Router(node)
        self.conferences = Conferences(node, conferences)

    def sign_in(
        self, record: SessionRecord, privacy: PrivacyInfo | None, ending: Collection[str] | None = None
    ) -> list[Effect] | Refusal:
        """A user signs in. `privacy` is the stored list.

        It is None if it cannot be read: then no other user sees the user, unless other sessions have rules in
        force. A client that is refused must not come back by itself: two would throw each other out for ever
        (P103). `ending` are the sessions that end for it, if the nodes have decided that together.
        """
        user_id = record.login.user_id
        if ending is None and not self.presence.may_sign_in(user_id):
            return Refusal(_ANSWER_TO_SECOND)
        before = self.presence.rules_of(user_id)
        effects = self.presence.sign_in(record, None if privacy is None else PrivacyRules.of(privacy), ending)
        for each in tuple(effects):
            if isinstance(each, EndSession):
                effects += self._cut(each.record.id)
        return effects + self._hide(user_id, before)

    def sign_out(self, session: str) -> list[Effect]:
        """A session has ended. Does nothing the second time."""
        return self._cut(session) + self.presence.sign_out(session)

    def move(self, session: str) -> list[Effect]:
        """The session has ended because this node shuts down: its client is to come back at another one."""
        return self._cut(session) + self.presence.move(session)

    def end(self, session: str, reason: ReasonCode) -> list[Effect]:
        """End a session."""
        record = self.presence.record(session)
        if record is None:
            return []
        return [EndSession(record, reason), *self.sign_out(session)]

    def begin_anew(self, node: Node) -> None:
        """This node has another incarnation now."""
        self.node = self.router.node = self.conferences.node = node

    def set_privacy(self, user_id: str, privacy: PrivacyInfo) -> list[Effect]:
        """The user's list has changed, and is stored. All the user's sessions get it."""
        before = self.presence.rules_of(user_id)
        effects = self.presence.set_privacy(user_id, PrivacyRules.of(privacy))
        effects += self._hide(user_id, before)
        return effects + [ShowOwnPrivacy(each, privacy) for each in self.presence.local_sessions_of(user_id)]

    def open_link(self, creator: LoginInfo, create: ChannelCreate) -> Linked | Refusal:
        """A client opens a channel to another user. Refused alike if that user is offline or hidden."""
        target = self.presence.route(create.target.user, creator.user_id, create.service)
        record = None if target is None else self.presence.record(target)
        if record is None:
            return Refusal(OFFLINE)
        return Linked(*self.router.open(creator, create, record.login, record.node))

    def close_link(self, session: str, link: str, reason: int, data: bytes = b"") -> list[Effect]:
        """The channel at an end is gone. A client that knows not of the service is not asked again."""
        if reason == ReasonCode.SERVICE_NOT_SUPPORTED and (service := self.router.service_of(link)):
            self.presence.set_unsupported(session, service)
        return self.router.closed(link, reason, data)

    def invite(self, inviter: LoginInfo, conference: str, invite: ConferenceInvite) -> list[Effect]:
        """A member invites a user. Nothing happens if that user is offline or hidden from the member."""
        target = self.presence.route(invite.user.user, inviter.user_id, ServiceId.CONFERENCE)
        record = None if target is None else self.presence.record(target)
        if record is None:
            return []
        return self.conferences.invite(inviter.login_id, conference, record.login, invite.text)

    def _cut(self, session: str) -> list[Effect]:
        return self.router.gone(session) + self.conferences.gone(session)

    def _hide(self, user_id: str, before: PrivacyRules | None) -> list[Effect]:
        """If the user's rules have changed, close the links with all from whom the user is hidden now."""
        rules = self.presence.rules_of(user_id)
        if rules is None or rules == before or rules.allow_all:
            return []
        sessions = self.presence.sessions_of(user_id)
        return self.router.hide(sessions, lambda viewer: not self.presence.can_see(viewer, user_id))
