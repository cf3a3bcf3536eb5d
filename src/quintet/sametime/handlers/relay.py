"""IM and FILE TRANSFER: channels between two users (P54, P56, P89 to P91, P100).

What is said passes unread and is neither stored nor logged. Creator and acceptor come from the server's own
sessions; a user who is offline and one who is hidden are refused alike, by the same few lines.
"""

from typing import final

from quintet.sametime.client import Client
from quintet.sametime.community import Refusal
from quintet.sametime.context import ServerContext
from quintet.sametime.delivery import Delivery
from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.events import ChannelData, ChannelOpened
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId, service_name
from quintet.sametime.services.file_transfer import FileOffer
from quintet.sametime.trace import ServiceRefused
from quintet.sametime.wire.messages import ChannelCreate


@final
class RelayHandler:
    """The relayed channels of all clients."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    def open(self, client: Client, channel: int, create: ChannelCreate) -> None:
        """Route the channel to a session of its target, when that is in view."""
        context = self._context
        if (reason := self._refusal(create)) is not None:
            name = service_name(create.service)
            context.tell(ServiceRefused(name, client.connection.client_type, reason.name))
            client.session.channels.close(channel, reason)
            return
        context.community.presence.touch(client.id, context.now())
        client.awaited[channel] = create
        context.neighbours.find(create.target.user, lambda: self._route(client, channel, create))

    def _route(self, client: Client, channel: int, create: ChannelCreate) -> None:
        if not client.still_wants(channel, create):
            return
        context = self._context
        answer = context.community.open_link(client.login, create)
        if isinstance(answer, Refusal):
            client.session.channels.close(channel, answer.reason)
            client.connection.wake()
            return
        client.links[channel] = answer.link
        client.link_channels[answer.link] = channel
        context.deliver(answer.effects, client)

    def opened(self, client: Client, link: str, event: ChannelOpened) -> None:
        """The client accepted what another one opened."""
        self._context.community.presence.touch(client.id, self._context.now())
        self._context.deliver(self._context.community.router.accepted(link, event.accept), client)

    def data(self, client: Client, link: str, event: ChannelData) -> None:
        """Pass it on."""
        community = self._context.community
        self._context.messages += 1
        community.presence.touch(client.id, self._context.now())
        effects = community.router.data(link, event.type, event.data, encrypted=event.encrypted)
        self._context.deliver(effects, None)

    def closed(self, client: Client, channel: int, reason: int, data: bytes) -> None:
        """The channel is gone at this end."""
        link = Delivery.forget_link(client, channel)
        if link is not None:
            effects = self._context.community.close_link(client.id, link, reason, data)
            self._context.deliver(effects, client)

    def _refusal(self, create: ChannelCreate) -> ReasonCode | None:
        """Why a file is not passed on."""
        most = self._context.settings.largest_file_kb
        if create.service != ServiceId.FILE_TRANSFER or not most:
            return None
        try:
            offer = FileOffer.decode(create.additional)
        except MalformedMessageError:
            return ReasonCode.BAD_DATA
        return ReasonCode.FILE_TRANSFER_REJECTED if offer.size > most * 1024 else None
