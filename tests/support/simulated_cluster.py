"""Nodes of a cluster with a simulated Valkey, network and clock.

The nodes are the shipping code; what is simulated is below `cluster.valkey.Valkey` and above `Community`.
Time is a number; everything that happens is an event at a time.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import islice
from typing import Protocol

from quintet.cluster.node import ClusterNode
from quintet.cluster.valkey import Answer, Argument, CallFailure, Reply, Script
from quintet.sametime.community import Community, Node, PresenceLimits, Refusal, SessionRecord, SignInRule
from quintet.sametime.community import effects as e
from quintet.sametime.neighbours import Order, Registered, SessionRow, VersionedPrivacy
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.aware import PresenceEntry
from quintet.sametime.wire.blocks import AwareId, AwareType, LoginInfo, PrivacyInfo, UserStatus
from support.simulated_valkey import Published, RefusedError, SimulatedStore, Value

PREFIX = "q"
EPOCH = 1_700_000_000.0
TICK = 2.0
ATTRIBUTE = 1

Seen = tuple[UserStatus, str] | None


class Store(Protocol):
    """What answers: in memory, or a real server whose clock is set."""

    now: int
    server: str
    full: bool
    read_only: bool

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Reply | RefusedError, Published]: ...

    def entries(self, stream: str, after: str) -> list[tuple[str, bytes]]: ...

    def forget(self, stream: str, names: Sequence[str]) -> None: ...

    def copy(self) -> "Store": ...

    def flush(self) -> None: ...

    def lose(self, chance: random.Random) -> None: ...

    def put(self, key: str, value: Value | None) -> None: ...

    def dump(self) -> Mapping[str, tuple[Value, int | None]]: ...


class PlainSealing:
    """Shows what is sealed, and opens it only for its place."""

    def seal(self, data: bytes, context: bytes) -> bytes:
        return b"%d:%s%s" % (len(context), context, data)

    def open(self, blob: bytes, context: bytes) -> bytes | None:
        head = b"%d:%s" % (len(context), context)
        return blob[len(head) :] if blob.startswith(head) else None


@dataclass(slots=True)
class Network:
    """How it is between nodes and Valkey. Times are in seconds."""

    delay: float = 0.002
    jitter: float = 0.01
    reconnect: float = 1.0


class World:
    """The clock, Valkey, and the nodes."""

    def __init__(
        self,
        seed: int,
        store: Store | None = None,
        rule: SignInRule = SignInRule.MANY,
        network: Network | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.store: Store = store or SimulatedStore()
        self.start = self.store.now
        self.rule = rule
        self.limits = PresenceLimits(sessions_per_user=3)
        self.network = network or Network()
        self.available = True
        self.refusing = False
        self.touch_seconds = float("inf")
        self.mishaps = 0.05
        self.moving: set[str] = set()
        self.last_there: dict[str, float] = {}
        self.nodes: dict[str, SimulatedNode] = {}
        self.links: list[Link] = []
        self.stored: dict[str, VersionedPrivacy] = {}
        self.privacy: dict[str, list[tuple[float, PrivacyInfo]]] = {}
        self.log: list[str] = []
        self.faulty_since = 0.0
        self.quiet_since = 0.0
        self.sessions = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    # The clock

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._number += 1
        heappush(self._events, (when, self._number, what))

    def run(self, until: float) -> None:
        """Let everything happen until then."""
        events = self._events
        while events and events[0][0] <= until:
            self.now, _, what = heappop(events)
            what()
        self.now = until

    def latency(self) -> float:
        network = self.network
        return network.delay + network.jitter * self.random.random() ** 4

    # Valkey

    def execute(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Reply | CallFailure:
        """Run a script now, and send what it publishes on its way."""
        if self.refusing:
            return CallFailure.REFUSED
        self.store.now = self.start + int(self.now * 1_000_000)
        answer, published = self.store.run(script, keys, args)
        for channel, data in published:
            self.publish(channel, data)
        for link in self.links:
            link.pull()
        return CallFailure.REFUSED if isinstance(answer, RefusedError) else answer

    def publish(self, channel: str, data: bytes) -> None:
        for link in self.links:
            if channel in link.subscribed:
                link.push(partial(_published, channel, data))

    def stop_valkey(self, *, keep: bool) -> None:
        """Valkey goes away; it comes back with its data or without."""
        self.available = False
        self.store.server += "'"
        if not keep:
            self.store.flush()
        self.break_all()

    def fail_over(self, replica: Store) -> None:
        """A replica takes over that lacks the last writes."""
        replica.server = self.store.server + "+"
        replica.full = replica.read_only = False
        self.store = replica
        self.break_all()

    def break_all(self) -> None:
        for link in tuple(self.links):
            link.break_off()

    # Oracles

    def fault(self) -> None:
        """Something is wrong from now on, until `healed`."""
        if self.quiet_since <= self.now - 20:
            self.faulty_since = self.now
        self.quiet_since = float("inf")

    def healed(self) -> None:
        self.quiet_since = self.now

    def may_be_shown(self, user: str, viewer: str) -> bool:
        """Whether a list that was in force a short time ago let `viewer` see the user."""
        since = self.now - 3 if self.quiet_since <= self.now - 20 else self.faulty_since - 3
        history = self.privacy.get(user, [])
        for nth, (_, privacy) in enumerate(history):
            ended = history[nth + 1][0] if nth + 1 < len(history) else float("inf")
            if ended >= since and _allows(privacy, user, viewer):
                return True
        return False

    def must_be_shown(self, user: str, viewer: str) -> bool:
        """Whether the user was there all the time, and let `viewer` see it, and nothing was wrong yet."""
        since = self.now - 5
        if self.quiet_since or since < 5:
            return False
        history = self.privacy[user]
        return all(
            _allows(privacy, user, viewer)
            for nth, (_, privacy) in enumerate(history)
            if nth + 1 == len(history) or history[nth + 1][0] >= since
        ) and any(
            5 <= each.since <= since
            for node in self.living()
            for each in node.clients.values()
            if each.user == user
        )

    def truth(self, user: str, viewer: str) -> set[tuple[int, str]] | None:
        """What `viewer` may see of a user: one of these; None is offline."""
        clients = [each for node in self.living() for each in node.clients.values() if each.user == user]
        if not clients or not _allows(self.stored[user].privacy, user, viewer):
            return None
        best = min(RANK[each.status.status] for each in clients)
        return {
            (each.status.status, each.status.text) for each in clients if RANK[each.status.status] == best
        }

    def note_who_is_there(self) -> None:
        for node in self.living():
            for client in node.clients.values():
                self.last_there[client.user] = self.now

    def attributes(self, user: str) -> set[bytes]:
        """What the user's sessions have set."""
        clients = [each for node in self.living() for each in node.clients.values() if each.user == user]
        return {each.attribute for each in clients if each.attribute is not None}

    def living(self) -> "list[SimulatedNode]":
        return [each for each in self.nodes.values() if each.alive]


RANK = {0x20: 0, 0x40: 1, 0x60: 2, 0x08: 3, 0x80: 4}


def _allows(privacy: PrivacyInfo, user: str, viewer: str) -> bool:
    listed = viewer in {each.user for each in privacy.users}
    return viewer == user or listed is not privacy.deny


def _entry(stream: str, entry_id: str, data: bytes, events: ClusterNode, now: float) -> None:
    events.entry(stream, entry_id, data, now)


def _published(channel: str, data: bytes, events: ClusterNode, now: float) -> None:
    events.published(channel, data, now)


class Link:
    """The connections of one node: `Valkey` for it.

    Each way keeps its order; a break loses what is under way.
    """

    def __init__(self, world: World, node: "SimulatedNode") -> None:
        self.world = world
        self.node = node
        self.up = False
        self.cut = False
        self.subscribed: set[str] = set()
        self.generation = 0
        self.pending: dict[int, Answer | None] = {}
        self.reading = ""
        self.read = ""
        self._number = 0
        self._sent = self._answered = self._pushed = 0.0
        world.links.append(self)
        self.reconnect()

    # Valkey

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        world = self.world
        if not self.up:
            if answer is not None:
                world.at(world.now, lambda: self.node.hear(lambda: answer(CallFailure.AWAY)))
            return
        self._number += 1
        number, generation, sent = self._number, self.generation, world.now
        self.pending[number] = answer
        keys, args = tuple(keys), tuple(args)

        def arrive() -> None:
            if generation == self.generation:
                reply = world.execute(script, keys, args)
                self._answered = max(self._answered, world.now + world.latency())
                world.at(self._answered, lambda: come_back(reply))

        def come_back(reply: Reply | CallFailure) -> None:
            if generation == self.generation:
                known = self.pending.pop(number)
                if not isinstance(reply, CallFailure):
                    self.node.reached = sent
                if known is not None:
                    self.node.hear(lambda: known(reply))

        self._send(arrive)

    def subscribe(self, channel: str) -> None:
        self._subscribe(channel, wanted=True)

    def unsubscribe(self, channel: str) -> None:
        self._subscribe(channel, wanted=False)

    def read_stream(self, key: str) -> None:
        if self.up:
            self.reading, self.read = key, "0"
            self.pull()

    # The network

    def pull(self) -> None:
        """Pass on what is new in the stream."""
        if self.up and self.reading:
            for entry_id, data in self.world.store.entries(self.reading, self.read):
                self.read = entry_id
                self.push(partial(_entry, self.reading, entry_id, data))

    def push(self, what: Callable[[ClusterNode, float], None]) -> None:
        """Something comes without being asked for."""
        generation = self.generation
        self._pushed = max(self._pushed, self.world.now + self.world.latency())

        def come() -> None:
            if generation == self.generation:
                self.node.hear(lambda: what(self.node.cluster, self.world.now))

        self.world.at(self._pushed, come)

    def break_off(self) -> None:
        """The connection is lost; another one is tried after a while."""
        if not self.up:
            return
        self.generation += 1
        self.up = False
        self.reading = ""
        self.subscribed = set()
        pending, self.pending = self.pending, {}
        for answer in pending.values():
            if answer is not None:
                self.node.hear(partial(answer, CallFailure.UNKNOWN))
        self.node.hear(lambda: self.node.cluster.disconnected(self.world.now))
        self.reconnect()

    def reconnect(self) -> None:
        generation = self.generation

        def attempt() -> None:
            if generation != self.generation or not self.node.alive:
                return
            if self.cut or not self.world.available or self.node.paused:
                self.world.at(self.world.now + self.world.network.reconnect, attempt)
                return
            self.up = True
            self._sent = self._answered = self._pushed = self.world.now
            server = self.world.store.server
            self.node.hear(lambda: self.node.cluster.connected(server, self.world.now))

        self.world.at(self.world.now + self.world.random.random() * self.world.network.reconnect, attempt)

    def end(self) -> None:
        """The process is gone, and its connections with it."""
        self.generation += 1
        self.up = False
        self.subscribed = set()
        self.world.links.remove(self)

    def _send(self, arrive: Callable[[], None]) -> None:
        self._sent = max(self._sent, self.world.now + self.world.latency())
        self.world.at(self._sent, arrive)

    def _subscribe(self, channel: str, *, wanted: bool) -> None:
        if not self.up:
            return
        generation = self.generation

        def arrive() -> None:
            if generation != self.generation:
                return
            if wanted:
                self.subscribed.add(channel)
                self.push(lambda events, now: events.confirmed(channel, now))
            else:
                self.subscribed.discard(channel)

        self._send(arrive)


@dataclass(slots=True, eq=False)
class SimulatedClient:
    """A session, and what its client was told."""

    id: str
    user: str
    status: UserStatus
    watched: set[str] = field(default_factory=set)
    seen: dict[str, Seen] = field(default_factory=dict)
    since: float = 0.0
    attribute: bytes | None = None
    told: dict[str, bytes] = field(default_factory=dict)
    flaps: int = 0

    def show(self, entry: PresenceEntry) -> None:
        user = entry.id.user
        if entry.status is None:
            self.flaps += self.seen.get(user) is not None
            self.told.pop(user, None)
        self.seen[user] = None if entry.status is None else (entry.status, entry.name)


class SimulatedNode:
    """A process: what `SametimeServer` is to `Community`, in small. `skew` is how wrong its clock is."""

    def __init__(self, world: World, name: str, skew: float = 0.0) -> None:
        self.world = world
        self.name = name
        self.skew = skew
        self.alive = True
        self.paused = False
        self.draining = False
        self.reached = world.now
        self.clients: dict[str, SimulatedClient] = {}
        self.ended_by_rule: list[tuple[float, str]] = []
        self._waiting: deque[Callable[[], None]] = deque()
        self.community = Community(Node(name, "local"), world.rule, world.limits)
        self.link = Link(world, self)
        self.cluster = ClusterNode(self.link, PREFIX, PlainSealing(), self, touch_seconds=world.touch_seconds)
        world.nodes[name] = self
        self._tick(first=True)

    @property
    def clock(self) -> float:
        return EPOCH + self.world.now + self.skew

    def hear(self, what: Callable[[], None]) -> None:
        """Something reaches the process; a paused one hears it later."""
        if self.paused:
            self._waiting.append(what)
        elif self.alive:
            what()

    def _tick(self, *, first: bool = False) -> None:
        if not self.alive:
            return
        if not first and not self.paused:
            self.cluster.tick(self.world.now)
        self.world.at(self.world.now + TICK * (self.world.random.random() if first else 1), self._tick)

    def carry_out(self, order: Order, then: Callable[[int], None]) -> None:
        """It has nothing to say to clients here."""

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        raise AssertionError

    # What becomes of the process

    def kill(self) -> None:
        self.alive = False
        self.clients.clear()
        self.link.end()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """A tick is due first, or something that came meanwhile."""
        self.paused = False
        if self.world.random.random() < 0.5:
            self.cluster.tick(self.world.now)
        while self._waiting and not self.paused:
            self._waiting.popleft()()

    def drain(self) -> None:
        """Shut down in an orderly way."""
        self.draining = True
        for each in tuple(self.clients):
            self.sign_out(each)
        self.cluster.close()
        self.world.at(self.world.now + 0.2, self.kill)

    # What clients do

    def sign_in(
        self, user: str, status: UserStatus, then: "Callable[[SimulatedClient], None] | None" = None
    ) -> None:
        world = self.world
        world.sessions += 1
        session = f"login{world.sessions:04}"
        login = LoginInfo(session, 0x1700, user, user.title())
        record = SessionRecord(self.community.node, login, user[4:], self.clock, self.clock, status)
        stored = None if world.random.random() < world.mishaps else world.stored[user]

        def decided(answer: Registered | Refusal) -> None:
            gone = world.random.random() < world.mishaps
            effects: list[e.Effect] | Refusal = (
                Refusal(ReasonCode.USER_NOT_ONLINE)
                if gone
                else answer
                if isinstance(answer, Refusal)
                else self.community.sign_in(record, answer.privacy, answer.ending)
            )
            if isinstance(effects, Refusal):
                self.cluster.presence.removed(session)
                return
            client = self.clients[session] = SimulatedClient(session, user, status, since=world.now)
            self.deliver(effects)
            if stored is None and isinstance(answer, Registered) and answer.privacy is None:
                world.at(world.now + 3, lambda: self.hear(lambda: self.read_privacy(user)))
            if then is not None:
                then(client)

        self.cluster.presence.register(record, stored, decided)

    def read_privacy(self, user_id: str) -> None:
        """What the database has."""
        if any(client.user == user_id for client in self.clients.values()):
            self._enforce(user_id, self.world.stored[user_id])

    def sign_out(self, session: str) -> None:
        if self.clients.pop(session, None) is None:
            return
        if self.draining:
            self.deliver(self.community.move(session))
        else:
            self.deliver(self.community.sign_out(session))
        self.cluster.presence.removed(session, moving=self.draining)

    def set_status(self, session: str, status: UserStatus) -> None:
        client = self.clients.get(session)
        if client is not None:
            client.status = status
            self.deliver(self.community.presence.set_status(session, status, self.clock))
            self.cluster.presence.changed(session)

    def set_attribute(self, session: str, value: bytes | None) -> None:
        client = self.clients.get(session)
        if client is not None:
            client.attribute = value
            self.deliver(self.community.presence.set_attribute(session, ATTRIBUTE, value))
            self.cluster.presence.changed(session)

    def touch(self, session: str) -> None:
        """The user does something that other nodes need not know."""
        self.community.presence.touch(session, self.clock)

    def set_privacy(self, session: str, privacy: PrivacyInfo) -> None:
        client = self.clients.get(session)
        if client is None:
            return
        world = self.world
        stored = VersionedPrivacy(world.stored[client.user].version + 1, privacy)
        world.stored[client.user] = stored
        world.privacy[client.user].append((world.now, privacy))
        world.at(
            world.now + world.random.random() * 0.01,
            lambda: self.hear(lambda: self._enforce(client.user, stored)),
        )

    def _enforce(self, user: str, stored: VersionedPrivacy) -> None:
        privacy = self.cluster.presence.privacy_changed(user, stored)
        self.deliver(self.community.set_privacy(user, privacy.privacy))

    def watch(self, session: str, users: Sequence[str]) -> None:
        client = self.clients.get(session)
        if client is not None:
            client.watched |= set(users)
            self.deliver(self.community.presence.watch_attributes(session, [ATTRIBUTE]))
            self.cluster.bring_into_view(users, lambda: self._watch(client, users))

    def _watch(self, client: SimulatedClient, users: Sequence[str]) -> None:
        wanted = [each for each in users if each in client.watched]
        for each in wanted:
            client.told.pop(each, None)  # it is told again
        ids = [AwareId(AwareType.USER, each) for each in wanted]
        self.deliver(self.community.presence.watch(client.id, ids))

    def unwatch(self, session: str, users: Sequence[str]) -> None:
        client = self.clients.get(session)
        if client is not None:
            client.watched -= set(users)
            for each in users:
                client.seen.pop(each, None)
                client.told.pop(each, None)
            self.deliver(
                self.community.presence.unwatch(session, [AwareId(AwareType.USER, each) for each in users])
            )

    # What clients are told

    def in_slices(self, steps: Iterator[None]) -> None:
        """Two steps at once, as long as the node lives."""
        if self.alive and sum(1 for _ in islice(steps, 2)) == 2:
            self.world.at(self.world.now + 0.001, partial(self.hear, partial(self.in_slices, steps)))

    def deliver(self, effects: list[e.Effect]) -> None:
        for effect in effects:
            match effect:
                case e.ShowSnapshot(session, entries):
                    for entry in entries:
                        self._show(session, entry)
                case e.ShowUpdate(entry, sessions):
                    for session in sessions:
                        self._show(session, entry)
                case e.ShowAttribute(aware_id, _, value, sessions):
                    for session in sessions:
                        if session in self.clients:
                            self._tell(self.clients[session], aware_id.user, value)
                case e.EndSession(record):
                    if self.clients.pop(record.id, None) is not None:
                        self.ended_by_rule.append((self.world.now, record.login.user_id))
                        self.cluster.presence.removed(record.id)
                case e.WatchUser(user):
                    self.cluster.presence.watch(user)
                case e.UnwatchUser(user):
                    self.cluster.presence.unwatch(user)
                case _:
                    pass

    def _tell(self, client: SimulatedClient, user: str, value: bytes | None) -> None:
        assert self.world.may_be_shown(user, client.user), f"{user} is hidden from {client.user}"
        if value is None:
            client.told.pop(user, None)
        else:
            client.told[user] = value

    def _show(self, session: str, entry: PresenceEntry) -> None:
        client = self.clients.get(session)
        if client is None:
            return
        user = entry.id.user
        if entry.status is not None:
            assert self.world.may_be_shown(user, client.user), f"{user} is hidden from {client.user}"
        else:
            assert not self.world.must_be_shown(user, client.user), f"{user} is shown as offline to {session}"
        client.show(entry)
