"""Messages between two nodes arrive in order and at most once, and no loss goes unnoticed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.cluster.messages import NodeMessage, OrderDone
from quintet.cluster.streams import APPEND, LARGE, MOST_TOGETHER, MOST_WAITING, SYNCS, NodeStreams
from quintet.cluster.valkey import Answer, Argument, CallFailure, Script
from quintet.sametime.community import Node
from quintet.sametime.community.effects import SendAt

ONE, TWO = Node("one", "11"), Node("two", "22")
Failures = CallFailure


class Sealed:
    """Shows what a value was sealed for, and opens only that."""

    def seal(self, data: bytes, context: bytes) -> bytes:
        return context + b"\n" + data

    def open(self, blob: bytes, context: bytes) -> bytes | None:
        head, newline, data = blob.partition(b"\n")
        return data if newline and head == context else None


@dataclass
class Store:
    """What Valkey keeps: streams, and who has which name."""

    streams: dict[str, list[bytes]] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)

    def append(self, keys: Sequence[str], args: Sequence[Argument]) -> bytes:
        if self.leases.get(keys[0]) != args[0]:
            return b"FENCED"
        if self.leases.get(keys[1]) != args[1]:
            return b"GONE"
        assert isinstance(args[2], bytes)
        self.streams.setdefault(keys[2], []).append(args[2])
        return b"OK"


class Link:
    """A `Valkey` whose calls wait for `carry_out`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[tuple[Sequence[str], Sequence[Argument], Answer]] = []
        self.reading = ""
        self.at = 0

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        if script is APPEND:
            assert answer is not None
            self.calls.append((keys, args, answer))

    def subscribe(self, channel: str) -> None:
        raise AssertionError(channel)

    unsubscribe = subscribe

    def read_stream(self, key: str) -> None:
        self.reading, self.at = key, 0

    def carry_out(self, failure: CallFailure | None = None) -> None:
        """The next call: carried out and answered, or with UNKNOWN only one of both, or neither."""
        if self.calls:
            keys, args, answer = self.calls.pop(0)
            answer(failure or self.store.append(keys, args))

    def break_off(self, carried_out: int) -> None:
        """The connection is lost when so many calls were carried out, of which no answer came."""
        calls, self.calls = self.calls, []
        for at, (keys, args, answer) in enumerate(calls):
            if at < carried_out:
                self.store.append(keys, args)
            answer(CallFailure.UNKNOWN)


class Side:
    """A node with its streams; `heard` has what came, with "lost" and "gone" between."""

    def __init__(self, node: Node, store: Store) -> None:
        self.link = Link(store)
        self.heard: list[object] = []
        self.fences = 0
        self.faults: set[int] = set()
        store.leases[f"q:node:{node.name}"] = node.incarnation
        self.streams = NodeStreams(node, "q", self.link, Sealed(), self)
        self.streams.connected()

    def arrived(self, _sender: Node, message: NodeMessage) -> None:
        if isinstance(message, OrderDone) and message.sessions in self.faults:
            raise ZeroDivisionError
        self.heard.append(message)

    def lost(self, _peer: Node, *, gone: bool) -> None:
        self.heard.append("gone" if gone else "lost")

    def fenced(self) -> None:
        self.fences += 1

    def read(self) -> None:
        """Read what is new in the stream."""
        stream = self.link.store.streams.get(self.link.reading, [])
        while self.link.at < len(stream):
            self.link.at += 1
            self.streams.entry(self.link.reading, f"{self.link.at}-0", stream[self.link.at - 1])

    def carry_out_all(self) -> None:
        while self.link.calls:
            self.link.carry_out()


def pair() -> tuple[Side, Side]:
    store = Store()
    return Side(ONE, store), Side(TWO, store)


def said(*numbers: int) -> list[object]:
    return [OrderDone("", each) for each in numbers]


def say(side: Side, *numbers: int) -> None:
    for each in numbers:
        side.streams.send(TWO, OrderDone("", each))


def say_apart(side: Side, *numbers: int) -> None:
    """Each in its own entry."""
    for each in numbers:
        say(side, each)
        side.carry_out_all()


def test_messages_arrive_in_order() -> None:
    one, two = pair()
    say(one, 1, 2, 3)
    one.carry_out_all()
    two.read()
    assert two.heard == said(1, 2, 3)
    assert list(one.streams.peers()) == [TWO]
    assert list(two.streams.peers()) == [ONE]


def test_what_is_said_while_an_entry_is_under_way_goes_together_in_the_next() -> None:
    one, two = pair()
    say(one, 1, 2, 3, 4)
    assert len(one.link.calls) == 1
    one.carry_out_all()
    assert len(one.link.store.streams["q:s:22"]) == 2
    two.read()
    assert two.heard == said(1, 2, 3, 4)


def test_an_entry_is_bounded() -> None:
    one, two = pair()
    say(one, *range(2 * MOST_TOGETHER + 2))
    for _ in range(2):
        one.streams.send(TWO, SendAt("", "", 1, bytes(LARGE), False))
    one.carry_out_all()
    assert len(one.link.store.streams["q:s:22"]) == 5
    two.read()
    assert two.heard[: 2 * MOST_TOGETHER + 2] == said(*range(2 * MOST_TOGETHER + 2))
    assert len(two.heard) == 2 * MOST_TOGETHER + 4


def test_a_fault_with_one_message_ends_what_is_shared_since_those_behind_it_are_not_applied() -> None:
    one, two = pair()
    say(one, 1, 2, 3)
    one.carry_out_all()
    two.faults.add(2)
    with pytest.raises(ZeroDivisionError):
        two.read()
    assert two.heard == [*said(1), "lost"]
    say(one, 4)
    one.carry_out_all()
    two.read()
    assert two.heard == [*said(1), "lost", *said(4)]


def test_what_may_have_been_sent_when_the_connection_broke_is_sent_again_and_arrives_once() -> None:
    one, two = pair()
    say(one, 1, 2, 3)
    one.link.carry_out()
    one.link.break_off(1)
    one.streams.disconnected()
    say(one, 4)
    assert not one.link.calls
    one.streams.connected()
    one.carry_out_all()
    two.read()
    assert two.heard == said(1, 2, 3, 4)


def test_a_stream_that_is_read_again_from_its_beginning_tells_nothing_twice() -> None:
    one, two = pair()
    say(one, 1, 2)
    one.carry_out_all()
    two.read()
    two.streams.disconnected()
    two.streams.connected()
    two.read()
    assert two.heard == said(1, 2)


def test_a_lost_message_is_noticed_by_the_next_one() -> None:
    one, two = pair()
    say_apart(one, 1, 2, 3)
    del two.link.store.streams["q:s:22"][1]
    two.read()
    assert two.heard == [*said(1), "lost", *said(3)]


def test_a_lost_last_message_is_noticed_after_a_tick() -> None:
    one, two = pair()
    say_apart(one, 1, 2)
    del two.link.store.streams["q:s:22"][1]
    two.read()
    one.streams.tick()
    one.carry_out_all()
    two.read()
    assert two.heard == [*said(1), "lost"]


def test_a_sender_that_is_silent_for_some_time_says_nothing_more() -> None:
    one, _ = pair()
    say(one, 1)
    for _ in range(SYNCS):
        one.carry_out_all()
        one.streams.tick()
        assert one.link.calls
    one.carry_out_all()
    one.streams.tick()
    assert not one.link.calls


def test_a_lost_last_message_is_noticed_after_a_new_connection() -> None:
    one, two = pair()
    say(one, 1)
    one.carry_out_all()
    one.streams.tick()
    one.carry_out_all()
    two.link.store.streams.clear()
    one.streams.disconnected()
    one.streams.connected()
    one.carry_out_all()
    two.read()
    assert two.heard == ["lost"]


def test_a_message_that_valkey_refuses_is_lost_at_both_ends() -> None:
    one, two = pair()
    say(one, 1)
    one.link.carry_out(Failures.REFUSED)
    assert one.heard == ["lost"]
    say(one, 2)
    one.carry_out_all()
    two.read()
    assert two.heard == ["lost", *said(2)]


def test_calls_that_were_not_taken_are_made_again_in_order() -> None:
    one, two = pair()
    say(one, 1)
    one.link.carry_out(Failures.AWAY)
    say(one, 2)
    assert not one.link.calls
    one.streams.tick()
    one.carry_out_all()
    two.read()
    assert two.heard == said(1, 2)


def test_a_node_without_a_lease_gets_nothing_and_the_sender_knows_at_once() -> None:
    one, two = pair()
    del one.link.store.leases["q:node:two"]
    say(one, 1, 2)
    one.carry_out_all()
    assert one.heard == ["gone"]
    assert list(one.streams.peers()) == []
    assert "q:s:22" not in two.link.store.streams


def test_a_node_that_was_only_thought_to_be_gone_notices() -> None:
    one, two = pair()
    say(one, 1)
    one.carry_out_all()
    two.read()
    one.streams.gone(TWO)
    say(one, 2)
    one.carry_out_all()
    two.read()
    assert two.heard == [*said(1), "lost", *said(2)]


def test_a_sender_without_a_lease_is_fenced() -> None:
    one, two = pair()
    one.link.store.leases["q:node:one"] = "another"
    say(one, 1)
    one.carry_out_all()
    assert one.fences == 1
    assert "q:s:22" not in two.link.store.streams


def test_a_new_incarnation_shares_nothing_and_counts_from_the_beginning() -> None:
    one, two = pair()
    say(one, 1)
    one.carry_out_all()
    one.streams.begin_anew(Node("one", "33"))
    assert one.heard == ["gone"]
    one.link.store.leases["q:node:one"] = "33"
    one.streams.connected()
    assert one.link.reading == "q:s:33"
    say(one, 2)
    one.carry_out_all()
    two.read()
    assert two.heard == said(1, 2)


def test_what_no_node_has_written_for_this_stream_is_ignored() -> None:
    one, two = pair()
    say(one, 1)
    one.carry_out_all()
    stream = two.link.store.streams["q:s:22"]
    moved = stream[0].replace(b"q:s:22", b"q:s:99")
    stream[:0] = [b"", b"garbage", moved, b"q:s:22\n", b"q:s:22\n\x01\x00\xff", b"q:s:22\n\x09" + bytes(12)]
    two.read()
    assert two.heard == said(1)


def test_a_message_that_cannot_be_read_is_as_good_as_lost() -> None:
    one, two = pair()
    say(one, 1)
    one.carry_out_all()
    stream = two.link.store.streams["q:s:22"]
    stream[0] = stream[0][:-1]
    two.read()
    assert two.heard == ["lost"]


def test_a_message_that_cannot_be_written_is_lost_at_both_ends() -> None:
    one, two = pair()
    one.streams.send(TWO, SendAt("x" * 70_000, "", 1, b"", False))
    assert one.heard == ["lost"]
    say(one, 2)
    one.carry_out_all()
    two.read()
    assert two.heard == ["lost", *said(2)]


def test_what_waits_is_bounded() -> None:
    one, two = pair()
    one.streams.disconnected()
    say(one, *range(MOST_WAITING + 1))
    assert one.heard == ["lost"]
    one.streams.connected()
    one.carry_out_all()
    two.read()
    assert two.heard == ["lost"]


STEPS = ["say", "carry out", "break off", "away", "refuse", "connect", "tick", "read", "read again", "forget"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4)), max_size=80))
def test_whatever_happens_messages_keep_their_order_and_a_loss_is_noticed(
    steps: list[tuple[str, int]],
) -> None:
    one, two = pair()
    up, last = True, 0
    for step, number in steps:
        if step == "say":
            last += 1
            say(one, last)
        elif step == "carry out":
            one.link.carry_out()
        elif step == "break off" and up:
            one.link.break_off(number)
            one.streams.disconnected()
            up = False
        elif step == "away":
            one.link.carry_out(CallFailure.AWAY)
        elif step == "refuse":
            one.link.carry_out(CallFailure.REFUSED)
        elif step == "connect" and not up:
            one.streams.connected()
            up = True
        elif step == "tick":
            one.streams.tick()
        elif step == "read":
            two.read()
        elif step == "read again":
            two.link.at = 0
        elif step == "forget" and two.link.at == len(two.link.store.streams.get("q:s:22", [])) and up:
            # A fail-over: what was written last is not there any more, and every connection is new.
            del two.link.store.streams.get("q:s:22", [])[-number:]
            two.link.at = 0
            one.link.break_off(0)
            one.streams.disconnected()
            one.streams.connected()
    if not up:
        one.streams.connected()
    for _ in range(3):
        one.carry_out_all()
        one.streams.tick()
    one.carry_out_all()
    two.read()
    arrived = [each.sessions for each in two.heard if isinstance(each, OrderDone)]
    assert arrived == sorted(set(arrived))
    before = 0
    unnoticed: list[int] = []
    for each in [*two.heard, OrderDone("", last + 1)]:
        if each == "lost":
            unnoticed, before = [], -1
        elif isinstance(each, OrderDone):
            if before >= 0 and each.sessions != before + 1:
                unnoticed.append(each.sessions)
            before = each.sessions
    assert not unnoticed
