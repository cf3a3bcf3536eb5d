"""What this server and the other nodes of its community are to each other. A server alone has none.

`SametimeServer` has a `Neighbours`, whose methods do not wait. Where another node has to be
asked, the caller says what is to be done then: it is called once, within `ANSWER_SECONDS`, and before the
method returns if no node has to be asked. What it finds in the community holds at that moment, so it decides
at once, and nothing comes between.

The other way the server is a `LocalNode` to what speaks for the other nodes: what they do becomes calls of
its community, whose effects it delivers, and orders.
"""

# ruff: noqa: ARG002  # a server alone needs to know nothing

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, final

from quintet.sametime.community import Community, Refusal, SessionRecord
from quintet.sametime.community.effects import Effect
from quintet.sametime.services.conference import ConferenceRequest
from quintet.sametime.wire.blocks import LoginInfo, PrivacyInfo

ANSWER_SECONDS: Final = 5.0
"""The longest that a client waits for another node; then what it asks for is decided without."""


@dataclass(frozen=True, slots=True)
class ShowText:
    """Show a text of the administrator in every session (`quintet broadcast`)."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndNamed:
    """End the sessions with this session id, user id or login name, so that they do not come back."""

    name: str


@dataclass(frozen=True, slots=True)
class AnnounceTo:
    """Show an announcement in all sessions of these users."""

    users: tuple[str, ...]
    text: str = field(repr=False)
    may_reply: bool
    sender: LoginInfo


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A value of a user was saved; `version` is the current one now. Sessions of the user go on with it."""

    user_id: str
    key: int
    version: int


@dataclass(frozen=True, slots=True)
class ListSessions:
    """Tell the node that asks which sessions there are."""


SessionOrder = ShowText | EndNamed | AnnounceTo
"""What is done with sessions, here and at every other node."""

Order = SessionOrder | StoredChange | ListSessions
"""What every node does for its own sessions."""

MOST_ROWS: Final = 100
"""Sessions that one message lists."""
MOST_LISTED: Final = 20_000
"""Sessions that are listed."""


class SessionRow(NamedTuple):
    """A session of any node, for an administrator. `connected_at` is in seconds since 1970.

    A tuple, because 20,000 of them become JSON at once.
    """

    node: str
    id: str
    user_id: str
    user_name: str
    client_type: str
    address: str
    connected_at: int
    status: int


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What came of an order: with how many sessions it was done, and those that it lists.

    `asked` is how many other nodes heard it, None if that is not known because Valkey is away; `answered` is
    how many of them have done it in time.
    """

    sessions: int = 0
    rows: tuple[SessionRow, ...] = ()
    asked: int | None = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class VersionedPrivacy:
    """A user's stored privacy list. `version` is greater the later it was stored."""

    version: int
    privacy: PrivacyInfo


@dataclass(frozen=True, slots=True)
class Registered:
    """A user may sign in. `privacy` is the list in force, None if it is not known.

    `ending` are the sessions that end for it; None if each node decides that for itself.
    """

    privacy: PrivacyInfo | None
    ending: frozenset[str] | None = None


class Neighbours(Protocol):
    """The other nodes. Sessions are named by their ids."""

    def register(
        self,
        record: SessionRecord,
        privacy: VersionedPrivacy | None,
        then: Callable[[Registered | Refusal], None],
    ) -> None:
        """A user is about to sign in here, with this stored privacy list (None if it cannot be read).

        Not refused, the session is known everywhere, those that end for it are ending, and the view of the
        user is current; `removed` must be called even if the sign-in goes no further.
        """

    def changed(self, session: str) -> None:
        """The status or an attribute of a session here has changed, in `Presence`."""

    def privacy_changed(self, user_id: str, privacy: VersionedPrivacy) -> PrivacyInfo:
        """The list of a user with a session here was stored. Which one is in force: another may be later."""

    def removed(self, session: str, *, moving: bool = False) -> None:
        """A session here has ended; `moving` if its client is to come back at another node."""

    def find(self, target: str, then: Callable[[], None]) -> None:
        """Bring a user into view who is about to be routed to: a user id, login id or login name."""

    def bring_into_view(self, users: Collection[str], then: Callable[[], None]) -> None:
        """Users, by ID, are about to be watched: know of their sessions at other nodes before."""

    def take(self, effect: Effect) -> bool:
        """An effect for a session that is not here. False if it is of no other node either."""

    def confer(self, session: str, conference: str, request: ConferenceRequest | None) -> bool:
        """A session here does something in a conference; None: it left. False if the conference is here."""

    def claim_conference(self, name: str, then: Callable[[bool], None]) -> None:
        """A conference of this name is about to be opened here: whether there is none elsewhere."""

    def order(self, order: Order, then: Callable[[OrderResult], None]) -> None:
        """Let all other nodes do it. `then` gets what came of it, as far as they answer in time."""


class LocalNode(Protocol):
    """This node, as the others see it."""

    @property
    def community(self) -> Community: ...

    def deliver(self, effects: list[Effect]) -> None:
        """Carry out what follows from what another node did."""

    def in_slices(self, steps: Iterator[None]) -> None:
        """Take steps that may be many: beside everything else, some in each turn of the loop."""

    def carry_out(self, order: SessionOrder | StoredChange, then: Callable[[int], None]) -> None:
        """Do it with the sessions here. `then` gets how many, perhaps later."""

    def read_privacy(self, user_id: str) -> None:
        """The stored list of a user with sessions here is in force from now on, read again.

        A node that is gone may have stored one of which no other node heard.
        """

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        """The sessions here, at most `MOST_ROWS` in each step."""


@final
class Alone:
    """There are no other nodes."""

    def register(
        self,
        record: SessionRecord,
        privacy: VersionedPrivacy | None,
        then: Callable[[Registered | Refusal], None],
    ) -> None:
        then(Registered(None if privacy is None else privacy.privacy))

    def changed(self, session: str) -> None:
        pass

    def privacy_changed(self, user_id: str, privacy: VersionedPrivacy) -> PrivacyInfo:
        return privacy.privacy

    def removed(self, session: str, *, moving: bool = False) -> None:
        pass

    def find(self, target: str, then: Callable[[], None]) -> None:
        then()

    def bring_into_view(self, users: Collection[str], then: Callable[[], None]) -> None:
        then()

    def take(self, effect: Effect) -> bool:
        return False

    def confer(self, session: str, conference: str, request: ConferenceRequest | None) -> bool:
        return False

    def claim_conference(self, name: str, then: Callable[[bool], None]) -> None:
        then(True)

    def order(self, order: Order, then: Callable[[OrderResult], None]) -> None:
        then(OrderResult())
