"""What is done for all sessions every few seconds: keep-alives, and whether users still may be there."""

import asyncio
from typing import Final

from quintet.directory import DirectoryError, Person, Service, UnknownNameError
from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.ids import id_key
from quintet.sametime.orders import end_for_good
from quintet.sametime.session import SessionState

_TICK_SECONDS: Final = 5.0
_SLICE: Final = 200
_RECHECKS_AT_ONCE: Final = 4


async def keep_house(context: ServerContext) -> None:
    """Show idle clients that the server is there, and find out whether users still may be; without end."""
    rechecks = asyncio.Semaphore(_RECHECKS_AT_ONCE)
    loop = asyncio.get_running_loop()
    tick = min(_TICK_SECONDS, context.limits.keep_alive_seconds / 2)
    while True:
        await asyncio.sleep(tick)
        idle_since = loop.time() - context.limits.keep_alive_seconds
        now, minutes = context.now(), context.settings.recheck_minutes
        for nth, client in enumerate(tuple(context.clients.values()), 1):
            if client.connection.last_sent < idle_since and client.session.state is SessionState.ONLINE:
                client.session.keep_alive()
                client.connection.wake()
            if client.recheck_at <= now and minutes and client.person is not None:
                client.recheck_at = now + minutes * 60
                context.spawn("recheck", recheck(context, client, client.person, rechecks))
            if not nth % _SLICE:
                await asyncio.sleep(0)


async def recheck(context: ServerContext, client: Client, person: Person, turns: asyncio.Semaphore) -> None:
    """End the session of a user who is gone, disabled or not matched any more. A failure ends nothing."""
    async with turns:
        try:
            found: Person | None = await context.directory.resolve_login(client.login_name)
        except UnknownNameError:
            found = None
        except DirectoryError:
            return
        client.tasks[Service.RESOLVE_LOGIN] += 1
        if found is None or id_key(found.id) != id_key(person.id):
            end_for_good(context, client)
