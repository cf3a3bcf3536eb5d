"""The presence of the community port, for the people pages."""

from collections.abc import Callable, Iterable, Mapping
from typing import final

from quintet.sametime.serving import PresenceViewer, SametimeServer, StatusCode, StatusFlag, UserStatus
from quintet.web.serving import Availability, PresenceState, PresenceView

_AVAILABILITY = {
    int(StatusCode.OFFLINE): Availability.OFFLINE,
    int(StatusCode.IN_MEETING): Availability.MEETING,
    int(StatusCode.ACTIVE): Availability.AVAILABLE,
    int(StatusCode.IDLE): Availability.IDLE,
    int(StatusCode.AWAY): Availability.AWAY,
    int(StatusCode.DO_NOT_DISTURB): Availability.BUSY,
}

_FIND_SECONDS = 1.0
"""The longest that a page waits for other nodes."""


@final
class CommunityPresence:
    """A `PresenceSource` of a Sametime server."""

    def __init__(self, server: SametimeServer) -> None:
        self._server = server

    def view(self, reader: str, changed: Callable[[str, PresenceState], None]) -> PresenceView:
        return _View(
            self._server.view_presence(reader, lambda ident, status: changed(ident, state_of(status)))
        )

    async def find(self, ids: Iterable[str]) -> None:
        await self._server.find_users(ids, _FIND_SECONDS)


@final
class _View:
    def __init__(self, viewer: PresenceViewer) -> None:
        self._viewer = viewer

    @property
    def seen(self) -> Mapping[str, PresenceState]:
        return {ident: state_of(status) for ident, status in self._viewer.seen.items()}

    def watch(self, ids: Iterable[str]) -> None:
        self._viewer.watch(ids)

    def close(self) -> None:
        self._viewer.close()


def state_of(status: UserStatus) -> PresenceState:
    """What a page shows of a status. An unknown one is of a user who is online, and perhaps busy."""
    availability = _AVAILABILITY.get(status.status & ~StatusFlag.MOBILE, Availability.BUSY)
    return PresenceState(availability, status.text, mobile=bool(status.status & StatusFlag.MOBILE))
