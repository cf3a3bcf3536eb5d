"""ANNOUNCE: a text of an administrator to many users (P30). Only members of the administrators' group may.

Recipients are users (`@U ID`) and groups (`@G ID`); those who are signed in get it, in all their sessions.
Each is named to itself as the only recipient.
"""

from typing import Final, final

from quintet.directory import DirectoryError, Person, Service
from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.ids import id_key
from quintet.sametime.neighbours import AnnounceTo
from quintet.sametime.orders import carry_out_everywhere
from quintet.sametime.reason import ReasonCode
from quintet.sametime.trace import ServiceRefused
from quintet.sametime.wire.messages import Announce

_MOST_GROUPS: Final = 20
_USERS: Final = 1000
"""Users in one order."""
_SERVICE: Final = "ANNOUNCE"


@final
class AnnouncementHandler:
    """Remembers who was found in the administrators' group lately."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._admins: dict[str, float] = {}

    def announce(self, client: Client, announce: Announce) -> None:
        """The client wants to tell many something."""
        if self._context.settings.admin_group is None or client.person is None:
            self._refuse(client)
        else:
            self._context.request(client, "announce", self._announce(client, client.person, announce))

    def _refuse(self, client: Client) -> None:
        reason = ReasonCode.NOT_AUTHORIZED.name
        self._context.tell(ServiceRefused(_SERVICE, client.connection.client_type, reason))

    async def _announce(self, client: Client, person: Person, announce: Announce) -> None:
        if not await self._is_admin(client, person):
            self._refuse(client)
            return
        users = await self._users(client, announce.recipients)
        for at in range(0, len(users), _USERS):
            piece = users[at : at + _USERS]
            order = AnnounceTo(piece, announce.text, announce.may_reply, client.login)
            count = await carry_out_everywhere(self._context, order)
            client.connection.charge(len(announce.text) * count)

    async def _users(self, client: Client, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """The IDs of all recipients."""
        users: dict[str, None] = {}
        groups: list[str] = []
        for recipient in recipients:
            kind, _, identifier = recipient.partition(" ")
            if kind == "@U":
                users[identifier] = None
            elif kind == "@G" and len(groups) < _MOST_GROUPS:
                groups.append(identifier)
        for group in groups:
            client.tasks[Service.GROUP_CONTENT] += 1
            try:
                content = await self._context.directory.members(group)
            except DirectoryError:
                continue
            users |= dict.fromkeys([each.id for each in content.members])
        return tuple(users)

    async def _is_admin(self, client: Client, person: Person) -> bool:
        """Whether the user is in the group, asked again every `refresh_interval`."""
        key, now = id_key(person.id), self._context.now()
        if self._admins.get(key, 0) > now:
            return True
        self._admins.pop(key, None)
        client.tasks[Service.GROUP_CONTENT] += 1
        try:
            groups = await self._context.directory.groups_of(person)
        except DirectoryError:
            return False
        wanted = id_key(self._context.settings.admin_group or "")
        if not any(wanted in (id_key(each.id), id_key(each.name)) for each in groups):
            return False
        self._admins[key] = now + self._context.settings.refresh_interval
        return True
