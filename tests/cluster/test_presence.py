"""Presence across nodes: sessions of one node are seen at the others."""

from quintet.sametime.community import SignInRule
from quintet.sametime.neighbours import VersionedPrivacy
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, UserStatus
from support.simulated_cluster import SimulatedNode, World

ALICE, BOB = "uid=alice", "uid=bob"
ACTIVE = UserStatus(0x20)


def world(nodes: int = 2, rule: SignInRule = SignInRule.MANY) -> World:
    made = World(1, rule=rule)
    for user in (ALICE, BOB):
        made.stored[user] = VersionedPrivacy(0, VISIBLE_TO_ALL)
        made.privacy[user] = [(0.0, VISIBLE_TO_ALL)]
    for nth in range(nodes):
        SimulatedNode(made, f"n{nth}")
    made.run(3)
    return made


def test_a_session_is_seen_at_another_node() -> None:
    made = world()
    one, two = made.nodes.values()
    one.sign_in(ALICE, ACTIVE)
    two.sign_in(BOB, ACTIVE)
    made.run(4)
    (bob,) = two.clients
    two.watch(bob, [ALICE])
    made.run(5)
    assert two.clients[bob].seen == {ALICE: (ACTIVE, "Uid=Alice")}
    (alice,) = one.clients
    away = UserStatus(0x60, 0, "lunch")
    one.set_status(alice, away)
    made.run(6)
    assert two.clients[bob].seen == {ALICE: (away, "Uid=Alice")}
    one.sign_out(alice)
    made.run(7)
    assert two.clients[bob].seen == {ALICE: None}
