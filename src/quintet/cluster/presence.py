"""Sessions of this node become known to other nodes, and those of others here.

Theory of operation
-------------------
Each node is the only authority on its own sessions; Valkey holds copies that may vanish at any moment. For
each user there is a value with the user's sessions, and a channel on which every script that changes the
value publishes what it changed (`scripts`).

**Views.** A user is in view if the user has a session here, is watched or about to be watched here, or was
looked for a short time ago. Of a user in view this node knows what the value says:

    subscribing --confirmed--> reading --snapshot--> current --publication--> current
                                  ^                     | a gap in the numbers
                                  +---------------------+

A snapshot is read only after the subscription was confirmed, and publications that come meanwhile are kept;
of these, those count that are newer than the snapshot. Each publication names the number that it found: if
that is not the last one known, something is missing, and the value is read again. What is shown stays until
the next snapshot. A view is the only thing that brings sessions of other nodes into `Community` (`show`) and
takes them out again (`sign_out`), and a list of privacy comes before the sessions that it hides.

**Own sessions.** A session is registered by one script that also decides, for all nodes together, which other
sessions of the user end; nothing else decides that while Valkey answers. Then it is written when it changes,
one call at a time, so that several changes become one. A session that is missing where it should be (a
snapshot, a publication that removes it, a write that does not find it) is registered again as "returning":
it was lost, and is there again; or it ended for another session, then the script refuses, and it is ended
here. So a session that loses under a one-sign-in rule is ended by its own node, wherever that was decided.
A sign-in that goes no further after others were removed for it leaves a mark that it moves, for some seconds:
if one of them comes back, the user was there all the time.

**Doubt.** After a new connection, or a lost lease, everything is registered again, every view is read again,
and the index of this incarnation is compared with what is here. Nothing else repairs. Sessions that began
while Valkey was away were never registered, and end those that were (`_Mode`).

**Gone.** Sessions of an incarnation whose lease is over leave the view. So do all sessions of other nodes
when this node has lost its own lease: it may not know any more what becomes of them. They may be thousands,
so they leave one after the other, beside everything else (`Views._ending`); one that is shown anew stays. A
session that moves is shown until its time is over, whatever becomes of its node.

The module never waits, and has no clock: `now` is what the last event brought.
"""

from collections.abc import Callable, Collection, Iterable
from typing import final

from quintet.cluster.calls import FencedCalls
from quintet.cluster.lease import NodeLease
from quintet.cluster.records import Sealing
from quintet.cluster.registrations import TOUCH_SECONDS, Registrations
from quintet.cluster.valkey import Valkey
from quintet.cluster.views import Views
from quintet.sametime.sharing import (
    LocalNode,
    Node,
    Refusal,
    Registered,
    SessionRecord,
    VersionedPrivacy,
)


@final
class SharedPresence:
    """The presence of all nodes, at the node `local`."""

    def __init__(
        self,
        valkey: Valkey,
        prefix: str,
        lease: NodeLease,
        sealing: Sealing,
        local: LocalNode,
        touch_seconds: float = TOUCH_SECONDS,
    ) -> None:
        self._calls = calls = FencedCalls(valkey, prefix, lease)
        self._views = Views(calls, sealing, local)
        self._own = Registrations(calls, sealing, local, self._views, touch_seconds)
        self._views.own = self._own

    @property
    def unreadable(self) -> int:
        """Values and publications that no node of this version has written for their place."""
        return self._views.unreadable

    # What this node does: see `Neighbours`

    def register(
        self,
        record: SessionRecord,
        privacy: VersionedPrivacy | None,
        then: Callable[[Registered | Refusal], None],
    ) -> None:
        self._own.register(record, privacy, then)

    def changed(self, session: str) -> None:
        self._own.changed(session)

    def removed(self, session: str, *, moving: bool = False) -> None:
        self._own.removed(session, moving=moving)

    def privacy_changed(self, user_id: str, privacy: VersionedPrivacy) -> VersionedPrivacy:
        """The list that is in force: a later one may have come from another node."""
        return self._own.privacy_changed(user_id, privacy)

    def watch(self, user_id: str) -> None:
        self._views.watch(user_id)

    def unwatch(self, user_id: str) -> None:
        self._views.unwatch(user_id)

    def find(self, target: str, then: Callable[[], None]) -> None:
        self._views.find(target, then)

    def bring_into_view(self, users: Collection[str], then: Callable[[], None]) -> None:
        self._views.bring(users, then)

    def peers(self) -> Iterable[Node]:
        """The nodes whose sessions are shown here."""
        return self._views.peers()

    # What happens to it

    def held(self, now: float) -> None:
        """The lease is confirmed, on a new connection or for a new incarnation: everything is in doubt."""
        self._calls.now = now
        self._calls.begin()
        self._views.held()
        self._own.held()

    def disconnected(self, now: float) -> None:
        """Nothing comes and goes until `held`."""
        self._calls.now = now
        self._calls.end()
        self._views.disconnected()
        self._own.let_go()

    def lost(self) -> None:
        """The lease is lost: what other nodes do is not known any more, and nothing here is known to them."""
        self._calls.end()
        self._views.lost()
        self._own.let_go()

    def gone(self, node: Node) -> None:
        """The lease of another node is over."""
        self._views.gone(node)

    def confirmed(self, channel: str, now: float) -> None:
        self._calls.now = now
        self._views.confirmed(channel)

    def published(self, channel: str, data: bytes, now: float) -> None:
        self._calls.now = now
        self._views.published(channel, data)

    def tick(self, now: float) -> None:
        self._calls.now = now
        self._own.tick(now)
        self._views.tick(now)
