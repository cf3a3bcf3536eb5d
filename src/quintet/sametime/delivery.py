"""From effects to what clients get: each effect of the community becomes messages on their connections.

Those for sessions of other nodes go to the `Neighbours`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, final

from quintet.sametime.client import Client
from quintet.sametime.community import effects as e
from quintet.sametime.context import ServerContext
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.aware import (
    AttributeSet,
    AttributeUnset,
    AwareNotice,
    GroupAdded,
    PresenceSnapshot,
    PresenceUpdate,
)
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.messages import SetPrivacyList, SetUserStatus

SNAPSHOT_ENTRIES: Final = 200
"""Entries in one snapshot; more come in several."""


@final
class Delivery:
    """Carries out effects. `watch_group` and `unwatch_group` say which groups are wanted, by ID."""

    def __init__(
        self,
        context: ServerContext,
        end: Callable[[Client, ReasonCode], None],
        watch_group: Callable[[str], None],
        unwatch_group: Callable[[str], None],
    ) -> None:
        self._context = context
        self._clients = context.clients
        self._end = end
        self._watch_group = watch_group
        self._unwatch_group = unwatch_group

    def deliver(self, effects: list[e.Effect], source: Client | None) -> None:
        """Carry out effects in their order. What many others get is charged to `source`, who caused it."""
        pending = effects
        charge = 0
        while pending:
            further: list[e.Effect] = []
            for effect in pending:
                charge += self._carry_out(effect, further)
            pending = further
        if source is not None and charge:
            source.connection.charge(charge)

    def _carry_out(self, effect: e.Effect, further: list[e.Effect]) -> int:
        """How many bytes others got."""
        match effect:
            case e.ShowUpdate(entry, sessions):
                return self._tell_aware(sessions, PresenceUpdate(entry))
            case e.ShowSnapshot(session, entries):
                for at in range(0, len(entries) or 1, SNAPSHOT_ENTRIES):
                    self._tell_aware((session,), PresenceSnapshot(entries[at : at + SNAPSHOT_ENTRIES]))
            case e.ShowAttribute(aware_id, key, value, sessions):
                unset = value is None
                notice = AttributeUnset(aware_id, key) if unset else AttributeSet(aware_id, key, value or b"")
                return self._tell_aware(sessions, notice)
            case e.ShowGroup(session, aware_id):
                self._tell_aware((session,), GroupAdded(aware_id))
            case e.ShowOwnStatus(session, status):
                if client := self._clients.get(session):
                    client.session.notify(SetUserStatus(status))
                    client.connection.wake()
            case e.ShowOwnPrivacy(session, privacy):
                if client := self._clients.get(session):
                    client.privacy = privacy
                    client.session.notify(SetPrivacyList(privacy))
                    client.connection.wake()
            case e.EndSession(record, reason):
                if client := self._clients.get(record.id):
                    self._end(client, reason)
                else:
                    self._context.neighbours.take(effect)
            case e.WatchGroup(group_id):
                self._watch_group(group_id)
            case e.UnwatchGroup(group_id):
                self._unwatch_group(group_id)
            case e.WatchUser() | e.UnwatchUser():
                self._context.neighbours.take(effect)
            case e.OpenAt() | e.AcceptAt() | e.SendAt() | e.CloseAt():
                return self._relay(effect, further)
            case e.AcceptConference() | e.InviteTo() | e.TellConference() | e.CloseConference():
                return self._confer(effect, further)
        return 0

    def _tell_aware(self, sessions: tuple[str, ...], notice: AwareNotice) -> int:
        data = notice.encode()
        for session in sessions:
            client = self._clients.get(session)
            if client is not None and client.aware_channel is not None:
                client.session.channels.send(client.aware_channel, notice.TYPE, data)
                client.connection.wake()
            elif viewer := self._context.viewers.get(session):
                viewer(notice)
        return len(sessions) * len(data)

    def _relay(self, effect: e.OpenAt | e.AcceptAt | e.SendAt | e.CloseAt, further: list[e.Effect]) -> int:
        router = self._context.community.router
        client = self._clients.get(effect.session)
        if client is None:
            if self._context.neighbours.take(effect):
                return _size(effect)
            if not isinstance(effect, e.CloseAt):
                further += router.closed(effect.link, ReasonCode.USER_NOT_ONLINE)
            return 0
        channels = client.session.channels
        if isinstance(effect, e.OpenAt):
            if not channels.can_open:
                further += router.closed(effect.link, ReasonCode.OUT_OF_RESOURCES)
                return 0
            channel = channels.open_relayed(effect.create, effect.creator)
            client.links[channel] = effect.link
            client.link_channels[effect.link] = channel
            client.connection.wake()
            return _size(effect)
        known = client.link_channels.get(effect.link)
        if known is None:
            return 0
        client.connection.wake()
        if isinstance(effect, e.AcceptAt):
            if not channels.accept_relayed(known, effect.accept, effect.acceptor):
                self.forget_link(client, known)
                further += router.closed(effect.link, ReasonCode.NO_COMMON_ENCRYPTION)
        elif isinstance(effect, e.SendAt):
            channels.send(known, effect.type, effect.data, encrypted=effect.encrypted)
        else:
            self.forget_link(client, known)
            channels.close(known, effect.reason, effect.data)
        return 0

    @staticmethod
    def forget_link(client: Client, channel: int) -> str | None:
        """The channel is gone; the name of its end of a link."""
        link = client.links.pop(channel, None)
        if link is not None:
            client.link_channels.pop(link, None)
        return link

    def _confer(
        self,
        effect: e.AcceptConference | e.InviteTo | e.TellConference | e.CloseConference,
        further: list[e.Effect],
    ) -> int:
        if isinstance(effect, e.TellConference):
            data = effect.notice.encode()
            elsewhere: list[str] = []
            for session in effect.sessions:
                client = self._clients.get(session)
                if client is None:
                    elsewhere.append(session)
                elif (channel := client.conference_channels.get(effect.conference)) is not None:
                    client.session.channels.send(channel, effect.notice.TYPE, data)
                    client.connection.wake()
            if elsewhere:
                self._context.neighbours.take(replace(effect, sessions=tuple(elsewhere)))
            return len(effect.sessions) * len(data)
        client = self._clients.get(effect.session)
        if client is None:
            self._context.neighbours.take(effect)
            return 0
        channels = client.session.channels
        client.connection.wake()
        if isinstance(effect, e.InviteTo):
            if not channels.can_open:
                if not self._context.neighbours.confer(effect.session, effect.conference, None):
                    further += self._context.community.conferences.leave(effect.session, effect.conference)
                return 0
            invitation = effect.invitation
            channel = channels.open(ServiceId.CONFERENCE, invitation.inviter, invitation.encode())
            self.remember_conference(client, channel, effect.conference)
            return 0
        channel = client.conference_channels.get(effect.conference, 0)
        if isinstance(effect, e.AcceptConference):
            channels.accept(channel)
        else:
            self.forget_conference(client, channel)
            channels.close(channel, effect.reason)
        return 0

    @staticmethod
    def remember_conference(client: Client, channel: int, conference: str) -> None:
        """The channel is that of a conference."""
        client.conferences[channel] = conference
        client.conference_channels[conference] = channel

    @staticmethod
    def forget_conference(client: Client, channel: int) -> str | None:
        """The channel is gone; which conference it was."""
        conference = client.conferences.pop(channel, None)
        if conference is not None:
            client.conference_channels.pop(conference, None)
        return conference


def _size(effect: e.OpenAt | e.AcceptAt | e.SendAt | e.CloseAt) -> int:
    """What is charged for it to the client that caused it."""
    return len(effect.create.additional) if isinstance(effect, e.OpenAt) else 0
