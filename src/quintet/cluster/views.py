"""Users in view: what this node knows of the sessions of others. See `presence` for how it works."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, final

from quintet.cluster import scripts
from quintet.cluster.calls import FencedCalls
from quintet.cluster.records import (
    DIGEST,
    Publication,
    Sealing,
    UserField,
    UserSnapshot,
    decode_session,
    name_place,
    open_privacy,
    read_publication,
    read_snapshot,
    session_value,
    user_digest,
)
from quintet.cluster.valkey import CallFailure, Reply
from quintet.sametime.sharing import (
    ALLOW_NONE,
    LocalNode,
    Node,
    PrivacyRules,
    VersionedPrivacy,
)

MOVING_SECONDS: Final = 45.0
FOUND_SECONDS: Final = 60.0
WAIT_SECONDS: Final = 2.5
"""How long a client waits for an answer at most, until the next tick."""

_MOST_FOUND: Final = 5000
_MOST_BUFFERED: Final = 1000


class OwnSessions(Protocol):
    """The sessions of this node, to its views."""

    def __contains__(self, session: str) -> bool: ...

    def missing(self, session: str) -> None:
        """The session is not in Valkey, and should be."""

    def compare(self, view: "UserView", number: int, known: Collection[str]) -> None:
        """These sessions were in Valkey at the call with this number."""

    def remove(self, digest: str, session: str) -> None:
        """This node has written the session, which has ended."""

    def hide(self, view: "UserView") -> None:
        """The user's privacy list is not in Valkey, or one that cannot be read."""


@dataclass(slots=True, eq=False)
class _Waits:
    """A caller of `find` or `bring`, who waits until nothing is `left` to wait for."""

    then: Callable[[], None] | None
    asked_at: float
    left: int = 1

    def done(self) -> None:
        self.left -= 1
        if not self.left:
            self.give_up()

    def give_up(self) -> None:
        then, self.then = self.then, None
        if then is not None:
            then()


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A session of another node that is shown. `until` is when it leaves because its client did not come."""

    node: Node
    value: bytes
    until: float | None


@dataclass(slots=True, eq=False)
class UserView:
    """A user in view. `seq` is the number of the last publication that counted; None: not current.

    `local` are the user's sessions here, `signing_in` how many of them wait: until that is decided, sessions
    that they may replace stay in view; they are `leaving`. `again` is whether to read once more when what is
    being read is there. `kept` is how many callers of `bring` keep the view. `registered` is that a snapshot
    is shown that came with a registration: a change may have passed before the subscription held, so it is
    read once more, which no client waits for.
    """

    digest: str
    key: str
    user_id: str
    watched: bool = False
    local: set[str] = field(default_factory=set)
    signing_in: int = 0
    found_until: float = 0.0
    kept: int = 0
    confirmed: bool = False
    reading: bool = False
    read: int = 0
    again: bool = False
    seq: int | None = None
    registered: bool = False
    buffer: list[Publication] = field(default_factory=list)
    foreign: dict[str, _Foreign] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    privacy: VersionedPrivacy | None = None
    waiting: list[_Waits] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether the user's sessions elsewhere are shown."""
        return self.seq is not None or self.registered


@final
class Views:
    """The views of one node. `own` are its sessions.

    `unreadable` counts values and publications that no node of this version has written for their place.
    `_unsure` are users with sessions here and at a node that is gone, which may have stored a privacy list
    without a word to others.
    """

    own: OwnSessions

    def __init__(
        self,
        calls: FencedCalls,
        sealing: Sealing,
        local: LocalNode,
    ) -> None:
        self.unreadable = 0
        self._calls = calls
        self._sealing = sealing
        self._community = local.community
        self._presence = local.community.presence
        self._deliver = local.deliver
        self._in_slices = local.in_slices
        self._read_privacy = local.read_privacy
        self._views: dict[str, UserView] = {}
        self._peers: dict[Node, dict[str, UserView]] = {}
        self._found: dict[str, UserView] = {}
        self._moving: dict[str, UserView] = {}
        self._ending: dict[str, UserView] = {}
        self._doubtful: dict[str, UserView] = {}
        self._unsure: dict[str, UserView] = {}
        self._waits: list[_Waits] = []

    def of(self, user_id: str) -> UserView:
        """The view of a user, who comes into view by that. It is to be released."""
        view = self._of(user_digest(user_id))
        view.user_id = view.user_id or user_id
        return view

    def known(self, user_id: str) -> UserView | None:
        """The view of a user who is in view."""
        return self._views.get(user_digest(user_id))

    def watch(self, user_id: str) -> None:
        """Sessions of this node watch the user."""
        self.of(user_id).watched = True

    def unwatch(self, user_id: str) -> None:
        """No session of this node watches the user any more."""
        view = self._views.get(user_digest(user_id))
        if view is not None:
            view.watched = False
            self.release(view)

    def find(self, target: str, then: Callable[[], None]) -> None:
        """Bring a user into view: a user id, login id or login name."""
        if not self._calls.up or target in self._presence:
            then()
            return
        view = self._views.get(user_digest(target))
        if view is not None and view.is_known and (view.foreign or view.local):
            then()
            return
        if len(self._found) >= _MOST_FOUND:
            then()
            return
        waits = _Waits(then, self._calls.now)
        self._waits.append(waits)
        self._look_for(self.of(target), waits)
        place = name_place(target)
        keys = self._calls.names(place.part)
        self._calls.ask(scripts.NAMED, keys, [place.field], lambda reply: self._named(reply, waits))

    def bring(self, users: Collection[str], then: Callable[[], None]) -> None:
        """Go on when these users, by ID, are in view, so that they can be watched."""
        known = [self.known(each) for each in users] if self._calls.up else []
        if all(view is not None and view.is_known for view in known):
            then()
            return
        views = [self.of(each) for each in users]
        waits = _Waits(partial(self._brought, views, then), self._calls.now)
        self._waits.append(waits)
        for view in views:
            view.kept += 1
            if not view.is_known:
                waits.left += 1
                view.waiting.append(waits)
        waits.done()

    def peers(self) -> Iterable[Node]:
        """The nodes whose sessions are shown here."""
        return self._peers

    def moved(self, view: UserView, session: str) -> None:
        """A session here ended, and is shown until its client is back elsewhere."""
        view.foreign[session] = _Foreign(self._calls.lease.node, b"", self._calls.now + MOVING_SECONDS)
        self._moving[session] = view

    def decided(self, view: UserView) -> None:
        """A sign-in of the user does not wait any more."""
        view.signing_in -= 1
        if not view.signing_in:
            for session in sorted(view.leaving):
                self._hide(view, session)

    # What happens to this node

    def held(self) -> None:
        """Nothing is certain: read everything."""
        for view in self._views.values():
            if view.confirmed:
                self.read(view)
            else:
                self._calls.valkey.subscribe(view.key)

    def disconnected(self) -> None:
        """Nothing comes until `held`."""
        for view in self._views.values():
            view.confirmed = False
        self._let_go()

    def lost(self) -> None:
        """What other nodes do is not known any more."""
        self._let_go()
        for sessions in self._peers.values():
            self._ending |= sessions
        self._in_slices(self._end())

    def gone(self, node: Node) -> None:
        """The lease of another node is over."""
        self._ending |= self._peers.get(node, {})
        self._in_slices(self._end())

    def confirmed(self, channel: str) -> None:
        """A subscription holds."""
        view = self._at(channel)
        if view is not None:
            view.confirmed = True
            self.read(view)

    def published(self, channel: str, data: bytes) -> None:
        """A script has changed a user in view."""
        view = self._at(channel)
        if view is None:
            return
        publication = read_publication(data)
        if publication is None:
            self.unreadable += 1
        else:
            self._take(view, publication)

    def tick(self, now: float) -> None:
        """Time passes."""
        waits, self._waits = self._waits, []
        for each in waits:
            if now - each.asked_at >= WAIT_SECONDS:
                each.give_up()
            elif each.then is not None:
                self._waits.append(each)
        for view in tuple(self._found.values()):
            if view.found_until <= now:
                del self._found[view.digest]
                self.release(view)
        for session, view in tuple(self._moving.items()):
            foreign = view.foreign.get(session)
            if foreign is not None and foreign.until is not None and foreign.until <= now:
                self._hide(view, session)
        if self._calls.up:
            doubtful, self._doubtful = self._doubtful, {}
            for view in doubtful.values():
                self.read(view)
            unsure, self._unsure = self._unsure, {}
            for view in unsure.values():
                if view.local:
                    self._read_privacy(view.user_id)

    def _end(self) -> Iterator[None]:
        """Hide sessions, which may be thousands, unless they are shown anew meanwhile."""
        while self._ending:
            session = next(iter(self._ending))
            view = self._ending.pop(session)
            self._hide(view, session)
            if view.local:
                self._unsure[view.digest] = view
            yield

    # Looking for users

    def _let_go(self) -> None:
        """There is no answer to wait for any more, and what was known may be out of date."""
        self._doubtful.clear()
        for view in self._views.values():
            view.seq, view.registered, view.reading, view.again = None, False, False, False
            view.buffer.clear()
            view.waiting.clear()
        waits, self._waits = self._waits, []
        for each in waits:
            each.give_up()

    def _at(self, channel: str) -> UserView | None:
        view = self._views.get(channel.rpartition(":")[2])
        return view if view is not None and view.key == channel else None

    def _of(self, digest: str) -> UserView:
        view = self._views.get(digest)
        if view is None:
            view = self._views[digest] = UserView(digest, self._calls.key("u", digest), "")
            # Without a lease, too: a late confirmation may be that of an earlier view of the user.
            self._calls.valkey.subscribe(view.key)
        return view

    def _look_for(self, view: UserView, waits: _Waits) -> None:
        view.found_until = self._calls.now + FOUND_SECONDS
        self._found[view.digest] = view
        if not view.is_known:
            waits.left += 1
            view.waiting.append(waits)

    def _brought(self, views: Iterable[UserView], then: Callable[[], None]) -> None:
        then()
        for view in views:
            view.kept -= 1
            self.release(view)

    def _named(self, reply: Reply | CallFailure, waits: _Waits) -> None:
        """By the login name it is this user."""
        if isinstance(reply, bytes) and self._calls.up and DIGEST.fullmatch(reply):
            self._look_for(self._of(reply.decode()), waits)
        waits.done()

    # Reading

    def release(self, view: UserView) -> None:
        """Forget a user who is not in view any more."""
        if (
            view.watched
            or view.local
            or view.kept
            or view.digest in self._found
            or self._views.get(view.digest) is not view
        ):
            return
        self._calls.valkey.unsubscribe(view.key)
        for session in tuple(view.foreign):
            self._hide(view, session)
        self._doubtful.pop(view.digest, None)
        del self._views[view.digest]

    def read(self, view: UserView) -> None:
        if not self._calls.up or not view.confirmed:
            return
        view.seq = None
        if view.reading:
            view.again = True
            return
        view.reading = True
        view.read = self._calls.ask(
            scripts.READ, [view.key], [self._calls.lease.leases], lambda reply: self._was_read(view, reply)
        )

    def _was_read(self, view: UserView, reply: Reply | CallFailure) -> None:
        view.reading = False
        if self._views.get(view.digest) is not view:
            return
        if view.again:
            view.again = False
            self.read(view)
            return
        snapshot = None if isinstance(reply, CallFailure) else read_snapshot(reply)
        if snapshot is None:
            self._doubtful[view.digest] = view
            return
        self._show_snapshot(view, snapshot)
        self.own.compare(view, view.read, snapshot.sessions)
        view.seq, view.registered = snapshot.seq, False
        buffer, view.buffer = view.buffer, []
        for publication in buffer:
            self._take(view, publication)
        if not view.reading:
            self._go_on(view)

    def _go_on(self, view: UserView) -> None:
        waiting, view.waiting = view.waiting, []
        for each in waiting:
            each.done()

    def _take(self, view: UserView, publication: Publication) -> None:
        """Keep it for later, or let it count, or find that something is missing."""
        if view.seq is None:
            view.buffer.append(publication)
            if len(view.buffer) > _MOST_BUFFERED:
                view.buffer.clear()
                view.again = True
            return
        if publication.after <= view.seq:
            return
        if publication.before != view.seq:
            view.buffer = [publication]
            self.read(view)
            return
        view.seq = publication.after
        for change in publication.changes:
            session = change.name
            if change.kind == "P":
                self._take_privacy(view, change.value)
            elif change.kind == "S":
                self._show(view, session, change.value, None)
            elif change.kind == "R" and session in view.local:
                self.own.missing(session)
            elif change.kind == "R":
                self._leave(view, session)

    def show_registered(self, view: UserView, snapshot: UserSnapshot) -> None:
        """What Valkey had of the user when a session here was registered, which is not in view yet."""
        if view.seq is None:
            self._show_snapshot(view, snapshot)

    def registered(self, view: UserView) -> None:
        """The session is in view, too. Without it the user could look offline while another replaces it."""
        if view.seq is None:
            view.registered = True
            self._go_on(view)

    def _show_snapshot(self, view: UserView, snapshot: UserSnapshot) -> None:
        if snapshot.privacy is not None:
            self._take_privacy(view, snapshot.privacy)
        elif not view.local:
            view.privacy = None
        for session, value in snapshot.sessions.items():
            self._show(view, session, value, snapshot.now)
        for session in tuple(view.foreign):
            if session not in snapshot.sessions:
                self._leave(view, session)

    # Showing

    def _take_privacy(self, view: UserView, value: bytes) -> None:
        privacy = open_privacy(view.key, value, self._sealing)
        if privacy is not None:
            self.enforce(view, privacy)
            return
        self.unreadable += 1
        if view.local:
            self.own.hide(view)
        else:  # it may be stricter than the one before
            view.privacy = None
            self._deliver(self._presence.set_privacy(view.user_id, ALLOW_NONE))

    def enforce(self, view: UserView, privacy: VersionedPrivacy) -> bool:
        """A list is in force, if it is not older than the one that is known. Whether it is another one."""
        known = view.privacy
        if privacy == known or (known is not None and known.version > privacy.version):
            return False
        view.privacy = privacy
        if view.user_id:
            self._deliver(self._community.set_privacy(view.user_id, privacy.privacy))
        return True

    def _show(self, view: UserView, session: str, value: bytes, now: int | None) -> None:
        """Show a session of another node.

        `now` is Valkey's time if the value may have been there for long.
        """
        if session in self.own:
            return
        known = view.foreign.get(session)
        view.leaving.discard(session)
        self._ending.pop(session, None)
        if known is not None and known.value == value and session in self._presence:
            return
        parts = session_value(value)
        if parts is None:
            self.unreadable += 1
            return
        if parts.node == self._calls.lease.node and not parts.moving:
            if now is not None:  # it ended while Valkey did not answer
                self.own.remove(view.digest, session)
            return
        data = self._sealing.open(parts.blob, UserField(view.key, f"s{session}", parts.node).context)
        moving = bool(parts.moving)
        shared = None if data is None else decode_session(data, parts.node, session, moving=moving)
        if shared is None or user_digest(shared.record.login.user_id) != view.digest:
            self.unreadable += 1
            return
        self._drop(view, session)
        until = None
        if parts.moving:
            until = self._calls.now + (
                MOVING_SECONDS if now is None else min((parts.moving - now) / 1000, MOVING_SECONDS)
            )
            self._moving[session] = view
        else:
            self._peers.setdefault(parts.node, {})[session] = view
        view.foreign[session] = _Foreign(parts.node, value, until)
        view.user_id = view.user_id or shared.record.login.user_id
        rules = PrivacyRules.of(view.privacy.privacy) if view.privacy else None if view.local else ALLOW_NONE
        self._deliver(self._presence.show(shared, rules))

    def _leave(self, view: UserView, session: str) -> None:
        """A session of another node has ended."""
        if view.signing_in and session in view.foreign:
            view.leaving.add(session)
        else:
            self._hide(view, session)

    def _hide(self, view: UserView, session: str) -> None:
        if self._drop(view, session):
            view.leaving.discard(session)
            self._deliver(self._presence.sign_out(session))

    def _drop(self, view: UserView, session: str) -> bool:
        known = view.foreign.pop(session, None)
        if known is None:
            return False
        self._moving.pop(session, None)
        self._ending.pop(session, None)
        of_node = self._peers.get(known.node)
        if of_node is not None:
            of_node.pop(session, None)
            if not of_node:
                del self._peers[known.node]
        return True
