"""What is done with many sessions at once: by the administrator, and at every node (`neighbours.Order`)."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from typing import Final

from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext, sliced
from quintet.sametime.ids import id_key
from quintet.sametime.neighbours import (
    MOST_LISTED,
    MOST_ROWS,
    AnnounceTo,
    EndNamed,
    ListSessions,
    Order,
    OrderResult,
    SessionOrder,
    SessionRow,
    ShowText,
)
from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.codec import clip
from quintet.sametime.wire.messages import Admin, Announce

_SLICE: Final = 200
_LONGEST_LISTED: Final = 256


async def carry_out_everywhere(context: ServerContext, order: SessionOrder) -> int:
    """Do it here and at all other nodes. With how many sessions."""
    elsewhere = _ask_others(context, order)
    return await carry_out(context, order) + (await elsewhere).sessions


async def list_everywhere(context: ServerContext) -> OrderResult:
    """The sessions here and at all other nodes, the oldest first; at most `MOST_LISTED`."""
    elsewhere, rows = _ask_others(context, ListSessions()), list[SessionRow]()

    def collect() -> Iterator[None]:
        for some in session_rows(context):
            rows.extend(some)
            yield

    await sliced(collect())
    result = await elsewhere
    count = len(rows) + result.sessions
    listed = (*rows, *result.rows)[:MOST_LISTED]
    return replace(result, sessions=count, rows=tuple(sorted(listed, key=attrgetter("connected_at"))))


def session_rows(context: ServerContext) -> Iterator[tuple[SessionRow, ...]]:
    """The sessions here, at most `MOST_ROWS` in each step."""
    clients = tuple(context.clients.values())
    for first in range(0, len(clients), MOST_ROWS):
        yield tuple([_row(context, each) for each in clients[first : first + MOST_ROWS]])


def _ask_others(context: ServerContext, order: Order) -> asyncio.Future[OrderResult]:
    """What comes of it at all other nodes."""
    found: asyncio.Future[OrderResult] = asyncio.get_running_loop().create_future()
    context.neighbours.order(order, lambda answers: None if found.done() else found.set_result(answers))
    return found


def _row(context: ServerContext, client: Client) -> SessionRow:
    record = context.community.presence.record(client.id)
    return SessionRow(
        context.community.node.name,
        client.id,
        clip(client.login.user_id, _LONGEST_LISTED),
        clip(client.login.user_name, _LONGEST_LISTED),
        client.connection.client_type,
        client.connection.address,
        int(client.signed_in_at),
        record.status.status if record else 0,
    )


async def carry_out(context: ServerContext, order: SessionOrder) -> int:
    """Do it with the sessions here. With how many."""
    clients = context.clients
    match order:
        case ShowText(text):
            return await _notify(clients.values(), lambda _: Admin(text))
        case EndNamed(name):
            named = [each for each in clients.values() if _is_named(each, name)]
            for client in named:
                end_for_good(context, client)
            return len(named)
        case AnnounceTo(users, text, may_reply, sender):
            sessions = [each for user in users for each in context.community.presence.sessions_of(user)]
            found = [clients[each] for each in dict.fromkeys(sessions) if each in clients]
            return await _notify(
                found, lambda client: Announce(text, (f"@U {client.login.user_id}",), may_reply, sender)
            )


def end_for_good(context: ServerContext, client: Client) -> None:
    """End a session so that the client does not come back by itself."""
    context.deliver(context.community.end(client.id, ReasonCode.USER_RESTRICTED), None)


def _is_named(client: Client, name: str) -> bool:
    """Whether this is its session id, user id or login name."""
    return name == client.id or id_key(name) in (id_key(client.login.user_id), id_key(client.login_name))


async def _notify(clients: Iterable[Client], notice: Callable[[Client], Admin | Announce]) -> int:
    """Show it, in slices. In how many sessions."""
    chosen = tuple(clients)
    for nth, client in enumerate(chosen, 1):
        client.session.notify(notice(client))
        client.connection.wake()
        if not nth % _SLICE:
            await asyncio.sleep(0)
    return len(chosen)
