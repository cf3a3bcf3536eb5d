"""Presence across nodes: who is seen, hidden, replaced, moved and lost, and what it costs."""

from collections import Counter, deque
from collections.abc import Callable, Iterator

import pytest

from quintet.cluster import scripts
from quintet.cluster.records import user_digest
from quintet.cluster.valkey import Script
from quintet.sametime.community import SignInRule
from quintet.sametime.neighbours import VersionedPrivacy
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.blocks import INVISIBLE, VISIBLE_TO_ALL, PrivacyInfo, UserItem, UserStatus
from support.simulated_cluster import PREFIX, Network, SimulatedClient, SimulatedNode, World

ALICE, BOB, CAROL = "uid=alice", "uid=bob", "uid=carol"
ACTIVE, AWAY, BUSY = UserStatus(0x20), UserStatus(0x60, 0, "lunch"), UserStatus(0x80)
NOT_BOB = PrivacyInfo(deny=True, users=(UserItem(BOB),))


def world(nodes: int = 2, rule: SignInRule = SignInRule.MANY, touch: float = float("inf")) -> World:
    made = World(1, rule=rule, network=Network(jitter=0.0))
    made.touch_seconds = touch
    made.mishaps = 0.0
    for user in (ALICE, BOB, CAROL):
        keep(made, user, VISIBLE_TO_ALL)
    for nth in range(nodes):
        SimulatedNode(made, f"n{nth}")
    made.run(3)
    return made


def keep(made: World, user: str, privacy: PrivacyInfo) -> None:
    made.stored[user] = VersionedPrivacy(0, privacy)
    made.privacy[user] = [(0.0, privacy)]


def sign_in(node: SimulatedNode, user: str, status: UserStatus = ACTIVE, *watched: str) -> SimulatedClient:
    """Sign in for certain: the simulation lets some clients go away meanwhile."""
    begun: list[SimulatedClient] = []
    while not begun:
        node.sign_in(user, status, begun.append)
        node.world.run(node.world.now + 0.1)
    node.watch(begun[0].id, watched)
    node.world.run(node.world.now + 0.1)
    return begun[0]


def passed(made: World, seconds: float) -> None:
    made.run(made.now + seconds)


def shown(client: SimulatedClient, user: str = ALICE) -> UserStatus | None:
    seen = client.seen[user]
    return None if seen is None else seen[0]


def counted(made: World) -> Counter[str]:
    """How many scripts of each name run from now on."""
    counts: Counter[str] = Counter()
    execute = made.execute

    def count(script: Script, *rest: object) -> object:
        counts[script.name] += 1
        return execute(script, *rest)  # type: ignore[arg-type]

    made.execute = count  # type: ignore[method-assign, assignment]
    return counts


def test_a_session_is_seen_at_another_node_as_it_comes_changes_and_goes() -> None:
    made = world()
    one, two = made.nodes.values()
    alice = sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    assert bob.seen == {ALICE: (ACTIVE, "Uid=Alice")}
    one.set_status(alice.id, AWAY)
    passed(made, 0.1)
    assert shown(bob) == AWAY
    one.sign_out(alice.id)
    passed(made, 0.1)
    assert shown(bob) is None


@pytest.mark.parametrize("rule", [SignInRule.NEWEST, SignInRule.OLDEST])
def test_a_hundred_simultaneous_sign_ins_at_four_nodes_leave_exactly_one(rule: SignInRule) -> None:
    made = world(4, rule)
    nodes = list(made.nodes.values())
    begun: list[SimulatedClient] = []
    for nth in range(100):
        nodes[nth % 4].sign_in(ALICE, ACTIVE, begun.append)
    passed(made, 5)
    left = [each for node in nodes for each in node.clients]
    assert len(left) == 1
    assert len(begun) > (50 if rule is SignInRule.NEWEST else 0)


def test_a_session_that_replaces_another_is_never_seen_as_an_absence() -> None:
    made = world(3, SignInRule.NEWEST)
    one, two, three = made.nodes.values()
    old = sign_in(one, ALICE)
    watchers = [sign_in(node, user, ACTIVE, ALICE) for node, user in ((two, BOB), (three, CAROL))]
    sign_in(two, ALICE)
    passed(made, 1)
    assert old.id not in one.clients
    assert [each.flaps for each in watchers] == [0, 0]
    assert [shown(each) for each in watchers] == [ACTIVE, ACTIVE]


@pytest.mark.parametrize("where", [0, 1], ids=["at the same node", "at another node"])
def test_a_sign_in_that_goes_no_further_leaves_no_gap_and_nothing_behind(where: int) -> None:
    stayed = set()
    for seed in range(8):
        made = world(3, SignInRule.NEWEST)
        made.random.seed(seed)
        made.network.jitter = 0.01
        one, _, three = nodes = list(made.nodes.values())
        alice = sign_in(one, ALICE)
        bob = sign_in(three, BOB, ACTIVE, ALICE)
        made.mishaps = 1.0
        nodes[where].sign_in(ALICE, ACTIVE)
        passed(made, 6)
        stays = alice.id in one.clients
        assert shown(bob) == (ACTIVE if stays else None)
        assert bob.flaps == (not stays)
        stayed.add(stays)
    assert stayed == {True, False}


def test_the_limit_of_sessions_counts_at_all_nodes_and_ends_the_one_that_was_active_longest_ago() -> None:
    made = world()
    one, two = made.nodes.values()
    first, second, third = (sign_in(node, ALICE) for node in (one, two, one))
    one.touch(first.id)
    passed(made, 5)
    sign_in(two, ALICE)
    passed(made, 1)
    assert set(one.clients) == {first.id, third.id}
    assert second.id not in two.clients


def test_the_most_available_status_is_shown_and_the_own_other_session_gets_it() -> None:
    made = world()
    one, two = made.nodes.values()
    first = sign_in(one, ALICE, BUSY)
    sign_in(two, ALICE, AWAY)
    watchers = [sign_in(node, user, ACTIVE, ALICE) for node, user in ((one, BOB), (two, CAROL))]
    assert [shown(each) for each in watchers] == [AWAY, AWAY]
    one.set_status(first.id, ACTIVE)
    passed(made, 0.1)
    assert [shown(each) for each in watchers] == [ACTIVE, ACTIVE]


def test_of_equal_statuses_the_one_that_was_set_last_is_shown_whatever_the_clocks_say() -> None:
    made = world(1)
    (one,) = made.nodes.values()
    ahead = SimulatedNode(made, "ahead", skew=600)
    passed(made, 3)
    first, second = sign_in(ahead, ALICE), sign_in(one, ALICE)
    watchers = [sign_in(node, user, ACTIVE, ALICE) for node, user in ((one, BOB), (ahead, CAROL))]
    for node, session, text in (
        (ahead, first, "a"),
        (one, second, "b"),
        (ahead, first, "c"),
        (one, second, "d"),
    ):
        node.set_status(session.id, UserStatus(0x20, 0, text))
        passed(made, 0.1)
        assert [shown(each) for each in watchers] == [UserStatus(0x20, 0, text)] * 2


def test_messages_go_to_the_session_that_was_active_last_from_every_node() -> None:
    made = world()
    one, two = made.nodes.values()
    first, second = sign_in(one, ALICE), sign_in(two, ALICE)
    one.touch(first.id)
    passed(made, 5)
    routes = [each.community.presence.route(ALICE, BOB, ServiceId.IM) for each in (one, two)]
    assert routes == [first.id, first.id]
    two.touch(second.id)
    passed(made, 5)
    routes = [each.community.presence.route(ALICE, BOB, ServiceId.IM) for each in (one, two)]
    assert routes == [second.id, second.id]


# Privacy


def test_a_list_hides_a_user_at_all_nodes_and_is_in_force_at_the_users_other_sessions() -> None:
    made = world()
    one, two = made.nodes.values()
    first = sign_in(one, ALICE)
    sign_in(two, ALICE)
    bob, carol = sign_in(two, BOB, ACTIVE, ALICE), sign_in(one, CAROL, ACTIVE, ALICE)
    one.set_privacy(first.id, NOT_BOB)
    passed(made, 0.1)
    assert shown(bob) is None
    assert shown(carol) == ACTIVE
    assert not two.community.presence.can_see(BOB, ALICE)


def test_a_list_that_is_not_known_hides_the_user_until_it_is() -> None:
    made = world()
    one, two = made.nodes.values()
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    alice = sign_in(one, ALICE)
    passed(made, 1)
    key = f"{PREFIX}:u:{user_digest(ALICE)}"
    value = made.store.dump()[key][0]
    assert isinstance(value, bytes)
    made.store.put(key, value + b"P0:8:9|forged")
    two.link.break_off()
    passed(made, 1.5)
    assert shown(bob) is None
    assert two.cluster.presence.unreadable
    one.set_status(alice.id, AWAY)
    one.link.break_off()
    passed(made, 3)
    assert shown(bob) == AWAY


def test_the_later_of_two_lists_stays_in_force_wherever_it_was_stored() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    sign_in(two, ALICE)
    for node, stored in ((one, VersionedPrivacy(6, INVISIBLE)), (two, VersionedPrivacy(5, VISIBLE_TO_ALL))):
        node.cluster.presence.privacy_changed(ALICE, stored)
        node.deliver(node.community.set_privacy(ALICE, stored.privacy))
    passed(made, 1)
    assert not one.community.presence.can_see(BOB, ALICE)
    assert not two.community.presence.can_see(BOB, ALICE)


# Nodes that come and go


def test_a_killed_node_is_seen_within_ten_seconds() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    one.kill()
    passed(made, 5)
    assert shown(bob) == ACTIVE
    passed(made, 5.1)
    assert shown(bob) is None


def test_a_user_of_a_node_that_shuts_down_is_shown_until_back_elsewhere_and_gets_nothing_meanwhile() -> None:
    made = world(3)
    one, two, three = made.nodes.values()
    sign_in(one, ALICE, AWAY)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    one.drain()
    passed(made, 20)
    assert shown(bob) == AWAY
    assert two.community.presence.route(ALICE, BOB, ServiceId.IM) is None
    new = sign_in(three, ALICE)
    assert shown(bob) == ACTIVE
    assert two.community.presence.route(ALICE, BOB, ServiceId.IM) == new.id
    assert bob.flaps == 0


def test_a_user_who_does_not_come_back_is_offline_after_45_seconds() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    one.drain()
    passed(made, 44)
    assert shown(bob) == ACTIVE
    passed(made, 4)
    assert shown(bob) is None


def test_a_node_that_stood_still_begins_anew_and_what_it_says_late_is_not_taken() -> None:
    made = world(2, SignInRule.NEWEST)
    one, two = made.nodes.values()
    alice, before = sign_in(one, ALICE), one.cluster.lease.node
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    one.pause()
    passed(made, 20)
    assert shown(bob) is None
    second = sign_in(two, ALICE, AWAY)
    one.resume()
    one.set_status(alice.id, BUSY)
    passed(made, 5)
    assert one.cluster.lease.node.incarnation != before.incarnation
    assert shown(bob) == AWAY
    assert alice.id not in one.clients, "the session that began meanwhile stays"
    assert second.id in two.clients


def test_thousands_of_sessions_leave_one_after_the_other_and_one_that_is_shown_anew_stays() -> None:
    made = world(2)
    one, two = made.nodes.values()
    sessions = [sign_in(one, user) for user in (ALICE, ALICE, CAROL, CAROL)]
    bob = sign_in(two, BOB, ACTIVE, ALICE, CAROL)
    steps: list[Iterator[None]] = []

    def in_slices(more: Iterator[None]) -> None:
        steps.append(more)

    two.cluster.presence._views._in_slices = in_slices  # type: ignore[assignment]
    two.cluster.presence.gone(one.community.node)
    assert [shown(bob, user) for user in (ALICE, CAROL)] == [ACTIVE, ACTIVE]
    next(steps[0])
    assert sum(each.id in two.community.presence for each in sessions) == 3
    one.set_status(sessions[3].id, AWAY)
    passed(made, 1)
    deque(steps[0], maxlen=0)
    assert [each.id in two.community.presence for each in sessions] == [False, False, False, True]
    assert [shown(bob, user) for user in (ALICE, CAROL)] == [None, AWAY]


def test_a_second_holder_of_a_name_gets_no_lease() -> None:
    made = world(1)
    (one,) = made.nodes.values()
    other = SimulatedNode(made, "n0")
    passed(made, 12)
    assert not other.cluster.lease.held
    assert other.cluster.lease.is_taken(made.now)
    assert one.cluster.lease.held


def test_an_end_that_valkey_refused_to_write_is_written_later_though_the_index_is_lost() -> None:
    made = world()
    one, two = made.nodes.values()
    alice = sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    made.refusing = True
    one.sign_out(alice.id)
    passed(made, 0.1)
    index = [each for each in made.store.dump() if f":i:{one.cluster.lease.node.incarnation}:" in each]
    assert index
    for key in index:
        made.store.put(key, None)
    made.refusing = False
    assert shown(bob) == ACTIVE
    passed(made, 5)
    assert shown(bob) is None


def test_a_list_that_a_node_stored_before_it_died_is_in_force_at_the_users_other_sessions() -> None:
    made = world(3)
    one, two, three = made.nodes.values()
    for node in (one, two):
        sign_in(node, ALICE)
    bob = sign_in(three, BOB, ACTIVE, ALICE)
    assert shown(bob) == ACTIVE
    made.stored[ALICE] = VersionedPrivacy(1, NOT_BOB)  # by the first node, without a word to others
    made.privacy[ALICE].append((made.now, NOT_BOB))
    one.kill()
    passed(made, 15)
    assert shown(bob) is None


def test_a_name_that_a_killed_node_left_is_free_after_its_lease() -> None:
    made = world(1)
    (one,) = made.nodes.values()
    one.kill()
    other = SimulatedNode(made, "n0")
    passed(made, 11)
    assert other.cluster.lease.held
    assert not other.cluster.lease.is_taken(made.now)


# Valkey that goes away


def test_without_valkey_users_of_other_nodes_look_offline_and_those_of_the_node_go_on() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    bob, carol = sign_in(two, BOB, ACTIVE, ALICE, CAROL), sign_in(two, CAROL, ACTIVE, ALICE)
    made.stop_valkey(keep=True)
    passed(made, 5)
    assert shown(bob) == ACTIVE, "a short break is not seen"
    passed(made, 6)
    assert shown(bob) is None
    two.set_status(carol.id, AWAY)
    assert shown(bob, CAROL) == AWAY
    made.available = True
    passed(made, 4)
    assert shown(bob) == ACTIVE


@pytest.mark.parametrize("rule", [SignInRule.NEWEST, SignInRule.OLDEST])
@pytest.mark.parametrize("first_back", [True, False])
@pytest.mark.parametrize("keep_data", [True, False])
def test_of_several_sessions_the_one_that_began_while_valkey_was_away_stays(
    rule: SignInRule, keep_data: bool, first_back: bool
) -> None:
    made = world(2, rule)
    one, two = made.nodes.values()
    before = sign_in(one, ALICE)
    made.stop_valkey(keep=keep_data)
    passed(made, 12)
    during = sign_in(two, ALICE)
    assert before.id in one.clients
    assert during.id in two.clients
    first, second = (one, two) if first_back else (two, one)
    second.link.cut = True
    made.available = True
    passed(made, 4)
    assert first.cluster.lease.held
    second.link.cut = False
    passed(made, 6)
    assert before.id not in one.clients
    assert during.id in two.clients


def test_a_session_that_a_failover_brought_back_is_removed_by_its_node() -> None:
    made = world()
    one, two = made.nodes.values()
    alice = sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    replica = made.store.copy()
    one.sign_out(alice.id)
    passed(made, 0.1)
    assert shown(bob) is None
    made.fail_over(replica)
    passed(made, 3)
    assert shown(bob) is None


def test_a_full_valkey_lets_users_sign_in_and_end_and_shows_them_when_it_has_room() -> None:
    made = world()
    one, two = made.nodes.values()
    alice, bob = sign_in(one, ALICE), sign_in(two, BOB, ACTIVE, ALICE, CAROL)
    made.store.full = True
    sign_in(one, CAROL)
    one.sign_out(alice.id)
    passed(made, 2)
    assert shown(bob) is None
    assert shown(bob, CAROL) is None
    made.store.full = False
    passed(made, 3)
    assert shown(bob, CAROL) == ACTIVE


def test_a_valkey_that_does_not_answer_delays_a_sign_in_by_some_seconds_only() -> None:
    made = world()
    one, _ = made.nodes.values()
    made.network.delay = 1000
    begun: list[SimulatedClient] = []
    found: list[bool] = []
    while not begun and made.now < 60:
        one.sign_in(ALICE, ACTIVE, begun.append)
        one.cluster.find(CAROL, lambda: found.append(True))
        passed(made, 5)
    assert begun
    assert found


# What is lost, or is none of ours


def test_a_lost_publication_is_noticed_at_the_next_one() -> None:
    made = world()
    one, two = made.nodes.values()
    alice, bob = sign_in(one, ALICE), sign_in(two, BOB, ACTIVE, ALICE)
    subscribed, two.link.subscribed = two.link.subscribed, set()
    one.set_attribute(alice.id, b"lost")
    passed(made, 0.1)
    two.link.subscribed = subscribed
    one.set_status(alice.id, AWAY)
    passed(made, 0.1)
    assert shown(bob) == AWAY
    assert bob.told == {ALICE: b"lost"}


def test_a_late_confirmation_of_a_subscription_that_was_given_up_confirms_no_other() -> None:
    made = world()
    one, two = made.nodes.values()
    alice, bob = sign_in(one, ALICE), sign_in(two, BOB)
    two.watch(bob.id, [ALICE])
    two.cluster.lease.lose()
    two.cluster.presence.unwatch(ALICE)
    two.cluster.presence.watch(ALICE)
    passed(made, 5)
    one.set_status(alice.id, AWAY)
    passed(made, 0.1)
    assert shown(bob) == AWAY


def test_a_key_that_is_gone_is_written_again() -> None:
    made = world(touch=10)
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    made.store.put(f"{PREFIX}:u:{user_digest(ALICE)}", None)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    assert shown(bob) is None
    passed(made, 15)
    assert shown(bob) == ACTIVE


def test_emptied_data_are_written_again_though_no_connection_broke() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    made.store.flush()
    passed(made, 6)
    assert shown(bob) == ACTIVE


GARBAGE = (
    b"",
    b"1 2",
    b"0 99\n",
    b"5 6\nS3:4:ab",
    b"1 2\nX1:1:ab",
    b"\xff" * 50,
    b"1 2\nS-1:5:abcdef",
    b"9" * 99 + b" 1\n",
)


@pytest.mark.parametrize("data", GARBAGE)
def test_garbage_on_a_channel_changes_nothing(data: bytes) -> None:
    made = world()
    one, two = made.nodes.values()
    alice, bob = sign_in(one, ALICE), sign_in(two, BOB, ACTIVE, ALICE)
    made.publish(f"{PREFIX}:u:{user_digest(ALICE)}", data)
    passed(made, 1)
    assert shown(bob) == ACTIVE
    one.set_status(alice.id, AWAY)
    passed(made, 1)
    assert shown(bob) == AWAY
    assert bob.flaps == 0


def test_a_record_that_was_copied_to_another_user_is_not_shown() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    value = made.store.dump()[f"{PREFIX}:u:{user_digest(ALICE)}"][0]
    made.store.put(f"{PREFIX}:u:{user_digest(CAROL)}", value)
    bob = sign_in(two, BOB, ACTIVE, CAROL)
    passed(made, 1)
    assert shown(bob, CAROL) is None
    assert two.cluster.presence.unreadable


def test_what_another_version_wrote_is_left_alone() -> None:
    made = world()
    one, two = made.nodes.values()
    key = f"{PREFIX}:u:{user_digest(ALICE)}"
    made.store.put(key, b"7\nZ1:18:zof a later release")
    alice, bob = sign_in(one, ALICE), sign_in(two, BOB, ACTIVE, ALICE)
    made.publish(key, b"0 9999999999999999\nZ1:1:ab")
    one.set_status(alice.id, AWAY)
    passed(made, 1)
    assert shown(bob) == AWAY
    value = made.store.dump()[key][0]
    assert isinstance(value, bytes)
    assert b"Z1:18:zof a later release" in value


# What it costs


def test_a_sign_in_is_one_call_and_others_are_not_waited_for() -> None:
    made = world()
    one, two = made.nodes.values()
    counts = counted(made)
    sign_in(two, BOB)
    assert counts[scripts.REGISTER.name] == 1
    assert counts[scripts.WRITE.name] == 0
    sign_in(one, ALICE)
    assert counts[scripts.REGISTER.name] == 2


def test_a_change_is_one_message_for_each_node_with_a_watcher() -> None:
    made = world(4)
    nodes = list(made.nodes.values())
    alice = sign_in(nodes[0], ALICE)
    for node, user in ((nodes[1], BOB), (nodes[2], CAROL)):
        for _ in range(3):
            sign_in(node, user, ACTIVE, ALICE)
    pushed: Counter[str] = Counter()
    for node in nodes:
        node.link.push = counting(node, pushed, node.link.push)  # type: ignore[method-assign]
    nodes[0].set_status(alice.id, AWAY)
    passed(made, 0.5)
    assert pushed == {"n0": 1, "n1": 1, "n2": 1}


def counting(node: SimulatedNode, counts: Counter[str], push: Callable[..., None]) -> Callable[..., None]:
    def count(*what: object) -> None:
        counts[node.name] += 1
        push(*what)

    return count


def test_many_changes_while_a_call_is_under_way_become_one() -> None:
    made = world()
    one, two = made.nodes.values()
    alice, bob = sign_in(one, ALICE), sign_in(two, BOB, ACTIVE, ALICE)
    counts = counted(made)
    for nth in range(100):
        one.set_status(alice.id, UserStatus(0x20, 0, f"text {nth}"))
    passed(made, 1)
    assert counts[scripts.WRITE.name] == 2
    assert shown(bob) == UserStatus(0x20, 0, "text 99")


def test_a_node_hears_of_a_user_only_while_that_is_of_interest() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    bob = sign_in(two, BOB, ACTIVE, ALICE)
    channel = f"{PREFIX}:u:{user_digest(ALICE)}"
    assert channel in two.link.subscribed
    two.unwatch(bob.id, [ALICE])
    passed(made, 0.1)
    assert channel not in two.link.subscribed
    assert len(two.community.presence) == 1


# Looking for a user


@pytest.mark.parametrize("target", [ALICE, "UID=Alice", "alice"])
def test_a_user_of_another_node_is_found_by_id_or_login_name(target: str) -> None:
    made = world()
    one, two = made.nodes.values()
    alice = sign_in(one, ALICE)
    sign_in(two, BOB)
    found: list[str | None] = []
    route = two.community.presence.route
    two.cluster.find(target, lambda: found.append(route(target, BOB, ServiceId.IM)))
    passed(made, 0.1)
    assert found == [alice.id]
    two.cluster.find(target, lambda: found.append(route(target, BOB, ServiceId.IM)))
    assert len(found) == 2 or target == "alice", "a user in view is found at once"
    passed(made, 70)
    assert found == [alice.id, alice.id]
    assert len(two.community.presence) == 1, "it is forgotten after a while"


def test_a_login_name_is_kept_once_and_as_long_as_its_session() -> None:
    made = world(touch=600)
    one, two = made.nodes.values()
    alice = sign_in(one, ALICE)
    digest = user_digest(ALICE).encode()

    def places() -> list[str]:
        values = {
            key: value for key, (value, _) in made.store.dump().items() if key.startswith(f"{PREFIX}:a:")
        }
        return [key for key, value in values.items() if isinstance(value, dict) and digest in value.values()]

    used: set[str] = set()
    for _ in range(10):
        passed(made, 3600)
        assert len(places()) == 1
        used.update(places())
    assert len(used) == 2
    found: list[str | None] = []
    two.cluster.find("alice", lambda: found.append(two.community.presence.route(ALICE, BOB, ServiceId.IM)))
    passed(made, 0.1)
    assert found == [alice.id]
    one.sign_out(alice.id)
    passed(made, 4.6 * 3600)
    assert not places()


def test_a_name_that_is_no_one_s_is_answered_too() -> None:
    made = world()
    _, two = made.nodes.values()
    found: list[bool] = []
    two.cluster.find("uid=unknown", lambda: found.append(True))
    passed(made, 0.5)
    assert found == [True]


# Users who are about to be watched


def test_a_user_who_is_online_elsewhere_is_never_shown_as_offline_to_a_new_watcher() -> None:
    made = world()
    one, two = made.nodes.values()
    for user in (ALICE, CAROL):
        sign_in(one, user)
    bob = sign_in(two, BOB)
    two.watch(bob.id, [ALICE, CAROL])
    assert bob.seen == {}, "nothing is shown before it is known"
    passed(made, 0.1)
    assert [shown(bob, user) for user in (ALICE, CAROL)] == [ACTIVE, ACTIVE]


def test_users_in_view_are_not_asked_about() -> None:
    made = world()
    one, two = made.nodes.values()
    sign_in(one, ALICE)
    bob, _ = sign_in(two, BOB, ACTIVE, ALICE), sign_in(two, CAROL)
    counts = counted(made)
    two.watch(bob.id, [ALICE, CAROL])
    assert [shown(bob, user) for user in (ALICE, CAROL)] == [ACTIVE, ACTIVE]
    passed(made, 0.1)
    assert not counts["read"]


def test_users_who_are_not_watched_after_all_are_out_of_view_again() -> None:
    made = world()
    one, two = made.nodes.values()
    for user in (ALICE, CAROL):
        sign_in(one, user)
    sign_in(two, BOB)
    there: list[int] = []
    two.cluster.bring_into_view(
        [ALICE, CAROL, "UID=carol"], lambda: there.append(len(two.community.presence))
    )
    passed(made, 0.1)
    assert there == [3], "all are in view at the same time"
    assert len(two.community.presence) == 1
    assert two.link.subscribed.isdisjoint(f"{PREFIX}:u:{user_digest(each)}" for each in (ALICE, CAROL))


@pytest.mark.parametrize("broken", [True, False], ids=["the connection breaks", "there is no answer"])
def test_without_an_answer_users_are_waited_for_for_some_seconds_at_most(broken: bool) -> None:
    made = world()
    _, two = made.nodes.values()
    made.network.delay = 1000
    answered: list[bool] = []
    two.cluster.bring_into_view([ALICE], lambda: answered.append(True))
    assert not answered
    if broken:
        made.available = False
        two.link.break_off()
        assert answered == [True]
        two.cluster.bring_into_view([ALICE], lambda: answered.append(True))
        assert answered == [True, True], "without Valkey nothing is waited for"
    else:
        passed(made, 5)
        assert answered == [True]
    assert two.cluster.presence._views.known(ALICE) is None
