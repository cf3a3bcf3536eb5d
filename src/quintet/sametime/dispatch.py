"""From what a signed-in client says to the service that looks after it."""

from collections.abc import Callable, Mapping
from typing import final

from quintet.sametime import events
from quintet.sametime.client import Client, ServiceHandler
from quintet.sametime.context import ServerContext
from quintet.sametime.errors import MalformedMessageError, UnknownMessageTypeError
from quintet.sametime.handlers.announcements import AnnouncementHandler
from quintet.sametime.handlers.conference import ConferenceHandler
from quintet.sametime.handlers.privacy import PrivacyHandler
from quintet.sametime.handlers.relay import RelayHandler
from quintet.sametime.handlers.stored_values import StoredValuesHandler
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import SERVICES, ServiceId, service_name
from quintet.sametime.trace import ClientIgnored, ServiceRefused


@final
class Dispatcher:
    """`hosted` are the services whose channels end at the server; `leave` is called when a client left."""

    def __init__(
        self,
        context: ServerContext,
        hosted: Mapping[int, ServiceHandler],
        values: StoredValuesHandler,
        conferences: ConferenceHandler,
        privacy: PrivacyHandler,
        leave: Callable[[Client, int], None],
    ) -> None:
        self._context = context
        self._hosted = hosted
        self._values = values
        self._conferences = conferences
        self._privacy = privacy
        self._leave = leave
        self._relay = RelayHandler(context)
        self._announcements = AnnouncementHandler(context)

    def handle(self, client: Client, event: events.SessionEvent) -> None:
        match event:
            case events.ChannelData(channel):
                link = client.links.get(channel)
                if link is not None:
                    self._relay.data(client, link, event)
                else:
                    self._on_data(client, event)
            case events.ChannelRequested(channel, create):
                if SERVICES[create.service].relayed:
                    self._relay.open(client, channel, create)
                else:
                    self._hosted[create.service].open(client, channel, create)
            case events.ChannelOpened(channel):
                link = client.links.get(channel)
                if link is not None:
                    self._relay.opened(client, link, event)
                else:
                    self._conferences.accepted(client, channel)
            case events.ChannelClosed(channel, reason, data):
                self._on_closed(client, channel, reason, data)
            case events.ChannelRefused(create, reason):
                self._context.tell(
                    ServiceRefused(service_name(create.service), client.connection.client_type, reason.name)
                )
            case events.StatusChanged(status):
                context = self._context
                presence = context.community.presence
                context.deliver(presence.set_status(client.id, status, context.now()), client)
                context.neighbours.changed(client.id)
            case events.PrivacyChanged(privacy):
                self._privacy.changed(client, privacy)
            case events.SenseRequested(service):
                if service != ServiceId.STORAGE or self._values.may_be_sensed(client):
                    client.session.announce_service(service)
            case events.AnnouncementRequested(announce):
                self._announcements.announce(client, announce)
            case events.MessageIgnored(message_type, cause, detail):
                asked = cause is events.IgnoreCause.NOT_OFFERED
                what = f"SENSE {detail}" if asked else f"message {message_type:#06x}"
                self._ignored(client, what, cause.name)
            case events.SessionLeft(reason) | events.ProtocolViolation(_, reason):
                self._leave(client, reason)
            case _:
                pass  # nothing of before sign-in comes any more

    def _on_data(self, client: Client, event: events.ChannelData) -> None:
        handler = client.hosted.get(event.channel)
        if handler is None:
            return
        try:
            handler.receive(client, event.channel, event.type, event.data)
        except UnknownMessageTypeError as error:
            self._ignored(client, f"{error.service} message {error.message_type:#06x}", "UNKNOWN_TYPE")
        except MalformedMessageError:
            client.session.channels.close(event.channel, ReasonCode.BAD_DATA)
            self._on_closed(client, event.channel, ReasonCode.BAD_DATA, b"")
            self._ignored(client, "service message", "MALFORMED")

    def _on_closed(self, client: Client, channel: int, reason: int, data: bytes) -> None:
        client.awaited.pop(channel, None)
        handler = client.hosted.pop(channel, None)
        if handler is not None:
            handler.closed(client, channel)
        elif channel in client.conferences:
            self._conferences.closed(client, channel)
        else:
            self._relay.closed(client, channel, reason, data)

    def _ignored(self, client: Client, what: str, cause: str) -> None:
        self._context.tell(ClientIgnored(what, client.connection.client_type, cause))
