"""Sessions of this node become known to other nodes, and those of others here.

Theory of operation
-------------------
Each node is the only authority on its own sessions; Valkey holds copies that may vanish at any moment. For
each user there is a hash with the user's sessions, and a channel on which every script that changes the hash
publishes what it changed (`scripts`).

**Views.** A user is in view if the user has a session here, is watched here, or was looked for a short time
ago. Of a user in view this node knows what the hash says:

    subscribing --confirmed--> reading --snapshot--> current --publication--> current
                                  ^                     | a gap in the numbers
                                  +---------------------+

A snapshot is read only after the subscription was confirmed, and publications that come meanwhile are kept;
of these, those count that are newer than the snapshot. Each publication names the number that it found: if
that is not the last one known, something is missing, and the hash is read again. What is shown stays until
the next snapshot. A view is the only thing that brings sessions of other nodes into `Community` (`show`) and
takes them out again (`sign_out`), and a list of privacy comes before the sessions that it hides.

**Own sessions.** A session is registered by one script that also decides, for all nodes together, which other
sessions of the user end; nothing else decides that while Valkey answers. Then it is written when it changes,
one call at a time, so that several changes become one. A session that is missing where it should be (a
snapshot, a publication that removes it, a write that does not find it) is registered again as "returning":
it was lost, and is there again; or it ended for another session, then the script refuses, and it is ended
here. So a session that loses under a one-sign-in rule is ended by its own node, whoever decided it.

**Doubt.** After a new connection, or a lost lease, everything is registered again, every view is read again,
and the index of this incarnation is compared with what is here. Nothing else repairs. Sessions that began
while Valkey was away were never registered, and end those that were (`_Mode`).

**Gone.** Sessions of an incarnation whose lease is over leave the view. So do all sessions of other nodes when
this node has lost its own lease: it may not know any more what becomes of them. A session that moves is shown
until its time is over, whatever becomes of its node.

The module never waits, and has no clock: `now` is what the last event brought.
"""

import math
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, final

from quintet.cluster import scripts
from quintet.cluster.lease import INDEX_SECONDS, Lease
from quintet.cluster.records import (
    Place,
    Publication,
    Sealing,
    Snapshot,
    decode_session,
    encode_session,
    open_privacy,
    privacy_value,
    read_publication,
    read_snapshot,
    session_value,
)
from quintet.cluster.valkey import Argument, CallFailure, Reply, Script, Valkey
from quintet.sametime.sharing import (
    Community,
    Effect,
    Node,
    PresenceLimits,
    PrivacyRules,
    ReasonCode,
    Refusal,
    Registered,
    SessionRecord,
    SharedSession,
    SignInRule,
    VersionedPrivacy,
    id_digest,
)

USER_SECONDS: Final = 3600
MOVING_SECONDS: Final = 45.0
FOUND_SECONDS: Final = 60.0
TOUCH_SECONDS: Final = 600.0
"""Within this time each session's key is made to last again."""

_TICK_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 2.5
_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")
_MOST_FOUND: Final = 5000
_MOST_BUFFERED: Final = 1000
_AT_ONCE: Final = 100
_TOUCHED_AT_ONCE: Final = 50


class _Mode(Enum):
    """How a session is registered: see `scripts.REGISTER`."""

    NEW = "new"
    AWAY = "away"
    RETURNING = "returning"


@dataclass(slots=True, eq=False)
class _Local:
    """A session of this node. `then` is there while its sign-in waits, from `asked_at` on.

    `busy` is whether a call for it is under way, `sent` the number of its last registration. `missing` is that
    it was removed while a call was under way.
    """

    id: str
    login_name: str
    view: "_View"
    begun: SharedSession
    asked_at: float
    then: Callable[[Registered | Refusal], None] | None
    mode: _Mode = _Mode.NEW
    registered: bool = False
    busy: bool = False
    missing: bool = False
    sent: int = 0
    written: SharedSession | None = None
    sealed_by: Node | None = None
    blob: bytes = b""


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A session of another node that is shown. `until` is when it leaves because its client did not come."""

    node: Node
    value: bytes
    until: float | None


@dataclass(slots=True, eq=False)
class _View:
    """A user in view. `seq` is the number of the last publication that counted; None: not current.

    `again` is whether to read once more when what is being read is there. `leaving` are sessions that go as
    soon as no sign-in waits. `latest` is the session that was active last, as other nodes know it.
    """

    digest: str
    key: str
    user_id: str
    watched: bool = False
    local: dict[str, _Local] = field(default_factory=dict)
    found_until: float = 0.0
    confirmed: bool = False
    reading: bool = False
    again: bool = False
    seq: int | None = None
    buffer: list[Publication] = field(default_factory=list)
    foreign: dict[str, _Foreign] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    latest: str = ""
    privacy: VersionedPrivacy | None = None
    waiting: "list[_Waits]" = field(default_factory=list)

    @property
    def pending(self) -> bool:
        """Whether a sign-in waits: until it is decided, sessions that it may replace stay in view."""
        return any(each.then is not None for each in self.local.values())


@dataclass(slots=True, eq=False)
class _Waits:
    """A caller of `find`, who waits until nothing is `left` to wait for."""

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


@final
class SharedPresence:
    """The presence of all nodes. `deliver` carries out effects at this node.

    `unreadable` counts values and publications that no node of this version has written for their place.
    """

    def __init__(
        self,
        valkey: Valkey,
        prefix: str,
        lease: Lease,
        sealing: Sealing,
        community: Community,
        deliver: Callable[[list[Effect]], None],
        rule: SignInRule = SignInRule.MANY,
        limits: PresenceLimits | None = None,
        touch_seconds: float = TOUCH_SECONDS,
    ) -> None:
        self.unreadable = 0
        self._valkey = valkey
        self._prefix = prefix
        self._lease = lease
        self._sealing = sealing
        self._community = community
        self._presence = community.presence
        self._deliver = deliver
        self._rule = rule
        self._most = (limits or PresenceLimits()).sessions_per_user
        self._touch_seconds = touch_seconds
        self._views: dict[str, _View] = {}
        self._local: dict[str, _Local] = {}
        self._peers: dict[Node, dict[str, _View]] = {}
        self._found: dict[str, _View] = {}
        self._up = False
        self._now = 0.0
        self._calls = 0
        self._epoch = 0
        self._to_register: deque[_Local] = deque()
        self._registering = 0
        self._to_touch: deque[str] = deque()
        self._doubtful: dict[str, _View] = {}
        self._reconcile = False
        self._waits: list[_Waits] = []
        self._moving: dict[str, _View] = {}

    # What this node does

    def register(
        self,
        record: SessionRecord,
        privacy: VersionedPrivacy | None,
        then: Callable[[Registered | Refusal], None],
    ) -> None:
        """A user is about to sign in here: see `Neighbours`."""
        view = self._view(record.login.user_id)
        local = _Local(record.id, record.login_name, view, SharedSession.begin(record), self._now, then)
        view.local[local.id] = self._local[local.id] = local
        if privacy is not None:
            self._enforce(view, privacy)
        if self._up:
            self._send_registration(local)
        else:
            self._admit(local, None)

    def changed(self, session: str) -> None:
        """Something that other nodes have to know of a session has changed."""
        local = self._local.get(session)
        if local is None or not local.registered or local.busy or not self._up:
            return
        shared = self._presence.shared(session)
        if shared is None or shared == local.written:
            return
        self._seal(local, shared)
        local.busy = True
        self._call(
            scripts.WRITE,
            [local.view.key],
            [session, local.blob, USER_SECONDS],
            lambda reply: self._was_written(local, reply),
        )

    def removed(self, session: str, *, moving: bool = False) -> None:
        """A session has ended; `moving` if its client is to come back at another node."""
        local = self._forget(session)
        if local is None:
            return
        view = local.view
        if moving:
            until = self._now + MOVING_SECONDS
            view.foreign[session] = _Foreign(self._lease.node, b"", until)
            self._moving[session] = view
        if self._up and (local.registered or local.busy):
            self._remove(view.key, session, moving=moving)
        self._release(view)

    def privacy_changed(self, user_id: str, privacy: VersionedPrivacy) -> VersionedPrivacy:
        """A user's list was stored. The one that is in force: a later one may have come from another node."""
        view = self._views.get(id_digest(user_id))
        if view is None:
            return privacy
        if view.privacy is not None and view.privacy.version > privacy.version:
            return view.privacy
        view.privacy = privacy
        if self._up:
            value = privacy_value(Place(view.key, "p"), privacy, self._sealing)
            self._call(
                scripts.HIDE, [view.key], [value, USER_SECONDS], lambda reply: self._was_hidden(view, reply)
            )
        return privacy

    def watch(self, user_id: str) -> None:
        """Sessions of this node watch the user."""
        self._view(user_id).watched = True

    def unwatch(self, user_id: str) -> None:
        """No session of this node watches the user any more."""
        view = self._views.get(id_digest(user_id))
        if view is not None:
            view.watched = False
            self._release(view)

    def find(self, target: str, then: Callable[[], None]) -> None:
        """Bring a user into view: a user id, login id or login name."""
        if not self._up or target in self._presence:
            then()
            return
        view = self._views.get(id_digest(target))
        if view is not None and view.seq is not None and (view.foreign or view.local):
            then()
            return
        if len(self._found) >= _MOST_FOUND:
            then()
            return
        waits = _Waits(then, self._now)
        self._waits.append(waits)
        self._look_for(self._view(target), waits)
        name = f"{self._prefix}:a:{id_digest(target)}"
        self._valkey.call(scripts.NAMED, [name], [], lambda reply: self._named(reply, waits))

    def peers(self) -> Iterable[Node]:
        """The nodes whose sessions are shown here."""
        return self._peers

    # What happens to this node

    def held(self, now: float) -> None:
        """The lease is confirmed, on a new connection or for a new incarnation: everything is in doubt."""
        self._now, self._up, self._reconcile = now, True, False
        for view in self._views.values():
            if view.confirmed:
                self._read(view)
            else:
                self._valkey.subscribe(view.key)
        self._registering = 0
        self._to_register = deque(self._local.values())
        self._register_some()
        self._compare_index("0")

    def disconnected(self, now: float) -> None:
        """Nothing comes and goes until `held`."""
        self._now, self._up = now, False
        self._epoch += 1
        for view in self._views.values():
            view.confirmed = False
        self._let_go()

    def lost(self) -> None:
        """The lease is lost: what other nodes do is not known any more, and nothing here is known to them."""
        self._up = False
        self._epoch += 1
        for view in self._views.values():
            for session, foreign in tuple(view.foreign.items()):
                if foreign.until is None:
                    self._hide(view, session)
        self._let_go()

    def gone(self, node: Node) -> None:
        """The lease of another node is over."""
        for session, view in tuple(self._peers.get(node, {}).items()):
            self._hide(view, session)
        self._peers.pop(node, None)

    def confirmed(self, channel: str, now: float) -> None:
        """A subscription holds."""
        self._now = now
        view = self._views.get(channel[len(self._prefix) + 3 :])
        if view is not None and view.key == channel:
            view.confirmed = True
            self._read(view)

    def published(self, channel: str, data: bytes, now: float) -> None:
        """A script has changed a user in view."""
        self._now = now
        view = self._views.get(channel[len(self._prefix) + 3 :])
        if view is None or view.key != channel:
            return
        publication = read_publication(data)
        if publication is None:
            self.unreadable += 1
        else:
            self._take(view, publication)

    def tick(self, now: float) -> None:
        """Time passes."""
        self._now = now
        for local in tuple(self._local.values()):
            if local.then is not None and now - local.asked_at >= _WAIT_SECONDS:
                self._admit(local, None)
            elif local.registered and (len(local.view.local) > 1 or local.view.foreign):
                self._note_activity(local)
        waits, self._waits = self._waits, []
        for each in waits:
            if now - each.asked_at >= _WAIT_SECONDS:
                each.give_up()
            elif each.then is not None:
                self._waits.append(each)
        for view in tuple(self._found.values()):
            if view.found_until <= now:
                del self._found[view.digest]
                self._release(view)
        for session, view in tuple(self._moving.items()):
            foreign = view.foreign.get(session)
            if foreign is not None and foreign.until is not None and foreign.until <= now:
                self._hide(view, session)
        if self._up:
            self._retry()
            self._touch()

    # Registering, inside

    def _send_registration(self, local: _Local) -> None:
        view, privacy = local.view, local.view.privacy
        self._seal(local, self._presence.shared(local.id) or local.begun)
        local.busy, local.missing = True, False
        self._calls += 1
        local.sent = self._calls
        self._registering += 1
        self._call(
            scripts.REGISTER,
            [view.key, self._lease.index, f"{self._prefix}:a:{id_digest(local.login_name)}"],
            [
                local.id,
                local.blob,
                privacy_value(Place(view.key, "p"), privacy, self._sealing) if privacy else b"",
                self._rule.value,
                self._most,
                local.mode.value,
                view.digest,
                USER_SECONDS,
                INDEX_SECONDS,
            ],
            lambda reply: self._was_registered(local, reply),
        )

    def _seal(self, local: _Local, shared: SharedSession) -> None:
        """Keep what is written: sealed once more it would look changed."""
        if shared != local.written or local.sealed_by != self._lease.node:
            place = Place(local.view.key, f"s{local.id}")
            local.blob = self._sealing.seal(encode_session(shared, self._lease.node), place.context)
            local.written, local.sealed_by = shared, self._lease.node

    def _was_registered(self, local: _Local, reply: Reply | CallFailure) -> None:
        self._registering -= 1
        if self._local.get(local.id) is not local:
            return
        local.busy = False
        view = local.view
        match reply:
            case [b"OK", list() as ended, snapshot]:
                local.registered, local.mode = True, _Mode.RETURNING
                if view.seq is None and (found := read_snapshot(snapshot)) is not None:
                    self._show_snapshot(view, found)
                if local.then is not None:
                    names = [each.decode("utf-8", "replace") for each in ended if isinstance(each, bytes)]
                    self._admit(local, frozenset(names))
                else:
                    self._follow_up(local)
                self._register_some()
            case [b"REFUSED"]:
                self._forget(local.id)
                if local.then is not None:
                    local.then(Refusal(ReasonCode.LOGGED_IN_TWICE))
                else:
                    self._deliver(self._community.end(local.id, ReasonCode.LOGGED_IN_TWICE))
                self._release(view)
                self._register_some()
            case [b"FENCED"]:
                self._lease.lose()
            case _:
                self._to_register.append(local)
                if local.then is not None:
                    self._admit(local, None)

    def _admit(self, local: _Local, ending: frozenset[str] | None) -> None:
        """The user may sign in; `ending` is None if other nodes do not know of it."""
        then, local.then = local.then, None
        assert then is not None
        if ending is None:
            local.mode = _Mode.AWAY
        view = local.view
        then(Registered(view.privacy.privacy if view.privacy else None, ending))
        if not view.pending:
            for session in tuple(view.leaving):
                self._hide(view, session)
        if self._local.get(local.id) is local:
            self._follow_up(local)

    def _follow_up(self, local: _Local) -> None:
        """Nothing is under way for the session: what has happened meanwhile?"""
        if local.missing:
            self._register_again(local)
        else:
            self.changed(local.id)

    def _register_again(self, local: _Local) -> None:
        """A session is not where it should be."""
        if local.busy or local.then is not None:
            local.missing = True
        elif self._up:
            local.registered = False
            self._send_registration(local)

    def _register_some(self) -> None:
        while self._to_register and self._registering < _AT_ONCE:
            local = self._to_register.popleft()
            known = self._local.get(local.id) is local
            if known and not local.registered and not local.busy and local.then is None:
                self._send_registration(local)

    def _was_written(self, local: _Local, reply: Reply | CallFailure) -> None:
        if self._local.get(local.id) is not local:
            return
        local.busy = False
        match reply:
            case b"OK":
                self._follow_up(local)
            case b"GONE":
                self._register_again(local)
            case b"FENCED":
                self._lease.lose()
            case _:
                local.registered = False
                self._to_register.append(local)

    def _was_hidden(self, view: _View, reply: Reply | CallFailure) -> None:
        match reply:
            case b"OK":
                pass
            case b"STALE":
                self._read(view)
            case b"FENCED":
                self._lease.lose()
            case _:  # with the list
                for local in view.local.values():
                    local.registered = False
                    self._to_register.append(local)

    def _note_activity(self, local: _Local) -> None:
        """Other nodes have to know which session of several was active last, and what it does not support."""
        view = local.view
        latest = self._presence.sessions_of(view.user_id)[:1] == (local.id,)
        shared = self._presence.shared(local.id)
        unsupported = shared and local.written and shared.unsupported != local.written.unsupported
        if (latest and view.latest != local.id) or unsupported:
            self.changed(local.id)
        if latest:
            view.latest = local.id

    def _remove(self, key: str, session: str, *, moving: bool = False) -> None:
        milliseconds = int(MOVING_SECONDS * 1000) if moving else 0
        self._call(
            scripts.REMOVE,
            [key, self._lease.index],
            [session, milliseconds, USER_SECONDS],
            self._was_removed,
        )

    def _was_removed(self, reply: Reply | CallFailure) -> None:
        if reply != b"OK":
            self._reconcile = True

    def _forget(self, session: str) -> _Local | None:
        local = self._local.pop(session, None)
        if local is not None:
            del local.view.local[session]
        return local

    # What has to be repaired or kept, inside

    def _retry(self) -> None:
        """What Valkey refused: it may be full, or read-only for a while."""
        doubtful, self._doubtful = self._doubtful, {}
        for view in doubtful.values():
            self._read(view)
        self._register_some()
        if self._reconcile:
            self._reconcile = False
            self._compare_index("0")

    def _compare_index(self, cursor: str) -> None:
        """Remove what this incarnation has written of sessions that are not here any more."""
        epoch = self._epoch

        def compare(reply: Reply | CallFailure) -> None:
            if epoch != self._epoch:
                return
            match reply:
                case [bytes(following), list(pairs)]:
                    names = [each.decode("utf-8", "replace") for each in pairs if isinstance(each, bytes)]
                    for session, digest in zip(names[::2], names[1::2], strict=False):
                        if session not in self._local:
                            self._remove(self._key(digest), session)
                    if following != b"0":
                        self._compare_index(following.decode("ascii", "replace"))
                case _:
                    self._reconcile = True

        self._valkey.call(scripts.WRITTEN, [self._lease.index], [cursor], compare)

    def _touch(self) -> None:
        """Make a part of the keys last again."""
        share = math.ceil(len(self._local) * _TICK_SECONDS / self._touch_seconds)
        if not self._to_touch:
            self._to_touch.extend(self._local)
        chosen = [self._local.get(self._to_touch.popleft()) for _ in range(min(share, len(self._to_touch)))]
        known = [each for each in chosen if each is not None and each.registered]
        for at in range(0, len(known), _TOUCHED_AT_ONCE):
            self._touch_some(known[at : at + _TOUCHED_AT_ONCE])

    def _touch_some(self, sessions: list[_Local]) -> None:
        keys = [
            key
            for each in sessions
            for key in (each.view.key, f"{self._prefix}:a:{id_digest(each.login_name)}")
        ]
        epoch = self._epoch

        def touched(reply: Reply | CallFailure) -> None:
            if isinstance(reply, list) and epoch == self._epoch:
                for position in reply:
                    if isinstance(position, int) and 0 < position <= len(sessions):
                        local = sessions[position - 1]
                        if self._local.get(local.id) is local:
                            self._register_again(local)

        self._valkey.call(scripts.TOUCH, keys, [USER_SECONDS, *[f"s{each.id}" for each in sessions]], touched)

    def _let_go(self) -> None:
        """There is no answer to wait for any more, and what was known may be out of date."""
        self._registering = 0
        self._doubtful.clear()
        for view in self._views.values():
            view.seq, view.reading, view.again = None, False, False
            view.buffer.clear()
            view.waiting.clear()
        waits, self._waits = self._waits, []
        for each in waits:
            each.give_up()
        for local in tuple(self._local.values()):
            local.registered = local.busy = False
            if local.then is not None:
                self._admit(local, None)

    # Views, inside

    def _key(self, digest: str) -> str:
        return f"{self._prefix}:u:{digest}"

    def _view(self, user_id: str) -> _View:
        view = self._view_of(id_digest(user_id))
        view.user_id = view.user_id or user_id
        return view

    def _view_of(self, digest: str) -> _View:
        view = self._views.get(digest)
        if view is None:
            view = self._views[digest] = _View(digest, self._key(digest), "")
            if self._up:
                self._valkey.subscribe(view.key)
        return view

    def _look_for(self, view: _View, waits: _Waits) -> None:
        view.found_until = self._now + FOUND_SECONDS
        self._found[view.digest] = view
        if view.seq is None:
            waits.left += 1
            view.waiting.append(waits)

    def _named(self, reply: Reply | CallFailure, waits: _Waits) -> None:
        """By the login name it is this user."""
        if isinstance(reply, bytes) and self._up and _DIGEST.fullmatch(reply):
            self._look_for(self._view_of(reply.decode()), waits)
        waits.done()

    def _release(self, view: _View) -> None:
        """Forget a user of whom nothing here has to be known."""
        if (
            view.watched
            or view.local
            or view.digest in self._found
            or self._views.get(view.digest) is not view
        ):
            return
        self._valkey.unsubscribe(view.key)
        for session in tuple(view.foreign):
            self._hide(view, session)
        self._doubtful.pop(view.digest, None)
        del self._views[view.digest]

    def _read(self, view: _View) -> None:
        if not self._up or not view.confirmed:
            return
        view.seq = None
        if view.reading:
            view.again = True
            return
        view.reading = True
        self._calls += 1
        number, epoch = self._calls, self._epoch
        self._valkey.call(
            scripts.READ,
            [view.key],
            [self._lease.leases],
            lambda reply: self._was_read(view, number, reply) if epoch == self._epoch else None,
        )

    def _was_read(self, view: _View, number: int, reply: Reply | CallFailure) -> None:
        view.reading = False
        if self._views.get(view.digest) is not view:
            return
        if view.again:
            view.again = False
            self._read(view)
            return
        snapshot = None if isinstance(reply, CallFailure) else read_snapshot(reply)
        if snapshot is None:
            self._doubtful[view.digest] = view
            return
        self._show_snapshot(view, snapshot)
        for local in tuple(view.local.values()):
            expected = local.registered and not local.busy and local.sent < number
            if expected and f"s{local.id}" not in snapshot.fields:
                self._register_again(local)
        view.seq = snapshot.seq
        buffer, view.buffer = view.buffer, []
        for publication in buffer:
            self._take(view, publication)
        if not view.reading:
            waiting, view.waiting = view.waiting, []
            for each in waiting:
                each.done()

    def _take(self, view: _View, publication: Publication) -> None:
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
            self._read(view)
            return
        view.seq = publication.after
        for change in publication.changes:
            session = change.name[1:]
            if change.kind == "P":
                self._take_privacy(view, change.value)
            elif change.kind == "S":
                self._show(view, session, change.value, None)
            elif change.kind == "R" and (local := view.local.get(session)) is not None:
                self._register_again(local)
            elif change.kind == "R":
                self._leave(view, session)

    def _show_snapshot(self, view: _View, snapshot: Snapshot) -> None:
        privacy = snapshot.fields.get("p")
        if privacy is not None:
            self._take_privacy(view, privacy)
        elif not view.local:
            view.privacy = None
        for name, value in snapshot.fields.items():
            if name.startswith("s"):
                self._show(view, name[1:], value, snapshot.now)
        for session in tuple(view.foreign):
            if f"s{session}" not in snapshot.fields:
                self._leave(view, session)

    def _take_privacy(self, view: _View, value: bytes) -> None:
        privacy = open_privacy(Place(view.key, "p"), value, self._sealing)
        if privacy is None:
            self.unreadable += 1
        else:
            self._enforce(view, privacy)

    def _enforce(self, view: _View, privacy: VersionedPrivacy) -> None:
        """A list is in force, if it is not older than the one that is known."""
        known = view.privacy
        if privacy == known or (known is not None and known.version > privacy.version):
            return
        view.privacy = privacy
        if view.user_id:
            self._deliver(self._community.set_privacy(view.user_id, privacy.privacy))

    def _show(self, view: _View, session: str, value: bytes, now: int | None) -> None:
        """Show a session of another node. `now` is Valkey's time if the value may have been there for long."""
        if session in self._local:
            return
        known = view.foreign.get(session)
        view.leaving.discard(session)
        if known is not None and known.value == value and session in self._presence:
            return
        parts = session_value(value)
        if parts is None:
            self.unreadable += 1
            return
        if parts.node == self._lease.node and not parts.moving:
            if now is not None:  # it ended while Valkey did not answer
                self._remove(view.key, session)
            return
        data = self._sealing.open(parts.blob, Place(view.key, f"s{session}").context)
        shared = None if data is None else decode_session(data, moving=bool(parts.moving))
        if (
            shared is None
            or shared.record.id != session
            or shared.record.node != parts.node
            or id_digest(shared.record.login.user_id) != view.digest
        ):
            self.unreadable += 1
            return
        self._drop(view, session)
        until = None
        if parts.moving:
            until = self._now + (
                MOVING_SECONDS if now is None else min((parts.moving - now) / 1000, MOVING_SECONDS)
            )
            self._moving[session] = view
        else:
            self._peers.setdefault(parts.node, {})[session] = view
        view.foreign[session] = _Foreign(parts.node, value, until)
        view.user_id = view.user_id or shared.record.login.user_id
        rules = PrivacyRules.of(view.privacy.privacy) if view.privacy else None
        self._deliver(self._presence.show(shared, rules))

    def _leave(self, view: _View, session: str) -> None:
        """A session of another node has ended."""
        if view.pending and session in view.foreign:
            view.leaving.add(session)
        else:
            self._hide(view, session)

    def _hide(self, view: _View, session: str) -> None:
        if self._drop(view, session):
            view.leaving.discard(session)
            self._deliver(self._presence.sign_out(session))

    def _drop(self, view: _View, session: str) -> bool:
        known = view.foreign.pop(session, None)
        if known is None:
            return False
        self._moving.pop(session, None)
        of_node = self._peers.get(known.node)
        if of_node is not None:
            of_node.pop(session, None)
            if not of_node:
                del self._peers[known.node]
        return True

    def _call(
        self,
        script: Script,
        keys: list[str],
        args: list[Argument],
        answer: Callable[[Reply | CallFailure], None],
    ) -> None:
        """Call a script that writes. An answer counts only for this connection and this lease."""
        epoch, node = self._epoch, self._lease.node
        self._valkey.call(
            script,
            keys,
            [self._lease.leases, node.name, node.incarnation, *args],
            lambda reply: answer(reply) if epoch == self._epoch else None,
        )
