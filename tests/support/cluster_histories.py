"""Random histories of a cluster: what users do and what goes wrong follow from a seed.

Then it is quiet, and the oracle compares what each client was told with the sessions that exist.
"""

import random
from collections.abc import Callable
from functools import partial

from quintet.cluster.lease import LEASE_SECONDS
from quintet.cluster.views import MOVING_SECONDS
from quintet.sametime.community import SignInRule
from quintet.sametime.neighbours import VersionedPrivacy
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.blocks import PrivacyInfo, UserItem, UserStatus
from support.simulated_cluster import RANK, TICK, Network, SimulatedClient, SimulatedNode, Store, World

USERS = ("uid=a", "uid=b", "uid=c")
QUIET = 15.0
RULES = (SignInRule.MANY, SignInRule.MANY, SignInRule.NEWEST, SignInRule.OLDEST)
STATUSES = tuple(RANK)
IM = int(ServiceId.IM)


class History:
    """One history of a world."""

    node: type[SimulatedNode] = SimulatedNode
    busy = 1

    def __init__(self, seed: int, store: Store | None = None) -> None:
        self.random = random.Random(f"history {seed}")
        slow = self.random.random() < 0.2
        network = Network(jitter=0.5 if slow else 0.01, reconnect=self.random.choice((0.2, 1.0, 3.0)))
        self.world = World(seed, store, self.random.choice(RULES), network)
        self.faults = self._faults() if self.random.random() < 0.7 else []
        if self._lose_key in self.faults:  # what repairs that would hide that something else does not repair
            self.world.touch_seconds = 10.0
        self.serial = 0
        self.moving_until = 0.0
        for user in USERS:
            privacy = self._privacy()
            self.world.stored[user] = VersionedPrivacy(0, privacy)
            self.world.privacy[user] = [(0.0, privacy)]
        for nth in range(self.random.choice((2, 2, 3, 4))):
            skew = self.random.choice((0.0, 0.0, 0.3, -300.0, 600.0))
            self.node(self.world, f"n{nth}", skew)

    def run(self) -> None:
        """Let it happen, and let it become quiet. Raises AssertionError if an oracle does not hold."""
        random_, world = self.random, self.world
        world.run(max(world.now, 1.5))
        until = world.now + random_.choice((0.5, 4.0, 12.0, 30.0))
        faults = self.faults
        for _ in range(random_.randrange(4, 16) * self.busy):
            world.at(random_.uniform(world.now, until), random_.choice(self._actions()))
        for _ in range(min(len(faults), random_.choice((1, 1, 2, 3)))):
            world.at(random_.uniform(world.now, until), random_.choice(faults))
        while world.now < until:
            world.run(min(until, world.now + 1))
            self._check_now()
        self._heal()
        world.run(until + 2.5)  # a fail-over may be under way
        world.run(max(world.now + QUIET, self.moving_until))
        self.check()

    def _check_now(self) -> None:
        """Nodes that do not reach Valkey show no one else's users, and nobody is shown long after the end."""
        world = self.world
        world.note_who_is_there()
        for node in world.living():
            if node.paused or not node.clients:
                continue
            local = {each.user for each in node.clients.values()}
            apart = world.now - node.reached > LEASE_SECONDS + TICK
            for client in node.clients.values():
                for user, seen in client.seen.items():
                    if seen is None or user in local or user in world.moving:
                        continue
                    assert not apart, f"{node.name} shows {user}, and does not reach Valkey"
                    gone = world.now - world.last_there.get(user, world.now)
                    assert gone <= QUIET, f"{node.name} shows {user}, who is gone for {gone} seconds"

    def check(self) -> None:
        """Every client's view equals the sessions that exist."""
        world = self.world
        for node in world.living():
            assert node.cluster.lease.held, f"{node.name} has no lease"
            assert node.cluster.presence.unreadable == 0
            for client in node.clients.values():
                assert client.id in node.community.presence
                for user in client.watched:
                    truth, seen = world.truth(user, client.user), client.seen.get(user)
                    told = None if seen is None else (seen[0].status, seen[0].text)
                    assert told is None if truth is None else told in truth, (
                        f"{client.id} of {client.user} at {node.name} sees {told} of {user}, not {truth}"
                    )
        for user in USERS:
            clients = [
                (node.name, each.id)
                for node in world.living()
                for each in node.clients.values()
                if each.user == user
            ]
            most = world.limits.sessions_per_user if world.rule is SignInRule.MANY else 1
            assert len(clients) <= most, f"{user} has {clients}"
            self._check_agreement(user)

    def _check_agreement(self, user: str) -> None:
        """All who see a user see the same, and reach the same session."""
        world = self.world
        watchers = [
            (node, client)
            for node in world.living()
            for client in node.clients.values()
            if client.seen.get(user) is not None
        ]
        shown = {client.seen[user] for _, client in watchers}
        assert len(shown) <= 1, f"nodes do not agree about {user}: {shown}"
        told = {client.told.get(user) for _, client in watchers}
        assert len(told) <= 1, f"nodes do not agree about an attribute of {user}: {told}"
        assert told <= {None, *world.attributes(user)}, f"{user} has not set {told}"
        assert None not in told or not world.attributes(user), f"an attribute of {user} is missing"
        reached = {node.community.presence.route(user, client.user, IM) for node, client in watchers}
        assert len(reached) <= 1, f"nodes do not agree about the session of {user}: {reached}"
        assert None not in reached

    # What users do

    def _actions(self) -> list[Callable[[], None]]:
        return [
            self._sign_in,
            self._sign_in,
            self._sign_in,
            self._sign_out,
            self._set_status,
            self._set_status,
            self._watch,
            self._unwatch,
            self._set_privacy,
            self._set_attribute,
            self._touch,
            self._crowd,
            self._hide_twice,
        ]

    def _node(self) -> SimulatedNode | None:
        nodes = [each for each in self.world.living() if not each.paused and not each.draining]
        return self.random.choice(nodes) if nodes else None

    def _client(self) -> tuple[SimulatedNode, str] | None:
        clients = [(node, each) for node in self.world.living() if not node.paused for each in node.clients]
        return self.random.choice(clients) if clients else None

    def _sign_in(self, user: str = "") -> None:
        node = self._node()
        if node is None:
            return

        def begun(client: SimulatedClient) -> None:
            node.watch(client.id, self.random.sample(USERS, self.random.choice((1, 2, 3))))

        node.sign_in(user or self.random.choice(USERS), self._status(), begun)

    def _crowd(self) -> None:
        """A user signs in several times at once."""
        user = self.random.choice(USERS)
        for _ in range(self.random.choice((2, 3, 5))):
            self._later(self.random.choice((0.0, 0.005, 0.05)), lambda: self._sign_in(user))

    def _hide_twice(self) -> None:
        """A user changes the privacy list at two sessions at once."""
        user = self.random.choice(USERS)
        for node in self.world.living():
            for client in tuple(node.clients.values()):
                if client.user == user and not node.paused:
                    later = partial(node.set_privacy, client.id, self._privacy())
                    self._later(self.random.choice((0.0, 0.002, 0.02)), later)

    def _sign_out(self) -> None:
        if found := self._client():
            found[0].sign_out(found[1])

    def _set_status(self) -> None:
        if found := self._client():
            found[0].set_status(found[1], self._status())

    def _set_attribute(self) -> None:
        if found := self._client():
            value = None if self.random.random() < 0.3 else b"%d" % self.random.randrange(9)
            found[0].set_attribute(found[1], value)

    def _touch(self) -> None:
        if found := self._client():
            found[0].touch(found[1])

    def _watch(self) -> None:
        if found := self._client():
            found[0].watch(found[1], self.random.sample(USERS, 2))

    def _unwatch(self) -> None:
        if found := self._client():
            found[0].unwatch(found[1], self.random.sample(USERS, 1))

    def _set_privacy(self) -> None:
        if found := self._client():
            found[0].set_privacy(found[1], self._privacy())

    def _status(self) -> UserStatus:
        self.serial += 1
        return UserStatus(self.random.choice(STATUSES), 0, f"text {self.serial}")

    def _privacy(self) -> PrivacyInfo:
        if self.random.random() < 0.5:
            return PrivacyInfo()
        listed = self.random.sample(USERS, self.random.choice((0, 1, 2)))
        return PrivacyInfo(self.random.random() < 0.5, tuple(map(UserItem, listed)))

    # What goes wrong

    def _faults(self) -> list[Callable[[], None]]:
        every = [
            self._break,
            self._part,
            self._pause,
            self._kill,
            self._drain,
            self._fail_over,
            self._stop_valkey,
            self._flush,
            self._lose_key,
            self._fill,
            self._refuse,
        ]
        return self.random.sample(every, self.random.choice((1, 2, len(every))))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self.world.at(self.world.now + seconds, what)

    def _break(self) -> None:
        """A connection breaks."""
        if node := self._node():
            self.world.fault()
            node.link.break_off()

    def _part(self) -> None:
        """A node does not reach Valkey for a while."""
        node = self._node()
        if node is None:
            return
        self.world.fault()
        node.link.cut = True
        node.link.break_off()
        self._later(self.random.choice((1.0, 7.0, 12.0, 40.0)), lambda: setattr(node.link, "cut", False))

    def _pause(self) -> None:
        """A node stands still (SIGSTOP) for a while; its connection may be lost meanwhile."""
        node = self._node()
        if node is None:
            return
        self.world.fault()
        node.pause()
        if self.random.random() < 0.4:
            self._later(0.5, node.link.break_off)
        self._later(
            self.random.choice((0.5, 5.0, 9.0, 20.0, 60.0)), lambda: node.resume() if node.paused else None
        )

    def _kill(self) -> None:
        """A node dies, and perhaps starts again."""
        node = self._node()
        if node is None or len(self.world.living()) < 2:
            return
        self.world.fault()
        node.kill()
        if self.random.random() < 0.6:
            self._later(self.random.choice((0.1, 5.0, 12.0)), lambda: self._restart(node))

    def _drain(self) -> None:
        """A node shuts down in an orderly way, and perhaps starts again."""
        node = self._node()
        if node is None or len(self.world.living()) < 2:
            return
        self.world.fault()
        users = [each.user for each in node.clients.values()]
        self.moving_until = self.world.now + MOVING_SECONDS + 3
        self.world.moving |= set(users)
        node.drain()
        for user in users:
            other = self._node()
            if other is not None and self.random.random() < 0.7:
                self._later(self.random.uniform(0.5, 3), partial(self._come_back, other, user))
        self._later(1.0, lambda: self._restart(node))

    def _come_back(self, node: SimulatedNode, user: str) -> None:
        if node.alive and not node.paused and not node.draining:
            node.sign_in(user, self._status())

    def _restart(self, node: SimulatedNode) -> None:
        if self.world.nodes[node.name] is node and not node.alive:
            self.node(self.world, node.name, node.skew)

    def _fail_over(self) -> None:
        """A replica takes over that lacks the last writes."""
        self.world.fault()
        replica = self.world.store.copy()
        self._later(self.random.choice((0.0, 0.3, 2.0)), lambda: self.world.fail_over(replica))

    def _stop_valkey(self) -> None:
        """Valkey is away for a while, and comes back with its data or without."""
        self.world.fault()
        self.world.stop_valkey(keep=self.random.random() < 0.5)
        self._later(
            self.random.choice((0.5, 5.0, 12.0, 30.0)), lambda: setattr(self.world, "available", True)
        )

    def _flush(self) -> None:
        """All keys are gone, and no connection breaks."""
        self.world.fault()
        self.world.store.flush()

    def _lose_key(self) -> None:
        """One key is gone."""
        self.world.fault()
        self.world.store.lose(self.random)

    def _fill(self) -> None:
        """Valkey takes no writes for a while."""
        self.world.fault()
        name = self.random.choice(("full", "read_only"))
        setattr(self.world.store, name, True)
        self._later(self.random.choice((1.0, 5.0, 12.0)), lambda: setattr(self.world.store, name, False))

    def _refuse(self) -> None:
        """Valkey answers every call with an error for a while."""
        self.world.fault()
        self.world.refusing = True
        self._later(self.random.choice((0.5, 3.0, 12.0)), lambda: setattr(self.world, "refusing", False))

    def _heal(self) -> None:
        """Nothing is wrong from now on."""
        world = self.world
        world.healed()
        world.available, world.refusing = True, False
        world.store.full = world.store.read_only = False
        for node in world.living():
            node.link.cut = False
            if node.paused:
                node.resume()


def run_history(seed: int, store: Store | None = None, kind: type[History] = History) -> History:
    """Run the history of a seed; a failure names it."""
    history = kind(seed, store)
    try:
        history.run()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return history
