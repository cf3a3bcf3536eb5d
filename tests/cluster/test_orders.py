"""Orders to all nodes: sessions that other nodes list, and how complete that is."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from quintet.cluster.messages import NodeMessage, OrderDone, SessionRows
from quintet.cluster.orders import ANSWER_SECONDS, GIVE, NodeOrders
from quintet.cluster.streams import NodeStreams
from quintet.cluster.valkey import Answer, Argument, CallFailure, Reply, Script
from quintet.sametime.community import Community, Node
from quintet.sametime.community.effects import Effect
from quintet.sametime.neighbours import (
    MOST_LISTED,
    MOST_ROWS,
    ListSessions,
    Order,
    OrderResult,
    SessionRow,
    ShowText,
)
from support.simulated_cluster import PlainSealing

ROW = SessionRow("", "id", "uid=bob", "Bob", "client", "127.0.0.1", 1, 0x20)


@dataclass(eq=False)
class Bus:
    """A Valkey whose answers, publications and entries arrive with `settle`."""

    members: "list[Member]" = field(default_factory=list)
    failure: Reply | CallFailure | None = None
    due: deque[Callable[[], None]] = field(default_factory=deque)

    def settle(self) -> None:
        while self.due:
            self.due.popleft()()


class Member:
    """A node with `sessions` sessions. A `silent` one is subscribed, and does nothing."""

    def __init__(self, bus: Bus, name: str, sessions: int = 0, *, silent: bool = False) -> None:
        self.bus = bus
        self.sessions = sessions
        self.silent = silent
        self.heard: list[NodeMessage] = []
        self.community = Community(Node(name, name * 2))
        self.streams = NodeStreams(self.community.node, "q", self, PlainSealing(), self)
        self.orders = NodeOrders(self, self.streams, self, "q", PlainSealing())
        self.streams.connected()
        bus.members.append(self)

    def give(self, order: Order) -> list[OrderResult]:
        answers: list[OrderResult] = []
        self.orders.give(order, 0.0, answers.append)
        self.bus.settle()
        return answers

    # As Valkey

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        data, due, failure = args[1 if script is GIVE else 2], self.bus.due, self.bus.failure
        assert isinstance(data, bytes)
        assert answer is not None
        if failure is not None:
            due.append(lambda: answer(failure))
        elif script is GIVE:
            for each in self.bus.members:
                if not each.silent:
                    due.append(lambda each=each: each.orders.published(data))  # type: ignore[misc]
            due.append(lambda: answer(len(self.bus.members)))
        else:
            (to,) = [each for each in self.bus.members if keys[2] == f"q:s:{each.community.node.incarnation}"]
            due.append(lambda: to.streams.entry(keys[2], "1-0", data))
            due.append(lambda: answer(b"OK"))

    def subscribe(self, channel: str) -> None: ...

    def unsubscribe(self, channel: str) -> None: ...

    def read_stream(self, key: str) -> None: ...

    # As the server and the node

    def deliver(self, effects: list[Effect]) -> None: ...

    def carry_out(self, order: Order, then: Callable[[int], None]) -> None:
        then(self.sessions)

    def in_slices(self, steps: Iterator[None]) -> None:
        for _ in steps:
            pass

    def read_privacy(self, user_id: str) -> None: ...

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        row = ROW._replace(node=self.community.node.name)
        for first in range(0, self.sessions, MOST_ROWS):
            yield (row,) * min(MOST_ROWS, self.sessions - first)

    def arrived(self, sender: Node, message: NodeMessage) -> None:
        self.heard.append(message)
        if isinstance(message, SessionRows):
            self.orders.listed(message)
        elif isinstance(message, OrderDone):
            self.orders.done(message)

    def lost(self, peer: Node, *, gone: bool) -> None:
        raise AssertionError(peer)

    def fenced(self) -> None:
        raise AssertionError


def test_the_sessions_of_all_other_nodes_are_listed_in_messages_of_bounded_size() -> None:
    bus = Bus()
    one, _, _ = Member(bus, "1", 5), Member(bus, "2", 2 * MOST_ROWS + 1), Member(bus, "3")
    (answers,) = one.give(ListSessions())
    assert answers == OrderResult(201, (ROW._replace(node="2"),) * 201, asked=2, answered=2)
    assert [len(each.rows) for each in one.heard if isinstance(each, SessionRows)] == [100, 100, 1]


def test_a_node_that_does_not_answer_is_counted_when_the_time_is_over() -> None:
    bus = Bus()
    one, _, _ = Member(bus, "1"), Member(bus, "2", 3), Member(bus, "3", 4, silent=True)
    answers = one.give(ListSessions())
    one.orders.tick(ANSWER_SECONDS - 0.1)
    assert answers == []
    one.orders.tick(ANSWER_SECONDS)
    assert answers == [OrderResult(3, (ROW._replace(node="2"),) * 3, asked=2, answered=1)]


@pytest.mark.parametrize("failure", [*CallFailure, -1], ids=str)
def test_without_valkey_or_a_lease_it_is_not_known_which_nodes_there_are(failure: CallFailure | int) -> None:
    bus = Bus(failure=failure)
    one, _ = Member(bus, "1"), Member(bus, "2", 3)
    for order in (ListSessions(), ShowText("x")):
        assert one.give(order) == [OrderResult(asked=None)]


def test_no_more_rows_are_kept_than_are_listed() -> None:
    bus = Bus()
    one, *_ = [Member(bus, each, MOST_LISTED // 2 + 1) for each in "1234"]
    (answers,) = one.give(ListSessions())
    assert (len(answers.rows), answers.sessions) == (MOST_LISTED, 3 * (MOST_LISTED // 2 + 1))


def test_rows_that_this_node_has_not_asked_for_or_that_come_late_are_dropped() -> None:
    bus = Bus()
    one, _ = Member(bus, "1"), Member(bus, "2", 1, silent=True)
    answers = one.give(ListSessions())
    one.orders.tick(ANSWER_SECONDS)
    one.orders.listed(SessionRows("other", (ROW,)))
    one.orders.done(OrderDone("other", 1))
    assert answers == [OrderResult(asked=1)]


def test_what_is_done_with_sessions_is_counted_without_listing_them() -> None:
    bus = Bus()
    one, _ = Member(bus, "1", 5), Member(bus, "2", 7)
    assert one.give(ShowText("x")) == [OrderResult(7, asked=1, answered=1)]
