"""Presence as pages show it: who is available on the community port.

What a page shows of a person is what a Sametime client of the reader would show: the source decides by the
reader's ID.
"""

from asyncio import sleep
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

_PIECE = 250
"""People who are looked at in one turn of the event loop: some 4 ms of work."""
_LONGEST_TEXT = 200


class Availability(StrEnum):
    AVAILABLE = "available"
    IDLE = "idle"
    AWAY = "away"
    MEETING = "meeting"
    BUSY = "busy"
    OFFLINE = "offline"


_LABELS = {
    Availability.AVAILABLE: "Available",
    Availability.IDLE: "Idle",
    Availability.AWAY: "Away",
    Availability.MEETING: "In a meeting",
    Availability.BUSY: "Do not disturb",
    Availability.OFFLINE: "Offline",
}


@dataclass(frozen=True, slots=True)
class PresenceState:
    """What is shown of a person. `text` is what the person wrote about it; `mobile`: on a phone."""

    availability: Availability = Availability.OFFLINE
    text: str = ""
    mobile: bool = False

    @property
    def label(self) -> str:
        return _LABELS[self.availability] + (" (mobile)" if self.mobile else "")

    @property
    def words(self) -> str:
        """The text on one line, without characters that change how others are shown."""
        text = self.text[: 2 * _LONGEST_TEXT]
        return "".join(each if each.isprintable() else " " for each in text).strip()[:_LONGEST_TEXT]


class PresenceView(Protocol):
    """What one reader may see. `seen` has the state of each person whom `watch` named last, by ID."""

    @property
    def seen(self) -> Mapping[str, PresenceState]: ...

    def watch(self, ids: Iterable[str]) -> None: ...

    def close(self) -> None: ...


class PresenceSource(Protocol):
    """The presence of a community."""

    def view(self, reader: str, changed: Callable[[str, PresenceState], None]) -> PresenceView:
        """What the person with the ID `reader` may see, until it is closed.

        `changed` gets the ID and the state of a watched person after each change.
        """

    async def find(self, ids: Iterable[str]) -> None:
        """Ask the other nodes of the community about these people: views show them at once from then on."""


async def presence_now(
    source: PresenceSource, reader: str, people: Mapping[str, str]
) -> dict[str, PresenceState]:
    """The states by handle, of people whose IDs `people` has by handle."""
    found: dict[str, PresenceState] = {}
    handles = list(people)
    await source.find(people.values())
    for at in range(0, len(handles), _PIECE):
        view = source.view(reader, lambda *_: None)
        view.watch(people[each] for each in handles[at : at + _PIECE])
        seen = view.seen
        found |= {each: seen[people[each]] for each in handles[at : at + _PIECE] if people[each] in seen}
        view.close()
        await sleep(0)
    return found
