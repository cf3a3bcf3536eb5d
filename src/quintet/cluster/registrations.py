"""Sessions of this node, as they are written for the others. See `presence` for how it works."""

import math
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from quintet.cluster import scripts
from quintet.cluster.calls import FencedCalls
from quintet.cluster.records import (
    INDEX_PARTS,
    Sealing,
    UserField,
    encode_session,
    name_place,
    privacy_value,
    read_snapshot,
)
from quintet.cluster.valkey import Argument, CallFailure, Reply
from quintet.cluster.views import MOVING_SECONDS, WAIT_SECONDS, UserView, Views
from quintet.sametime.sharing import (
    LocalNode,
    Node,
    ReasonCode,
    Refusal,
    Registered,
    SessionRecord,
    SharedSession,
    VersionedPrivacy,
)

USER_SECONDS: Final = 3600
NAMES_SECONDS: Final = 1800
TOUCH_SECONDS: Final = 600.0
"""Within this time what is written of each session is made to last again."""

_TICK_SECONDS: Final = 2.0
_AT_ONCE: Final = 100
_TOUCHED_AT_ONCE: Final = 50
_COMPARED_AT_ONCE: Final = 8
_MOST_UNWRITTEN: Final = 1000


class _Mode(Enum):
    """How a session is registered: see `scripts.REGISTER`."""

    NEW = "new"
    AWAY = "away"
    RETURNING = "returning"


@dataclass(slots=True, eq=False)
class _Local:
    """A session of this node. `then` is there while its sign-in waits, from `asked_at` on.

    `replaces` are, while it is being admitted, sessions that Valkey has removed for it.
    `busy` is whether a call for it is under way, `sent` the number of its last registration. `missing` is
    that it was removed while a call was under way.
    """

    id: str
    login_name: str
    view: UserView
    begun: SharedSession
    asked_at: float
    then: Callable[[Registered | Refusal], None] | None
    mode: _Mode = _Mode.NEW
    registered: bool = False
    busy: bool = False
    missing: bool = False
    sent: int = 0
    replaces: frozenset[str] = frozenset()
    written: SharedSession | None = None
    sealed_by: Node | None = None
    blob: bytes = b""


@final
class Registrations:
    """The sessions of the node `local`."""

    def __init__(
        self,
        calls: FencedCalls,
        sealing: Sealing,
        local: LocalNode,
        views: Views,
        touch_seconds: float,
    ) -> None:
        self._calls = calls
        self._sealing = sealing
        self._community = local.community
        self._presence = local.community.presence
        self._deliver = local.deliver
        self._views = views
        self._rule = local.community.rule
        self._most = local.community.limits.sessions_per_user
        self._touch_seconds = touch_seconds
        self._local: dict[str, _Local] = {}
        self._to_register: deque[_Local] = deque()
        self._registering = 0
        self._to_touch: deque[str] = deque()
        self._reconcile = False
        self._aborted: dict[str, tuple[str, float]] = {}
        self._unwritten: dict[str, VersionedPrivacy] = {}
        self._unremoved: dict[str, tuple[str, bool]] = {}

    def __contains__(self, session: str) -> bool:
        return session in self._local

    def register(
        self,
        record: SessionRecord,
        privacy: VersionedPrivacy | None,
        then: Callable[[Registered | Refusal], None],
    ) -> None:
        """A user is about to sign in here: see `Neighbours`."""
        view = self._views.of(record.login.user_id)
        local = _Local(record.id, record.login_name, view, SharedSession.begin(record), self._calls.now, then)
        self._local[local.id] = local
        view.local.add(local.id)
        view.signing_in += 1
        if privacy is not None and self._views.enforce(view, privacy) and len(view.local) > 1:
            self._write_privacy(view.key, privacy)  # the sign-in may be refused
        if self._calls.up:
            self._send_registration(local)
        else:
            self._admit(local, None)

    def changed(self, session: str) -> None:
        """Something that other nodes have to know of a session has changed."""
        local = self._local.get(session)
        if local is None or not local.registered or local.busy or not self._calls.up:
            return
        shared = self._presence.shared(session)
        if shared is None or shared == local.written:
            return
        self._seal(local, shared)
        local.busy = True
        self._calls.write(
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
            self._views.moved(view, session)
        if self._calls.up and local.sent:
            if local.replaces:  # its client was gone too early: let them come back without a gap
                self._aborted[session] = view.digest, self._calls.now
            self.remove(view.digest, session, moving=moving or bool(local.replaces))
        self._views.release(view)

    def privacy_changed(self, user_id: str, privacy: VersionedPrivacy) -> VersionedPrivacy:
        """A user's list was stored. The one that is in force: a later one may have come from another node."""
        view = self._views.known(user_id)
        if view is None:
            return privacy
        if view.privacy is not None and view.privacy.version > privacy.version:
            return view.privacy
        view.privacy = privacy
        self._write_privacy(view.key, privacy)
        return privacy

    # What views find

    def missing(self, session: str) -> None:
        """The session is not in Valkey, and should be."""
        local = self._local.get(session)
        if local is not None:
            self._register_again(local)

    def compare(self, view: UserView, number: int, known: Collection[str]) -> None:
        """These sessions were in Valkey at the call with this number."""
        for session in sorted(view.local - set(known)):
            local = self._local[session]
            if local.registered and not local.busy and local.sent < number:
                self._register_again(local)

    def hide(self, view: UserView) -> None:
        """The user's privacy list is not in Valkey, or one that cannot be read."""
        if view.privacy is not None and view.local:
            self._write_privacy(view.key, view.privacy, force=True)

    def remove(self, digest: str, session: str, *, moving: bool = False) -> None:
        """A session that this node has written has ended."""

        def was_removed(reply: Reply | CallFailure) -> None:
            if reply != b"OK":
                self._reconcile = True
                if len(self._unremoved) < _MOST_UNWRITTEN:
                    self._unremoved[session] = (digest, moving)

        milliseconds = int(MOVING_SECONDS * 1000) if moving else 0
        self._calls.write(
            scripts.REMOVE,
            [self._calls.key("u", digest), self._calls.index(digest)],
            [session, milliseconds, USER_SECONDS],
            was_removed,
        )

    # What happens to this node

    def held(self) -> None:
        """Register everything again."""
        self._reconcile = False
        self._to_register = deque(self._local.values())
        self._write_again()
        self._register_some()
        self._compare_index()

    def let_go(self) -> None:
        """There is no answer to wait for any more, and nothing may be known to other nodes."""
        self._registering = 0
        for local in tuple(self._local.values()):
            local.registered = local.busy = False
            if local.then is not None:
                self._admit(local, None)

    def tick(self, now: float) -> None:
        """Time passes."""
        for local in tuple(self._local.values()):
            if local.then is not None and now - local.asked_at >= WAIT_SECONDS:
                self._admit(local, None)
            elif local.registered and (len(local.view.local) > 1 or local.view.foreign):
                self._note_activity(local)
        if self._calls.up:
            for session, (digest, since) in tuple(self._aborted.items()):
                if now - since >= _TICK_SECONDS:
                    del self._aborted[session]
                    self.remove(digest, session)
            self._write_again()
            self._register_some()
            if self._reconcile:
                self._reconcile = False
                unremoved, self._unremoved = self._unremoved, {}
                for session, (digest, moving) in unremoved.items():
                    self.remove(digest, session, moving=moving)
                self._compare_index()
            self._touch()

    # Registering

    def _send_registration(self, local: _Local) -> None:
        view, privacy, place = local.view, local.view.privacy, name_place(local.login_name)
        self._seal(local, self._presence.shared(local.id) or local.begun)
        local.busy, local.missing = True, False
        self._registering += 1
        local.sent = self._calls.write(
            scripts.REGISTER,
            [view.key, self._calls.index(view.digest), *self._calls.names(place.part)],
            [
                local.id,
                local.blob,
                privacy_value(view.key, privacy, self._sealing) if privacy else b"",
                self._rule.value,
                self._most,
                local.mode.value,
                view.digest,
                USER_SECONDS,
                place.field,
                NAMES_SECONDS,
            ],
            lambda reply: self._was_registered(local, reply),
        )

    def _seal(self, local: _Local, shared: SharedSession) -> None:
        """Keep what is written: sealed once more it would look changed."""
        node = self._calls.lease.node
        if shared != local.written or local.sealed_by != node:
            place = UserField(local.view.key, f"s{local.id}", node)
            local.blob = self._sealing.seal(encode_session(shared, node), place.context)
            local.written, local.sealed_by = shared, node

    def _was_registered(self, local: _Local, reply: Reply | CallFailure) -> None:
        self._registering -= 1
        if self._local.get(local.id) is not local:
            return
        local.busy = False
        view = local.view
        match reply:
            case [b"OK", list() as ended, snapshot]:
                local.registered, local.mode = True, _Mode.RETURNING
                found = read_snapshot(snapshot)
                if found is not None:
                    self._views.show_registered(view, found)
                if local.then is not None:
                    names = [each.decode("utf-8", "replace") for each in ended if isinstance(each, bytes)]
                    self._admit(local, frozenset(names))
                else:
                    self._follow_up(local)
                if found is not None and self._local.get(local.id) is local:
                    self._views.registered(view)
                self._register_some()
            case [b"REFUSED"]:
                then = local.then
                self._forget(local.id)
                if then is not None:
                    then(Refusal(ReasonCode.LOGGED_IN_TWICE))
                else:
                    self._deliver(self._community.end(local.id, ReasonCode.LOGGED_IN_TWICE))
                self._views.release(view)
                self._register_some()
            case [b"FENCED"]:
                self._calls.lease.lose()
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
        else:
            local.replaces = ending
        view = local.view
        then(Registered(view.privacy.privacy if view.privacy else None, ending))
        local.replaces = frozenset()
        self._views.decided(view)
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
        elif self._calls.up:
            local.registered = False
            self._send_registration(local)

    def _register_some(self) -> None:
        while self._to_register and self._registering < _AT_ONCE:
            local = self._to_register.popleft()
            known = self._local.get(local.id) is local
            if known and not local.registered and not local.busy and local.then is None:
                self._send_registration(local)

    def _forget(self, session: str) -> _Local | None:
        local = self._local.pop(session, None)
        if local is not None:
            local.view.local.discard(session)
            if local.then is not None:
                local.then = None
                self._views.decided(local.view)
        return local

    # Writing

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
                self._calls.lease.lose()
            case _:
                local.registered = False
                self._to_register.append(local)

    def _write_privacy(self, key: str, privacy: VersionedPrivacy, *, force: bool = False) -> None:
        """Write a list, and again until it is written: the user may have no session here any more then."""
        if len(self._unwritten) < _MOST_UNWRITTEN or key in self._unwritten:
            self._unwritten[key] = privacy

        def written(reply: Reply | CallFailure) -> None:
            if reply == b"FENCED":
                self._calls.lease.lose()
            elif reply in (b"OK", b"STALE") and self._unwritten.get(key) == privacy:
                del self._unwritten[key]

        if self._calls.up:
            value = privacy_value(key, privacy, self._sealing)
            self._calls.write(scripts.HIDE, [key], [value, USER_SECONDS, int(force)], written)

    def _write_again(self) -> None:
        for key, privacy in tuple(self._unwritten.items()):
            self._write_privacy(key, privacy)

    def _note_activity(self, local: _Local) -> None:
        """Other nodes have to know which session of several was active last, and what it does not support."""
        shared, written = self._presence.shared(local.id), local.written
        if shared is None or written is None:
            return
        sessions = self._presence.sessions_of(local.view.user_id)
        records = [self._presence.record(each) for each in sessions if each != local.id]
        others = max([each.last_active for each in records if each is not None], default=0.0)
        overtook = written.record.last_active <= others < shared.record.last_active
        if overtook or shared.unsupported != written.unsupported:
            self.changed(local.id)

    # Keeping

    def _compare_index(self) -> None:
        """Remove what this incarnation has written of sessions that are not here any more."""

        def compare(reply: Reply | CallFailure) -> None:
            if not isinstance(reply, list):
                self._reconcile = True
                return
            texts = [each.decode("utf-8", "replace") for each in reply if isinstance(each, bytes)]
            for session, digest in zip(texts[::2], texts[1::2], strict=False):
                if session not in self._local:
                    self.remove(digest, session)

        for at in range(0, len(INDEX_PARTS), _COMPARED_AT_ONCE):
            keys = [self._calls.index(part) for part in INDEX_PARTS[at : at + _COMPARED_AT_ONCE]]
            self._calls.ask(scripts.WRITTEN, keys, [], compare)

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
        keys: list[str] = []
        args: list[Argument] = [USER_SECONDS, NAMES_SECONDS]
        for each in sessions:
            place = name_place(each.login_name)
            keys += each.view.key, self._calls.index(each.view.digest), *self._calls.names(place.part)
            args += each.id, place.field, each.view.digest

        def touched(reply: Reply | CallFailure) -> None:
            if isinstance(reply, list):
                for position in reply:
                    if isinstance(position, int) and 0 < position <= len(sessions):
                        local = sessions[position - 1]
                        if self._local.get(local.id) is local:
                            self._register_again(local)

        self._calls.ask(scripts.TOUCH, keys, args, touched)
