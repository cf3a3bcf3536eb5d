"""Waiting for what another process does: the one place where tests pause to look again.

Inside one event loop `support.directories.until` waits without any pause.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

_FIRST_PAUSE = 0.01  # seconds: most of what is waited for takes little longer
_LONGEST_PAUSE = 0.1  # to look may cost a process


def wait_until(condition: Callable[[], object], *, seconds: float) -> bool:
    """Whether `condition` came true within `seconds`.

    It is asked again and again, with pauses: another process that has become ready, or has written something,
    sets no event here.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return True


async def pause(seconds: float, stop: asyncio.Event | None = None) -> None:
    """Let time pass for what runs in this event loop and elsewhere, or less when `stop` is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await (stop or asyncio.Event()).wait()
