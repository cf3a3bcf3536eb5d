"""CONFERENCE: conversations of several users, hosted here (P92 to P96)."""

from typing import final

from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.delivery import Delivery
from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.conference import (
    ConferenceInvite,
    ConferenceJoin,
    ConferenceOpening,
    ConferenceText,
    ConferenceTyping,
    decode_request,
)
from quintet.sametime.wire.messages import ChannelCreate


@final
class ConferenceHandler:
    """The conferences of all clients."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._conferences = context.community.conferences

    def open(self, client: Client, channel: int, create: ChannelCreate) -> None:
        """The client opens a conference by the name that it made up."""
        try:
            opening = ConferenceOpening.decode(create.additional)
        except MalformedMessageError:
            client.session.channels.close(channel, ReasonCode.BAD_DATA)
            return
        client.awaited[channel] = create
        self._context.neighbours.claim_conference(
            opening.name, lambda free: self._begin(client, channel, create, opening, free)
        )

    def _begin(
        self, client: Client, channel: int, create: ChannelCreate, opening: ConferenceOpening, free: bool
    ) -> None:
        if not client.still_wants(channel, create):
            return
        answer = self._conferences.open(client.login, opening) if free else ReasonCode.CHANNEL_EXISTS
        if isinstance(answer, ReasonCode):
            client.session.channels.close(channel, answer)
            client.connection.wake()
            return
        conference, effects = answer
        client.hosted[channel] = self
        Delivery.remember_conference(client, channel, conference)
        self._context.deliver(effects, client)

    def accepted(self, client: Client, channel: int) -> None:
        """An invited client accepted the channel; it joins next."""
        client.hosted[channel] = self

    def receive(self, client: Client, channel: int, message_type: int, data: bytes) -> None:
        """P94, P95."""
        conference = client.conferences.get(channel)
        if conference is None:
            return
        context = self._context
        request = decode_request(message_type, data)
        if isinstance(request, ConferenceText | ConferenceTyping):
            context.messages += 1
            context.community.presence.touch(client.id, context.now())
        if context.neighbours.confer(client.id, conference, request):
            return
        match request:
            case ConferenceInvite() as invite:
                self._invite(client, conference, invite)
                return
            case ConferenceJoin():
                effects = self._conferences.join(client.id, conference)
            case (ConferenceText() | ConferenceTyping()) as message:
                effects = self._conferences.say(client.id, conference, message)
        context.deliver(effects, client)

    def _invite(self, client: Client, conference: str, invite: ConferenceInvite) -> None:
        """Invite a user, when that is in view."""
        context = self._context

        def found() -> None:
            context.done(client)
            context.deliver(context.community.invite(client.login, conference, invite), client)

        context.begin(client)
        context.neighbours.find(invite.user.user, found)

    def closed(self, client: Client, channel: int) -> None:
        """The client left, or declined."""
        conference = Delivery.forget_conference(client, channel)
        if conference is not None and not self._context.neighbours.confer(client.id, conference, None):
            self._context.deliver(self._conferences.leave(client.id, conference), client)
